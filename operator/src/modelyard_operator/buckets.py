"""``python -m modelyard_operator buckets``: the buckets of all namespaces, for the platform's administrator.

    buckets list                     every bucket, whose it is, and whether its namespace still exists
    buckets delete BUCKET            one whose namespace is gone, with everything in it
    buckets give BUCKET NAMESPACE    one whose namespace is gone, to a namespace that has no data yet

Run it in the operator's pod: it works with the root keys, which nothing else has.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from modelyard_algorithms.contract import environment
from modelyard_operator import naming
from modelyard_operator.engine.tenancy import keys, secrets
from modelyard_operator.kube import credentials
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.credentials import LoginError
from modelyard_operator.kube.errors import ApiError, NotFoundError
from modelyard_operator.kube.limiter import Limiter
from modelyard_operator.kube.transport import Transport
from modelyard_operator.plan import Ref
from modelyard_operator.settings import Settings
from modelyard_operator.storage.admin import StoreAdmin
from modelyard_operator.storage.bucket import Bucket, Place
from modelyard_operator.storage.errors import StorageError

IN_USE, GONE, SHARED, FOREIGN = "in use", "namespace gone", "for all", "not a namespace's"


class RefusedError(Exception):
    """What was asked for is not done; the text is one sentence that says why."""


@dataclass(frozen=True)
class Line:
    """One bucket of the list."""

    bucket: str
    namespace: str
    state: str


class Buckets:
    """The commands, one method each."""

    def __init__(self, client: Client, settings: Settings, place: Place) -> None:
        self._client, self._settings, self._place = client, settings, place
        self._admin = StoreAdmin(settings.store_admin_endpoint, settings.store_region, place.credentials)

    async def lines(self) -> list[Line]:
        """Every bucket, by name."""
        return [await self._line(name, owner) for name, owner in sorted(self._admin.buckets().items())]

    async def delete(self, name: str) -> str:
        """Delete a bucket whose namespace is gone.

        Raises:
            RefusedError: it is not such a bucket.
        """
        await self._left(name)
        count = await Bucket(self._place, name).remove()
        return f"deleted bucket {name} with {count} objects"

    async def give(self, name: str, namespace: str) -> str:
        """Make a bucket whose namespace is gone that of another namespace, in place of its empty one.

        Raises:
            RefusedError: it is not such a bucket, or the namespace has data.
        """
        await self._left(name)
        try:
            account = naming.account(namespace, await self._uid(namespace))
        except NotFoundError:
            raise RefusedError(f"there is no namespace {namespace!r}") from None
        if account not in self._admin.accounts():
            raise RefusedError(f"namespace {namespace!r} has no account yet: create a Dataset there first")
        owned = [found for found, owner in self._admin.buckets().items() if owner == account]
        for own in owned:
            if not await Bucket(self._place, own).is_empty():
                raise RefusedError(
                    f"bucket {own!r} of namespace {namespace!r} has data: copy it, or clean it"
                )
        # The account always owns one: the operator would make one that it lacks.
        self._admin.change_owner(name, account)
        for own in owned:
            await Bucket(self._place, own).remove()
        # The operator makes it again within half a minute, with the new bucket in it.
        with suppress(NotFoundError):
            await self._client.delete(secrets.ref(namespace))
        secret = f"Secret {naming.STORE_SECRET!r}"
        return f"bucket {name} belongs to namespace {namespace} now; its {secret} follows within a minute"

    async def _line(self, name: str, owner: str) -> Line:
        if name == naming.shared_bucket(self._settings.store_bucket_prefix):
            return Line(name, "", SHARED)
        known = naming.account_owner(owner)
        if known is None:
            return Line(name, "", FOREIGN)
        return Line(name, known[0], IN_USE if await self._exists(*known) else GONE)

    async def _left(self, name: str) -> None:
        owner = self._admin.buckets().get(name)
        if owner is None:
            raise RefusedError(f"there is no bucket {name!r}: `buckets list` names all")
        line = await self._line(name, owner)
        if line.state != GONE:
            raise RefusedError(
                f"bucket {name!r} is {line.state}: only one whose namespace is gone can be taken"
            )

    async def _exists(self, namespace: str, uid: str) -> bool:
        try:
            return await self._uid(namespace) == uid
        except NotFoundError:
            return False

    async def _uid(self, namespace: str) -> str:
        found = await self._client.get(Ref("v1", "Namespace", "", namespace), metadata_only=True)
        return str(found["metadata"]["uid"])


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        asyncio.run(_run(asked))
    except (RefusedError, ApiError, StorageError, LoginError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m modelyard_operator buckets", description="The buckets of all namespaces."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every bucket, and whether its namespace still exists")
    delete = commands.add_parser("delete", help="delete a bucket whose namespace is gone, with its data")
    delete.add_argument("bucket")
    give = commands.add_parser("give", help="give a bucket whose namespace is gone to another namespace")
    give.add_argument("bucket")
    give.add_argument("namespace")
    return parser


async def _run(asked: argparse.Namespace) -> None:
    settings = Settings()
    if not settings.store_admin_endpoint:
        raise RefusedError(
            "the object store is the platform's own: its buckets are not the operator's to manage"
        )
    access = credentials.load()
    transport = Transport(access, Limiter(settings.api_rate, settings.api_burst))
    try:
        client = Client(transport)
        namespace = settings.namespace or access.namespace
        secret = keys.decoded(await client.get(Ref("v1", "Secret", namespace, settings.store_secret)))
        root = keys.credentials(secret)
        if root is None:
            names = f"{environment.ACCESS_KEY_FILE} and {environment.SECRET_KEY_FILE}"
            raise RefusedError(f"Secret {settings.store_secret!r} needs the keys {names}")
        root = keys.trusting(root, settings.store_ca_file)
        found = Buckets(client, settings, Place(settings.store_endpoint, settings.store_region, root))
        await _do(found, asked)
    finally:
        await transport.close()


async def _do(found: Buckets, asked: argparse.Namespace) -> None:
    if asked.command == "list":
        lines = [Line("BUCKET", "NAMESPACE", "STATE"), *await found.lines()]
        width = max(len(line.bucket) for line in lines), max(len(line.namespace) for line in lines)
        for line in lines:
            sys.stdout.write(f"{line.bucket:<{width[0]}}   {line.namespace:<{width[1]}}   {line.state}\n")
        return
    done = (
        found.delete(asked.bucket) if asked.command == "delete" else found.give(asked.bucket, asked.namespace)
    )
    sys.stdout.write(f"{await done}\n")
