"""What a pod of one namespace tries against another one: this file runs in it, with its own keys mounted.

It gets its target as JSON in INTRUDER_TARGET and prints one JSON object: for each attempt what became of it.
Only "refused: …" and "unreachable: …" are as they should be.
"""

from __future__ import annotations

import io
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.error import S3Error

KEYS = Path("/keys")
TOKEN = Path("/token/token")
REFUSALS = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket"}
SECONDS = 10.0
LARGE = 6 * 1024 * 1024
"""Bytes that are sent in parts."""


def main() -> None:
    """All attempts, each by its name."""
    target = json.loads(os.environ["INTRUDER_TARGET"])
    found = {name: outcome(attempt) for name, attempt in attempts(target).items()}
    print(json.dumps(found))


def attempts(target: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """By S3 with the own keys, by the admin API, by the report endpoint."""
    keys = {path.name: path.read_text() for path in KEYS.iterdir() if path.is_file()}
    store, mine, theirs, key = client(keys), keys["BUCKET"], target["bucket"], target["key"]
    return {
        "own bucket is written": lambda: put(store, mine, "intruder/own"),
        "list": lambda: list(store.list_objects(theirs, recursive=True)),
        "get": lambda: store.get_object(theirs, key).read(),
        "stat": lambda: store.stat_object(theirs, key),
        "put": lambda: put(store, theirs, "intruder/put"),
        "put in parts": lambda: put(store, theirs, "intruder/parts", LARGE),
        "delete": lambda: store.remove_object(theirs, key),
        "copy to the own bucket": lambda: store.copy_object(mine, "intruder/copy", CopySource(theirs, key)),
        "copy from the own bucket": lambda: store.copy_object(
            theirs, "intruder/copy", CopySource(mine, "intruder/own")
        ),
        "presigned": lambda: fetch(store.presigned_get_object(theirs, key)),
        "policy": lambda: store.set_bucket_policy(theirs, readable_by_all(theirs)),
        "remove the bucket": lambda: store.remove_bucket(theirs),
        "make a bucket": lambda: store.make_bucket("intruders-own"),
        "admin: accounts": lambda: admin(keys, target["admin"], "list-users"),
        "admin: owner": lambda: admin(
            keys, target["admin"], f"change-bucket-owner?bucket={theirs}&owner={keys['AWS_ACCESS_KEY_ID']}"
        ),
        "admin on the port for S3": lambda: admin(keys, keys["AWS_ENDPOINT_URL"], "list-users"),
        "report for another's object": lambda: report(target["reports"], target["report"]),
    }


def outcome(attempt: Callable[[], object]) -> str:
    """In one line what an attempt led to."""
    try:
        attempt()
    except S3Error as error:
        return f"refused: {error.code}" if error.code in REFUSALS else f"error: {error.code}"
    except urllib.error.HTTPError as error:
        return f"refused: {error.code}" if error.code in (401, 403, 404, 405) else f"error: {error.code}"
    except (urllib.error.URLError, urllib3.exceptions.HTTPError, OSError) as error:
        return f"unreachable: {type(error).__name__}"
    except Exception as error:
        return f"error: {type(error).__name__} {error}"
    return "DONE"


def client(keys: dict[str, str]) -> Minio:
    address = urlsplit(keys["AWS_ENDPOINT_URL"])
    return Minio(
        address.netloc,
        access_key=keys["AWS_ACCESS_KEY_ID"],
        secret_key=keys["AWS_SECRET_ACCESS_KEY"],
        secure=address.scheme == "https",
        region=keys["AWS_REGION"],
        http_client=urllib3.PoolManager(timeout=SECONDS, retries=False),
    )


def put(store: Minio, bucket: str, key: str, size: int = 1) -> None:
    store.put_object(bucket, key, io.BytesIO(b"x" * size), size, part_size=5 * 1024 * 1024)


def readable_by_all(bucket: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def fetch(url: str) -> bytes:
    data: bytes = urllib.request.urlopen(url, timeout=SECONDS).read()
    return data


def admin(keys: dict[str, str], endpoint: str, path: str) -> bytes:
    """One call of the admin API, signed with the namespace's keys."""
    from minio.credentials.credentials import Credentials
    from minio.signer import sign_v4_s3
    from minio.time import to_amz_date

    url, now, digest = f"{endpoint}/{path}", datetime.now(UTC), sha256(b"").hexdigest()
    headers: dict[str, Any] = {
        "Host": urlsplit(url).netloc,
        "X-Amz-Date": to_amz_date(now),
        "X-Amz-Content-Sha256": digest,
    }
    signed = sign_v4_s3(
        method="PATCH",
        url=urlsplit(url),
        region=keys["AWS_REGION"],
        headers=headers,
        credentials=Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]),
        content_sha256=digest,
        date=now,
    )
    sent = {name: str(value) for name, value in signed.items()}
    request = urllib.request.Request(url, method="PATCH", headers=sent)
    data: bytes = urllib.request.urlopen(request, timeout=SECONDS).read()
    return data


def report(endpoint: str, body: dict[str, Any]) -> bytes:
    """A progress report, with the token of this pod."""
    headers = {"Authorization": f"Bearer {TOKEN.read_text()}", "Content-Type": "application/json"}
    content = body | {"time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    request = urllib.request.Request(f"{endpoint}/v1/reports", json.dumps(content).encode(), headers)
    data: bytes = urllib.request.urlopen(request, timeout=SECONDS).read()
    return data


if __name__ == "__main__":
    main()
