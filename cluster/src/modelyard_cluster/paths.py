"""Where everything lies: caches, which may be deleted any time, and the machine's state.

The state is in one fixed place outside every checkout, so that a cluster started from
one checkout is found, reused or cleaned by another. The cache is where the user wants it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The folders that this package uses."""

    cache: Path
    state: Path
    run: Path
    checkout: Path

    # Caches.
    @property
    def bin(self) -> Path:
        """Links to kubectl and helm; the Makefile puts it on the PATH."""
        return self.cache / "bin"

    @property
    def tools(self) -> Path:
        """Programs built from Go modules, one folder for each content of a module."""
        return self.cache / "tools"

    @property
    def go_toolchain(self) -> Path:
        """A virtual environment that holds Go, where the machine has none or an old one."""
        return self.cache / "go-toolchain"

    @property
    def go_cache(self) -> Path:
        """What Go downloads and compiles while programs are built; not needed afterwards."""
        return self.cache / "go"

    @property
    def base_images(self) -> Path:
        """Root file systems made by debootstrap."""
        return self.cache / "base"

    @property
    def uv(self) -> Path:
        """The program that installs Python packages."""
        return self.cache / "uv-tool" / "bin" / "uv"

    @property
    def uv_cache(self) -> Path:
        """Downloaded Python packages, shared by .venv and the image builds."""
        return self.cache / "uv"

    @property
    def build_tmp(self) -> Path:
        """Temporary files of image builds, and buildah's cache mounts."""
        return self.cache / "tmp"

    @property
    def buildah_storage(self) -> Path:
        """Layers of the images that were built here: apart from the user's own images."""
        return self.cache / "buildah"

    @property
    def buildah_run(self) -> Path:
        """What buildah notes about its mounts."""
        return self.run.with_name(f"{self.run.name}-buildah")

    # State of the machine.
    @property
    def kubeconfig(self) -> Path:
        """How to reach the cluster, whichever driver made it."""
        return self.state / "kubeconfig"

    @property
    def driver(self) -> Path:
        """The name of the driver that made the cluster."""
        return self.state / "driver"

    @property
    def made_with(self) -> Path:
        """The programs and settings that the bare cluster was made with."""
        return self.state / "made-with"

    @property
    def pids(self) -> Path:
        """One file for each process that was started: its id and start time."""
        return self.state / "pids"

    @property
    def logs(self) -> Path:
        """One log for each process that was started."""
        return self.state / "logs"

    @property
    def lock(self) -> Path:
        """Held while a cluster is brought up or taken down."""
        return self.state / "lock"

    @property
    def registry_data(self) -> Path:
        """What was pushed to the local registry; it survives the cluster."""
        return self.state / "registry"

    @property
    def registry_config(self) -> Path:
        """The configuration of the local registry."""
        return self.state / "registry.json"

    @property
    def image_use(self) -> Path:
        """When each image was last used, so that old ones can go."""
        return self.state / "image-use.json"

    @property
    def containerd_root(self) -> Path:
        """Images and containers of the bare cluster; the images survive it."""
        return self.state / "containerd"

    @property
    def containerd_state(self) -> Path:
        """Sockets and mounts of running containers."""
        return self.run / "containerd"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd answers."""
        return self.containerd_state / "containerd.sock"

    @property
    def config(self) -> Path:
        """Configuration files that `up` writes."""
        return self.state / "config"

    @property
    def pod_logs(self) -> Path:
        """What the containers of the bare cluster write."""
        return self.state / "pod-logs"

    @property
    def volumes(self) -> Path:
        """The folders behind persistent volumes of the bare cluster."""
        return self.state / "volumes"

    # The checkout.
    @property
    def tool_modules(self) -> Path:
        """The Go modules of the programs that the bare cluster runs."""
        return self.checkout / "cluster" / "tools"

    @property
    def go_lock(self) -> Path:
        """Which Go toolchain is fetched where the machine has none: version and hashes."""
        return self.checkout / "cluster" / "go.lock"

    @property
    def images_json(self) -> Path:
        """The names of the images that were built last from this checkout."""
        return self.checkout / "build" / "images.json"


def load_paths(environment: Mapping[str, str] = os.environ) -> Paths:
    """The folders on this machine."""
    home = Path(environment.get("HOME") or Path.home())
    cache_home = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    return Paths(
        cache=Path(environment.get("MODELYARD_CACHE") or cache_home / "modelyard").absolute(),
        state=_state(environment, home),
        run=Path("/run/modelyard"),
        checkout=_checkout(Path.cwd()),
    )


def _state(environment: Mapping[str, str], home: Path) -> Path:
    """Root's state is the machine's; anyone else (who can only use kind or existing) has their own."""
    if os.geteuid() == 0:
        return Path("/var/lib/modelyard")
    return Path(environment.get("XDG_STATE_HOME") or home / ".local" / "state").absolute() / "modelyard"


def _checkout(start: Path) -> Path:
    """The checkout that holds this file, or that the current folder is in."""
    for candidate in (*Path(__file__).resolve().parents, start, *start.parents):
        if (candidate / "cluster" / "tools").is_dir() and (candidate / "images").is_dir():
            return candidate
    return start
