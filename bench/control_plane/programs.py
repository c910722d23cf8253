"""The programs of a run, each built once from its public Go module.

Kubernetes, etcd and kwok are pinned as modules below cluster/tools. The peers are not part of this
project: their modules are downloaded and built in the cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from modelyard_cluster import clients, golang, tools
from modelyard_cluster.paths import Paths, load_paths
from modelyard_cluster.progress import Progress

BUILD_SECONDS = 1800


class BuildError(RuntimeError):
    """A peer cannot be built from its Go module; the message has the reason."""


@dataclass(frozen=True)
class Module:
    """A public Go module that holds a program."""

    path: str
    version: str
    package: str
    """Folder of the main package inside the module."""
    program: str

    @property
    def title(self) -> str:
        return f"{self.path}@{self.version}"


@dataclass(frozen=True)
class Built:
    """A peer's program, and its module's folder with the manifests that it comes with."""

    program: Path
    source: Path


def ensure_ours() -> None:
    """Build what is missing of Kubernetes, etcd and kwok."""
    paths = load_paths()
    wanted = [tools.KUBERNETES, tools.ETCD, tools.KWOK]
    missing = [tool for tool in wanted if not golang.is_built(tool, paths)]
    progress = Progress(len(missing))
    with redirect_stdout(sys.stderr):
        for tool in missing:
            clients.build(tool, paths, progress)


def program(name: str) -> Path:
    """A program of the control plane: a Kubernetes component, "etcd" or "kwok"."""
    paths = load_paths()
    if name == "etcd":
        return golang.program(tools.ETCD, paths)
    if name == "kwok":
        return golang.program(tools.KWOK, paths)
    return golang.program(tools.KUBERNETES, paths, name)


def versions() -> dict[str, str]:
    """Versions of what the control plane is made of."""
    paths = load_paths()
    return {
        "kubernetes": tools.KUBERNETES.title.removeprefix("Kubernetes "),
        "etcd": _required(paths, "etcd", "go.etcd.io/etcd/server/v3"),
        "kwok": _required(paths, "kwok", "sigs.k8s.io/kwok"),
    }


def _required(paths: Paths, tool: str, module: str) -> str:
    for line in (paths.tool_modules / tool / "go.mod").read_text().splitlines():
        words = line.split()
        if module in words:
            following = words[words.index(module) + 1 :]
            if following and following[0].startswith("v"):
                return following[0]
    raise BuildError(f"{tool}: no version of {module} in its go.mod")


def ensure_peer(module: Module) -> Built:
    """A peer's program, built if it is not in the cache.

    Raises:
        BuildError: the module, or something that it needs, cannot be had.
    """
    paths = load_paths()
    go = golang.find_go(paths)
    if go is None:
        with redirect_stdout(sys.stderr), Progress(1).step("Go") as step:
            go = golang.ensure_go(paths, step)
    environment = {
        **os.environ,
        "PATH": f"{go}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
    }
    source = _download(module, environment)
    target = paths.tools / f"peer-{module.program}-{module.version}" / module.program
    if not target.is_file():
        print(f"building {module.title}", file=sys.stderr, flush=True)
        fresh = target.with_suffix(".partial")
        fresh.parent.mkdir(parents=True, exist_ok=True)
        # In the module's own folder: its own go.sum decides about every dependency.
        command = ["go", "build", "-trimpath", "-buildvcs=false", "-o", str(fresh), f"./{module.package}"]
        _run(module, command, environment, source)
        fresh.rename(target)
    return Built(target, source)


def _download(module: Module, environment: dict[str, str]) -> Path:
    text = _run(module, ["go", "mod", "download", "-json", module.title], environment, Path("/"))
    return Path(json.loads(text)["Dir"])


def _run(module: Module, command: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise BuildError(f"{module.title}: {' '.join(last)}")
    return done.stdout
