"""Which provider serves, by the operator's settings."""

from __future__ import annotations

from collections.abc import Callable

from modelyard_operator.engine.tenancy.managed import ManagedStorage
from modelyard_operator.engine.tenancy.provider import Provider
from modelyard_operator.engine.tenancy.shared import SharedStorage
from modelyard_operator.engine.tenancy.supplied import SuppliedStorage
from modelyard_operator.kube.client import Client
from modelyard_operator.plan import StoreCredentials
from modelyard_operator.settings import Settings


def provider(
    settings: Settings,
    client: Client,
    platform_keys: Callable[[], StoreCredentials | None],
    uses: Callable[[str], bool],
) -> Provider:
    """The provider for a store.

    Args:
        settings: Of the operator.
        client: For Secrets and namespaces.
        platform_keys: Gives the keys of settings.store_secret.
        uses: Whether a namespace has, or may have, objects of ours.
    """
    if settings.store_admin_endpoint:
        return ManagedStorage(client, settings, platform_keys, uses)
    if settings.store_tenancy == "Shared":
        return SharedStorage(client, settings, platform_keys)
    return SuppliedStorage(client, settings)


def needs_platform_keys(settings: Settings) -> bool:
    """Whether the operator needs the keys of settings.store_secret."""
    return bool(settings.store_admin_endpoint) or settings.store_tenancy == "Shared"
