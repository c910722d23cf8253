"""What passes through the store's front arrives as it was sent and signed."""

from __future__ import annotations

import base64
import socket
import ssl
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.store.conftest import Tenants
from tests.integration.store.operations import KEY
from tests.integration.store.s3 import send
from tests.integration.store.wire import answer, connected, head
from tests.support.store_program import StoreProgram
from tests.support.waiting import eventually


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("~tilde", "~tilde"),
        ("plus%2Band%20space", "plus+and space"),
        ("%C3%A4%E2%82%AC", "ä€"),
        ("percent%2525", "percent%25"),
        ("colon%3A%40%24%2C%3D", "colon:@$,="),
        ("question%3Fmark%23", "question?mark#"),
    ],
)
def test_a_path_arrives_as_it_was_signed(tenants: Tenants, sent: str, key: str) -> None:
    bucket = tenants.own.bucket
    found = tenants.a.send("PUT", f"/{bucket}/{sent}", body=key.encode())
    assert found.status == 200, found
    assert tenants.a.send("GET", f"/{bucket}/{sent}").body == key.encode()
    assert (tenants.store.data / bucket / key).read_bytes() == key.encode()


@pytest.mark.parametrize("path", ["/{}/a%00b", "/{}/a%zz", "/{}/a%"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_path_that_none_can_have_is_refused(tenants: Tenants, method: str, path: str) -> None:
    headers = {"Host": "store", "Content-Length": "0"}
    assert send(tenants.store.port, method, path.format(tenants.own.bucket), headers).status == 400


def test_conditions_and_heads_are_answered(tenants: Tenants) -> None:
    path = f"/{tenants.own.bucket}/{KEY}"
    found = tenants.a.send("HEAD", path)
    assert (found.status, found.body) == (200, b"")
    assert int(found.headers["Content-Length"]) == len(tenants.own.content)
    etag = found.headers["ETag"]
    assert tenants.a.send("GET", path, headers={"If-None-Match": etag}).status == 304
    assert tenants.a.send("GET", path, headers={"If-Match": '"other"'}).status == 412


def test_metadata_and_encodings_come_back_as_they_were_put(tenants: Tenants) -> None:
    path = f"/{tenants.own.bucket}/meta"
    headers = {"X-Amz-Meta-Note": "a  b", "Content-Encoding": "gzip", "Content-Type": "text/plain"}
    assert tenants.a.send("PUT", path, headers=headers, body=b"not really gzip").status == 200
    found = tenants.a.send("GET", path)
    assert found.body == b"not really gzip"
    assert found.headers["Content-Encoding"] == "gzip"
    assert found.headers["Content-Type"] == "text/plain"


def test_an_upload_in_chunks_with_a_checksum_at_its_end_is_kept(tenants: Tenants) -> None:
    data = b"0123456789abcdef" * 8192
    checksum = base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()
    body = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(data), data, checksum.encode())
    headers = {
        "Content-Encoding": "aws-chunked",
        "X-Amz-Decoded-Content-Length": str(len(data)),
        "X-Amz-Trailer": "x-amz-checksum-crc32",
    }
    payload, path = "STREAMING-UNSIGNED-PAYLOAD-TRAILER", f"/{tenants.own.bucket}/chunks"
    with connected(tenants.store.port) as connection:
        first = head(tenants.a, "PUT", path, length=len(body), headers=headers, payload=payload)
        connection.sendall(first + body)
        found = answer(connection)
    assert found.startswith(b"HTTP/1.1 200"), found
    assert tenants.a.send("GET", path).body == data


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize("length", [True, False], ids=["length", "chunks"])
def test_an_upload_in_many_chunks_is_kept(tenants: Tenants, length: bool, pieces: int) -> None:
    """As an SDK sends it: in chunks of S3 within chunks of HTTP, wherever a packet ends."""
    data, size = b"0123456789abcdef" * 65536, 65536
    checksum = base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    body += b"0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % checksum.encode()
    headers = {"X-Amz-Decoded-Content-Length": str(len(data)), "X-Amz-Trailer": "x-amz-checksum-crc32"}
    payload, path = "STREAMING-UNSIGNED-PAYLOAD-TRAILER", f"/{tenants.own.bucket}/many"
    sizes = len(body) if length else None
    step = len(body) // pieces
    parts = [body[start : start + step] for start in range(0, len(body), step)]
    with connected(tenants.store.port) as connection:
        connection.sendall(head(tenants.a, "PUT", path, length=sizes, headers=headers, payload=payload))
        for part in parts:
            connection.sendall(part if length else b"%x\r\n%b\r\n" % (len(part), part))
        connection.sendall(b"" if length else b"0\r\n\r\n")
        found = answer(connection)
    assert found.startswith(b"HTTP/1.1 200"), found
    assert tenants.a.send("GET", path).body == data


def test_a_client_that_waits_for_leave_to_send_gets_it_once(tenants: Tenants) -> None:
    path = f"/{tenants.own.bucket}/expect"
    with connected(tenants.store.port) as connection:
        connection.sendall(head(tenants.a, "PUT", path, length=4, headers={"Expect": "100-continue"}))
        assert answer(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"data")
        assert answer(connection).startswith(b"HTTP/1.1 200")


def test_an_upload_is_acknowledged_only_if_the_object_is_there(tenants: Tenants) -> None:
    bucket = tenants.own.bucket
    with connected(tenants.store.port) as connection:
        connection.sendall(head(tenants.a, "PUT", f"/{bucket}/folder", length=20_000) + bytes(10_000))
        temporary = tenants.store.data / bucket / ".sgwtmp"
        eventually(lambda: any(temporary.glob("*.*")), "it uploads", timeout=20)
        assert tenants.a.send("PUT", f"/{bucket}/folder/key", body=b"key").status == 200
        connection.sendall(bytes(10_000))
        assert answer(connection).startswith(b"HTTP/1.1 503")
    assert tenants.a.send("GET", f"/{bucket}/folder").status == 404


def test_a_certificate_that_is_replaced_is_used_without_a_restart(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    first = issue(certificate, key)
    flags = ["--admin-cert", str(certificate), "--admin-cert-key", str(key)]
    store = StoreProgram(tmp_path, flags=flags)
    store.start()
    try:
        assert served(store.admin_port) == first
        key.write_text("half a key")
        assert served(store.admin_port) == first
        second = issue(certificate, key)
        assert served(store.admin_port) == second
    finally:
        store.kill()


def issue(certificate: Path, key: Path) -> bytes:
    """A new certificate in these files; its content as it is sent."""
    private, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    made = builder.sign(private, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return made.public_bytes(serialization.Encoding.DER)


def served(port: int) -> bytes | None:
    """The certificate that the store shows now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), 20.0) as plain,
        context.wrap_socket(plain, server_hostname="store") as secure,
    ):
        return secure.getpeercert(binary_form=True)
