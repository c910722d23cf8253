"""Which images of former code are no longer needed.

Every change of the code makes an image with a tag of its own. One costs little as long as it shares
torch's layer with the newest, and gigabytes in three places once it does not.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KEPT = 5
"""How many images of one name are kept, the ones used last."""
GRACE = 2 * 3600.0
"""Seconds after its last use during which an image is kept, for tests that still run with it."""
HEAVY = 500_000_000
"""Compressed bytes of its own beyond which an image goes as soon as it may."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An image in the registry."""

    reference: str
    used: float
    """When a command of ours last named it, in seconds since the epoch."""
    layers: dict[str, int]
    """Digest and compressed size of each of its layers."""


def expendable(images: list[Stored], in_use: set[str], now: float) -> list[str]:
    """Of the images of one name, those that can go."""
    if not images:
        return []
    ordered = sorted(images, key=lambda image: image.used, reverse=True)
    newest = ordered[0]
    gone = []
    for place, image in enumerate(ordered[1:], start=1):
        if image.reference in in_use or now - image.used < GRACE:
            continue
        own = sum(size for digest, size in image.layers.items() if digest not in newest.layers)
        if place >= KEPT or own > HEAVY:
            gone.append(image.reference)
    return gone


def manifests_command(kubectl: list[str | Path]) -> list[str | Path]:
    """Prints everything in a cluster that can name an image: the workloads and their settings."""
    workloads = "pods,deployments.apps,statefulsets.apps,daemonsets.apps,jobs.batch,cronjobs.batch"
    return [*kubectl, "get", f"{workloads},configmaps", "--all-namespaces", "--output=json"]


def references_in(text: str, repositories: Iterable[str]) -> set[str]:
    """All our images that some manifests name, wherever in them: in the operator's settings too."""
    names = "|".join(re.escape(name) for name in repositories)
    return set(re.findall(rf"(?:{names}):[A-Za-z0-9._-]+", text))


class UseLog:
    """When each image was last named by a command of ours."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, float]:
        """Seconds since the epoch by reference; nothing if the file is missing or broken."""
        try:
            found = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def note(self, references: Iterable[str], now: float, gone: Iterable[str] = ()) -> None:
        """These are used now, and those are gone."""
        log = {**self.read(), **dict.fromkeys(references, now)}
        for reference in gone:
            log.pop(reference, None)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(log, indent=2) + "\n")
        fresh.replace(self._file)
