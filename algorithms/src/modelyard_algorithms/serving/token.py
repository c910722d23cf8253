"""The token that clients must send."""

import hmac
import os
from collections.abc import Mapping
from pathlib import Path

from modelyard_algorithms.serving.errors import RequestError


class Token:
    """The token in a mounted file, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._token = b""

    def known(self) -> bool:
        """Whether there is a token now."""
        return bool(self._read())

    def check(self, headers: Mapping[str, str]) -> None:
        """Let a request pass that carries the token.

        Raises:
            RequestError: 401 without it or with another one, 503 where the server has none itself.
        """
        expected = self._read()
        if not expected:
            raise RequestError(503, "the server has no token yet; try again in a moment")
        sent = headers.get("token", "")
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if not sent and scheme.lower() == "bearer":
            sent = credentials.strip()
        if not sent:
            raise RequestError(
                401,
                "no token; send the Deployment's token in the header 'token' or as 'Authorization: Bearer'",
            )
        if not hmac.compare_digest(sent.encode("latin-1", "replace"), expected):
            raise RequestError(
                401,
                "the token is wrong; take it from the Secret that the Deployment's status.tokenSecretName "
                "names, key token",
            )

    def _read(self) -> bytes:
        """The file's content; a mounted Secret is renewed by another file in its place."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 - follows the mount's symbolic links
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._token, self._seen = self._path.read_bytes().strip(), seen
        except OSError:
            self._token, self._seen = b"", None
        return self._token
