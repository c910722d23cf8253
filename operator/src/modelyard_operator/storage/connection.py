"""How the store is connected to: time-outs, certificates, and nothing tried twice behind the caller's back.

urllib3 is imported at its first use: a standby never needs it.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import urllib3

CONNECT_SECONDS, READ_SECONDS = 5.0, 20.0


def connect(endpoint: str, ca: str | None) -> urllib3.PoolManager:
    """A pool of connections; ``ca`` is a PEM bundle that is trusted instead of the system's."""
    import urllib3

    options: dict[str, Any] = {}
    if endpoint.startswith("https:"):
        options["ssl_context"] = ssl.create_default_context(cadata=ca)
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        # The caller tries again, and says so; urllib3 would log a line for each try of its own.
        retries=urllib3.Retry(total=0, redirect=0),
        maxsize=2,
        **options,
    )
