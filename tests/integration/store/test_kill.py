"""The store is killed while clients write: what it acknowledged is whole, and nothing else is half there."""

from __future__ import annotations

import functools
import hashlib
import json
import random
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from modelyard_operator.storage.errors import StorageError
from tests.integration.store.conftest import tenant
from tests.integration.store.operations import COMPLETE
from tests.integration.store.s3 import Answer, Caller
from tests.support.store_program import StoreProgram
from tests.support.waiting import eventually

BUCKET = "modelyard-a"
ROUNDS = 4
ACKNOWLEDGED = 60
"""So many writes are acknowledged before each kill."""
PART = 5 * 1024 * 1024


@pytest.fixture(params=[False, True], ids=["attributes", "sidecar"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StoreProgram]:
    program = StoreProgram(tmp_path, sidecar=request.param)
    program.start()
    yield program
    program.kill()


def content(size: int) -> bytes:
    """Random bytes behind their own digest."""
    data = random.randbytes(size)
    return hashlib.sha256(data).digest() + data


def whole(data: bytes) -> bool:
    return hashlib.sha256(data[32:]).digest() == data[:32]


class Writers:
    """Clients that put objects, each again and again, and keep what was attempted and acknowledged."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.attempted: defaultdict[str, list[bytes]] = defaultdict(list)
        self.acknowledged: dict[str, int] = {}
        """Of each key, how many attempts there were when the last one was acknowledged."""
        self.count, self.ending = 0, False
        self.open: list[tuple[str, str, bytes]] = []
        """Uploads whose completion was asked for and not answered: key, id and body."""

    def run(self, killer: Callable[[], None]) -> None:
        """Write until the store is gone."""
        works = [self._new, self._new, self._same, self._upload]
        threads = [threading.Thread(target=self._until_gone, args=(work, i)) for i, work in enumerate(works)]
        goal, self.ending = self.count + ACKNOWLEDGED, False
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: self.count >= goal, "writes are acknowledged", timeout=60, pause=0.001)
        finally:
            self.ending = True
            killer()
            for thread in threads:
                thread.join()

    def _until_gone(self, work: Callable[[int], None], writer: int) -> None:
        try:
            while True:
                work(writer)
        except (OSError, HTTPException):
            return

    def _new(self, writer: int) -> None:
        self._put(
            f"new/{writer}/{random.randbytes(8).hex()}", content(random.choice([10, 20_000, 2_000_000]))
        )

    def _same(self, writer: int) -> None:
        self._put(f"same/{random.randrange(3)}", content(random.choice([10, 20_000, 2_000_000])))

    def _put(self, key: str, data: bytes) -> None:
        self.attempted[key].append(data)
        answer = self.caller.send("PUT", f"/{BUCKET}/{key}", body=data)
        self._ok(answer)
        self._acknowledge(key)

    def _upload(self, writer: int) -> None:
        key, data = f"large/{random.randbytes(8).hex()}", content(2 * PART)
        self.attempted[key].append(data)
        begun = self.caller.send("POST", f"/{BUCKET}/{key}", "uploads=").body.decode()
        upload = re.findall(r"<UploadId>(.*?)<", begun)[0]
        parts = ""
        for number, start in ((1, 0), (2, PART)):
            piece = data[start : start + PART] if number == 1 else data[start:]
            query = f"partNumber={number}&uploadId={upload}"
            etag = self.caller.send("PUT", f"/{BUCKET}/{key}", query, body=piece).headers["ETag"]
            parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        self.open = [(key, upload, body)]
        self._ok(self.caller.send("POST", f"/{BUCKET}/{key}", f"uploadId={upload}", body=body))
        self._acknowledge(key)
        self.open = []

    def _ok(self, answer: Answer) -> None:
        # A store that is being stopped refuses what it has not finished.
        if self.ending and answer.status >= 500:
            raise ConnectionError
        assert answer.status == 200, answer

    def _acknowledge(self, key: str) -> None:
        self.acknowledged[key] = len(self.attempted[key])
        self.count += 1

    def check(self) -> None:
        """Everything that is there was put as it is; of what was acknowledged nothing is missing or older."""
        for key, upload, body in self.open:
            answer = self.caller.send("POST", f"/{BUCKET}/{key}", f"uploadId={upload}", body=body)
            assert answer.status == 200, answer
            self._acknowledge(key)
        self.open = []
        listed = keys(self.caller)
        assert listed <= set(self.attempted), "the listing shows what nobody put"
        assert set(self.acknowledged) <= listed, "something acknowledged is lost"
        for key in listed:
            answer = self.caller.send("GET", f"/{BUCKET}/{key}")
            assert whole(answer.body), f"{key} is half there"
            assert answer.body in self.attempted[key][max(0, self.acknowledged.get(key, 0) - 1) :]
            self.attempted[key] = [answer.body]
            self.acknowledged[key] = 1


def keys(caller: Caller) -> set[str]:
    found: set[str] = set()
    while True:
        after = f"&start-after={max(found)}" if found else ""
        body = caller.send("GET", f"/{BUCKET}", f"list-type=2{after}").body.decode()
        found |= set(re.findall(r"<Key>(.*?)</Key>", body))
        if "<IsTruncated>true" not in body:
            return found


def test_what_a_killed_store_acknowledged_is_whole_and_nothing_else_is_half_there(
    store: StoreProgram,
) -> None:
    writers = Writers(tenant(store, "a"))
    for _ in range(ROUNDS):
        writers.run(store.kill)
        store.start()
        writers.check()
    left = [path for path in (store.data / BUCKET / ".sgwtmp").rglob("*") if path.is_file()]
    assert all("multipart" in path.parts for path in left), "a killed put leaves its file for ever"


def test_a_store_that_is_stopped_has_everything_when_it_is_back(store: StoreProgram) -> None:
    writers = Writers(tenant(store, "a"))
    accounts, buckets = store.admin.accounts(), store.admin.buckets()
    writers.run(store.stop)
    store.start()
    assert (store.admin.accounts(), store.admin.buckets()) == (accounts, buckets)
    writers.check()


@pytest.mark.parametrize(
    "made", [False, True], ids=["before the object is there", "while its parts are removed"]
)
def test_the_upload_of_a_store_that_is_killed_while_completing_is_completed_when_asked_again(
    store: StoreProgram, made: bool
) -> None:
    caller = tenant(store, "a")
    begun = caller.send("POST", f"/{BUCKET}/key", "uploads=").body.decode()
    upload = re.findall(r"<UploadId>(.*?)<", begun)[0]
    part = caller.send("PUT", f"/{BUCKET}/key", f"partNumber=1&uploadId={upload}", body=b"part")
    complete = COMPLETE.replace(b"{etag}", part.headers["ETag"].encode())
    folders = list(store.data.parent.rglob(upload))
    if made:
        assert caller.send("POST", f"/{BUCKET}/key", f"uploadId={upload}", body=complete).status == 200
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
    store.kill()
    for folder in folders:
        folder.rename(folder.with_name(f"{upload}.1819d1a8700e59901a48215b8577ac07-1.inprogress"))
    store.start()
    assert caller.send("POST", f"/{BUCKET}/key", f"uploadId={upload}", body=complete).status == 200
    assert caller.send("GET", f"/{BUCKET}/key").body == b"part"


def test_an_upload_that_is_not_there_is_not_said_to_be_complete(store: StoreProgram) -> None:
    caller = tenant(store, "a")
    assert caller.send("PUT", f"/{BUCKET}/key", body=b"another object").status == 200
    complete = COMPLETE.replace(b"{etag}", b"1819d1a8700e59901a48215b8577ac07")
    query = "uploadId=00000000-0000-0000-0000-000000000000"
    answer = caller.send("POST", f"/{BUCKET}/key", query, body=complete)
    assert (answer.status, answer.code) == (404, "NoSuchUpload")


def test_a_kill_while_accounts_are_made_loses_none_that_was_acknowledged(store: StoreProgram) -> None:
    made: dict[str, str] = {}

    def make(writer: str) -> None:
        try:
            for number in range(10_000):
                store.admin.create_account(f"{writer}-{number}.uid", f"secret-{number}")
                made[f"{writer}-{number}.uid"] = f"secret-{number}"
        except StorageError:
            return

    for round_ in range(ROUNDS):
        threads = [threading.Thread(target=make, args=(f"{round_}{writer}",)) for writer in range(3)]
        goal = len(made) + 30
        for thread in threads:
            thread.start()
        eventually(functools.partial(_more_than, made, goal), "accounts are made", timeout=60, pause=0.001)
        store.kill()
        for thread in threads:
            thread.join()
        json.loads((store.iam / "users.json").read_text())
        store.start()
        assert made.items() <= store.admin.accounts().items()
    assert {path.name for path in store.iam.iterdir()} == {"users.json", "users.json.backup"}


def _more_than(made: dict[str, str], goal: int) -> bool:
    return len(made) > goal


@pytest.mark.parametrize("broken", [b"", b'{"accessAcc'], ids=["empty", "half"])
def test_accounts_that_cannot_be_read_are_those_before_the_last_change(
    store: StoreProgram, broken: bytes
) -> None:
    store.admin.create_account("first.uid", "secret-first")
    store.admin.create_account("second.uid", "secret-second")
    store.kill()
    (store.iam / "users.json").write_bytes(broken)
    store.start()
    assert store.admin.accounts() == {"first.uid": "secret-first"}
    store.kill()
    (store.iam / "users.json").write_bytes(broken)
    (store.iam / "users.json.backup").unlink(missing_ok=True)
    store.start()
    assert store.admin.accounts() == {}
    store.admin.create_account("first.uid", "secret-first")
