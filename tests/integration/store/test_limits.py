"""No client, with keys or without, takes the memory, the volume or the connections that all need."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.store.conftest import SHARED, tenant
from tests.integration.store.operations import policy
from tests.integration.store.s3 import Caller
from tests.integration.store.wire import answer, connected, head, pour, rest
from tests.support.store_program import StoreProgram
from tests.support.waiting import eventually

BUCKET = "modelyard-a"
MEGABYTE = 1 << 20
LARGE = 120 * MEGABYTE
GROWTH = 64 * MEGABYTE
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProgram]:
    program = StoreProgram(tmp_path_factory.mktemp("limits"))
    program.start()
    yield program
    program.kill()


@pytest.fixture(scope="module")
def caller(store: StoreProgram) -> Caller:
    found = tenant(store, "a")
    root = Caller(store.port, store.root.access_key, store.root.secret_key)
    store.admin.create_bucket(SHARED, root.access)
    readable = policy(SHARED, "*", "s3:GetObject", "s3:ListBucket")
    assert root.send("PUT", f"/{SHARED}", "policy=", body=readable).status == 204
    return found


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[StoreProgram]:
    """A store with limits that a test reaches."""
    flags = ["--idle-timeout", "1s", "--max-connections", "16", "--max-requests", "8"]
    program = StoreProgram(tmp_path, flags=flags)
    program.start()
    yield program
    program.kill()


BODIES = [
    ("POST", f"/{BUCKET}", "delete=", {}),
    ("POST", f"/{BUCKET}", "", FORM),
    ("POST", f"/{BUCKET}/key", "uploads=", {}),
    ("POST", f"/{BUCKET}/key", "uploadId=00000000-0000-0000-0000-000000000000", {}),
    ("POST", f"/{BUCKET}/key", "select=&select-type=2", {}),
    ("PUT", f"/{BUCKET}", "", {}),
    ("PUT", f"/{BUCKET}/", "", {}),
    ("PUT", f"/{BUCKET}//", "", {}),
    ("PUT", f"/{BUCKET}", "policy=", {}),
    ("PUT", f"/{BUCKET}", "cors=", {}),
    ("PUT", f"/{BUCKET}/key", "tagging=", {}),
    ("PUT", f"/{BUCKET}/key", "acl=", {}),
    ("PUT", f"/{BUCKET}/key", "x-id=PutObject&%74agging=", {}),
    ("PUT", f"/{BUCKET}/key", "", {"X-Amz-Copy-Source": f"{BUCKET}/other"}),
    ("GET", f"/{BUCKET}", "", {}),
    ("GET", f"/{BUCKET}/key", "", {}),
    ("DELETE", f"/{BUCKET}/key", "", {}),
]


@pytest.mark.parametrize("keys", ["the owner's", "none"])
@pytest.mark.parametrize("length", [LARGE, None], ids=["length", "chunks"])
@pytest.mark.parametrize(("method", "path", "query", "headers"), BODIES)
def test_only_the_data_of_an_object_is_large(
    store: StoreProgram,
    caller: Caller,
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    length: int | None,
    keys: str,
) -> None:
    caller = caller if keys != "none" else Caller(store.port)
    before = store.peak_memory
    with connected(store.port) as connection:
        connection.sendall(head(caller, method, path, query, length=length, headers=headers))
        # The first KiB come with the headers.
        connection.sendall(bytes(16_384) if length else b"10000\r\n" + bytes(65_536) + b"\r\n")
        found = answer(connection)
    assert (b"EntityTooLarge" if length else b"MissingContentLength") in found, found
    assert store.peak_memory < before + GROWTH


def test_what_anybody_sends_stays_out_of_memory(store: StoreProgram, caller: Caller) -> None:
    before = store.peak_memory
    nobody, bare = Caller(store.port), bytes(MEGABYTE)
    heads = [
        head(caller, "POST", f"/{BUCKET}", "delete=", length=LARGE),
        head(nobody, "GET", f"/{SHARED}", length=LARGE, payload="0" * 64),
        head(nobody, "POST", f"/{BUCKET}", length=LARGE, headers=FORM),
        head(caller, "PUT", f"/{BUCKET}/key", length=LARGE, headers=FORM),
        head(caller, "PUT", f"/{BUCKET}/key", length=LARGE),
    ]
    chunks = [head(nobody, "GET", f"/{SHARED}", length=None, payload="0" * 64)] * 8
    for first in heads:
        with connected(store.port) as connection:
            connection.sendall(first)
            pour(connection, bare, LARGE // MEGABYTE)
    for first in chunks:
        with connected(store.port) as connection:
            connection.sendall(first)
            pour(connection, b"100000\r\n" + bare + b"\r\n", LARGE // MEGABYTE)
    assert store.peak_memory < before + GROWTH


TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


@pytest.mark.parametrize("length", [LARGE, None], ids=["length", "chunks"])
@pytest.mark.parametrize("before_trailer", [b"0\r\n", b"4\r\ndata\r\n0\r\n"], ids=["empty", "data"])
def test_what_follows_the_last_chunk_stays_out_of_memory(
    store: StoreProgram, caller: Caller, before_trailer: bytes, length: int | None
) -> None:
    before, bare = store.peak_memory, b"a" * MEGABYTE
    headers = {
        "X-Amz-Decoded-Content-Length": "4" if b"data" in before_trailer else "0",
        "X-Amz-Trailer": "x-amz-checksum-crc32",
    }

    def framed(data: bytes) -> bytes:
        return data if length else b"%x\r\n%b\r\n" % (len(data), data)

    with connected(store.port) as connection:
        connection.sendall(
            head(caller, "PUT", f"/{BUCKET}/key", length=length, headers=headers, payload=TRAILER)
        )
        connection.sendall(framed(before_trailer))
        pour(connection, framed(bare), LARGE // MEGABYTE)
        assert rest(connection).startswith(b"HTTP/1.1 400")
    assert store.peak_memory < before + GROWTH


@pytest.mark.parametrize("payload", [TRAILER, SIGNED])
@pytest.mark.parametrize("size", [b"-5", b"x", b"", b"7fffffffffffffff", b"0" * 2000 + b"4"])
def test_a_chunk_of_no_possible_size_is_refused(
    store: StoreProgram, caller: Caller, size: bytes, payload: str
) -> None:
    body = b"%b;chunk-signature=%b\r\ndata\r\n" % (size, b"0" * 64)
    headers = {"X-Amz-Decoded-Content-Length": "4", "X-Amz-Trailer": "x-amz-checksum-crc32"}
    with connected(store.port) as connection:
        connection.sendall(
            head(caller, "PUT", f"/{BUCKET}/key", length=len(body), headers=headers, payload=payload)
        )
        connection.sendall(body)
        assert answer(connection).startswith(b"HTTP/1.1 400")


def test_many_long_lists_at_once_fit_the_container(tmp_path: Path) -> None:
    store = StoreProgram(tmp_path)
    store.start()
    try:
        caller = tenant(store, "a")
        begun = caller.send("POST", f"/{BUCKET}/key", "uploads=").body.decode()
        query = "uploadId=" + re.findall(r"<UploadId>(.*?)<", begun)[0]
        body = f"<CompleteMultipartUpload>{'<Part/>' * 590_000}</CompleteMultipartUpload>".encode()

        def complete(number: int) -> bytes:
            with connected(store.port, f"127.0.0.{2 + number % 6}") as connection:
                connection.sendall(head(caller, "POST", f"/{BUCKET}/key", query, length=len(body)))
                pour(connection, body, 1)
                return answer(connection)

        with ThreadPoolExecutor(12) as pool:
            found = list(pool.map(complete, range(12)))
        assert all(one[9:12] in {b"400", b"503"} for one in found), found
        assert store.peak_memory < 900 * MEGABYTE
    finally:
        store.kill()


def test_more_keys_than_s3_deletes_at_once_are_refused(caller: Caller) -> None:
    keys = "".join(f"<Object><Key>{number}</Key></Object>" for number in range(1001))
    body = f"<Delete>{keys}</Delete>".encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    found = caller.send("POST", f"/{BUCKET}", "delete=", headers={"Content-MD5": digest}, body=body)
    assert (found.status, found.code) == (400, "MalformedXML")


def test_the_admin_api_takes_small_bodies_only(store: StoreProgram) -> None:
    root = Caller(store.admin_port, store.root.access_key, store.root.secret_key)
    with connected(store.admin_port) as connection:
        connection.sendall(head(root, "PATCH", "/create-user", length=MEGABYTE) + bytes(16_384))
        assert b"EntityTooLarge" in answer(connection)


def test_the_largest_requests_of_s3_are_answered(store: StoreProgram, caller: Caller) -> None:
    key = "/".join("k" * 204 for _ in range(5))
    keys = "".join(f"<Object><Key>{number:04}{key[4:]}</Key></Object>" for number in range(1000))
    body = f"<Delete>{keys}</Delete>".encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    found = caller.send("POST", f"/{BUCKET}", "delete=", headers={"Content-MD5": digest}, body=body)
    assert found.status == 200 and found.body.count(b"<Deleted>") == 1000, found
    begun = caller.send("POST", f"/{BUCKET}/large", "uploads=").body.decode()
    upload = re.findall(r"<UploadId>(.*?)<", begun)[0]
    part = (
        "<Part>\n  <PartNumber>{}</PartNumber>\n  <ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag>\n"
        "  <ChecksumSHA256>0123456789abcdef0123456789abcdef0123456789ab</ChecksumSHA256>\n</Part>\n"
    )
    parts = "".join(part.format(number) for number in range(1, 10_001))
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    found = caller.send("POST", f"/{BUCKET}/large", f"uploadId={upload}", body=body)
    assert found.code == "InvalidPart", found


def test_a_large_object_passes_through_a_small_memory(store: StoreProgram, caller: Caller) -> None:
    before, data = store.peak_memory, b"0123456789abcdef" * (16 * MEGABYTE)
    assert caller.send("PUT", f"/{BUCKET}/large", body=data).status == 200
    assert caller.send("GET", f"/{BUCKET}/large").body == data
    part = caller.send("GET", f"/{BUCKET}/large", headers={"Range": "bytes=100000000-100000015"})
    assert (part.status, part.body) == (206, data[:16])
    assert store.peak_memory < before + GROWTH


@pytest.mark.parametrize("query", ["", "partNumber=1&uploadId={upload}"], ids=["object", "part"])
def test_an_upload_takes_no_more_of_the_volume_than_it_has_sent(
    store: StoreProgram, caller: Caller, query: str
) -> None:
    begun = caller.send("POST", f"/{BUCKET}/reserved", "uploads=").body.decode()
    query = query.format(upload=re.findall(r"<UploadId>(.*?)<", begun)[0])
    with connected(store.port) as connection:
        connection.sendall(head(caller, "PUT", f"/{BUCKET}/reserved", query, length=4096 * MEGABYTE))
        before = used(store.data)
        connection.sendall(bytes(MEGABYTE))
        eventually(lambda: used(store.data) >= before + MEGABYTE // 2, "the data is written", timeout=20)
        assert used(store.data) < before + 16 * MEGABYTE


def used(folder: Path) -> int:
    """Bytes of the volume that the folder's files have."""
    found = 0
    for path in folder.rglob("*"):
        try:
            found += 512 * path.lstat().st_blocks
        except FileNotFoundError:
            continue
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: store\r\nX-Slow: ",
        b"GET /healthz HTTP/1.1\r\nHost: store\r\n\r\n",
    ],
    ids=["nothing", "half of the headers", "no further request"],
)
def test_a_silent_connection_is_ended(impatient: StoreProgram, sent: bytes) -> None:
    with connected(impatient.port) as connection:
        connection.sendall(sent)
        rest(connection)


