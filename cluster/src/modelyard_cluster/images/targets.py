"""Where images go: the bare cluster's registry, kind's nodes, or a registry of the user's."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from modelyard_cluster import registry
from modelyard_cluster.golang import program
from modelyard_cluster.images import prune, specs
from modelyard_cluster.images.buildah import Buildah
from modelyard_cluster.images.specs import REPOSITORY
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Step
from modelyard_cluster.settings import Settings
from modelyard_cluster.tools import REGISTRY


class Target(Protocol):
    """How images of one driver are built and how they reach its cluster."""

    def reference(self, name: str, tag: str) -> str:
        """The name under which the cluster pulls an image."""

    def has(self, name: str, tag: str) -> bool:
        """Whether the cluster can pull the image already."""

    def prepare(self, step: Step) -> None:
        """Make what all builds start from."""

    def build(self, reference: str, containerfile: Path, context: Path, step: Step) -> None:
        """Build an image under a name."""

    def publish(self, reference: str) -> None:
        """Bring a built image to where the cluster pulls it from."""


class LocalRegistry:
    """buildah, and the registry on the loopback interface."""

    def __init__(self, settings: Settings, paths: Paths) -> None:
        self._settings = settings
        self._paths = paths
        self._buildah = Buildah(paths)

    def reference(self, name: str, tag: str) -> str:
        """The name in the local registry."""
        return f"{self._settings.registry_host}/{REPOSITORY}/{name}:{tag}"

    def has(self, name: str, tag: str) -> bool:
        """Whether the registry has it."""
        return registry.has_image(self._settings.registry_host, f"{REPOSITORY}/{name}", tag)

    def prepare(self, step: Step) -> None:
        """Debian's slim image."""
        self._buildah.ensure_base(self._settings, step)

    def build(self, reference: str, containerfile: Path, context: Path, step: Step) -> None:
        """Build with buildah into its own store."""
        self._buildah.build(containerfile, context, reference, step)

    def publish(self, reference: str) -> None:
        """Push the layers that the registry does not have."""
        self._buildah.push(reference, reference)

    @property
    def repositories(self) -> set[str]:
        """The names of all our images, without a tag."""
        return specs.repositories(self._settings.registry_host)

    def prune(self, current: set[str], in_use: set[str], now: float) -> set[str]:
        """Remove images of former code from the registry and from buildah's store; those that stay."""

        def collect() -> None:
            registry.collect_garbage(program(REGISTRY, self._paths), self._paths.registry_config)

        log = prune.UseLog(self._paths.image_use)
        kept = prune_registry(self._settings.registry_host, current, in_use, log, collect, now)
        self._buildah.prune(self.repositories, kept)
        return kept


def prune_registry(
    host: str,
    current: set[str],
    in_use: set[str],
    log: prune.UseLog,
    collect: Callable[[], object],
    now: float,
) -> set[str]:
    """Remove images of former code from a registry on this machine; those that stay."""
    log.note(current, now)
    used = log.read()
    kept = set(current)
    gone: list[str] = []
    for repository in sorted(specs.repositories(host)):
        name = repository.removeprefix(f"{host}/")
        stored = [
            prune.Stored(
                reference=f"{repository}:{tag}",
                used=used.get(f"{repository}:{tag}", 0.0),
                layers=registry.layers(host, name, tag),
            )
            for tag in registry.tags(host, name)
        ]
        old = prune.expendable(stored, in_use, now)
        for reference in old:
            registry.delete_tag(host, name, reference.rpartition(":")[2])
        gone += old
        kept |= {image.reference for image in stored} - set(old)
    if gone:
        log.note((), now, gone)
        collect()
    return kept
