"""The client's verbs on a real API server: what it promises and what it refuses."""

import asyncio
import base64
from contextlib import aclosing
from typing import Any

import pytest

from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.credentials import Access
from modelyard_operator.kube.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    GoneError,
    InvalidError,
    NotFoundError,
)
from modelyard_operator.kube.paging import FIRST_PAGE, Pages
from modelyard_operator.kube.transport import session
from modelyard_operator.plan import Manifest, Ref
from tests.integration.operator.conftest import job


def secret(namespace: str, name: str = "s", **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": data or {"a": "YQ=="},
    }


def ref(namespace: str, name: str = "s", uid: str | None = None) -> Ref:
    return Ref("v1", "Secret", namespace, name, uid)


async def test_what_is_created_can_be_read_and_deleted(client: Client, namespace: str) -> None:
    created = await client.create(secret(namespace))
    assert (await client.get(ref(namespace)))["metadata"]["uid"] == created["metadata"]["uid"]
    assert await client.delete(ref(namespace)) is None
    with pytest.raises(NotFoundError, match='secrets "s" not found'):
        await client.get(ref(namespace))
    with pytest.raises(NotFoundError):
        await client.delete(ref(namespace))


async def test_only_the_metadata_of_a_secret_can_be_asked_for(client: Client, namespace: str) -> None:
    await client.create(secret(namespace))
    found = await client.get(ref(namespace), metadata_only=True)
    assert found["metadata"]["name"] == "s"
    assert "data" not in found


async def test_a_list_of_large_objects_comes_in_small_pages(client: Client, namespace: str) -> None:
    """Parsed, a page takes ten times its bytes; a hundred such objects are more than the operator has."""
    for number in range(30):
        manifest = secret(namespace, f"large-{number:02}")
        await client.create(manifest | {"data": {"x": base64.b64encode(b"x" * 500_000).decode()}})
    pages = [page async for page in client.pages(resources.SECRET, namespace=namespace)]
    sizes = [len(page.items) for page in pages]
    assert sum(sizes) == 30
    assert sizes[0] == FIRST_PAGE
    assert max(sizes[1:]) <= FIRST_PAGE // 4


@pytest.mark.parametrize(
    ("count", "size", "expected"), [(80, 10, [10, 20, 40, 10]), (14, 500_000, [10, 2, 2])]
)
async def test_kopfs_pages_follow_the_size_of_the_objects(
    access: Access, client: Client, namespace: str, count: int, size: int, expected: list[int]
) -> None:
    """It asks for pages of one size only; 5,000 jobs would be 500 requests."""
    data = {"x": base64.b64encode(b"x" * size).decode()}
    for number in range(count):
        await client.create(secret(namespace, f"s{number:02}") | {"data": data})
    url, token = f"{access.server}/api/v1/namespaces/{namespace}/secrets", ""
    found: list[int] = []
    async with session(access, middlewares=(Pages(),)) as kopfs:
        while not found or token:
            query = {"limit": str(FIRST_PAGE)} | ({"continue": token} if token else {})
            async with kopfs.get(url, params=query) as response:
                page = await response.json()
            found.append(len(page["items"]))
            token = page["metadata"].get("continue", "")
    assert found == expected


async def test_a_long_list_comes_in_pages_with_kind_and_version(client: Client, namespace: str) -> None:
    await asyncio.gather(*(client.create(secret(namespace, f"s{n:02}")) for n in range(25)))
    pages = [page async for page in client.pages(resources.SECRET, namespace=namespace, limit=10)]
    assert [len(page.items) for page in pages] == [10, 10, 5]
    assert [page.last for page in pages] == [False, False, True]
    assert len({page.resource_version for page in pages}) == 1
    assert {(item["apiVersion"], item["kind"]) for page in pages for item in page.items} == {("v1", "Secret")}


async def test_a_list_can_be_of_metadata_and_by_labels(client: Client, namespace: str) -> None:
    await client.create(job(namespace, "a"))
    labelled = job(namespace, "b")
    labelled["metadata"]["labels"] = {"x": "1"}
    await client.create(labelled)
    kind = resources.of(API_VERSION, "TrainingJob")
    pages = [
        page async for page in client.pages(kind, namespace=namespace, selector="x=1", metadata_only=True)
    ]
    assert [item["metadata"]["name"] for item in pages[0].items] == ["b"]
    assert "spec" not in pages[0].items[0]


async def test_a_name_that_is_taken_is_said_so(client: Client, namespace: str) -> None:
    await client.create(secret(namespace))
    with pytest.raises(AlreadyExistsError):
        await client.create(secret(namespace))


