# ruff: noqa: ARG002 - the methods' arguments are kopf's
"""kopf, set up for what it is used for here: to watch, and nothing else.

By default it takes a deep copy of each object several times an event, to find out what changed since
the last handling. Handlers that only look at the newest state need none of that, and it was half of
the operator's processor time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kopf
from kopf._cogs.clients import api

from modelyard_operator.kube import decoding
from modelyard_operator.kube.paging import FIRST_PAGE
from modelyard_operator.kube.reader import SILENCE_SECONDS, WATCH_SECONDS

CLIENT_TIMEOUT = 60.0
"""Of a whole watch, which the API server ends long before."""
LINGER = 0.05
"""How long kopf keeps an object's worker after its last event; 0 would make it spin."""


class NoDiffBase(kopf.DiffBaseStorage):
    """Remembers no last state, so that nothing is copied and compared."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is stored."""


class NoProgress(kopf.ProgressStorage):
    """Remembers no progress: no handler here has any."""

    def fetch(self, *, key: Any, body: kopf.Body) -> Any:
        return None

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Nothing is stored."""

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """There is nothing."""

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """No object is ever written to by kopf."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def settings(*, clusterwide: bool) -> kopf.OperatorSettings:
    """Time-outs that notice a stalled watch, pages for big lists, no events, no annotations.

    Args:
        clusterwide: otherwise the operator may not list the cluster's namespaces. With scanning enabled kopf
            does so, and retries it for a minute before it watches anything.
    """
    # kopf parses the lines of a watch with json.loads, which one deeply nested object of anybody's ends.
    api.json = decoding  # type: ignore[attr-defined]
    found = kopf.OperatorSettings()
    found.persistence.diffbase_storage = NoDiffBase()
    found.persistence.progress_storage = NoProgress()
    found.scanning.disabled = not clusterwide
    found.posting.enabled = False
    found.posting.loggers = False
    found.watching.server_timeout = WATCH_SECONDS[0]
    found.watching.client_timeout = CLIENT_TIMEOUT
    found.watching.inactivity_timeout = SILENCE_SECONDS
    found.watching.connect_timeout = 5.0
    found.watching.reconnect_backoff = 0.5
    found.watching.chunk_size = FIRST_PAGE  # and later ones as paging.Pages has it
    found.networking.request_timeout = 60.0
    found.queueing.idle_timeout = LINGER
    found.queueing.exit_timeout = 0.5
    found.process.ultimate_exiting_timeout = None
    return found
