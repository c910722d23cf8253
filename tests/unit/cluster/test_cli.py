"""The command line: exit status, one sentence for an error, and which driver does the work."""

import signal
from pathlib import Path

import pytest

from modelyard_cluster import cli
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress


class Driver:
    """Does nothing, or fails with a sentence."""

    name = "bare"
    trouble = ""
    sentence = ""

    def steps(self, *, images: bool) -> int:
        return 2 if images else 1

    def image_steps(self) -> int:
        return 1

    def up(self, progress: Progress, *, images: bool) -> None:
        if self.sentence:
            raise ClusterError(self.sentence)
        with progress.step(f"up, images={images}"):
            pass

    def images(self, progress: Progress) -> None: ...

    def down(self, progress: Progress) -> None: ...

    def purge(self) -> None: ...

    def problem(self) -> str:
        return self.trouble


@pytest.fixture
def driver(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Driver:
    found = Driver()
    monkeypatch.setattr(cli, "load_paths", lambda: paths)
    monkeypatch.setattr(cli, "detect", lambda *words: found)
    monkeypatch.setattr(cli, "recorded", lambda *words: found)
    return found


@pytest.mark.usefixtures("driver")
def test_up_tells_how_to_use_the_cluster(capsys: pytest.CaptureFixture[str], paths: Paths) -> None:
    assert cli.main(["up"]) == 0
    written = capsys.readouterr().out
    assert "[ 1/2] up, images=True" in written
    assert f"export KUBECONFIG={paths.kubeconfig} PATH={paths.bin}:$PATH" in written


@pytest.mark.usefixtures("driver")
def test_up_can_leave_the_images_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "--no-images"]) == 0
    assert "[ 1/1] up, images=False" in capsys.readouterr().out


def test_an_error_is_one_sentence_and_no_traceback(
    driver: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    driver.sentence = "Only 7 GB are free."
    assert cli.main(["up"]) == 1
    assert capsys.readouterr().err == "Error: Only 7 GB are free.\n"


@pytest.mark.parametrize(
    ("trouble", "code", "said"), [("", 0, "healthy"), ("kubelet not running", 1, "kubelet")]
)
def test_status_says_what_is_wrong(
    driver: Driver, capsys: pytest.CaptureFixture[str], trouble: str, code: int, said: str
) -> None:
    driver.trouble = trouble
    assert cli.main(["status"]) == code
    assert f"bare: {said}" in capsys.readouterr().out


@pytest.mark.usefixtures("driver")
def test_the_kubeconfigs_path_is_all_that_is_printed(
    capsys: pytest.CaptureFixture[str], paths: Paths
) -> None:
    assert cli.main(["kubeconfig"]) == 1
    paths.state.mkdir(parents=True)
    paths.kubeconfig.touch()
    assert cli.main(["kubeconfig"]) == 0
    assert capsys.readouterr().out == f"{paths.kubeconfig}\n" * 2


@pytest.mark.usefixtures("driver")
def test_purge_deletes_images_and_caches_and_nothing_beside_them(paths: Paths, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    for folder in (paths.cache, paths.state, beside):
        folder.mkdir()
    assert cli.main(["purge"]) == 0
    assert not paths.cache.exists()
    assert not paths.state.exists()
    assert beside.exists()


def test_being_ended_by_a_program_says_how_to_go_on(
    driver: Driver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "up", lambda *words, **options: signal.raise_signal(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["up"]) == 130
    assert capsys.readouterr().err == "Interrupted. Run the same command again to go on.\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_driver_is_chosen_after_the_wait_for_another_command(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that was taken down meanwhile is not there any more."""
    seen: list[bool] = []

    def choose(*words: object) -> Driver:
        seen.append(paths.lock.exists())
        return Driver()

    monkeypatch.setattr(cli, "load_paths", lambda: paths)
    monkeypatch.setattr(cli, "detect", choose)
    assert cli.main(["up"]) == 0
    assert seen == [True]
