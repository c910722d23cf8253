"""Every setting of the operator: environment variables with the prefix MODELYARD_."""

from __future__ import annotations

import os
import re
import socket
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_NAMESPACE = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """Typed, defaulted, documented; an environment variable ``MODELYARD_<NAME>`` sets each."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", extra="ignore", frozen=True)

    namespace: str | None = None
    """The operator's own namespace; default: the service account's, or the kubeconfig's."""
    pod_name: str | None = None
    """The operator's pod name (downward API), its identity in the lease: a container that restarts in the
    same pod takes its lease back at once. Default: host name and process id."""
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Only objects of these namespaces, by their names with commas between; default: all namespaces."""
    workers: Annotated[int, Field(ge=1, le=256)] = 64
    """Reconciles at the same time."""

    api_rate: Annotated[float, Field(ge=0)] = 800.0
    """Requests a second to the API server on average; 0: no limit. What the API server itself allows
    (priority and fairness) is respected besides."""
    api_burst: Annotated[float, Field(ge=1)] = 1600.0
    """Requests at once."""

    runtime_image: str = "modelyard-runtime:latest"
    """Image of workers, dataset jobs and servers."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """Of the runtime image."""

    store_endpoint: str = "http://modelyard-store.modelyard-system.svc:9000"
    """URL of the platform's object store, as workers reach it."""
    store_region: str = "us-east-1"
    """Its region."""
    store_admin_endpoint: str = ""
    """URL of the store's admin API (VersityGW): the operator makes a bucket and keys for each namespace.
    Empty: a store of the platform's own."""
    store_tenancy: Literal["Namespace", "Shared"] = "Namespace"
    """With a store of one's own. Namespace: somebody supplies a Secret modelyard-store in each namespace.
    Shared: all namespaces get the same keys and bucket."""
    store_bucket_prefix: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]*$", max_length=32)] = "modelyard"
    """Beginning of the names of the buckets that the operator makes."""
    store_bucket: Annotated[str, Field(min_length=3, max_length=63)] = "modelyard"
    """With tenancy Shared: the bucket."""
    store_secret: str = "modelyard-store-root"  # noqa: S105 - the name of a Secret
    """Secret in the operator's namespace: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, optionally ca.crt. They
    are the root keys of the store with the admin API, or those that tenancy Shared hands out."""
    store_secret_generate: bool = False
    """Create that Secret with random keys where it is missing (the chart's own store reads it too)."""
    store_reclaim_policy: Literal["Retain", "DeleteWithNamespace", "DeleteWithLastObject"] = "Retain"
    """What becomes of a namespace's bucket when the namespace, or its last object of ours, is deleted."""
    store_ca_file: str | None = None
    """PEM bundle by which the store's certificate is verified; wins over the Secret's ca.crt."""

    report_url: str = "http://modelyard-operator.modelyard-system.svc:8081"
    """Where workers send their reports."""
    report_port: Port = 8081
    """Port of the report receiver; 0: any free one."""
    report_interval: Annotated[float, Field(gt=0)] = 2.0
    """At least this many seconds between two status writes for an object's reports."""
    health_port: Port = 8080
    """Port of /healthz, /readyz and /metrics; 0: any free one."""
    bind_address: str = "0.0.0.0"  # noqa: S104 - inside a pod
    """Address of both."""

    lease_name: str = "modelyard-operator"
    """Lease in the operator's namespace by which replicas elect their leader."""
    lease_seconds: Annotated[float, Field(ge=3, le=600)] = 10.0
    """Without a renewal for this long, another replica takes over."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Of the operator's own log lines; those of libraries are one level quieter."""
    log_format: Literal["json", "text"] = "json"
    """One JSON object a line, or text for people."""

    @field_validator("store_endpoint", "store_admin_endpoint", "report_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError('must be a URL such as "http://host:port"')
        return value.rstrip("/")

    @field_validator("namespace", "pod_name", "store_ca_file", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("watch_namespaces", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator("watch_namespaces")
    @classmethod
    def _namespaces(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _NAMESPACE.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a namespace: give names with commas between")
        return tuple(dict.fromkeys(value))

    @cached_property
    def identity(self) -> str:
        """This replica's name in the lease."""
        return self.pod_name or f"{socket.gethostname()}-{os.getpid()}"
