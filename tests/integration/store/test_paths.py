"""Names that lead out of a bucket's folder, if the store follows them: it must not."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import quote

import pytest

from tests.integration.store.conftest import Tenants
from tests.integration.store.operations import COMPLETE, KEY, Target
from tests.integration.store.s3 import Answer

pytestmark = pytest.mark.usefixtures("nothing_of_others_changes")

TRICKS = {
    "dots": "/{own}/../{target}/" + KEY,
    "encoded dots": "/{own}/%2e%2e/{target}/" + KEY,
    "encoded slashes": "/{own}/..%2f{target}%2fdata%2fsecret.txt",
    "encoded twice": "/{own}/%252e%252e/{target}/" + KEY,
    "dots after a folder": "/{own}/data/../../{target}/" + KEY,
    "dots below the bucket's name": "/{own}%2f..%2f{target}/" + KEY,
    "dots before all": "/../data/{target}/" + KEY,
    "a double slash before all": "//{target}/" + KEY,
    "a double slash in the key": "/{own}//../{target}/" + KEY,
    "an absolute key": "/{own}//etc/passwd",
    "backslashes": "/{own}/..%5C{target}%5Cdata%5Csecret.txt",
    "a dot for the bucket": "/./{target}/" + KEY,
    "two dots for the bucket": "/../iam/users.json",
    "encoded dots for the bucket": "/%2e%2e/iam/users.json",
    "the accounts": "/{own}/../../iam/users.json",
    "the locks": "/.vgwlocks/x",
    "the temporary files": "/{target}/.sgwtmp/x",
    "another bucket's uploads": "/{own}/../{target}/.sgwtmp/multipart/x",
    "a NUL": "/{own}/%00",
    "a NUL behind a name": "/{target}%00/" + KEY,
    "a line break": "/{own}/%0a../{target}/" + KEY,
    "letters like dots": "/{own}/%EF%BC%8E%EF%BC%8E/{target}/" + KEY,
    "a bad escape": "/{own}/%zz/../{target}",
    "a long key": "/{own}/" + "a" * 2000,
}
METHODS = [
    ("GET", ""),
    ("HEAD", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("POST", "uploads="),
    ("GET", "tagging="),
    ("GET", "attributes="),
    ("GET", "list-type=2"),
]
BROKEN = {"a NUL", "a bad escape"}
"""VersityGW v1.8.0 refuses these with InternalError; nothing comes of it."""


def harmless(tenants: Tenants, answer: Answer, *, broken: bool = False) -> None:
    """A refusal, or something that stayed in tenant A's bucket: the fixture compares all the rest."""
    assert answer.status < 500 or broken, answer
    for secret in (tenants.target.content, b"accessAccounts", b"root:", tenants.b.secret.encode()):
        assert secret not in answer.body


@pytest.mark.parametrize(("method", "query"), METHODS, ids=[f"{method} {query}" for method, query in METHODS])
@pytest.mark.parametrize("trick", TRICKS)
def test_no_path_leads_out_of_the_tenants_bucket(
    tenants: Tenants, trick: str, method: str, query: str
) -> None:
    path = TRICKS[trick].replace("{own}", tenants.own.bucket).replace("{target}", tenants.target.bucket)
    harmless(
        tenants,
        tenants.a.send(method, path, query, body=b"x" if method == "PUT" else b""),
        broken=trick in BROKEN,
    )


SOURCES = [
    "{own}/../{target}/" + KEY,
    "{own}/..%2f{target}%2fdata%2fsecret.txt",
    "{own}%2f..%2f{target}%2fdata%2fsecret.txt",
    "{own}/%252e%252e/{target}/" + KEY,
    "{target}%2fdata/secret.txt",
    "../{target}/" + KEY,
    "//{target}/" + KEY,
    "../iam/users.json",
    "{own}/../../iam/users.json",
    "{own}/" + KEY + "?versionId=../../{target}/" + KEY,
    "{own}%00/../{target}/" + KEY,
    "arn:aws:s3:::{target}/" + KEY,
]


