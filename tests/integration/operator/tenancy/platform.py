"""A platform under test: a store, an operator in the test's own process, and namespaces with users."""

from __future__ import annotations

import asyncio
import base64
import io
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import urllib3
from minio import Minio
from minio.error import S3Error

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.kube import credentials
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import NotFoundError
from modelyard_operator.main import Operator
from modelyard_operator.plan import Manifest, Ref
from modelyard_operator.settings import Settings
from tests.integration.operator.conftest import becomes
from tests.support.apiserver import ApiServer
from tests.support.eventually import eventually
from tests.support.store_program import REGION, StoreProgram

STORE_SECRET, ROOT_SECRET = "modelyard-store", "root-keys"
DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


def encoded(values: dict[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def decoded(found: Manifest) -> dict[str, str]:
    data = found.get("data") or {}
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}


def secret(namespace: str, name: str, **values: str) -> Manifest:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": encoded(values)}


@dataclass
class Tenant:
    """A namespace, and what its users can do in it."""

    client: Client
    store: StoreProgram
    name: str

    @property
    def ref(self) -> Ref:
        return Ref("v1", "Namespace", "", self.name)

    async def create(self) -> str:
        """Make the namespace; gives its uid."""
        made = await self.client.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}
        )
        return str(made["metadata"]["uid"])

    async def delete(self) -> None:
        """Delete it and wait until it is gone."""
        await self.client.delete(self.ref)
        await becomes(self.is_gone, 60)

    async def is_gone(self) -> bool:
        return not await self.exists(self.ref)

    async def exists(self, ref: Ref) -> bool:
        try:
            await self.client.get(ref)
        except NotFoundError:
            return False
        return True

    async def dataset(self, name: str = "d", **spec: Any) -> Manifest:
        """Create a Dataset that waits for its upload."""
        return await self.client.create(
            {
                "apiVersion": API_VERSION,
                "kind": "Dataset",
                "metadata": {"name": name, "namespace": self.name},
                "spec": {"source": {"upload": {}}} | spec,
            }
        )

    async def status(self, name: str = "d") -> Manifest:
        found = await self.client.get(Ref(API_VERSION, "Dataset", self.name, name))
        return found.get("status") or {}

    async def phase(self, wanted: str, name: str = "d", seconds: float = 20.0) -> Manifest:
        """The Dataset's status once it is in a phase."""

        async def look() -> bool:
            return bool((await self.status(name)).get("phase") == wanted)

        await becomes(look, seconds)
        return await self.status(name)

    async def saying(self, words: str, name: str = "d") -> Manifest:
        """The Dataset's status once its message has these words."""

        async def look() -> bool:
            return words in (await self.status(name)).get("message", "")

        await becomes(look)
        return await self.status(name)

    async def secret(self) -> Manifest:
        return await self.client.get(Ref("v1", "Secret", self.name, STORE_SECRET))

    async def edit_secret(self, **patch: Any) -> Callable[[Manifest], bool]:
        """What a user with the right to edit Secrets can do; gives a question: written again since?"""
        ref = Ref("v1", "Secret", self.name, STORE_SECRET)
        edited = await self.client.merge_patch(ref, patch, resource_version=None)
        version = edited["metadata"]["resourceVersion"]
        return lambda found: bool(found["metadata"]["resourceVersion"] != version)

    async def delete_secret(self) -> None:
        await self.client.delete(Ref("v1", "Secret", self.name, STORE_SECRET))

    async def keys(self) -> dict[str, str]:
        """What the Secret holds now."""
        return decoded(await self.secret())

    async def until_keys(
        self,
        fulfilled: Callable[[dict[str, str]], bool],
        written: Callable[[Manifest], bool] = lambda _: True,
    ) -> dict[str, str]:
        """The Secret's data once it is as it should be; ``written`` is asked about the Secret itself."""

        async def look() -> bool:
            try:
                found = await self.secret()
            except NotFoundError:
                return False
            return written(found) and fulfilled(decoded(found))

        await becomes(look)
        return await self.keys()


@dataclass
class Platform:
    """The parts that a test takes away and gives back."""

    server: ApiServer
    client: Client
    store: StoreProgram
    namespace: str
    """The operator's own."""
    tenants: list[Tenant] = field(default_factory=list)

    async def tenant(self, name: str | None = None) -> Tenant:
        """A namespace that is new."""
        found = Tenant(self.client, self.store, name or f"t-{secrets.token_hex(4)}")
        await found.create()
        self.tenants.append(found)
        return found

    async def give_root_keys(self) -> None:
        """The Secret that store and operator share."""
        root = self.store.root
        keys = {"AWS_ACCESS_KEY_ID": root.access_key, "AWS_SECRET_ACCESS_KEY": root.secret_key}
        await self.client.create(secret(self.namespace, ROOT_SECRET, **keys))

    @asynccontextmanager
    async def operator(self, **settings: Any) -> AsyncIterator[Operator]:
        """An operator for all namespaces until the block ends; by default it manages the store."""
        chosen: dict[str, Any] = {
            "namespace": self.namespace,
            "bind_address": "127.0.0.1",
            "health_port": 0,
            "report_port": 0,
            "store_endpoint": self.store.endpoint,
            "store_admin_endpoint": self.store.admin_endpoint,
            "store_region": REGION,
            "store_secret": ROOT_SECRET,
        }
        access = credentials.from_kubeconfig([self.server.kubeconfig])
        operator = Operator(Settings(**(chosen | settings)), access)
        task = asyncio.create_task(operator.run())
        try:
            await eventually(lambda: operator.elector.leading or task.done(), 30)
            yield operator
        finally:
            operator.stop()
            await asyncio.wait_for(task, 30)


def opened(store: StoreProgram, access: str, hidden: str) -> Minio:
    """The store as whoever has these keys sees it; nothing is tried twice."""
    pool = urllib3.PoolManager(timeout=5.0, retries=False)
    return Minio(
        f"127.0.0.1:{store.port}",
        access_key=access,
        secret_key=hidden,
        secure=False,
        region=REGION,
        http_client=pool,
    )


def with_root(store: StoreProgram) -> Minio:
    return opened(store, store.root.access_key, store.root.secret_key)


def by_secret(store: StoreProgram, keys: dict[str, str]) -> Minio:
    return opened(store, keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])


def put(client: Minio, bucket: str, key: str, data: bytes = b"{}") -> None:
    client.put_object(bucket, key, io.BytesIO(data), len(data))


def is_refused(client: Minio, bucket: str) -> bool:
    """Whether these keys neither list nor write a bucket."""
    for attempt in (lambda: list(client.list_objects(bucket)), lambda: put(client, bucket, "attempt")):
        try:
            attempt()
        except S3Error as error:
            assert error.code in DENIED, error.code
        else:
            return False
    return True