@pytest.mark.parametrize("kind", ["Secret", "TrainingJob"])
async def test_an_apply_of_the_absent_creates_and_never_changes(
    client: Client, namespace: str, kind: str
) -> None:
    manifest = secret(namespace, "x") if kind == "Secret" else job(namespace, "x")
    created = await client.apply_absent(manifest)
    entries = created["metadata"]["managedFields"]
    assert [(entry["manager"], entry["operation"]) for entry in entries] == [(naming.FIELD_MANAGER, "Apply")]
    with pytest.raises(ConflictError):
        await client.apply_absent(manifest | {"metadata": manifest["metadata"] | {"labels": {"a": "b"}}})
    found = await client.get(Ref.of(manifest))
    assert found["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_an_apply_takes_its_fields_back_and_leaves_others_alone(client: Client, namespace: str) -> None:
    await client.apply_absent(secret(namespace, "s", mine="YQ==", dropped="YQ=="))
    await client.merge_patch(
        ref(namespace), {"data": {"mine": "Yg==", "theirs": "Yg=="}}, resource_version=None
    )
    found = await client.apply(secret(namespace, "s", mine="YQ=="))
    assert found["data"] == {"mine": "YQ==", "theirs": "Yg=="}


async def test_an_apply_for_a_uid_does_not_touch_a_namesake(client: Client, namespace: str) -> None:
    await client.create(secret(namespace))
    other: dict[str, Any] = secret(namespace, "s", b="Yg==")
    other["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(ConflictError):
        await client.apply(other)
    other["metadata"]["name"] = "absent"
    with pytest.raises(ConflictError):
        await client.apply(other)


async def test_a_status_is_written_only_onto_what_was_seen(client: Client, namespace: str) -> None:
    seen = await client.create(job(namespace))
    version = str(seen["metadata"]["resourceVersion"])
    patch = {"status": {"phase": "Pending", "attempt": 1}}
    after = await client.merge_patch(Ref.of(seen), patch, resource_version=version, subresource="status")
    assert after["status"] == {"phase": "Pending", "attempt": 1}
    with pytest.raises(ConflictError):
        await client.merge_patch(Ref.of(seen), patch, resource_version=version, subresource="status")
    newer = str(after["metadata"]["resourceVersion"])
    cleared = await client.merge_patch(
        Ref.of(seen), {"status": {"attempt": None}}, resource_version=newer, subresource="status"
    )
    assert cleared["status"] == {"phase": "Pending"}


async def test_a_patch_that_changes_nothing_makes_no_new_version(client: Client, namespace: str) -> None:
    seen = await client.create(job(namespace))
    patch = {"status": {"phase": "Pending"}}
    first = await client.merge_patch(Ref.of(seen), patch, resource_version=None, subresource="status")
    second = await client.merge_patch(Ref.of(seen), patch, resource_version=None, subresource="status")
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


async def test_a_deletion_is_of_one_uid(client: Client, namespace: str) -> None:
    created = await client.create(secret(namespace))
    with pytest.raises(ConflictError):
        await client.delete(ref(namespace, uid="00000000-0000-0000-0000-000000000000"))
    assert await client.delete(ref(namespace, uid=created["metadata"]["uid"])) is None


async def test_a_deletion_that_a_finalizer_holds_up_gives_the_object_back(
    client: Client, namespace: str
) -> None:
    held = secret(namespace)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(held)
    going = await client.delete(ref(namespace))
    assert going is not None
    assert "deletionTimestamp" in going["metadata"]
    await client.merge_patch(ref(namespace), {"metadata": {"finalizers": None}}, resource_version=None)
    with pytest.raises(NotFoundError):
        await client.get(ref(namespace))


async def test_a_wrong_object_is_refused_in_the_api_servers_words(client: Client, namespace: str) -> None:
    with pytest.raises(InvalidError, match=r"spec\.workers"):
        await client.create(job(namespace, workers=0))


async def test_an_absent_namespace_or_kind_is_not_found(client: Client, namespace: str) -> None:
    with pytest.raises(NotFoundError):
        await client.create(secret("no-such-namespace"))
    with pytest.raises(NotFoundError):
        async for _ in client.pages(resources.INFERENCE_SERVICE, namespace=f"{namespace}-none"):
            pass


async def test_a_watch_tells_what_happens_after_a_version(client: Client, namespace: str) -> None:
    async for page in client.pages(resources.SECRET, namespace=namespace):
        version = page.resource_version
    await client.create(secret(namespace))
    await client.merge_patch(ref(namespace), {"data": {"b": "Yg=="}}, resource_version=None)
    await client.delete(ref(namespace))
    types = []
    async with aclosing(client.watch(resources.SECRET, since=version, namespace=namespace)) as events:
        async for event in events:
            types.append(event.type)
            if event.type == "DELETED":
                break
    assert types == ["ADDED", "MODIFIED", "DELETED"]


async def test_an_object_larger_than_a_line_buffer_passes_a_watch(client: Client, namespace: str) -> None:
    async for page in client.pages(resources.SECRET, namespace=namespace):
        version = page.resource_version
    await client.create(secret(namespace, "s", big="QUFB" * 100_000))
    async with aclosing(client.watch(resources.SECRET, since=version, namespace=namespace)) as events:
        event = await anext(events)
    assert len(event.object["data"]["big"]) == 400_000


async def test_a_watch_from_too_long_ago_is_gone(client: Client, namespace: str) -> None:
    with pytest.raises(GoneError):
        async for _ in client.watch(resources.OWN[1], since="1", namespace=namespace):
            pass


async def test_a_silent_watch_is_broken_off(client: Client, namespace: str) -> None:
    async for page in client.pages(resources.SECRET, namespace=namespace):
        version = page.resource_version
    with pytest.raises(ApiError, match="the watch of secrets broke"):
        async for _ in client.watch(
            resources.SECRET, since=version, namespace=namespace, silence_seconds=0.3
        ):
            pass
