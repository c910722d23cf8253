"""The keys of a namespace: derived from the root key, so that they can be made again and need no record.

The secret key is an HMAC (RFC 2104, SHA-256) with the root secret over the account, its bucket and a random
word that the Secret carries as an annotation. A Secret that holds what is derived from its own words was
made by the operator, whoever may have edited it since; another random word makes another key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import replace
from pathlib import Path

from modelyard_algorithms.contract import environment
from modelyard_operator import naming
from modelyard_operator.plan import Manifest, StoreCredentials

LONGEST_WORD = 128


def random_word() -> str:
    """What a new key is derived from."""
    return secrets.token_hex(16)


def derive(root: StoreCredentials, account: str, bucket: str, word: str) -> str:
    """The secret key of an account, 43 URL-safe characters."""
    said = json.dumps([account, bucket, word]).encode()
    digest = hmac.new(root.secret_key.encode(), said, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def content(endpoint: str, region: str, bucket: str, keys: StoreCredentials) -> dict[str, str]:
    """The data of a namespace's Secret, not encoded; the names are those that S3 clients read."""
    found = {
        environment.ACCESS_KEY_FILE: keys.access_key,
        environment.SECRET_KEY_FILE: keys.secret_key,
        environment.ENDPOINT_FILE: endpoint,
        environment.REGION_FILE: region,
        environment.BUCKET_FILE: bucket,
    }
    return found | ({environment.CA_FILE: keys.ca} if keys.ca else {})


def secret(
    namespace: str, data: dict[str, str], word: str | None = None, name: str = naming.STORE_SECRET
) -> Manifest:
    """A Secret with keys of the store. It belongs to no object of ours: it stays while its namespace does."""
    annotations = {"annotations": {naming.KEY_ANNOTATION: word}} if word else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {naming.MANAGED_BY: naming.MANAGER, "app.kubernetes.io/name": "modelyard"},
        }
        | annotations,
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def word_of(manifest: Manifest) -> str | None:
    """The random word of a Secret; None where there is none that can be used."""
    found = (manifest["metadata"].get("annotations") or {}).get(naming.KEY_ANNOTATION)
    return found if isinstance(found, str) and 0 < len(found) <= LONGEST_WORD else None


def decoded(manifest: Manifest) -> dict[str, str]:
    """The data of a Secret as text; what is no text is left out."""
    found = {}
    for key, value in (manifest.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value).decode().strip()
        except (binascii.Error, UnicodeDecodeError):
            continue
    return found


def trusting(known: StoreCredentials, ca_file: str | None) -> StoreCredentials:
    """The same keys, with the certificates of a PEM bundle.

    Raises:
        OSError: the file cannot be read.
    """
    return known if ca_file is None else replace(known, ca=Path(ca_file).read_text())


def credentials(data: dict[str, str], secret: str = "") -> StoreCredentials | None:
    """The keys in a Secret's decoded data; None where one is missing. ``secret``: its name, for messages."""
    access, hidden = data.get(environment.ACCESS_KEY_FILE), data.get(environment.SECRET_KEY_FILE)
    if not access or not hidden:
        return None
    return StoreCredentials(access, hidden, data.get(environment.CA_FILE) or None, secret)
