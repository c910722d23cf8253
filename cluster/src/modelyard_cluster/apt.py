"""The Debian packages that the bare cluster and the image builds need."""

import os
from pathlib import Path

from modelyard_cluster.command import CommandError, output, stream
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Step

PACKAGES = (
    "buildah",
    "ca-certificates",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "debian-archive-keyring",
    "debootstrap",
    "ebtables",
    "ethtool",
    "iproute2",
    "ipset",
    "iptables",
    "kmod",
    "mount",
    "procps",
    "runc",
    "socat",
    "util-linux",
)


def install_command(packages: list[str]) -> list[str]:
    """Installs packages without asking anything."""
    return [
        *("apt-get", "install", "--yes", "--no-install-recommends"),
        *("-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold", *packages),
    ]


def missing_packages(installed: set[str]) -> list[str]:
    """Those that are needed and not installed. Docker's own containerd package serves as well as Debian's."""
    provided = {"containerd", "runc"} if "containerd.io" in installed else set()
    return [name for name in PACKAGES if name not in installed | provided]


def installed_packages() -> set[str]:
    """The names of the packages that are installed completely."""
    listed = output(["dpkg-query", "--show", "--showformat", "${Package} ${Status}\n"])
    return {line.split()[0] for line in listed.splitlines() if line.endswith("install ok installed")}


def ensure_packages(paths: Paths, step: Step) -> None:
    """Install what is missing."""
    if not Path("/usr/bin/apt-get").exists():
        raise ClusterError(
            "The bare cluster installs its packages with apt and so needs Debian or Ubuntu. "
            "On another system start a Docker daemon and use CLUSTER=kind."
        )
    missing = missing_packages(installed_packages())
    if not missing:
        step.skip("all there")
        return
    step.say(", ".join(missing))
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    log = paths.cache / "log" / "apt.log"

    def show(line: str) -> None:
        step.say_sometimes(line[:100])

    try:
        stream(install_command(missing), on_line=show, log=log, env=env)
    except CommandError:
        # A former run may have been killed in the middle; the lists may be missing or old.
        stream(["dpkg", "--configure", "-a"], on_line=show, log=log, env=env)
        stream(["apt-get", "update", "-o", "DPkg::Lock::Timeout=300"], on_line=show, log=log, env=env)
        stream(install_command(missing), on_line=show, log=log, env=env)
