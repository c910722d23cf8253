"""The store's admin API (VersityGW): accounts, and who owns which bucket.

Every call is safe to repeat. A StoreAdmin blocks: callers in an event loop put it in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from modelyard_operator.plan import StoreCredentials
from modelyard_operator.storage.connection import connect
from modelyard_operator.storage.errors import BucketTakenError, StorageError, sentence

if TYPE_CHECKING:
    import urllib3

ROLE = "user"
"""May use what it owns or is granted; can neither make buckets nor call the admin API."""


class StoreAdmin:
    """The admin API at ``endpoint``, called with the store's root keys."""

    def __init__(self, endpoint: str, region: str, credentials: StoreCredentials) -> None:
        self._endpoint, self._region, self._credentials = endpoint.rstrip("/"), region, credentials
        self._pool: urllib3.PoolManager | None = None

    def accounts(self) -> dict[str, str]:
        """The secret key of each access key, root's excepted; never logged.

        Raises:
            StorageError: the store refuses or does not answer.
        """
        answer = self._call("list-users")
        return dict(_pairs(answer, self._endpoint, "Accounts", "Access", "Secret"))

    def create_account(self, access: str, secret: str) -> None:
        """Make a plain user, or give the one of that name this secret key.

        Raises:
            StorageError: the store refuses or does not answer.
        """
        try:
            self._call("create-user", body=_document("Account", Access=access, Secret=secret, Role=ROLE))
        except _RefusalError as refusal:
            if refusal.code != "XAdminUserExists":
                raise
            self.set_secret(access, secret)

    def set_secret(self, access: str, secret: str) -> None:
        """Give an account another secret key; the old one is refused from then on.

        Raises:
            StorageError: the store refuses, does not answer, or has no such account.
        """
        # The role is said again: an account of that name which somebody else made is a plain user afterwards.
        body = _document("MutableProps", Secret=secret, Role=ROLE)
        self._call("update-user", query={"access": access}, body=body)

    def delete_account(self, access: str) -> None:
        """Delete an account, if there is one; its buckets stay.

        Raises:
            StorageError: the store refuses or does not answer.
        """
        self._call("delete-user", query={"access": access})

    def buckets(self) -> dict[str, str]:
        """The access key that owns each bucket; "" where the store records no owner.

        Raises:
            StorageError: the store refuses or does not answer.
        """
        return dict(_pairs(self._call("list-buckets"), self._endpoint, "Buckets", "Name", "Owner"))

    def create_bucket(self, name: str, owner: str) -> None:
        """Make a bucket for an account; one that it owns already is left as it is.

        Raises:
            BucketTakenError: the bucket exists and does not belong to the account.
            StorageError: the store refuses or does not answer.
        """
        try:
            self._call(f"{quote(name, safe='')}/create", headers={"x-vgw-owner": owner}, bucket=name)
        except _RefusalError as refusal:
            if refusal.code == "BucketAlreadyOwnedByYou":
                return
            # InternalError, for ever: the store was killed between the bucket's folder and its owner.
            if refusal.code == "BucketAlreadyExists" or (
                refusal.code == "InternalError" and self.buckets().get(name) == ""
            ):
                raise BucketTakenError(f"bucket {name!r} exists and belongs to another account") from None
            raise

    def change_owner(self, name: str, owner: str) -> None:
        """Give a bucket to another account; the bucket's policy is dropped, its objects stay.

        Raises:
            StorageError: the store refuses, does not answer, or has no such bucket or account.
        """
        self._call("change-bucket-owner", query={"bucket": name, "owner": owner}, bucket=name)

    def _call(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        bucket: str = "",
    ) -> bytes:
        url = f"{self._endpoint}/{path}"
        if query:
            url += "?" + urlencode(query, quote_via=quote)
        if self._pool is None:
            self._pool = connect(self._endpoint, self._credentials.ca)
        signed = self._sign(url, headers or {}, body)
        try:
            answer = self._pool.request("PATCH", url, headers=signed, body=body, redirect=False)
        except Exception as error:
            raise StorageError(sentence(error, self._endpoint)) from error
        if answer.status >= 300:
            secret = self._credentials.secret
            raise _RefusalError(answer.status, answer.data, self._endpoint, bucket, secret)
        return answer.data

    def _sign(self, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        from minio.credentials.credentials import Credentials
        from minio.signer import sign_v4_s3
        from minio.time import to_amz_date

        now, digest, parts = datetime.now(UTC), sha256(body).hexdigest(), urlsplit(url)
        return sign_v4_s3(
            method="PATCH",
            url=parts,
            region=self._region,
            headers={
                **headers,
                "Host": parts.netloc,
                "X-Amz-Date": to_amz_date(now),
                "X-Amz-Content-Sha256": digest,
            },
            credentials=Credentials(self._credentials.access_key, self._credentials.secret_key),
            content_sha256=digest,
            date=now,
        )


class _RefusalError(StorageError):
    """An answer that is not a success; ``code`` is the store's own word for it, or empty."""

    def __init__(self, status: int, body: bytes, endpoint: str, bucket: str, secret: str) -> None:
        self.status_code, self.code = status, _code(body)
        super().__init__(sentence(self, endpoint, bucket, secret))


def _document(root: str, **fields: str) -> bytes:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    return f"<{root}>{inner}</{root}>".encode()


def _pairs(body: bytes, endpoint: str, each: str, key: str, value: str) -> Iterator[tuple[str, str]]:
    root = _parse(body)
    if root is None:
        raise StorageError(f"the object store at {endpoint} does not answer in XML: is it the admin API?")
    for element in root.iterfind(f"{{*}}{each}"):
        name = element.findtext(f"{{*}}{key}")
        if name:
            yield name, element.findtext(f"{{*}}{value}") or ""


def _code(body: bytes) -> str:
    root = _parse(body)
    found = "" if root is None else (root.findtext("{*}Code") or "")
    # Only a word: the answer may come from something else than the store.
    return found if found.isalnum() and len(found) <= 64 else ""


def _parse(body: bytes) -> ElementTree.Element | None:
    try:
        text = body.decode()
        # "<!" begins every declaration of an entity or a document type; the store's answers have none.
        return None if "<!" in text else ElementTree.fromstring(text)  # noqa: S314
    except (UnicodeDecodeError, ElementTree.ParseError):
        return None
