"""Requests that break off, wait or go on for ever: bytes on a connection, after the headers that S3 wants."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult

from minio import signer
from minio.credentials.credentials import Credentials
from minio.time import to_amz_date

from tests.integration.store.s3 import Caller

TIMEOUT_SECONDS = 30.0
UNSIGNED = "UNSIGNED-PAYLOAD"


def head(
    caller: Caller,
    method: str,
    path: str,
    query: str = "",
    *,
    length: int | None,
    headers: Mapping[str, str] | None = None,
    payload: str = UNSIGNED,
) -> bytes:
    """The request's head; its body is not signed. Without a length it comes in chunks."""
    now = datetime.now(UTC)
    sent: dict[str, Any] = {"Host": f"127.0.0.1:{caller.port}", "X-Amz-Content-Sha256": payload}
    sent |= headers or {}
    if caller.access:
        sent |= {"X-Amz-Date": to_amz_date(now)}
        sent = signer._sign_v4(
            service_name="s3",
            method=method,
            url=SplitResult("http", sent["Host"], path, query, ""),
            region=caller.region,
            headers=sent,
            credentials=Credentials(caller.access, caller.secret),
            content_sha256=payload,
            date=now,
        )
    sent |= {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"{method} {path}{'?' + query if query else ''} HTTP/1.1\r\n{lines}\r\n".encode()


@contextmanager
def connected(port: int, address: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A connection from one of the addresses of loopback."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS, (address, 0)) as connection:
        yield connection


def pour(connection: socket.socket, data: bytes, times: int) -> None:
    """Send as much as the store takes."""
    try:
        for _ in range(times):
            connection.sendall(data)
    except OSError:
        return


def rest(connection: socket.socket) -> bytes:
    """What comes until the store ends the connection."""
    found = b""
    try:
        while piece := connection.recv(1 << 20):
            found += piece
    except ConnectionError:
        pass
    return found


def answer(connection: socket.socket) -> bytes:
    """The head of one answer, and what came with it."""
    found = b""
    while b"\r\n\r\n" not in found:
        piece = connection.recv(65536)
        if not piece:
            return found
        found += piece
    return found