@pytest.mark.parametrize("query", ["", "delete="], ids=["upload", "list of keys"])
def test_a_body_that_does_not_go_on_is_ended_and_leaves_nothing(impatient: StoreProgram, query: str) -> None:
    caller = tenant(impatient, "a")
    method, path = ("PUT", f"/{BUCKET}/key") if not query else ("POST", f"/{BUCKET}")
    with connected(impatient.port) as connection:
        connection.sendall(head(caller, method, path, query, length=MEGABYTE) + bytes(100_000))
        assert b" 200 " not in rest(connection)
    left = impatient.data / BUCKET / ".sgwtmp"
    eventually(lambda: not any(left.glob("*.*")), "the unfinished file is removed", timeout=20)


def test_a_download_that_nobody_reads_is_ended(impatient: StoreProgram) -> None:
    caller, data = tenant(impatient, "a"), bytes(64 * MEGABYTE)
    assert caller.send("PUT", f"/{BUCKET}/key", body=data).status == 200
    with connected(impatient.port) as connection:
        connection.sendall(head(caller, "GET", f"/{BUCKET}/key", length=0))
        name = f"{connection.getsockname()[1]:04X}"
        eventually(lambda: not established(name, impatient.port), "the store has ended it", timeout=20)
        assert len(rest(connection)) < len(data)


