"""One store with two tenants, and how anybody finds out that something of the victim's has changed."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.store.operations import Target, policy, prepare
from tests.integration.store.s3 import Caller
from tests.support.store_program import StoreProgram

SHARED = "modelyard.shared"


@dataclass(frozen=True)
class Tenants:
    """Tenant A attacks; tenant B's bucket is the target. Both have an account and own one bucket."""

    store: StoreProgram
    a: Caller
    b: Caller
    nobody: Caller
    root: Caller
    target: Target
    own: Target
    """Tenant A's bucket."""

    def state(self) -> dict[str, str]:
        """What tenant A must not change: contents and metadata of the others' buckets, and the accounts."""
        folders = [self.store.data / self.target.bucket, self.store.data / SHARED, self.store.iam]
        files = [path for folder in folders for path in (folder, *folder.rglob("*"))]
        return {str(path): fingerprint(path) for path in files} | {
            str(path): "" for path in self.store.data.parent.iterdir()
        }

    def new_bucket(self, owner: Caller) -> Target:
        """Another bucket of a tenant, filled."""
        name = f"modelyard-{secrets.token_hex(6)}"
        self.store.admin.create_bucket(name, owner.access)
        return prepare(owner, name)


def fingerprint(path: Path) -> str:
    """A digest of a file's content and of its extended attributes."""
    digest = hashlib.sha256(path.read_bytes() if path.is_file() else b"folder")
    for name in sorted(os.listxattr(path)):
        digest.update(name.encode() + b"=" + os.getxattr(path, name))
    return digest.hexdigest()


def tenant(store: StoreProgram, name: str) -> Caller:
    """An account as the operator makes one, with a bucket of its own."""
    keys = Caller(store.port, f"{name}.{secrets.token_hex(8)}", secrets.token_hex(20))
    store.admin.create_account(keys.access, keys.secret)
    store.admin.create_bucket(f"modelyard-{name}", keys.access)
    return keys


@pytest.fixture(scope="session")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """A store for the tests that change nothing outside tenant A's bucket and buckets of their own."""
    store = StoreProgram(tmp_path_factory.mktemp("store"))
    store.start()
    try:
        a, b = tenant(store, "a"), tenant(store, "b")
        root = Caller(store.port, store.root.access_key, store.root.secret_key)
        target, own = prepare(b, "modelyard-b"), prepare(a, "modelyard-a")
        store.admin.create_bucket(SHARED, root.access)
        readable = policy(SHARED, "*", "s3:GetObject", "s3:ListBucket")
        assert root.send("PUT", f"/{SHARED}", "policy=", body=readable).status == 204
        yield Tenants(store, a, b, Caller(store.port), root, target, own)
    finally:
        store.kill()


@pytest.fixture
def nothing_of_others_changes(tenants: Tenants) -> Iterator[None]:
    """The whole test leaves everything that is not tenant A's as it was."""
    before = tenants.state()
    yield
    assert tenants.state() == before
