"""What a tenant can do with its own bucket, and what the bucket for all is."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.integration.store.conftest import SHARED, Tenants
from tests.integration.store.operations import ALL, KEY, Operation, Target, policy
from tests.integration.store.s3 import Caller


@pytest.fixture
def own(tenants: Tenants) -> Target:
    """A new bucket of tenant A."""
    return tenants.new_bucket(tenants.a)


DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}


@pytest.mark.parametrize("principal", ["*", "{b}", "{a}", "b.00000000"])
def test_no_tenant_opens_its_bucket_or_shuts_itself_out_by_a_policy(
    tenants: Tenants, own: Target, principal: str
) -> None:
    named = principal.format(a=tenants.a.access, b=tenants.b.access)
    allow = policy(own.bucket, named, "s3:*")
    outside = policy(f"{own.bucket}/../{tenants.target.bucket}", tenants.a.access, "s3:*")
    deny = {"Version": "2012-10-17", "Statement": [DENY | {"Resource": f"arn:aws:s3:::{own.bucket}*"}]}
    for body in (allow, outside, json.dumps(deny).encode()):
        assert tenants.a.send("PUT", f"/{own.bucket}", "policy=", body=body).status in {400, 403}
    assert tenants.a.send("DELETE", f"/{own.bucket}", "policy=").status == 403
    assert tenants.a.send("GET", f"/{own.bucket}/{KEY}").body == own.content
    for caller in (tenants.b, tenants.nobody):
        assert caller.send("GET", f"/{own.bucket}/{KEY}").status == 403


def test_the_administrator_sets_policies_and_takes_them_off(tenants: Tenants, own: Target) -> None:
    body = policy(own.bucket, tenants.b.access, "s3:GetObject")
    assert tenants.root.send("PUT", f"/{own.bucket}", "policy=", body=body).status == 204
    assert tenants.b.send("GET", f"/{own.bucket}/{KEY}").body == own.content
    assert tenants.root.send("DELETE", f"/{own.bucket}", "policy=").status == 204
    assert tenants.b.send("GET", f"/{own.bucket}/{KEY}").status == 403


UNLISTED = ["a%01b", "a%0Ab", "%7F", "a%C2%85b", "a%FFb", "a%EF%BF%BDb", "a%EF%BF%BFb"]


@pytest.mark.parametrize("key", UNLISTED)
def test_no_object_has_a_key_that_a_listing_cannot_name(tenants: Tenants, own: Target, key: str) -> None:
    path = f"/{own.bucket}/{key}"
    copy = {"x-amz-copy-source": f"{own.bucket}/{KEY}"}
    for method, query, headers in (("PUT", "", {}), ("PUT", "", copy), ("POST", "uploads=", {})):
        assert 400 <= tenants.a.send(method, path, query, headers=headers, body=b"").status < 500
    listed = tenants.a.send("GET", f"/{own.bucket}").body
    assert listed.count(b"<Key>") == 1


def test_no_tenant_makes_data_that_the_operator_cannot_delete(tenants: Tenants, own: Target) -> None:
    until = {
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z",
    }
    for headers in (until, {"x-amz-object-lock-legal-hold": "ON"}):
        assert tenants.a.send("PUT", f"/{own.bucket}/locked", headers=headers, body=b"x").status >= 400
    for name in ("put object lock", "put object retention", "put legal hold"):
        operation = next(one for one in ALL if one.name == name)
        assert operation.send(tenants.a, own).status >= 400
    assert tenants.root.send("DELETE", f"/{own.bucket}/{KEY}").status == 204


def test_a_bucket_that_a_tenant_deletes_is_made_again_for_it_and_for_nobody_else(
    tenants: Tenants, own: Target
) -> None:
    tenants.a.send("DELETE", f"/{own.bucket}/{KEY}", f"uploadId={own.upload}")
    tenants.a.send("DELETE", f"/{own.bucket}/{KEY}")
    assert tenants.a.send("DELETE", f"/{own.bucket}").status == 204
    assert tenants.b.send("PUT", f"/{own.bucket}").status == 403
    tenants.store.admin.create_bucket(own.bucket, tenants.a.access)
    assert tenants.a.send("PUT", f"/{own.bucket}/{KEY}", body=b"x").status == 200


@pytest.mark.parametrize(
    "key", [".sgwtmp/x", ".sgwtmp", "./.sgwtmp/x", "/.sgwtmp/multipart/x/y.z.inprogress"]
)
def test_no_object_lies_among_the_stores_own_files(tenants: Tenants, own: Target, key: str) -> None:
    path = f"/{own.bucket}/{quote(key)}"
    copy = {"x-amz-copy-source": f"{own.bucket}/{KEY}"}
    assert tenants.a.send("PUT", path, body=b"x").status == 403
    assert tenants.a.send("PUT", path, headers=copy).status == 403
    assert tenants.a.send("POST", path, "uploads=").status == 403
    assert tenants.a.post_form(own.bucket, key).status == 403


WRITES = [
    one
    for one in ALL
    if one.method in {"PUT", "DELETE", "POST"}
    and one.owner != 501
    and "upload" not in one.query
    and "select" not in one.name
]


@pytest.fixture(scope="module")
def shared(tenants: Tenants) -> Target:
    """The bucket for all, with an object that the administrator put there."""
    target = Target(SHARED, "", "")
    assert tenants.root.send("PUT", f"/{SHARED}/{KEY}", body=target.content).status == 200
    return target


def test_every_tenant_reads_lists_and_copies_what_is_for_all(tenants: Tenants, shared: Target) -> None:
    for caller in (tenants.a, tenants.b):
        assert caller.send("GET", f"/{SHARED}/{KEY}").body == shared.content
        assert KEY.encode() in caller.send("GET", f"/{SHARED}").body
    copy = {"x-amz-copy-source": f"{SHARED}/{KEY}"}
    assert tenants.a.send("PUT", f"/{tenants.own.bucket}/copy", headers=copy).status == 200
    assert tenants.a.send("GET", f"/{tenants.own.bucket}/copy").body == shared.content


@pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.name)
@pytest.mark.parametrize("who", ["a", "nobody"])
def test_what_is_for_all_is_written_by_the_administrator_only(
    tenants: Tenants, shared: Target, who: str, operation: Operation
) -> None:
    caller: Caller = getattr(tenants, who)
    answer = operation.send(caller, shared)
    assert answer.code == "AccessDenied", answer
    assert tenants.root.send("GET", f"/{SHARED}/{KEY}").body == shared.content
