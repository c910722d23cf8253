"""What a page of the journal says: statuses to be, and how to tell whether they still hold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from modelyard_operator import naming
from modelyard_operator.kube.queue import Key
from modelyard_operator.kube.resources import CONFIG_MAP, OWN
from modelyard_operator.plan import Manifest, fingerprint

log = logging.getLogger(__name__)

KINDS = frozenset(found.kind for found in OWN)
CONTENT = "records"
"""The one entry of a page: a JSON list."""


class Record(NamedTuple):
    """A status to be: of which object, and decided on which status."""

    key: Key
    uid: str
    base: str
    """Digest of the status that the decision was made on."""
    status: Manifest


def digest(status: Manifest) -> str:
    """16 hex digits of a status, independent of the order of its keys."""
    return fingerprint(status)[:16]


def holds(record: Record, manifest: Manifest) -> bool:
    """Whether nobody has written the object's status since."""
    same = manifest["metadata"]["uid"] == record.uid
    return same and digest(manifest.get("status") or {}) == record.base


def page_manifest(name: str, namespace: str, records: Sequence[Record]) -> Manifest:
    """The ConfigMap of a page; it never changes."""
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {naming.MANAGED_BY: naming.MANAGER, naming.JOURNAL_LABEL: ""},
        },
        "immutable": True,
        "data": {CONTENT: orjson.dumps([_entry(record) for record in records]).decode()},
    }


def parse(page: Manifest) -> list[Record]:
    """The records of a page. What is none, or about another kind than ours, is left out: another version of
    the operator may have recorded that, or somebody who may write ConfigMaps."""
    try:
        entries = list(orjson.loads(page["data"][CONTENT]))
    except (KeyError, TypeError, ValueError):
        log.warning("ConfigMap %s holds no records", page["metadata"]["name"])
        return []
    found = [_parsed(entry) for entry in entries]
    if None in found:
        log.warning(
            "ConfigMap %s: %d of its %d entries are not records of a known kind, and are left out",
            page["metadata"]["name"],
            found.count(None),
            len(found),
        )
    return [record for record in found if record is not None]


def _parsed(entry: Any) -> Record | None:
    try:
        key, uid, base, status = Key(*entry["key"]), entry["uid"], entry["base"], entry["status"]
    except (KeyError, TypeError):
        return None
    texts = all(isinstance(text, str) and text for text in (*key, uid, base))
    known = texts and key.kind in KINDS and isinstance(status, dict)
    return Record(key, uid, base, status) if known else None


def _entry(record: Record) -> Manifest:
    return record._asdict() | {"key": list(record.key)}
