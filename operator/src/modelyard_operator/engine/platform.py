"""The platform that every plan gets, and the object store's root keys, which no plan ever gets.

The Secret is read again and again, so that a change reaches every namespace. Nothing here ever holds up
a reconcile: until there are keys, plans say that they wait for them.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace

from modelyard_algorithms.contract import environment
from modelyard_operator.engine.tenancy import keys
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.election import NotLeadingError
from modelyard_operator.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from modelyard_operator.plan import Manifest, Platform, Ref, StoreCredentials
from modelyard_operator.settings import Settings

log = logging.getLogger(__name__)

PERIOD, FIRST_RETRY, LONGEST_RETRY = 30.0, 1.0, 30.0


def configured(settings: Settings, namespace: str) -> Platform:
    """The platform as the settings have it, with the operator in ``namespace``."""
    return Platform(
        namespace=namespace,
        runtime_image=settings.runtime_image,
        image_pull_policy=settings.image_pull_policy,
        endpoint=settings.store_endpoint,
        region=settings.store_region,
        report_url=settings.report_url,
    )


class PlatformKeeper:
    """Keeps ``current`` and ``credentials`` up to date; ``run`` it as a task."""

    def __init__(
        self,
        client: Client,
        first: Platform,
        *,
        secret: str,
        generate: bool,
        ca_file: str | None,
        leading: Callable[[], bool],
        on_change: Callable[[], None],
        on_keys: Callable[[], None],
    ) -> None:
        """``on_change`` hears of another platform, ``on_keys`` of other keys."""
        self.current = first
        self.credentials: StoreCredentials | None = None
        self._client, self._generate, self._leading = client, generate, leading
        self._ca_file, self._on_change, self._on_keys = ca_file, on_change, on_keys
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
                await self.refresh()
            except (ApiError, NotLeadingError) as error:
                log.warning("Secret %s cannot be read: %s", self._ref.name, error)
            except OSError as error:
                self._say(f"the certificate bundle {self._ca_file} cannot be read: {error.strerror}")
            if self.credentials is not None:
                await asyncio.sleep(PERIOD)
                retry = FIRST_RETRY
            else:
                await asyncio.sleep(retry)
                retry = min(retry * 1.5, LONGEST_RETRY)

    async def refresh(self) -> None:
        """Read the Secret once; make it where it is missing and may be made."""
        try:
            found = await self._client.get(self._ref)
        except NotFoundError:
            if not (self._generate and self._leading()):
                self._say(f"Secret {self._ref.name} does not exist in namespace {self._ref.namespace}")
                return
            found = await self._create()
        named = f"{self._ref.name!r} of namespace {self._ref.namespace!r}"
        credentials = keys.credentials(keys.decoded(found), named)
        if credentials is None:
            names = f"{environment.ACCESS_KEY_FILE} and {environment.SECRET_KEY_FILE}"
            self._say(f"Secret {self._ref.name} needs the keys {names}")
            return
        credentials = await asyncio.to_thread(keys.trusting, credentials, self._ca_file)
        if credentials != self.credentials:
            self.credentials, self._said = credentials, ""
            self._on_keys()

    async def _create(self) -> Manifest:
        # The store and every namespace's key go by these: a Secret that was deleted is made again as it was.
        known = self.credentials or StoreCredentials(secrets.token_hex(10), secrets.token_urlsafe(32))
        values = {
            environment.ACCESS_KEY_FILE: known.access_key,
            environment.SECRET_KEY_FILE: known.secret_key,
        }
        manifest = keys.secret(self._ref.namespace, values, name=self._ref.name)
        try:
            found = await self._client.create(manifest)
            log.info("created Secret %s with the root keys of the object store", self._ref.name)
        except AlreadyExistsError:
            found = await self._client.get(self._ref)
        return found

    def _change(self, after: Platform) -> None:
        if after != self.current:
            self.current = after
            self._on_change()

    def _say(self, what: str) -> None:
        if what != self._said:
            self._said = what
            log.warning("the platform's object store has no keys yet: %s", what)
