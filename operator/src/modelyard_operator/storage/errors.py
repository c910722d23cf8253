"""What the store's refusals and silences become: one sentence, with no key in it."""

from __future__ import annotations

from modelyard_algorithms.contract.environment import ACCESS_KEY_FILE, SECRET_KEY_FILE

NAME_REFUSED = frozenset({"400", "BadRequest", "InvalidURI", "KeyTooLongError", "XMinioInvalidObjectName"})
"""Codes for a key that no object of this store can have; the first two where the
server cannot read the path, or the answer has no body (HEAD)."""


class StorageError(Exception):
    """The object store cannot be used; the text is one sentence."""


class BucketTakenError(Exception):
    """The name of a bucket belongs to another owner; the text is one sentence."""


def sentence(error: Exception, endpoint: str, bucket: str = "", secret: str = "") -> str:
    """One sentence; what libraries say has addresses of Python objects in it, and never keys. ``secret`` is
    the name of the Secret with the keys."""
    code = getattr(error, "code", None)
    if code in {"AccessDenied", "XAdminAccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        check = f": check Secret {secret}, keys {ACCESS_KEY_FILE} and {SECRET_KEY_FILE}" if secret else ""
        return f"the object store at {endpoint} refuses the credentials ({code}){check}"
    if code == "NoSuchBucket":
        return f"bucket {bucket!r} does not exist at {endpoint}"
    if code in NAME_REFUSED:
        return f"the object store at {endpoint} takes no object of such a name in bucket {bucket!r} ({code})"
    if code:
        return f"the object store at {endpoint} answers {code}"
    status = getattr(error, "status_code", None)
    if status:
        return f"the object store at {endpoint} answers with HTTP status {status}"
    return f"the object store at {endpoint} does not answer ({type(error).__name__})"
