"""Every operation of S3 that names a bucket, as one row: who may do it is for the tests to say."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.integration.store.s3 import Answer, Caller

KEY = "data/secret.txt"
TAGS = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
LOCK = b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"
RETENTION = (
    b"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>"
)
HOLD = b"<LegalHold><Status>ON</Status></LegalHold>"
VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
ENCRYPTION = b"<ServerSideEncryptionConfiguration/>"
CORS = (
    b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>"
    b"</CORSRule></CORSConfiguration>"
)
OWNERSHIP = (
    b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>"
)
ACL = (
    b'<AccessControlPolicy xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    b"<Owner><ID>{caller}</ID></Owner>"
    b'<AccessControlList><Grant><Grantee xsi:type="CanonicalUser"><ID>{caller}</ID></Grantee>'
    b"<Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>"
)
LIFECYCLE = (
    b"<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>"
    b"<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"
)
SELECT = (
    b"<SelectObjectContentRequest><Expression>SELECT * FROM S3Object</Expression>"
    b"<ExpressionType>SQL</ExpressionType><InputSerialization><CSV/></InputSerialization>"
    b"<OutputSerialization><CSV/></OutputSerialization></SelectObjectContentRequest>"
)
WEBSITE = (
    b"<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>"
)
BLOCK = (
    b"<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls>"
    b"</PublicAccessBlockConfiguration>"
)


def policy(bucket: str, principal: str, *actions: str) -> bytes:
    """A bucket policy that allows actions on the bucket and everything in it."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": resources}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()


@dataclass(frozen=True)
class Target:
    """A bucket with something in it that can be read, changed or finished."""

    bucket: str
    upload: str
    """The id of a multipart upload of ``KEY`` that has its part 1."""
    etag: str
    """Of that part."""

    @property
    def content(self) -> bytes:
        """What ``KEY`` holds."""
        return b"only for who owns " + self.bucket.encode()

    def fill(self, text: str, caller: str) -> str:
        """Put the names in."""
        pairs = (("{bucket}", self.bucket), ("{upload}", self.upload), ("{etag}", self.etag))
        for name, value in (*pairs, ("{caller}", caller)):
            text = text.replace(name, value)
        return text


