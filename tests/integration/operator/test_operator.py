"""The whole operator with a tiny controller, on a real API server with our real definitions."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from modelyard_operator import naming
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.engine import term
from modelyard_operator.engine.freshness import Freshness
from modelyard_operator.engine.outcome import MARKER
from modelyard_operator.engine.term import TermError
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import NotFoundError
from modelyard_operator.plan import GENERATED_TOKEN, Manifest, Observed, Plan, Ref
from tests.integration.operator.conftest import Start, becomes, job, requests, tiny
from tests.support.apiserver import ApiServer
from tests.support.eventually import eventually

KINDS = (*resources.OWN, *resources.CHILDREN)


def pod(observed: Observed, name: str) -> Manifest:
    container = {
        "name": "c",
        "image": "image:1",
        "resources": {"requests": {"cpu": "1000m"}},
        "env": [{"name": "EMPTY", "value": ""}],
        "args": [],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(observed, name),
        "spec": {"containers": [container], "restartPolicy": "Never"},
    }


def children(observed: Observed) -> Plan:
    """One of each kind that the operator makes."""
    selector = naming.selector("TrainingJob", observed.name)
    template = pod(observed, "ignored")
    template_labels = {"labels": template["metadata"]["labels"]}
    service: Manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(observed, f"{observed.name}-service"),
        "spec": {"selector": selector, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }
    server: Manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(observed, f"{observed.name}-server"),
        "spec": {
            "replicas": observed.object["spec"].get("workers", 1),
            "selector": {"matchLabels": selector},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": template_labels,
                "spec": template["spec"] | {"restartPolicy": "Always", "nodeSelector": {}},
            },
        },
    }
    budget: Manifest = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(observed, f"{observed.name}-server"),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector}},
    }
    return Plan(
        status={"phase": "Running", "observedGeneration": observed.generation},
        create=[pod(observed, f"{observed.name}-pod")],
        apply=[service, server, budget],
    )


def token_of(manifest: Manifest) -> list[Ref]:
    meta = manifest["metadata"]
    return [Ref("v1", "Secret", meta["namespace"], f"{meta['name']}-token")]


def with_token(observed: Observed) -> Plan:
    """The Secret with a token, which is asked for by its name and made where it is missing."""
    (ref,) = token_of(observed.object)
    token: Manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(observed, ref.name),
        "stringData": {"token": GENERATED_TOKEN},
    }
    owners = ((observed.references[ref] or {}).get("metadata") or {}).get("ownerReferences", [])
    there = any(owner["uid"] == observed.uid for owner in owners)
    return Plan(status={"phase": "Running" if there else "Pending"}, create=[] if there else [token])


def keys(namespace: str) -> Manifest:
    """The Secret with the namespace's bucket and keys."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": naming.STORE_SECRET, "namespace": namespace},
        "stringData": {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "BUCKET": "team"},
    }


async def phase(client: Client, namespace: str, name: str = "j") -> str | None:
    found = await client.get(Ref.of(job(namespace, name)))
    return (found.get("status") or {}).get("phase")


async def settled(client: Client, namespace: str, wanted: str, name: str = "j") -> None:
    async def look() -> bool:
        return await phase(client, namespace, name) == wanted

    await becomes(look)


async def test_an_object_gets_its_children_and_then_costs_nothing(
    client: Client, namespace: str, start: Start
) -> None:
    # There from the beginning: the keys would be read once more in the middle of the counting.
    await client.create(keys(namespace))
    async with start(tiny(children)) as operator:
        await client.create(job(namespace))
        await settled(client, namespace, "Running")
        await eventually(
            lambda: not (operator.queue.depth or operator.queue.delayed or operator.queue.working)
        )
        before = requests()
        for _ in range(5):
            operator.engine.begin()
            await eventually(lambda: not operator.queue.depth and not operator.queue.working)
        assert requests() == before, "what the API server adds to an object is not drift"


