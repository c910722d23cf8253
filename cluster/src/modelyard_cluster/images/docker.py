"""Building with a Docker daemon, for the drivers `kind` and `existing`."""

from pathlib import Path

from modelyard_cluster import registry
from modelyard_cluster.command import output, run, stream
from modelyard_cluster.images.buildenv import secrets
from modelyard_cluster.images.prune import KEPT
from modelyard_cluster.images.specs import REPOSITORY, repositories
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Step


def build_command(containerfile: Path, context: Path, reference: str, secret: list[str]) -> list[str | Path]:
    """Builds one image with BuildKit; the host's network, so that its proxies on loopback work too."""
    return [
        *("docker", "build", "--progress", "plain", "--network", "host", *secret),
        *("--file", containerfile, "--tag", reference, context),
    ]


def push_command(reference: str) -> list[str]:
    """Pushes an image; layers that the registry has are not sent again."""
    return ["docker", "push", "--quiet", reference]


def inspect_command(reference: str) -> list[str]:
    """Succeeds if a registry has an image."""
    return ["docker", "manifest", "inspect", reference]


def list_command(repository: str) -> list[str]:
    """Lists Docker's images of one name, the newest first."""
    return ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository]


def remove_command(references: list[str]) -> list[str]:
    """Removes names from Docker's images, and what no other name needs."""
    return ["docker", "image", "rm", *references]


class DockerTarget:
    """Docker, and the registry that the cluster pulls from."""

    def __init__(self, paths: Paths, prefix: str, *, local: bool) -> None:
        self._paths = paths
        self._prefix = prefix.rstrip("/")
        self._local = local

    def reference(self, name: str, tag: str) -> str:
        """The name in the registry."""
        return f"{self._prefix}/{REPOSITORY}/{name}:{tag}"

    def has(self, name: str, tag: str) -> bool:
        """Whether the registry has it."""
        if self._local:
            return registry.has_image(self._prefix, f"{REPOSITORY}/{name}", tag)
        return bool(output(inspect_command(self.reference(name, tag)), timeout=30))

    def prepare(self, step: Step) -> None:
        """Nothing: Docker pulls Debian's slim image by itself."""

    def build(self, reference: str, containerfile: Path, context: Path, step: Step) -> None:
        """Build with Docker."""
        log = self._paths.cache / "log" / f"image-{containerfile.parent.name}.log"

        def report(line: str) -> None:
            if line.strip():
                step.say_sometimes(line.strip()[:90])

        with secrets() as secret:
            stream(build_command(containerfile, context, reference, secret), on_line=report, log=log)

    def publish(self, reference: str) -> None:
        """Push to the registry."""
        run(push_command(reference), timeout=3600)

    @property
    def repositories(self) -> set[str]:
        """The names of all our images, without a tag."""
        return repositories(self._prefix)

    def prune(self, current: set[str]) -> int:
        """Remove images of former code from Docker; the registry keeps its own. The number removed."""
        removed = 0
        for repository in sorted(self.repositories):
            old = output(list_command(repository)).split()[KEPT:]
            old = [reference for reference in old if reference not in current]
            if old:
                run(remove_command(old), timeout=120, check=False)
            removed += len(old)
        return removed