@dataclass(frozen=True)
class Operation:
    """One request; ``{bucket}``, ``{upload}``, ``{etag}`` and ``{caller}`` stand for names of the target."""

    name: str
    method: str
    key: str = ""
    """Empty: the bucket itself."""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    owner: int = 200
    """The status that the bucket's owner gets."""

    def request(self, caller: Caller, target: Target) -> tuple[str, str, dict[str, str], bytes]:
        """Path, query, headers and body of doing it to the target."""
        body = target.fill(self.body.decode(), caller.access).encode()
        headers = {name: target.fill(value, caller.access) for name, value in self.headers.items()}
        headers["Content-MD5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        path = f"/{target.bucket}" + (f"/{self.key}" if self.key else "")
        return path, target.fill(self.query, caller.access), headers, body

    def send(self, caller: Caller, target: Target) -> Answer:
        """Do it to the target."""
        path, query, headers, body = self.request(caller, target)
        return caller.send(self.method, path, query, headers=headers, body=body)


def prepare(owner: Caller, bucket: str) -> Target:
    """Fill a new bucket."""
    begun = owner.send("POST", f"/{bucket}/{KEY}", "uploads=")
    upload = begun.body.split(b"<UploadId>")[1].split(b"<")[0].decode()
    part = owner.send("PUT", f"/{bucket}/{KEY}", f"partNumber=1&uploadId={upload}", body=b"part")
    target = Target(bucket, upload, part.headers["ETag"])
    assert owner.send("PUT", f"/{bucket}/{KEY}", body=target.content).status == 200
    return target


SOURCE = {"x-amz-copy-source": "{bucket}/" + KEY}
ATTRIBUTES = {"x-amz-object-attributes": "ObjectSize"}
COMPLETE = (
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    b"</CompleteMultipartUpload>"
)
DELETE = f"<Delete><Object><Key>{KEY}</Key></Object></Delete>".encode()

OBJECTS = [
    Operation("list objects v1", "GET"),
    Operation("list objects v2", "GET", query="list-type=2"),
    Operation("list objects below a prefix", "GET", query="list-type=2&prefix=data%2F"),
    Operation("list objects with a delimiter", "GET", query="delimiter=%2F"),
    Operation("list object versions", "GET", query="versions="),
    Operation("head bucket", "HEAD"),
    Operation("get object", "GET", KEY),
    Operation("get a part of an object by range", "GET", KEY, headers={"Range": "bytes=0-3"}, owner=206),
    Operation("get object by part number", "GET", KEY, "partNumber=1", owner=206),
    Operation("get a version of an object", "GET", KEY, "versionId=null", owner=400),
    Operation("get an object that is missing", "GET", "data/none", owner=404),
    Operation("head object", "HEAD", KEY),
    Operation("head an object that is missing", "HEAD", "data/none", owner=404),
    Operation("get object attributes", "GET", KEY, "attributes=", ATTRIBUTES),
    Operation("put a new object", "PUT", "data/new", body=b"x"),
    Operation("overwrite an object", "PUT", KEY, body=b"x"),
    Operation("put an object where one is missing", "PUT", KEY, headers={"If-None-Match": "*"}, owner=412),
    Operation("put a folder", "PUT", "folder/"),
    Operation("delete object", "DELETE", KEY, owner=204),
    Operation("delete an object that is missing", "DELETE", "data/none", owner=204),
    Operation("delete objects", "POST", query="delete=", body=DELETE),
    Operation("copy within the bucket", "PUT", "data/copy", headers=SOURCE),
    Operation("get object tags", "GET", KEY, "tagging="),
    Operation("put object tags", "PUT", KEY, "tagging=", body=TAGS),
    Operation("delete object tags", "DELETE", KEY, "tagging=", owner=204),
    Operation("get object ACL", "GET", KEY, "acl=", owner=501),
    Operation("put object ACL", "PUT", KEY, "acl=", {"x-amz-acl": "public-read"}, owner=501),
    Operation("get object retention", "GET", KEY, "retention=", owner=400),
    Operation("put object retention", "PUT", KEY, "retention=", body=RETENTION, owner=400),
    Operation("get legal hold", "GET", KEY, "legal-hold=", owner=400),
    Operation("put legal hold", "PUT", KEY, "legal-hold=", body=HOLD, owner=400),
    Operation("restore object", "POST", KEY, "restore=", body=b"<RestoreRequest/>", owner=501),
    Operation("select object content", "POST", KEY, "select=&select-type=2", body=SELECT),
]
MULTIPART = [
    Operation("create a multipart upload", "POST", "data/new", "uploads="),
    Operation("upload a part", "PUT", KEY, "partNumber=2&uploadId={upload}", body=b"x"),
    Operation("upload a part again", "PUT", KEY, "partNumber=1&uploadId={upload}", body=b"x"),
    Operation("copy a part within the bucket", "PUT", KEY, "partNumber=2&uploadId={upload}", SOURCE),
    Operation("list parts", "GET", KEY, "uploadId={upload}"),
    Operation("list multipart uploads", "GET", query="uploads="),
    Operation("complete a multipart upload", "POST", KEY, "uploadId={upload}", body=COMPLETE),
    Operation("abort a multipart upload", "DELETE", KEY, "uploadId={upload}", owner=204),
]
BUCKETS = [
    Operation("get bucket location", "GET", query="location="),
    Operation("get bucket policy", "GET", query="policy=", owner=404),
    Operation("get bucket policy status", "GET", query="policyStatus=", owner=404),
    Operation(
        "put bucket policy", "PUT", query="policy=", body=policy("{bucket}", "{caller}", "s3:*"), owner=403
    ),
    Operation("delete bucket policy", "DELETE", query="policy=", owner=403),
    Operation("get bucket ACL", "GET", query="acl="),
    Operation("put bucket ACL", "PUT", query="acl=", body=ACL, owner=400),
    Operation(
        "put canned bucket ACL", "PUT", query="acl=", headers={"x-amz-acl": "public-read-write"}, owner=400
    ),
    Operation("get bucket CORS", "GET", query="cors=", owner=404),
    Operation("put bucket CORS", "PUT", query="cors=", body=CORS),
    Operation("delete bucket CORS", "DELETE", query="cors=", owner=204),
    Operation("get bucket tags", "GET", query="tagging=", owner=404),
    Operation("put bucket tags", "PUT", query="tagging=", body=TAGS, owner=204),
    Operation("delete bucket tags", "DELETE", query="tagging=", owner=204),
    Operation("get bucket versioning", "GET", query="versioning="),
    Operation("put bucket versioning", "PUT", query="versioning=", body=VERSIONING, owner=501),
    Operation("get object lock", "GET", query="object-lock=", owner=404),
    Operation("put object lock", "PUT", query="object-lock=", body=LOCK, owner=501),
    Operation("get ownership controls", "GET", query="ownershipControls="),
    Operation("put ownership controls", "PUT", query="ownershipControls=", body=OWNERSHIP),
    Operation("delete ownership controls", "DELETE", query="ownershipControls=", owner=204),
    Operation("get website", "GET", query="website=", owner=404),
    Operation("put website", "PUT", query="website=", body=WEBSITE),
    Operation("delete website", "DELETE", query="website=", owner=204),
    Operation("get lifecycle", "GET", query="lifecycle=", owner=501),
    Operation("put lifecycle", "PUT", query="lifecycle=", body=LIFECYCLE, owner=501),
    Operation("delete lifecycle", "DELETE", query="lifecycle=", owner=501),
    Operation("get notification", "GET", query="notification=", owner=501),
    Operation(
        "put notification", "PUT", query="notification=", body=b"<NotificationConfiguration/>", owner=501
    ),
    Operation("get public access block", "GET", query="publicAccessBlock=", owner=501),
    Operation("put public access block", "PUT", query="publicAccessBlock=", body=BLOCK, owner=501),
    Operation("get replication", "GET", query="replication=", owner=501),
    Operation("put encryption", "PUT", query="encryption=", body=ENCRYPTION, owner=501),
    Operation("create the bucket again", "PUT", owner=403),
    Operation("delete the bucket", "DELETE", owner=409),
]
ALL = [*OBJECTS, *MULTIPART, *BUCKETS]
