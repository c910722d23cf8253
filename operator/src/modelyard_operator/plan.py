"""The seam between deciding and doing.

``reconcile`` turns an :class:`Observed` into a :class:`Plan` and touches nothing; ``engine`` gathers
the Observed from caches and carries the Plan out. Both are plain data, so that a test, or a model
checker, can stand on either side.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelyard_algorithms.contract.report import Report
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.api.kind import Kind
from modelyard_operator.api.reasons import Reason

Manifest = dict[str, Any]

GENERATED_TOKEN = "\x00generate"  # noqa: S105 - a marker, not a secret
"""A value in a Secret's stringData that the engine replaces by 32 random bytes when it creates it."""


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One object of the cluster."""

    api_version: str
    kind: str
    namespace: str
    """Empty: it has none, because its kind is cluster-scoped."""
    name: str
    uid: str | None = None
    """As a precondition of a deletion: only this very object."""

    @classmethod
    def of(cls, manifest: Manifest) -> Ref:
        meta = manifest["metadata"]
        return cls(
            manifest["apiVersion"], manifest["kind"], meta.get("namespace", ""), meta["name"], meta.get("uid")
        )

    @classmethod
    def to(cls, kind: Kind, name: str, namespace: str) -> Ref:
        """An object of one of our kinds, as an object in ``namespace`` refers to it by name."""
        return cls(API_VERSION, kind.name, namespace if kind.namespaced else "", name)


@dataclass(frozen=True)
class StoreCredentials:
    """Keys of an account of the object store; never printed."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    ca: str | None = field(default=None, repr=False)
    secret: str = field(default="", compare=False)
    """Name and namespace of the Secret that they are from, for messages."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the data of one namespace lies in the platform's object store."""

    bucket: str
    root: str = ""
    """Prefix of everything of the namespace: empty in a bucket of its own, else ending with "/"."""

    def key(self, relative: str) -> str:
        """The key of something of the namespace; see modelyard_algorithms.contract.layout."""
        return self.root + relative

    def uri(self, relative: str) -> str:
        return f"s3://{self.bucket}/{self.key(relative)}"


@dataclass(frozen=True, slots=True)
class StoragePending:
    """Why a namespace has no storage now."""

    reason: str
    """One CamelCase word."""
    message: str
    """One sentence."""
    stalled: bool = False
    """Somebody must do something."""
    unreachable: bool = False
    """The namespace is being deleted and its keys are gone: its data cannot be cleaned any more."""


@dataclass(frozen=True)
class Platform:
    """What the operator's settings and the cluster give to every plan."""

    namespace: str
    """The operator's own."""
    runtime_image: str
    image_pull_policy: str
    endpoint: str
    """URL of the object store."""
    region: str
    report_url: str
    kserve: bool = False
    """The cluster has KServe's InferenceService."""


@dataclass(frozen=True, slots=True)
class Reception:
    """When this operator could take reports. A workload that says nothing before ``since``, or in one of the
    gaps, may be well."""

    since: datetime = datetime(1, 1, 1, tzinfo=UTC)
    gaps: Sequence[tuple[datetime, datetime]] = ()
    """From and until when it could not; the end of one that goes on is in the future."""


NO_STORAGE = StoragePending(
    Reason.OBJECT_STORE_PENDING, "waits for the keys and the bucket of this namespace"
)


@dataclass(frozen=True)
class Observed:
    """Everything that one decision may depend on."""

    object: Manifest
    """The object itself: metadata, spec, status."""
    now: datetime
    platform: Platform
    children: Sequence[Manifest] = ()
    """All live objects that hang on this one by a chain of controllers (kube.chains), of all kinds but
    ReplicaSets; pods are trimmed to metadata, spec.nodeName and status."""
    references: Mapping[Ref, Manifest | None] = field(default_factory=dict)
    """Answers to the controller's references(): None where the object does not exist. A Secret
    comes with its metadata only."""
    report: Report | None = None
    """Newest progress report of this object (same uid), if any."""
    reception: Reception = Reception()
    """When reports could have come."""
    storage: Storage | StoragePending = NO_STORAGE
    """The storage of the object's namespace."""
    current: bool = False
    """No other replica can have written the object's status since this version of it. Otherwise only a write
    of the status, which fails on an outdated version, shows that."""
    uploaded: bool = False
    """The object that the last plan waited for (Plan.await_upload) is in the store."""

    @property
    def uid(self) -> str:
        return str(self.object["metadata"]["uid"])

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Empty for an object of a cluster-scoped kind."""
        return str(self.object["metadata"].get("namespace", ""))

    @property
    def generation(self) -> int:
        return int(self.object["metadata"].get("generation", 1))

    @property
    def deleting(self) -> bool:
        return "deletionTimestamp" in self.object["metadata"]

    def children_of(self, kind: str) -> list[Manifest]:
        """Children of one kind that are not being deleted, sorted by name."""
        found = [c for c in self.children if c["kind"] == kind and "deletionTimestamp" not in c["metadata"]]
        return sorted(found, key=lambda c: str(c["metadata"]["name"]))


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event on the object; sent only once the status write that goes with it succeeded."""

    reason: str
    message: str
    type: str = "Normal"
    """Normal or Warning."""


@dataclass(frozen=True)
class Plan:
    """What should be, as data. The engine does it in the order of these fields, but ``create`` and ``apply``
    at the same time."""

    finalizer: bool = False
    """Whether the object should carry FINALIZER."""
    confirm: Sequence[Ref] = ()
    """Children that must still be as they were observed: they are read before anything is done."""
    status: Manifest | None = None
    """The whole desired status (camelCase, no null values); None: leave it."""
    status_first: bool = False
    """Write the status before touching children: what it records (an attempt's number) must outlive
    a crash in the middle."""
    delete: Sequence[Ref] = ()
    grace_seconds: int | None = None
    """Grace period of these deletions; None: the pod's own."""
    create: Sequence[Manifest] = ()
    """Created where absent, never changed (pods, jobs, generated secrets)."""
    apply: Sequence[Manifest] = ()
    """Server-side applied where they are absent or differ from what was observed."""
    purge: Sequence[str] = ()
    """Prefixes of the namespace's bucket to delete; afterwards the finalizer is taken off."""
    await_upload: str | None = None
    """Key of an object in the namespace's bucket: reconcile again when somebody has written it."""
    delete_self: bool = False
    events: Sequence[Event] = ()
    requeue_after: float | None = None
    """Seconds until the next look; None: only when something changes."""
    unhurried: bool = False
    """What is left to do after this is tidying up: it may wait until there is less to do."""


def fingerprint(*parts: object) -> str:
    """64 hex digits over JSON-able parts, independent of the order of keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with seconds, as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Inverse of timestamp; also reads fractions of seconds.

    Raises:
        ValueError: not RFC 3339.
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
