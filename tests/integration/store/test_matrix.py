"""One tenant and every operation of S3 on another's bucket: refused each time, and nothing changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.integration.store.conftest import Tenants
from tests.integration.store.operations import ALL, KEY, Operation
from tests.integration.store.s3 import Answer, Caller, send

each = pytest.mark.parametrize("operation", ALL, ids=lambda operation: operation.name)
without_headers = pytest.mark.parametrize(
    "operation", [one for one in ALL if not one.headers], ids=lambda operation: operation.name
)


pytestmark = pytest.mark.usefixtures("nothing_of_others_changes")


def refused(answer: Answer, tenants: Tenants) -> None:
    """The store said no, and gave nothing away."""
    assert tenants.target.content not in answer.body
    # An answer to HEAD has no body; several deletions in one request are answered one by one.
    assert answer.status in {403, 501} or (answer.status == 200 and b"<Deleted>" not in answer.body), answer
    assert answer.code in {"AccessDenied", "NotImplemented"} or not answer.body, answer


@each
def test_another_tenant_is_refused(tenants: Tenants, operation: Operation) -> None:
    refused(operation.send(tenants.a, tenants.target), tenants)


@each
def test_who_has_no_keys_is_refused(tenants: Tenants, operation: Operation) -> None:
    answer = operation.send(tenants.nobody, tenants.target)
    refused(answer, tenants)
    assert answer.status == 403


@each
def test_the_owner_is_answered(tenants: Tenants, operation: Operation) -> None:
    target = tenants.new_bucket(tenants.b)
    answer = operation.send(tenants.b, target)
    assert answer.status == operation.owner, answer


@without_headers
def test_another_tenants_presigned_url_is_refused(tenants: Tenants, operation: Operation) -> None:
    path, query, headers, body = operation.request(tenants.a, tenants.target)
    url = tenants.a.presigned(operation.method, path, query)
    headers |= {"Host": f"127.0.0.1:{tenants.store.port}", "Content-Length": str(len(body))}
    refused(send(tenants.store.port, operation.method, url, headers, body), tenants)


def test_the_owners_presigned_urls_work(tenants: Tenants) -> None:
    host = {"Host": f"127.0.0.1:{tenants.store.port}"}
    target = tenants.new_bucket(tenants.b)
    put = tenants.b.presigned("PUT", f"/{target.bucket}/new")
    assert send(tenants.store.port, "PUT", put, host | {"Content-Length": "3"}, b"new").status == 200
    get = tenants.b.presigned("GET", f"/{target.bucket}/new")
    assert send(tenants.store.port, "GET", get, host).body == b"new"


def test_a_presigned_url_is_good_for_its_own_object_and_method_only(tenants: Tenants) -> None:
    host = {"Host": f"127.0.0.1:{tenants.store.port}", "Content-Length": "0"}
    get = tenants.b.presigned("GET", f"/{tenants.target.bucket}/{KEY}")
    for method, url in [
        ("PUT", get),
        ("DELETE", get),
        ("GET", get.replace("secret.txt", "other.txt")),
        ("GET", get.replace("X-Amz-Expires=3600", "X-Amz-Expires=36000")),
        ("GET", get + "&tagging="),
    ]:
        answer = send(tenants.store.port, method, url, host)
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch"), (method, url)


@pytest.mark.parametrize("into", ["own", "target"])
@pytest.mark.parametrize("source", ["own", "target"])
@pytest.mark.parametrize("kind", ["object", "part"])
def test_copies_between_tenants_are_refused(tenants: Tenants, kind: str, source: str, into: str) -> None:
    to, copied = getattr(tenants, into), getattr(tenants, source)
    query = f"partNumber=2&uploadId={to.upload}" if kind == "part" else ""
    headers = {"x-amz-copy-source": f"{copied.bucket}/{KEY}"}
    key = KEY if kind == "part" else "data/copy"
    answer = tenants.a.send("PUT", f"/{to.bucket}/{key}", query, headers=headers)
    if (source, into) == ("own", "own"):
        assert answer.status == 200
    else:
        refused(answer, tenants)


def test_a_form_with_another_tenants_keys_is_refused(tenants: Tenants) -> None:
    assert tenants.a.post_form(tenants.own.bucket, "data/form").status == 204
    refused(tenants.a.post_form(tenants.target.bucket, "data/form"), tenants)
    refused(tenants.a.post_form(tenants.target.bucket, "data/form", says=tenants.own.bucket), tenants)


def test_a_tenant_lists_its_own_buckets_only(tenants: Tenants) -> None:
    answer = tenants.a.send("GET", "/")
    assert answer.status == 200
    assert answer.body.count(b"<Bucket>") == 1
    assert b"<Name>modelyard-a</Name>" in answer.body
    refused(tenants.nobody.send("GET", "/"), tenants)


@pytest.mark.parametrize(
    "name",
    [
        "modelyard-a",
        "modelyard-b",
        "modelyard-a-other",
        "modelyard.shared",
        "modelyard-c",
        "anything",
        "data",
    ],
)
@pytest.mark.parametrize("who", ["a", "nobody"])
def test_no_tenant_creates_a_bucket(tenants: Tenants, who: str, name: str) -> None:
    caller: Caller = getattr(tenants, who)
    before = tenants.store.admin.buckets()
    for headers in ({}, {"x-vgw-owner": caller.access}, {"x-amz-bucket-object-lock-enabled": "true"}):
        refused(caller.send("PUT", f"/{name}", headers=headers), tenants)
    assert tenants.store.admin.buckets() == before


@pytest.mark.parametrize("operation", ["get object", "overwrite an object", "list objects v2"])
@pytest.mark.parametrize(
    "signer",
    [{"region": "eu-west-1"}, {"region": ""}, {"service": "sts"}, {"secret": "wrong"}, {"access": "none"}],
    ids=["another region", "no region", "another service", "another secret", "another account"],
)
def test_what_is_signed_otherwise_is_refused_even_to_the_owner(
    tenants: Tenants, operation: str, signer: dict[str, Any]
) -> None:
    found = next(one for one in ALL if one.name == operation)
    answer = found.send(replace(tenants.b, **signer), tenants.target)
    assert answer.status in {400, 403}, answer
    assert tenants.target.content not in answer.body


HEADERS = [
    {"x-vgw-owner": "{b}"},
    {"x-amz-expected-bucket-owner": "{b}"},
    {"x-amz-security-token": "token"},
    {"X-HTTP-Method-Override": "GET"},
    {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
    {"X-Original-URL": "/modelyard-a/data/secret.txt"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=lambda headers: next(iter(headers)))
@pytest.mark.parametrize("operation", ["get object", "overwrite an object", "delete object"])
def test_no_header_makes_a_tenant_another(tenants: Tenants, operation: str, headers: dict[str, str]) -> None:
    found = next(one for one in ALL if one.name == operation)
    filled = {name: value.replace("{b}", tenants.b.access) for name, value in headers.items()}
    answer = replace(found, headers=filled).send(tenants.a, tenants.target)
    assert 400 <= answer.status < 500, answer
    assert tenants.target.content not in answer.body


@pytest.mark.parametrize("host", ["modelyard-b", "modelyard-b.s3.test", "modelyard-b.127.0.0.1", "b@x"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_bucket_in_the_host_is_none(tenants: Tenants, host: str, method: str) -> None:
    # Were it one, tenant A's own path would be a key in it; as it is none, the path counts.
    answer = tenants.a.send(method, f"/{KEY}", host=host)
    assert 400 <= answer.status < 500, answer
    answer = tenants.a.send("GET", f"/{tenants.own.bucket}/{KEY}", host=host)
    assert answer.body == tenants.own.content


ADMIN = [
    ("list-users", b""),
    ("list-buckets", b""),
    (
        "create-user",
        b"<Account><Access>evil</Access><Secret>evil-secret</Secret><Role>admin</Role></Account>",
    ),
    ("update-user?access={a}", b"<MutableProps><Role>admin</Role></MutableProps>"),
    ("update-user?access={b}", b"<MutableProps><Secret>evil-secret</Secret></MutableProps>"),
    ("delete-user?access={b}", b""),
    ("change-bucket-owner?bucket=modelyard-b&owner={a}", b""),
    ("modelyard-evil/create", b""),
]


@pytest.mark.parametrize(("call", "body"), ADMIN, ids=[call.split("?")[0] for call, _ in ADMIN])
@pytest.mark.parametrize("who", ["a", "nobody"])
@pytest.mark.parametrize("port", ["port", "admin_port"])
def test_the_admin_api_is_roots(tenants: Tenants, port: str, who: str, call: str, body: bytes) -> None:
    caller = replace(getattr(tenants, who), port=getattr(tenants.store, port))
    path, _, query = call.replace("{a}", tenants.a.access).replace("{b}", tenants.b.access).partition("?")
    answer = caller.send("PATCH", f"/{path}", query, headers={"x-vgw-owner": tenants.a.access}, body=body)
    assert 400 <= answer.status < 500, answer
    for secret in (tenants.b.secret, tenants.b.access, tenants.store.root.secret_key):
        assert secret.encode() not in answer.body
