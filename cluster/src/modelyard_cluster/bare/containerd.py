"""containerd: start it, import images, clear what a former cluster left in it."""

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from modelyard_cluster import cgroups
from modelyard_cluster.bare import configs, names
from modelyard_cluster.bare.archives import ProgramImage, write_archive
from modelyard_cluster.bare.mounts import unmount
from modelyard_cluster.command import output, run
from modelyard_cluster.daemons import Daemons
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths

_NAMESPACE = "k8s.io"


class Containerd:
    """The container runtime of the bare cluster."""

    def __init__(self, paths: Paths, daemons: Daemons) -> None:
        self._paths = paths
        self._daemons = daemons
        self._imported = paths.containerd_root / "modelyard-imported.json"

    def ctr(self, *words: str | Path) -> list[str | Path]:
        """A command line for containerd's client."""
        return ["ctr", "--address", self._paths.containerd_socket, "--namespace", _NAMESPACE, *words]

    def answers(self) -> bool:
        """Whether containerd answers within a few seconds."""
        return self._paths.containerd_socket.exists() and bool(output(self.ctr("version"), timeout=5))

    def start(self) -> None:
        """Start containerd and wait for it; its store is made anew if it cannot be opened."""
        if self._daemons.is_running(names.CONTAINERD) and self.answers():
            return
        if self._start(patience=60):
            return
        self._daemons.stop(names.CONTAINERD)
        unmount([self._paths.run, self._paths.containerd_root])
        shutil.rmtree(self._paths.containerd_root, ignore_errors=True)
        if not self._start(patience=60):
            raise ClusterError(f"containerd does not start:\n{self._daemons.tail(names.CONTAINERD)}")

    def stop(self) -> None:
        """End containerd; containers that run go on."""
        self._daemons.stop(names.CONTAINERD)

    def clear(self) -> None:
        """Forget every container and sandbox, and keep the images. All their processes must have ended."""
        if not self._paths.containerd_root.is_dir():
            return
        self.start()
        tasks = output(self.ctr("tasks", "list", "--quiet")).split()
        for task in tasks:
            run(self.ctr("tasks", "delete", "--force", task), timeout=20, check=False)
        containers = output(self.ctr("containers", "list", "--quiet")).split()
        for start in range(0, len(containers), 50):
            run(self.ctr("containers", "delete", *containers[start : start + 50]), timeout=120, check=False)
        self.stop()

    def images(self) -> set[str]:
        """The names of the images that it holds."""
        return set(output(self.ctr("images", "list", "--quiet")).split())

    def prune(self, repositories: set[str], kept: set[str]) -> int:
        """Remove the images of some names but for those to keep; the number removed."""
        listed = [line.split() for line in output(self.ctr("images", "list")).splitlines()[1:]]
        old = removable([(words[0], words[2]) for words in listed if len(words) > 2], repositories, kept)
        if old:
            run(self.ctr("images", "remove", *old), timeout=120, check=False)
        return sum(name.rpartition(":")[0] in repositories for name in old)

    def import_images(self, images: list[ProgramImage], say: Callable[[str], None]) -> int:
        """Import those images that are new or have changed; the number that were."""
        known = self._known()
        present = self.images()
        fresh = [image for image in images if known.get(image.name) != image.key or image.name not in present]
        self._paths.build_tmp.mkdir(parents=True, exist_ok=True)
        for image in fresh:
            say(image.name)
            with tempfile.TemporaryDirectory(dir=self._paths.build_tmp) as folder:
                archive = Path(folder) / "image.tar"
                write_archive(image, archive)
                run(self.ctr("images", "import", archive), timeout=180)
            known[image.name] = image.key
            self._imported.write_text(json.dumps(known))
        return len(fresh)

    def _known(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._imported.read_text())
        except (OSError, ValueError):
            return {}
        return known

    def _start(self, patience: float) -> bool:
        self._daemons.stop(names.CONTAINERD)
        self._paths.config.mkdir(parents=True, exist_ok=True)
        config = self._paths.config / "containerd.toml"
        config.write_text(configs.containerd_config(self._paths))
        self._paths.containerd_root.mkdir(parents=True, exist_ok=True)
        self._daemons.start(
            names.CONTAINERD, ["containerd", "--config", config], group=cgroups.group(cgroups.HOST)
        )
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.answers():
                return True
            time.sleep(0.1)
        return False


def removable(listed: list[tuple[str, str]], repositories: set[str], kept: set[str]) -> list[str]:
    """What to remove of some names and digests, so that of our images only those to keep stay.

    An image has its tags and two more names that Kubernetes gave it, all with one digest;
    its files go when no name is left.
    """
    tags = {name: digest for name, digest in listed if name.rpartition(":")[0] in repositories}
    staying = {digest for name, digest in tags.items() if name in kept}
    going = {digest for name, digest in tags.items() if name not in kept} - staying
    return [name for name, digest in listed if digest in going or (name in tags and name not in kept)]
