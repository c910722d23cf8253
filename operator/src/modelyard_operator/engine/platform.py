"""The platform that every plan gets: its object store's credentials and bucket, and KServe.

The Secret is read again and again, so that a change reaches every object. Nothing here ever holds up
a reconcile: until there are credentials, plans say that they wait for them.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from modelyard_algorithms.contract import environment
from modelyard_operator import metrics, naming
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.election import NotLeadingError
from modelyard_operator.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from modelyard_operator.plan import Manifest, Platform, Ref, StoreCredentials

log = logging.getLogger(__name__)

PERIOD, FIRST_RETRY, LONGEST_RETRY = 30.0, 1.0, 30.0
LONGEST_BUCKET_RETRY = 5.0
"""A store that has just come up is not without its bucket for longer; asking costs it one request."""


class Ensures(Protocol):
    """The platform's bucket."""

    async def ensure(self, *, create: bool) -> None: ...


class PlatformKeeper:
    """Keeps ``current`` up to date; ``run`` it as a task."""

    def __init__(
        self,
        client: Client,
        first: Platform,
        *,
        secret: str,
        generate: bool,
        leading: Callable[[], bool],
        on_change: Callable[[], None],
    ) -> None:
        self.current = first
        self._client, self._generate, self._leading = client, generate, leading
        self._on_change = on_change
        self._ref = Ref(resources.SECRET.api_version, resources.SECRET.kind, first.namespace, secret)
        self._said = ""

    def set_kserve(self, present: bool) -> None:
        """KServe has come, or gone."""
        self._change(replace(self.current, kserve=present))

    async def run(self) -> None:
        """Read the Secret for ever; soon again until it is there."""
        retry = FIRST_RETRY
        while True:
            try:
                await self.look()
            except (ApiError, NotLeadingError) as error:
                log.warning("Secret %s cannot be read: %s", self._ref.name, error)
            except ValueError:
                # Its content must not get into the log, and the error's words may hold it.
                self._say(f"Secret {self._ref.name} holds something that is no text")
            if self.current.credentials is not None:
                await asyncio.sleep(PERIOD)
                retry = FIRST_RETRY
            else:
                await asyncio.sleep(retry)
                retry = min(retry * 1.5, LONGEST_RETRY)

    async def look(self) -> None:
        """Read the Secret once; make it where it is missing and may be made."""
        try:
            found = await self._client.get(self._ref)
        except NotFoundError:
            if not (self._generate and self._leading()):
                self._say(f"Secret {self._ref.name} does not exist in namespace {self._ref.namespace}")
                return
            found = await self._create()
        credentials = _credentials(found)
        if credentials is None:
            keys = f"{environment.ACCESS_KEY_FILE} and {environment.SECRET_KEY_FILE}"
            self._say(f"Secret {self._ref.name} needs the keys {keys}")
            return
        self._change(replace(self.current, credentials=credentials))

    async def keep_bucket(self, bucket: Ensures, *, create: bool) -> None:
        """See to it that the bucket exists, for ever; the leader alone does."""
        retry, said = FIRST_RETRY, ""
        while True:
            delay = PERIOD
            if self._leading() and self.current.credentials is not None:
                try:
                    await bucket.ensure(create=create)
                    metrics.STORE_READY.set(1)
                    retry, said = FIRST_RETRY, ""
                except Exception as error:
                    metrics.STORE_READY.set(0)
                    if str(error) != said:
                        said = str(error)
                        log.warning("object store: %s", said)
                    delay, retry = retry, min(retry * 1.5, LONGEST_BUCKET_RETRY)
            else:
                delay = 1.0
            await asyncio.sleep(delay)

    async def _create(self) -> Manifest:
        values = {
            environment.ACCESS_KEY_FILE: secrets.token_hex(10),
            environment.SECRET_KEY_FILE: secrets.token_urlsafe(32),
        }
        manifest = {
            "apiVersion": self._ref.api_version,
            "kind": self._ref.kind,
            "metadata": {
                "name": self._ref.name,
                "namespace": self._ref.namespace,
                "labels": {naming.MANAGED_BY: naming.MANAGER, "app.kubernetes.io/name": "modelyard"},
            },
            "type": "Opaque",
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
        }
        try:
            found = await self._client.create(manifest)
            log.info("made Secret %s with new random keys", self._ref.name)
        except AlreadyExistsError:
            found = await self._client.get(self._ref)
        return found

    def _change(self, after: Platform) -> None:
        if after != self.current:
            self.current = after
            self._said = ""
            self._on_change()

    def _say(self, what: str) -> None:
        if what != self._said:
            self._said = what
            log.warning("the platform's object store has no credentials yet: %s", what)


def _credentials(secret: Manifest) -> StoreCredentials | None:
    data = {
        key: base64.b64decode(value).decode().strip() for key, value in (secret.get("data") or {}).items()
    }
    access, hidden = data.get(environment.ACCESS_KEY_FILE), data.get(environment.SECRET_KEY_FILE)
    if not access or not hidden:
        return None
    return StoreCredentials(access, hidden, data.get(environment.CA_FILE) or None)
