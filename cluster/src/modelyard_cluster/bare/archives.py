"""Container images of one layer, made from a statically linked program."""

import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path

from modelyard_cluster import tools
from modelyard_cluster.bare import names
from modelyard_cluster.golang import program
from modelyard_cluster.paths import Paths


@dataclass(frozen=True)
class ProgramImage:
    """An image that holds one program and nothing else."""

    name: str
    program: Path
    path: str
    """Where the program lies in the image."""
    key: str
    """Changes when the program does."""


def control_plane_images(paths: Paths, listed: list[str]) -> list[ProgramImage]:
    """The images that `kubeadm config images list` names, from the programs that were built."""
    images = []
    for name in listed:
        short = name.rpartition("/")[2].partition(":")[0]
        if short == names.KUBE_PROXY:
            continue  # runs as a process of the machine
        tool, source, path = _SOURCES[short]
        images.append(ProgramImage(name, program(tool, paths, source), path, tool.key(paths.tool_modules)))
    return images


_SOURCES = {
    "kube-apiserver": (tools.KUBERNETES, "kube-apiserver", "usr/local/bin/kube-apiserver"),
    "kube-controller-manager": (
        tools.KUBERNETES,
        "kube-controller-manager",
        "usr/local/bin/kube-controller-manager",
    ),
    "kube-scheduler": (tools.KUBERNETES, "kube-scheduler", "usr/local/bin/kube-scheduler"),
    "coredns": (tools.COREDNS, "coredns", "coredns"),
    "pause": (tools.PAUSE, "pause", "pause"),
    "etcd": (tools.ETCD, "server", "usr/local/bin/etcd"),
}


def write_archive(image: ProgramImage, target: Path) -> None:
    """Write an image in the form that `docker save` has and `ctr images import` reads."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        parts = Path(image.path).parts
        for depth in range(1, len(parts)):
            folder = tarfile.TarInfo("/".join(parts[:depth]))
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        entry = tarfile.TarInfo(image.path)
        entry.size, entry.mode = image.program.stat().st_size, 0o755
        with image.program.open("rb") as file:
            tar.addfile(entry, file)
    content = layer.getvalue()
    config = json.dumps(
        {
            "architecture": _architecture(),
            "os": "linux",
            "config": {"Entrypoint": [f"/{image.path}"], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps(
        [{"Config": "config.json", "RepoTags": [image.name], "Layers": ["layer.tar"]}]
    ).encode()
    with tarfile.open(target, "w") as tar:
        for name, data in (("layer.tar", content), ("config.json", config), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
