"""The three drivers, and which of them to use."""

import shutil
from collections.abc import Callable
from typing import Protocol

from modelyard_cluster.bare.driver import BareDriver
from modelyard_cluster.command import output
from modelyard_cluster.drivers.existing import ExistingDriver
from modelyard_cluster.drivers.kind import KindDriver
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress
from modelyard_cluster.settings import Settings


class Driver(Protocol):
    """A way to get a cluster."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    def steps(self, *, images: bool) -> int:
        """How many steps `up` has."""

    def image_steps(self) -> int:
        """How many steps `images` has."""

    def up(self, progress: Progress, *, images: bool) -> None:
        """Bring the cluster up, or leave it alone if it works."""

    def images(self, progress: Progress) -> None:
        """Build and publish the images that changed."""

    def down(self, progress: Progress) -> None:
        """Leave nothing behind but caches."""

    def purge(self) -> None:
        """After `down`: delete what it keeps outside the folders of state and caches."""

    def problem(self) -> str:
        """What is wrong with the cluster; empty if nothing is."""


def docker_answers() -> bool:
    """Whether a Docker daemon answers."""
    return shutil.which("docker") is not None and bool(
        output(["docker", "version", "--format", "{{.Server.Version}}"], timeout=10).strip()
    )


def choose(named: str | None, docker: bool) -> str:
    """The driver to use: what was named, else kind with Docker, else bare. Never `existing` by itself."""
    return named or ("kind" if docker else "bare")


def detect(named: str | None, settings: Settings, paths: Paths) -> Driver:
    """The driver for `up`; refuses while another driver's cluster is there."""
    current = _recorded(paths)
    if named is None and current:
        return _make(current, settings, paths)
    chosen = choose(named, docker=named is None and docker_answers())
    if current and current != chosen:
        raise ClusterError(
            f"A cluster made with CLUSTER={current} is up. Take it down with `make cluster-down` before "
            f"using CLUSTER={chosen}."
        )
    return _make(chosen, settings, paths)


def recorded(named: str | None, settings: Settings, paths: Paths) -> Driver:
    """The driver of the cluster that is there."""
    return _make(
        _recorded(paths) or choose(named, docker=named is None and docker_answers()), settings, paths
    )


def _recorded(paths: Paths) -> str:
    try:
        return paths.driver.read_text().strip()
    except OSError:
        return ""


def _make(name: str, settings: Settings, paths: Paths) -> Driver:
    drivers: dict[str, Callable[[Settings, Paths], Driver]] = {
        "bare": BareDriver,
        "kind": KindDriver,
        "existing": ExistingDriver,
    }
    return drivers[name](settings, paths)
