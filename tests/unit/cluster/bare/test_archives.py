"""Images of one layer, as `docker save` would write them."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from modelyard_cluster import tools
from modelyard_cluster.bare import archives, names
from modelyard_cluster.paths import Paths

LISTED = [
    "registry.k8s.io/kube-apiserver:v1.34.4",
    "registry.k8s.io/kube-proxy:v1.34.4",
    "registry.k8s.io/coredns/coredns:v1.12.1",
    "registry.k8s.io/pause:3.10.1",
    "registry.k8s.io/etcd:3.6.5-0",
]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    program = tmp_path / "server"
    program.write_bytes(b"\x7fELF")
    image = archives.ProgramImage("registry.k8s.io/etcd:3.6.5-0", program, "usr/local/bin/etcd", "key")
    target = tmp_path / "image.tar"
    archives.write_archive(image, target)
    return target


def test_every_image_that_kubeadm_lists_is_made_under_the_very_name(paths: Paths) -> None:
    made = {image.name: image for image in archives.control_plane_images(paths, LISTED)}
    assert set(made) == {name for name in LISTED if "kube-proxy" not in name}
    assert made["registry.k8s.io/etcd:3.6.5-0"].program.name == "server"


def test_kube_proxy_runs_on_the_machine_and_needs_no_image(paths: Paths) -> None:
    assert not any("kube-proxy" in image.name for image in archives.control_plane_images(paths, LISTED))


def test_an_image_is_imported_again_when_its_program_has_changed(paths: Paths) -> None:
    module = paths.tool_modules / "etcd"
    module.mkdir(parents=True)
    keys = set[str]()
    for version in ("v3.6.5", "v3.6.6"):
        (module / "go.mod").write_text(f"require go.etcd.io/etcd/server/v3 {version}\n")
        keys.update(image.key for image in archives.control_plane_images(paths, LISTED[-1:]))
    assert len(keys) == 2


def test_the_archive_names_the_image_and_starts_the_program(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(tar.extractfile(manifest["Config"]))  # type: ignore[arg-type]
    assert manifest["RepoTags"] == ["registry.k8s.io/etcd:3.6.5-0"]
    assert config["config"]["Entrypoint"] == ["/usr/local/bin/etcd"]


def test_the_digest_in_the_archive_is_that_of_the_layer(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        config = json.load(tar.extractfile("config.json"))  # type: ignore[arg-type]
        layer = tar.extractfile("layer.tar")
        assert layer is not None
        digest = hashlib.sha256(layer.read()).hexdigest()
    assert config["rootfs"]["diff_ids"] == [f"sha256:{digest}"]


def test_the_program_may_be_executed(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extract("layer.tar", tmp_path, filter="data")
    with tarfile.open(tmp_path / "layer.tar") as layer:
        assert layer.getmember("usr/local/bin/etcd").mode == 0o755
        assert layer.getmember("usr").isdir()


def test_the_sandbox_image_is_among_those_that_kubeadm_lists() -> None:
    assert f"registry.k8s.io/pause:{names.PAUSE_TAG}" in LISTED
    assert tools.KUBERNETES.title == "Kubernetes v1.34.4"
