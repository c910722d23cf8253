"""Only what has changed is built and sent, and the names are written down at the end."""

import json
from pathlib import Path

import pytest

from modelyard_cluster import golang, tools
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.images import locks, pipeline
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress, Step

RESOLVED = {
    "operator": {"aiohttp"},
    "algorithms[torch]": {"nvidia-nccl-cu13", "torch", "aiohttp"},
    "torch": {"nvidia-nccl-cu13", "torch"},
    "hatchling": {"hatchling", "uv"},
}
"""What the first of some requirements needs, as uv would find it."""


class Target:
    """Notes what is asked of it, in order."""

    def __init__(self) -> None:
        self.published: set[str] = set()
        self.done: list[str] = []
        self.locks: dict[str, str] = {}

    def reference(self, name: str, tag: str) -> str:
        return f"registry.example.com/{name}:{tag}"

    def has(self, name: str, tag: str) -> bool:
        return self.reference(name, tag) in self.published

    def prepare(self, step: Step) -> None:
        self.done.append("base")

    def build(self, reference: str, containerfile: Path, context: Path, step: Step) -> None:
        self.done.append(f"build {containerfile.parent.name}")
        for lock in context.glob("*.lock"):
            self.locks[f"{containerfile.parent.name}/{lock.name}"] = lock.read_text()

    def publish(self, reference: str) -> None:
        self.done.append(f"publish {reference.rpartition('/')[2].partition(':')[0]}")
        self.published.add(reference)


@pytest.fixture
def checkout(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("operator", "runtime", "store", "python", "build-tools"):
        (paths.checkout / "images" / name).mkdir(parents=True)
        (paths.checkout / "images" / name / "Containerfile").touch()
    for name in ("operator", "algorithms"):
        (paths.checkout / name / "src").mkdir(parents=True)
        (paths.checkout / name / "pyproject.toml").touch()
    (paths.checkout / "requirements.lock").write_text(
        "nvidia-nccl-cu13==2.30.7\ntorch==2.14.0\naiohttp==3.14.5\nuv==0.13.8\nhatchling==1.33.0\n"
    )
    monkeypatch.setattr(locks, "resolve", lambda uv, cache, root, wanted: RESOLVED[wanted[0]])
    binary = golang.program(tools.VERSITYGW, paths)
    binary.parent.mkdir(parents=True)
    binary.touch()
    return paths.checkout


def _run(paths: Paths, target: Target) -> dict[str, str]:
    target.done.clear()
    images = pipeline.ImagePipeline(paths, target, Progress(pipeline.STEPS, lambda line: None))
    images.build_python_images()
    images.publish()
    return images.finish()


def test_a_first_run_builds_and_publishes_everything(paths: Paths, checkout: Path) -> None:
    target = Target()
    names = _run(paths, target)
    assert target.done[:3] == ["base", "build python", "build build-tools"]
    assert sorted(target.done[3:]) == [
        *("build operator", "build runtime", "build store"),
        *("publish operator", "publish runtime", "publish store"),
    ]
    assert set(names) == {"operator", "runtime", "store"}


def test_every_image_installs_its_part_of_the_lock_file_and_cuda_and_torch_lie_below_the_rest(
    paths: Paths, checkout: Path
) -> None:
    target = Target()
    _run(paths, target)
    assert target.locks == {
        "build-tools/build-tools.lock": "uv==0.13.8\nhatchling==1.33.0\n",
        "operator/dependencies.lock": "aiohttp==3.14.5\n",
        "runtime/cuda.lock": "nvidia-nccl-cu13==2.30.7\n",
        "runtime/torch.lock": "torch==2.14.0\n",
        "runtime/dependencies.lock": "aiohttp==3.14.5\n",
    }


def test_a_second_run_does_nothing(paths: Paths, checkout: Path) -> None:
    target = Target()
    first = _run(paths, target)
    assert _run(paths, target) == first
    assert target.done == []


def test_a_change_of_the_operator_leaves_the_runtime_alone(paths: Paths, checkout: Path) -> None:
    target = Target()
    _run(paths, target)
    (checkout / "operator/src/main.py").write_text("changed")
    _run(paths, target)
    assert "build operator" in target.done
    assert "build runtime" not in target.done


def test_the_names_are_written_for_whoever_installs_the_chart(paths: Paths, checkout: Path) -> None:
    names = _run(paths, Target())
    assert json.loads(paths.images_json.read_text()) == names


def test_without_the_program_the_sentence_says_what_to_run(paths: Paths, checkout: Path) -> None:
    golang.program(tools.VERSITYGW, paths).unlink()
    with pytest.raises(ClusterError, match="VersityGW is not built yet; run `make cluster` first"):
        _run(paths, Target())


def test_a_checkout_that_has_no_operator_yet_builds_the_rest(paths: Paths, checkout: Path) -> None:
    (checkout / "operator/pyproject.toml").unlink()
    assert set(_run(paths, Target())) == {"runtime", "store"}


def test_the_number_of_steps_is_the_number_announced(paths: Paths, checkout: Path) -> None:
    progress = Progress(pipeline.STEPS, lambda line: None)
    images = pipeline.ImagePipeline(paths, Target(), progress)
    images.build_python_images()
    images.publish()
    images.finish()
    assert progress.begun == pipeline.STEPS