async def test_each_child_comes_back_and_each_edit_is_undone(
    client: Client, namespace: str, start: Start
) -> None:
    async with start(tiny(children)):
        await client.create(job(namespace))
        await settled(client, namespace, "Running")
        server = Ref("apps/v1", "Deployment", namespace, "j-server")
        await client.merge_patch(server, {"spec": {"replicas": 7}}, resource_version=None)
        service = Ref("v1", "Service", namespace, "j-service")
        await client.merge_patch(
            service, {"spec": {"selector": {"modelyard.dev/name": "x"}}}, resource_version=None
        )
        deleted = Ref("v1", "Pod", namespace, "j-pod")
        old = (await client.get(deleted))["metadata"]["uid"]
        await client.delete(deleted, grace_seconds=0)

        async def repaired() -> bool:
            try:
                found = [await client.get(ref) for ref in (server, service, deleted)]
                replicas, selector = found[0]["spec"]["replicas"], found[1]["spec"]["selector"]
                renewed = bool(found[2]["metadata"]["uid"] != old)
                return renewed and replicas == 1 and selector["modelyard.dev/name"] == "j"
            except NotFoundError:
                return False

        await becomes(repaired)


async def test_a_token_is_made_once_and_again_when_it_is_deleted(
    client: Client, namespace: str, start: Start
) -> None:
    """No watch tells of Secrets: the next look asks for it by its name."""
    async with start(tiny(with_token, token_of)) as operator:
        await client.create(job(namespace))
        await settled(client, namespace, "Running")
        ref = Ref("v1", "Secret", namespace, "j-token")
        first = await client.get(ref)
        assert len(first["data"]["token"]) > 40
        assert operator.store.entry(ref) is None
        await client.delete(ref)
        operator.cache.on_secret(ref)
        operator.engine.begin()

        async def another() -> bool:
            try:
                return bool((await client.get(ref))["metadata"]["uid"] != first["metadata"]["uid"])
            except NotFoundError:
                return False

        await becomes(another)


async def test_labels_taken_off_a_pod_come_back(client: Client, namespace: str, start: Start) -> None:
    async with start(tiny(children)):
        await client.create(job(namespace))
        await settled(client, namespace, "Running")
        ref = Ref("v1", "Pod", namespace, "j-pod")
        labels = dict.fromkeys((naming.KIND_LABEL, naming.NAME_LABEL, naming.UID_LABEL))
        before = await client.get(ref)
        await client.merge_patch(ref, {"metadata": {"labels": labels}}, resource_version=None)

        async def labelled() -> bool:
            return naming.UID_LABEL in (await client.get(ref))["metadata"]["labels"]

        await becomes(labelled)
        assert (await client.get(ref))["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_foreign_object_under_a_childs_name_is_left_alone_and_named(
    client: Client, namespace: str, start: Start
) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "j-token", "namespace": namespace},
        "data": {"mine": "eA=="},
    }
    theirs = await client.create(foreign)
    async with start(tiny(with_token, token_of)):
        created = await client.create(job(namespace))
        conditions: dict[str, Any] = {}
        async with asyncio.timeout(15):
            while MARKER not in conditions:
                found = await client.get(Ref.of(created))
                conditions = {c["type"]: c for c in (found.get("status") or {}).get("conditions", [])}
                await asyncio.sleep(0.02)
        assert conditions["Stalled"]["reason"] == "NameTaken"
        assert "Secret 'j-token' already exists" in conditions["Stalled"]["message"]
        again = await client.get(Ref.of(foreign))
        assert again["metadata"]["resourceVersion"] == theirs["metadata"]["resourceVersion"]
        await client.delete(Ref.of(foreign))
        await settled(client, namespace, "Running")
        found = await client.get(Ref.of(created))
        assert MARKER not in {c["type"] for c in found["status"].get("conditions", [])}


async def test_a_child_that_the_api_server_refuses_is_explained(
    client: Client, namespace: str, start: Start
) -> None:
    def bad(observed: Observed) -> Plan:
        wrong = pod(observed, "p")
        wrong["spec"]["containers"][0]["image"] = ""
        return Plan(status={"phase": "Running"}, create=[wrong])

    async with start(tiny(bad)):
        created = await client.create(job(namespace))
        message = ""
        async with asyncio.timeout(15):
            while not message:
                message = ((await client.get(Ref.of(created))).get("status") or {}).get("message", "")
                await asyncio.sleep(0.02)
        assert message.startswith("Pod 'p' cannot be created: ")
        assert "image: Required value" in message