@pytest.mark.parametrize("query", ["", "partNumber=2&uploadId={upload}"], ids=["object", "part"])
@pytest.mark.parametrize("source", SOURCES)
def test_no_source_of_a_copy_leads_out_of_the_tenants_bucket(
    tenants: Tenants, source: str, query: str
) -> None:
    filled = source.replace("{own}", tenants.own.bucket).replace("{target}", tenants.target.bucket)
    answer = tenants.a.send(
        "PUT",
        f"/{tenants.own.bucket}/{KEY}",
        query.replace("{upload}", tenants.own.upload),
        headers={"x-amz-copy-source": filled},
    )
    assert 400 <= answer.status < 500, answer


@pytest.fixture(scope="module")
def listed(tenants: Tenants) -> Target:
    """A bucket of tenant A with one object and one upload, both of ``KEY``."""
    return tenants.new_bucket(tenants.a)


PREFIXES = ["../", "../{target}/", "../../iam/", "/", "data/../../{target}/", ".sgwtmp/", "..", "\x00"]


@pytest.mark.parametrize("query", ["", "list-type=2&", "delimiter=%2F&", "versions=&", "uploads=&"])
@pytest.mark.parametrize("argument", ["prefix", "marker", "start-after", "key-marker"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_listing_shows_what_is_outside_the_tenants_bucket(
    tenants: Tenants, listed: Target, prefix: str, argument: str, query: str
) -> None:
    value = prefix.replace("{target}", tenants.target.bucket)
    answer = tenants.a.send("GET", f"/{listed.bucket}", f"{query}{argument}={quote(value, safe='')}")
    assert answer.status < 500, answer
    assert set(re.findall(r"<Key>(.*?)</Key>", answer.body.decode())) <= {KEY}
    assert set(re.findall(r"<CommonPrefixes><Prefix>(.*?)<", answer.body.decode())) <= {"data/"}


@pytest.mark.parametrize(
    "key",
    [
        "../{target}/" + KEY,
        "/../{target}/" + KEY,
        "data/../../{target}/" + KEY,
        "../{target}/",
        "../../iam/users.json",
        "..",
        ".",
        "",
    ],
)
def test_no_deletion_of_many_reaches_out_of_the_tenants_bucket(tenants: Tenants, key: str) -> None:
    name = key.replace("{target}", tenants.target.bucket)
    body = f"<Delete><Object><Key>{name}</Key></Object></Delete>".encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    answer = tenants.a.send(
        "POST", f"/{tenants.own.bucket}", "delete=", headers={"Content-MD5": digest}, body=body
    )
    harmless(tenants, answer)


@pytest.mark.parametrize(
    "key", ["../{target}/" + KEY, "/../{target}/" + KEY, "..%2f{target}/" + KEY, "../../iam/users.json"]
)
def test_no_form_reaches_out_of_the_tenants_bucket(tenants: Tenants, key: str) -> None:
    harmless(tenants, tenants.a.post_form(tenants.own.bucket, key.replace("{target}", tenants.target.bucket)))


UPLOADS = [
    "../../../../{target}",
    "../../../../{target}/data",
    "../../../../../iam",
    "..",
    ".",
    "\x00",
    "{upload}",
]


@pytest.mark.parametrize("upload", UPLOADS)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_an_upload_of_another_bucket_cannot_be_used_from_the_tenants(
    tenants: Tenants, method: str, upload: str
) -> None:
    identifier = upload.replace("{target}", tenants.target.bucket).replace("{upload}", tenants.target.upload)
    query = f"uploadId={quote(identifier, safe='')}" + ("&partNumber=1" if method == "PUT" else "")
    body = tenants.own.fill(COMPLETE.decode(), "").encode() if method == "POST" else b""
    answer = tenants.a.send(method, f"/{tenants.own.bucket}/{KEY}", query, body=body)
    assert (answer.status, answer.code) == (404, "NoSuchUpload"), answer