def established(client: str, port: int) -> bool:
    """The store's end of a connection is there."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(
        row[1].endswith(f":{port:04X}") and row[2].endswith(f":{client}") and row[3] == "01" for row in rows
    )


def test_one_client_cannot_take_all_connections(impatient: StoreProgram) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: store\r\n\r\n"
    with ExitStack() as stack:
        many = [stack.enter_context(connected(impatient.port)) for _ in range(20)]
        answers = [attempt(connection, request) for connection in many]
        assert sum(found.startswith(b"HTTP/1.1 200") for found in answers) in {3, 4}
        other = stack.enter_context(connected(impatient.port, "127.0.0.2"))
        assert attempt(other, request).startswith(b"HTTP/1.1 200")


def attempt(connection: socket.socket, request: bytes) -> bytes:
    try:
        connection.sendall(request)
        return answer(connection)
    except ConnectionError:
        return b""


def test_one_client_cannot_take_all_requests(tmp_path: Path) -> None:
    store = StoreProgram(tmp_path, flags=["--max-requests", "8"])
    store.start()
    try:
        caller = tenant(store, "a")
        with ExitStack() as stack:
            for number in range(2):
                held = stack.enter_context(connected(store.port))
                held.sendall(head(caller, "PUT", f"/{BUCKET}/{number}", length=MEGABYTE) + bytes(100_000))
            temporary = store.data / BUCKET / ".sgwtmp"
            eventually(lambda: len(list(temporary.glob("*.*"))) == 2, "both are uploading", timeout=20)
            found = caller.send("GET", f"/{BUCKET}")
            assert (found.status, found.code, found.headers["Retry-After"]) == (503, "SlowDown", "1")
            other = stack.enter_context(connected(store.port, "127.0.0.2"))
            other.sendall(head(caller, "GET", f"/{BUCKET}", length=0))
            assert answer(other).startswith(b"HTTP/1.1 200")
        eventually(lambda: caller.send("GET", f"/{BUCKET}").status == 200, "places are free", timeout=20)
    finally:
        store.kill()


def test_a_request_in_flight_ends_before_the_store_does(tmp_path: Path) -> None:
    store = StoreProgram(tmp_path)
    store.start()
    caller = tenant(store, "a")
    with connected(store.port) as connection:
        connection.sendall(head(caller, "PUT", f"/{BUCKET}/key", length=MEGABYTE) + bytes(MEGABYTE // 2))
        eventually(lambda: any((store.data / BUCKET / ".sgwtmp").glob("*.*")), "it uploads", timeout=20)
        stopping = threading.Thread(target=store.stop)
        stopping.start()
        eventually(lambda: refused(store.port), "no more connections", timeout=20)
        connection.sendall(bytes(MEGABYTE // 2))
        assert answer(connection).startswith(b"HTTP/1.1 200")
    stopping.join()
    assert (store.data / BUCKET / "key").stat().st_size == MEGABYTE


def refused(port: int) -> bool:
    try:
        with connected(port):
            return False
    except ConnectionRefusedError:
        return True