async def test_one_poison_object_among_many(client: Client, namespace: str, start: Start) -> None:
    def decide(observed: Observed) -> Plan:
        if observed.name == "poison":
            raise ValueError("odd beyond words")
        return Plan(status={"phase": "Running"})

    async with start(tiny(decide)):
        await client.create(job(namespace, "poison"))
        await asyncio.gather(*(client.create(job(namespace, f"good{n}")) for n in range(50)))
        for number in range(50):
            await settled(client, namespace, "Running", f"good{number}")

        async def told() -> bool:
            found = await client.get(Ref.of(job(namespace, "poison")))
            return "odd beyond words" in (found.get("status") or {}).get("message", "")

        await becomes(told)


async def test_an_edit_between_the_look_and_the_write_is_not_lost(
    client: Client, namespace: str, start: Start
) -> None:
    async with start(
        tiny(
            lambda o: Plan(
                status={"attempt": o.object["spec"]["workers"], "observedGeneration": o.generation}
            )
        )
    ):
        created = await client.create(job(namespace, workers=1))
        for workers in range(2, 30):
            await client.merge_patch(Ref.of(created), {"spec": {"workers": workers}}, resource_version=None)
        async with asyncio.timeout(15):
            while True:
                found = await client.get(Ref.of(created))
                status = found.get("status") or {}
                if (status.get("attempt"), status.get("observedGeneration")) == (
                    29,
                    found["metadata"]["generation"],
                ):
                    break
                await asyncio.sleep(0.05)


async def test_a_restarted_operator_finds_everything_and_changes_nothing(
    client: Client, namespace: str, start: Start
) -> None:
    await client.create(keys(namespace))
    async with start(tiny(children)):
        await asyncio.gather(*(client.create(job(namespace, f"j{n}")) for n in range(10)))
        for number in range(10):
            await settled(client, namespace, "Running", f"j{number}")
    async with start(tiny(children)) as operator:
        assert operator.watches.own.synced.is_set()
        before = requests()
        await eventually(lambda: operator.term.begun)
        operator.engine.begin()
        await eventually(lambda: not operator.queue.depth and not operator.queue.working)
        # A new leader reads the namespace's keys and the newest version; nothing is written.
        assert requests() - before <= 2


async def test_objects_deleted_while_nobody_watched_are_forgotten(
    client: Client, namespace: str, start: Start
) -> None:
    async with start(tiny(children)) as operator:
        created = await client.create(job(namespace))
        await settled(client, namespace, "Running")
        # kopf does not tell what vanished while its watch was broken: a ghost stands for that.
        ghost = created | {"metadata": created["metadata"] | {"name": "ghost", "uid": "ghost"}}
        operator.cache.seen_own(ghost)
        await operator.watches.own._census()
        assert operator.store.entry(Ref.of(ghost)) is None
        assert operator.store.entry(Ref.of(created)) is not None


async def test_the_platforms_keys_are_made_once_and_a_change_of_them_is_seen(
    client: Client, namespace: str, start: Start
) -> None:
    secret = Ref("v1", "Secret", namespace, "modelyard-store-root")
    shared = {"store_tenancy": "Shared", "store_secret_generate": True}
    async with start(tiny(lambda o: Plan()), **shared) as operator:
        await eventually(lambda: operator.keeper.credentials is not None)
        first = await client.get(secret)
    async with start(tiny(lambda o: Plan()), **shared) as operator:
        await eventually(lambda: operator.keeper.credentials is not None)
        assert (await client.get(secret))["data"] == first["data"]
        await client.merge_patch(secret, {"data": {"AWS_ACCESS_KEY_ID": "bmV3"}}, resource_version=None)
        await operator.keeper.refresh()
        found = operator.keeper.credentials
        assert found is not None
        assert found.access_key == "new"
        assert "new" not in repr(found)


async def test_probes_and_metrics_answer(namespace: str, start: Start) -> None:
    async with start(tiny(lambda o: Plan())) as operator, aiohttp.ClientSession() as session:
        for path in ("healthz", "readyz", "metrics"):
            async with session.get(f"http://127.0.0.1:{operator.ports['health']}/{path}") as response:
                assert response.status == 200
                text = await response.text()
        assert "modelyard_leader 1.0" in text
        assert f'modelyard_watch_age_seconds{{resource="modelyard trainingjobs in {namespace}"}}' in text
        assert f'modelyard_watch_age_seconds{{resource="replicasets in {namespace}"}}' in text


