"""Building without a daemon: the base image by debootstrap, everything else by buildah."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from modelyard_cluster.command import output, run, stream
from modelyard_cluster.images.buildenv import secrets
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Step
from modelyard_cluster.settings import Settings

BASE_IMAGE = "docker.io/library/debian:bookworm-slim"
_SUITE = "bookworm"
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}\n'
_TRIMMED = (
    *(
        "usr/share/doc",
        "usr/share/man",
        "usr/share/info",
        "usr/share/locale",
        "usr/share/lintian",
        "usr/share/groff",
    ),
    *("var/cache/apt", "var/lib/apt/lists", "var/log", "var/cache/debconf"),
)
"""What the slim image of Debian leaves out too; the folders themselves stay."""
_DPKG_EXCLUDES = "".join(
    f"path-exclude /{folder}/*\n" for folder in _TRIMMED if folder.startswith("usr/share")
)


class Buildah:
    """buildah with a store of our own, apart from the user's images."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._policy = paths.cache / "policy.json"

    def command(self, *words: str | Path) -> list[str | Path]:
        """A buildah command line."""
        return [
            *("buildah", "--root", self._paths.buildah_storage, "--runroot", self._paths.buildah_run),
            *("--storage-driver", "overlay", "--registries-conf", "/dev/null"),
            *words,
        ]

    def environment(self) -> dict[str, str]:
        """buildah keeps its cache mounts below the folder for temporary files: the uv cache among them."""
        mounts = self._paths.build_tmp / "buildah-cache"
        mounts.mkdir(parents=True, exist_ok=True)
        self._paths.uv_cache.mkdir(parents=True, exist_ok=True)
        _link(mounts / "uv", self._paths.uv_cache)
        _link(self._paths.build_tmp / f"buildah-cache-{os.getuid()}", mounts)  # its name in newer releases
        return {**os.environ, "TMPDIR": str(self._paths.build_tmp), "BUILDAH_ISOLATION": "oci"}

    def build_command(
        self, containerfile: Path, context: Path, image: str, secret: list[str]
    ) -> list[str | Path]:
        """Builds one image, with layers that are used again."""
        words = (
            "bud",
            "--runtime",
            "runc",
            "--layers",
            "--network",
            "host",
            "--pull-never",
            "--format",
            "oci",
        )
        policy: list[str | Path] = ["--signature-policy", self._policy_file()]
        return self.command(*words, *policy, *secret, "--file", containerfile, "--tag", image, context)

    def push_command(self, image: str, target: str) -> list[str | Path]:
        """Pushes an image to a registry that speaks plain HTTP.

        With zstd, since the runtime image has 6 GB: gzip takes a third more CPU time here, and more on the
        node that unpacks it.
        """
        words = ("push", "--quiet", "--tls-verify=false", "--compression-format", "zstd")
        policy: list[str | Path] = ["--signature-policy", self._policy_file()]
        return self.command(*words, *policy, image, f"docker://{target}")

    def has(self, image: str) -> bool:
        """Whether an image is in the store."""
        return bool(output(self.command("images", "--quiet", image)).strip())

    def build(self, containerfile: Path, context: Path, image: str, step: Step) -> None:
        """Build one image and say how far it is."""
        log = self._paths.cache / "log" / f"image-{containerfile.parent.name}.log"
        with secrets() as secret:
            command = self.build_command(containerfile, context, image, secret)
            stream(command, on_line=_report(step), log=log, env=self.environment())

    def push(self, image: str, target: str) -> None:
        """Push an image; layers that the registry has are not sent again."""
        run(self.push_command(image, target), timeout=1800, env=self.environment())

    def prune(self, repositories: set[str], kept: set[str]) -> None:
        """Remove the published images of some names but for those to keep, and what killed builds left."""
        listed = output(self.command("images", "--format", "{{.Name}}:{{.Tag}}")).split()
        old = [name for name in listed if name.rpartition(":")[0] in repositories and name not in kept]
        run(self.command("rm", "--all"), timeout=120, check=False)
        if old:
            run(self.command("rmi", *old), timeout=300, check=False)
        run(self.command("rmi", "--prune"), timeout=300, check=False)

    def ensure_base(self, settings: Settings, step: Step) -> None:
        """Make Debian's slim image, under the name that Containerfiles use."""
        if self.has(BASE_IMAGE):
            step.skip("made before")
            return
        root = self._paths.base_images / _SUITE
        if not root.is_dir():
            step.say("debootstrap")
            partial = root.with_name(f"{_SUITE}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.parent.mkdir(parents=True, exist_ok=True)
            sources = apt_sources()
            mirror = settings.debian_mirror or next((uri for uri, suite in sources if suite == _SUITE), "")
            log = self._paths.cache / "log" / "debootstrap.log"
            stream(debootstrap_command(partial, mirror), on_line=_report(step), log=log)
            trim(partial, sources)
            partial.rename(root)
        container = run(self.command("from", "scratch"), timeout=60, env=self.environment()).stdout.strip()
        try:
            run(self.command("copy", container, root, "/"), timeout=300, env=self.environment())
            run(self.command("config", "--cmd", "bash", container), timeout=60, env=self.environment())
            commit = ("commit", "--signature-policy", self._policy_file(), container, BASE_IMAGE)
            run(self.command(*commit), timeout=300, env=self.environment())
        finally:
            run(self.command("rm", container), timeout=60, env=self.environment(), check=False)

    def _policy_file(self) -> Path:
        if not self._policy.exists():
            self._policy.parent.mkdir(parents=True, exist_ok=True)
            self._policy.write_text(_POLICY)
        return self._policy


def debootstrap_command(target: Path, mirror: str) -> list[str | Path]:
    """Makes a minimal Debian in a folder, from a mirror or from debootstrap's default."""
    return ["debootstrap", "--variant=minbase", _SUITE, target, *([mirror] if mirror else [])]


def apt_sources() -> list[tuple[str, str]]:
    """The machine's own sources of this Debian release: address and suite, where it runs Debian."""
    form = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)"
    listed = output(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    return parse_sources(listed)


def parse_sources(listed: str) -> list[tuple[str, str]]:
    """Sources of our Debian release among all that apt lists, each once."""
    found: dict[tuple[str, str], None] = {}
    for line in listed.splitlines():
        origin, _, rest = line.partition("|")
        uri, _, suite = rest.rpartition("|")
        if origin == "Debian" and suite.startswith(_SUITE) and re.match(r"https?://[^@]+$", uri):
            found[(uri.rstrip("/"), suite)] = None
    return list(found)


def trim(root: Path, sources: list[tuple[str, str]]) -> None:
    """Leave out what no container needs, and let apt see updates and security fixes too."""
    for folder in _TRIMMED:
        for entry in (root / folder).glob("*"):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(_DPKG_EXCLUDES)
    (root / "etc/hostname").write_text("debian\n")
    (root / "etc/resolv.conf").write_text("")
    if any(suite == _SUITE for _, suite in sources):
        lines = [f"deb {uri} {suite} main\n" for uri, suite in sources]
        (root / "etc/apt/sources.list").write_text("".join(lines))


def _report(step: Step) -> Callable[[str], None]:
    def report(line: str) -> None:
        if line.strip():
            step.say_sometimes(line.strip()[:90])

    return report


def _link(link: Path, target: Path) -> None:
    """A link to a folder, unless the folder itself is there."""
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    if not link.exists():
        link.symlink_to(target)
