"""Bodies that are held in memory: who sends one slowly, or not at all, holds up nobody else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import sleep

import pytest

from tests.integration.store.conftest import tenant
from tests.integration.store.s3 import Caller
from tests.integration.store.wire import connected, head, pour, rest
from tests.support.store_program import StoreProgram

BUCKET = "modelyard-a"
MEGABYTE = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProgram]:
    program = StoreProgram(tmp_path)
    program.start()
    yield program
    program.kill()


def deletion(keys: int) -> tuple[bytes, str]:
    """The body of "delete objects", and its digest."""
    names = "".join(f"<Object><Key>absent/{number:0100}</Key></Object>" for number in range(keys))
    body = f"<Delete>{names}</Delete>".encode()
    return body, base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize("who", ["another tenant", "a wrong secret", "nobody"])
@pytest.mark.parametrize("whose", ["a tenant", "root"])
def test_bodies_that_do_not_come_hold_up_nobody_else(store: StoreProgram, who: str, whose: str) -> None:
    other, victim = tenant(store, "b"), tenant(store, "a")
    if whose == "root":
        victim = Caller(store.port, store.root.access_key, store.root.secret_key)
    wrong = Caller(store.port, victim.access, "not-the-secret")
    holder = {"another tenant": other, "a wrong secret": wrong, "nobody": Caller(store.port)}[who]
    first = head(holder, "POST", f"/{BUCKET}", "delete=", length=4 * MEGABYTE) + bytes(20_000)
    body, digest = deletion(1000)
    with ExitStack() as stack:
        for number in range(24):
            held = stack.enter_context(connected(store.port, f"127.0.0.{2 + number % 8}"))
            held.sendall(first)
        sleep(1)
        found = victim.send("POST", f"/{BUCKET}", "delete=", headers={"Content-MD5": digest}, body=body)
        assert found.status == 200, found


def test_a_body_that_comes_slowly_is_ended(store: StoreProgram) -> None:
    caller = tenant(store, "a")
    with connected(store.port) as connection:
        connection.sendall(head(caller, "POST", f"/{BUCKET}", "delete=", length=MEGABYTE))
        for _ in range(100):
            pour(connection, bytes(8000), 1)
            sleep(0.1)
        assert b"IncompleteBody" in rest(connection)