async def test_a_leader_that_cannot_begin_says_so_ends_and_gives_the_lease_back(
    client: Client, namespace: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Freshness) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(Freshness, "begin", broken)
    monkeypatch.setattr(term, "RETRIES", (0.5,))
    with pytest.raises(TermError):
        async with start(tiny(lambda o: Plan())) as operator, aiohttp.ClientSession() as session:
            await eventually(lambda: operator.term.check() is not None)
            async with session.get(f"http://127.0.0.1:{operator.ports['health']}/healthz") as response:
                assert response.status == 503
                assert await response.text() == "leads and cannot begin to reconcile: KeyError"
            await eventually(lambda: not operator.elector.leading)
    lease = await client.get(Ref("coordination.k8s.io/v1", "Lease", namespace, "modelyard-operator"))
    assert not lease["spec"].get("holderIdentity")


async def test_an_operator_of_two_namespaces_knows_nothing_of_a_third(
    client: Client, api_server: ApiServer, namespace: str, start: Start
) -> None:
    other, third = f"{namespace}-b", f"{namespace}-c"
    for name in (other, third):
        api_server.kubectl("create", "namespace", name)
    async with start(tiny(children), watch_namespaces=(namespace, other)) as operator:
        for name in (namespace, other, third):
            await client.create(job(name))
        for name in (namespace, other):
            await settled(client, name, "Running")
        # Each namespace is listed by itself; the list of one takes nothing of another out of the cache.
        await operator.watches.own._census()
        known = {ref.namespace for kind in KINDS for ref in operator.store.refs(kind.api_version, kind.kind)}
        assert known == {namespace, other}
        assert await phase(client, third) is None
        assert f"pods in {other}" in operator.watches.states()
        assert f"modelyard trainingjobs in {other}" in operator.watches.ages()


async def test_a_pods_own_token_lets_it_report_and_the_report_shows(
    client: Client, api_server: ApiServer, namespace: str, start: Start
) -> None:
    def decide(observed: Observed) -> Plan:
        status: Manifest = {"phase": "Running"}
        if observed.report is not None:
            status["progress"] = {"step": observed.report.step}
        worker = pod(observed, f"{observed.name}-pod")
        worker["spec"] |= {"serviceAccountName": "worker"}
        return Plan(status=status, create=[worker])

    api_server.kubectl("create", "serviceaccount", "worker", "-n", namespace)
    async with start(tiny(decide)) as operator, aiohttp.ClientSession() as session:
        created = await client.create(job(namespace))
        await settled(client, namespace, "Running")
        bound = ("--bound-object-kind=Pod", "--bound-object-name=j-pod")
        audience = "--audience=modelyard-operator"
        token = api_server.kubectl(
            "create", "token", "worker", "-n", namespace, audience, *bound
        ).stdout.strip()
        report = {
            "kind": "TrainingJob",
            "namespace": namespace,
            "name": "j",
            "uid": created["metadata"]["uid"],
            "stage": "Training",
            "step": 12,
            "time": "2026-01-01T00:00:00Z",
        }
        url = f"http://127.0.0.1:{operator.ports['reports']}/v1/reports"
        headers = {"Authorization": f"Bearer {token}"}
        async with session.post(url, json=report, headers=headers) as response:
            assert response.status == 202
        async with session.post(url, json=report | {"name": "other"}, headers=headers) as response:
            assert response.status == 403

        async def shown() -> bool:
            found = await client.get(Ref.of(created))
            return bool(found["status"].get("progress") == {"step": 12})

        await becomes(shown)


async def test_kserve_comes_and_goes_while_the_operator_runs(namespace: str, start: Start) -> None:
    async with start(tiny(lambda o: Plan())) as operator:
        assert operator.keeper.current.kserve is False
        operator.watches.kserve(True)
        # Its definition is not there, so its list never completes, and plans do not hear of it.
        await asyncio.sleep(0.2)
        assert operator.keeper.current.kserve is False
        name = f"{resources.INFERENCE_SERVICE.plural} in {namespace}"
        assert name in operator.watches.states()
        operator.watches.kserve(False)
        assert name not in operator.watches.states()
