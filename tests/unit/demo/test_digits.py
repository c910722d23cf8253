"""The example's images: all of them, the same ones every time, no held-out image among the others."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest
import yaml

from examples.digits import make_images
from modelyard_demo import settings
from modelyard_operator.api.dataset import Dataset
from modelyard_operator.api.deployment import Deployment
from modelyard_operator.api.training_job import TrainingJob


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("digits")
    make_images.write_images(found)
    return found


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.png"))
    }


def test_a_fifth_of_each_label_is_held_out(folder: Path) -> None:
    kept = Counter(path.parent.name for path in (folder / make_images.IMAGES).rglob("*.png"))
    held = Counter(path.parent.name for path in (folder / make_images.HELD_OUT).rglob("*.png"))
    assert kept.total() + held.total() == 1797
    assert set(kept) == set(held) == {str(digit) for digit in range(10)}
    for label in held:
        assert held[label] / (held[label] + kept[label]) == pytest.approx(0.2, abs=0.004)


def test_two_runs_write_the_same_bytes_and_leave_nothing_old(folder: Path, tmp_path: Path) -> None:
    (tmp_path / make_images.IMAGES / "3").mkdir(parents=True)
    (tmp_path / make_images.IMAGES / "3" / "old.png").write_text("old")
    make_images.write_images(tmp_path)
    assert _digests(tmp_path) == _digests(folder)


def test_no_file_is_in_both_parts(folder: Path) -> None:
    names = Counter(path.name for path in folder.rglob("*.png"))
    assert set(names.values()) == {1}


def test_the_manifests_are_what_the_demo_and_the_typed_kinds_expect() -> None:
    found = {}
    for name, model in (("dataset", Dataset), ("trainingjob", TrainingJob), ("deployment", Deployment)):
        manifest = yaml.safe_load((settings.EXAMPLE / f"{name}.yaml").read_text())
        model.model_validate(manifest)
        found[manifest["kind"]] = manifest
    assert {manifest["metadata"]["name"] for manifest in found.values()} == {settings.NAME}
    assert found["Dataset"]["spec"]["source"] == {"upload": {}}
    assert found["TrainingJob"]["spec"]["workers"] == 2
    assert found["Deployment"]["spec"]["expose"]["type"] == "NodePort"
