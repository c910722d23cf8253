"""Images of former code go before they fill the disk, and none goes that something still needs."""

from pathlib import Path

import pytest

from modelyard_cluster.images import prune
from modelyard_cluster.images.prune import GRACE, KEPT, Stored

NOW = 1_000_000.0
OPERATOR = "127.0.0.1:5000/modelyard/operator"
RUNTIME = "127.0.0.1:5000/modelyard/runtime"
TORCH, OTHER_TORCH = {"sha256:torch": 3_000_000_000}, {"sha256:other": 3_000_000_000}


def _image(tag: str, hours_ago: float, layers: dict[str, int] | None = None) -> Stored:
    own = {f"sha256:{tag}": 1_000_000}
    return Stored(
        reference=f"{RUNTIME}:{tag}", used=NOW - 3600 * hours_ago, layers={**(layers or TORCH), **own}
    )


def _tags(gone: list[str]) -> list[str]:
    return [reference.rpartition(":")[2] for reference in gone]


def test_the_images_used_last_are_kept() -> None:
    images = [_image(f"v{age}", age * 10) for age in range(KEPT + 3)]
    assert _tags(prune.expendable(images, set(), NOW)) == [f"v{age}" for age in range(KEPT, KEPT + 3)]


def test_an_image_that_the_cluster_names_is_kept_however_old() -> None:
    images = [_image(f"v{age}", age * 10) for age in range(KEPT + 1)]
    assert prune.expendable(images, {images[-1].reference}, NOW) == []


def test_a_test_run_of_another_checkout_keeps_its_images() -> None:
    images = [_image(f"v{number}", 0.9 * GRACE / 3600) for number in range(3 * KEPT)]
    assert prune.expendable(images, set(), NOW) == []


def test_an_image_with_another_torch_goes_as_soon_as_nobody_uses_it() -> None:
    images = [_image("new", 0), _image("code", 50), _image("heavy", 3, OTHER_TORCH)]
    assert _tags(prune.expendable(images, set(), NOW)) == ["heavy"]


def test_the_newest_image_is_never_removed() -> None:
    assert prune.expendable([_image("only", 10_000)], set(), NOW) == []
    assert prune.expendable([], set(), NOW) == []


def test_images_are_found_wherever_a_manifest_names_them() -> None:
    manifests = f"""
      {{"image": "{OPERATOR}:0123abcd"}}
      {{"name": "MODELYARD_IMAGE", "value": "{RUNTIME}:89ef"}}
      {{"image": "127.0.0.1:5000/someone/else:1"}} {{"image": "{OPERATOR}-of-mine:1"}}
    """
    found = prune.references_in(manifests, {OPERATOR, RUNTIME})
    assert found == {f"{OPERATOR}:0123abcd", f"{RUNTIME}:89ef"}


def test_the_log_of_use_remembers_the_last_time_and_forgets_what_is_gone(tmp_path: Path) -> None:
    log = prune.UseLog(tmp_path / "use.json")
    log.note(["one", "two"], 1.0)
    log.note(["two"], 2.0)
    log.note([], 3.0, gone=["one"])
    assert log.read() == {"two": 2.0}


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_broken_log_counts_as_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "use.json"
    file.write_text(text)
    assert prune.UseLog(file).read() == {}
