"""What must hold first, in one sentence each."""

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from modelyard_cluster.bare import names, preflight
from modelyard_cluster.daemons import Daemons
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths
from modelyard_cluster.settings import Settings


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("os.geteuid", lambda: 0)


def _free(monkeypatch: pytest.MonkeyPatch, gigabytes: float) -> None:
    usage = SimpleNamespace(free=gigabytes * 1e9)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)


def test_another_system_is_told_what_to_use_instead(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(ClusterError, match=r"needs Linux\. .* Docker daemon and use CLUSTER=kind"):
        preflight.check_machine(paths, tools_built=False, images_built=False)


def test_without_root_the_sentence_says_how_to_get_it(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="run `sudo make cluster`"):
        preflight.check_machine(paths, tools_built=False, images_built=False)


@pytest.mark.usefixtures("root")
def test_a_full_disk_is_noticed_before_anything_is_built(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    _free(monkeypatch, 7)
    with pytest.raises(ClusterError) as caught:
        preflight.check_machine(paths, tools_built=False, images_built=False)
    assert str(caught.value) == (
        f"About 30 GB will be written to {paths.cache} and {paths.state}, and only 7 GB are free there; "
        "free some, or set MODELYARD_CACHE to a folder on a larger disk."
    )


@pytest.mark.usefixtures("root")
def test_two_disks_need_less_each(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = iter([SimpleNamespace(st_dev=1), SimpleNamespace(st_dev=2)])
    existing = SimpleNamespace(stat=lambda: next(devices))
    monkeypatch.setattr(preflight, "_existing", lambda folder: existing)
    _free(monkeypatch, 19)
    preflight.check_machine(paths, tools_built=False, images_built=False)


@pytest.mark.usefixtures("root")
def test_a_machine_with_everything_in_its_caches_needs_little_room(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    _free(monkeypatch, 7)
    preflight.check_machine(paths, tools_built=True, images_built=True)


@pytest.mark.usefixtures("root")
def test_new_programs_alone_need_less_than_images(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 12)
    preflight.check_machine(paths, tools_built=False, images_built=True)


def test_a_port_in_use_is_named_with_its_purpose(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        daemons = Daemons(tmp_path / "pids", tmp_path / "logs")
        with pytest.raises(ClusterError, match=f"Port {port}, which the API server needs, is in use"):
            preflight.check_ports(Settings(api_port=port), daemons, names.KUBELET, ours=False)


def test_ports_of_our_own_cluster_are_in_nobodys_way(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        daemons = Daemons(tmp_path / "pids", tmp_path / "logs")
        settings = Settings(api_port=taken.getsockname()[1])
        preflight.check_ports(settings, daemons, names.KUBELET, ours=True)
