"""Digests as they stand in statuses and documents."""

from hashlib import sha256


def digest_of(data: bytes) -> str:
    """ "sha256:" and 64 hex digits."""
    return f"sha256:{sha256(data).hexdigest()}"
