"""S3 requests as an attacker writes them: any method, path, header and body, signed as S3 wants it."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import SplitResult

import urllib3
from minio import signer
from minio.credentials.credentials import Credentials
from minio.datatypes import PostPolicy
from minio.time import to_amz_date

from tests.support.store_program import REGION

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """What the store answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error's code, or empty."""
        found = re.search(rb"<Code>(\w+)</Code>", self.body)
        return found.group(1).decode() if found else ""

    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.body[:300]!r}"


@dataclass(frozen=True)
class Caller:
    """Somebody with keys, or nobody; ``port`` is where the store listens on loopback."""

    port: int
    access: str = ""
    secret: str = ""
    region: str = REGION
    service: str = "s3"

    def send(
        self,
        method: str,
        path: str,
        query: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        host: str = "",
    ) -> Answer:
        """One request; path and query go out as they stand here, and are signed so."""
        sent: dict[str, Any] = {"Host": host or f"127.0.0.1:{self.port}", "Content-Length": str(len(body))}
        sent |= headers or {}
        if self.access:
            now, digest = datetime.now(UTC), sha256(body).hexdigest()
            sent |= {"X-Amz-Date": to_amz_date(now), "X-Amz-Content-Sha256": digest}
            sent = signer._sign_v4(
                service_name=self.service,
                method=method,
                url=SplitResult("http", sent["Host"], path, query, ""),
                region=self.region,
                headers=sent,
                credentials=Credentials(self.access, self.secret),
                content_sha256=digest,
                date=now,
            )
        return send(self.port, method, path + (f"?{query}" if query else ""), sent, body)

    def presigned(self, method: str, path: str, query: str = "") -> str:
        """A path and query that hold the signature, good for an hour."""
        url = signer.presign_v4(
            method=method,
            url=SplitResult("http", f"127.0.0.1:{self.port}", path, query, ""),
            region=self.region,
            credentials=Credentials(self.access, self.secret),
            date=datetime.now(UTC),
            expires=int(timedelta(hours=1).total_seconds()),
        )
        return f"{url.path}?{url.query}"

    def post_form(self, bucket: str, key: str, *, says: str | None = None) -> Answer:
        """A browser's upload; ``says`` is the bucket in the signed policy, if not the one that is asked."""
        policy = PostPolicy(says or bucket, datetime.now(UTC) + timedelta(hours=1))
        policy.add_equals_condition("key", key)
        fields = policy.form_data(Credentials(self.access, self.secret), REGION)
        body, kind = urllib3.encode_multipart_formdata(fields | {"key": key, "file": ("form", b"posted")})
        headers = {"Content-Type": kind, "Content-Length": str(len(body))}
        return send(self.port, "POST", f"/{bucket}", headers | {"Host": f"127.0.0.1:{self.port}"}, body)


def send(port: int, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """One request as it stands, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.headers), answer.read())
    finally:
        connection.close()
