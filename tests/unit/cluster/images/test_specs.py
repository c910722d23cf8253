"""The tag of an image is a hash of everything that goes into it, and of nothing else."""

from pathlib import Path

import pytest

from modelyard_cluster.images import specs
from modelyard_cluster.images.specs import OPERATOR, RUNTIME, STORE


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("operator", "runtime", "store", "python", "build-tools"):
        _write(tmp_path / "images" / name / "Containerfile", f"FROM {name}")
    for name in ("operator", "algorithms"):
        _write(tmp_path / name / "pyproject.toml", f"name = '{name}'")
        _write(tmp_path / name / "src" / f"modelyard_{name}" / "__init__.py", "")
    _write(tmp_path / "requirements.lock", "torch==2.14.0")
    return tmp_path


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    "changed",
    [
        "operator/src/modelyard_operator/__init__.py",
        "algorithms/src/modelyard_algorithms/__init__.py",
        "operator/pyproject.toml",
        "images/operator/Containerfile",
        "images/python/Containerfile",
        "images/build-tools/Containerfile",
        "requirements.lock",
    ],
)
def test_whatever_goes_into_the_image_changes_its_tag(checkout: Path, changed: str) -> None:
    before = OPERATOR.tag(checkout)
    (checkout / changed).write_text("changed")
    assert OPERATOR.tag(checkout) != before


@pytest.mark.parametrize(
    "changed",
    [
        "README.md",
        "operator/tests/test_something.py",
        "operator/src/modelyard_operator/__pycache__/main.cpython-311.pyc",
        "operator/src/modelyard_operator.egg-info/PKG-INFO",
        "images/runtime/Containerfile",
    ],
)
def test_nothing_else_does(checkout: Path, changed: str) -> None:
    before = OPERATOR.tag(checkout)
    _write(checkout / changed, "changed")
    assert OPERATOR.tag(checkout) == before


def test_a_file_that_moves_changes_the_tag(checkout: Path) -> None:
    module = checkout / "operator/src/modelyard_operator/__init__.py"
    module.write_text("text")
    before = OPERATOR.tag(checkout)
    module.rename(module.with_name("main.py"))
    assert OPERATOR.tag(checkout) != before


def test_the_operators_code_does_not_change_the_runtime(checkout: Path) -> None:
    before = RUNTIME.tag(checkout)
    _write(checkout / "operator/src/modelyard_operator/main.py", "changed")
    assert RUNTIME.tag(checkout) == before


def test_the_store_changes_with_its_module_only(checkout: Path) -> None:
    before = STORE.tag(checkout, "one")
    _write(checkout / "requirements.lock", "changed")
    assert STORE.tag(checkout, "one") == before
    assert STORE.tag(checkout, "two") != before


def test_a_checkout_without_a_package_leaves_its_image_out(checkout: Path) -> None:
    (checkout / "operator/pyproject.toml").unlink()
    assert OPERATOR.missing(checkout) == ["operator"]
    assert RUNTIME.missing(checkout) == []


def test_a_build_gets_the_sources_without_caches_and_readable_by_all(checkout: Path, tmp_path: Path) -> None:
    _write(checkout / "operator/src/modelyard_operator/__pycache__/a.pyc", "")
    (checkout / "operator/src/modelyard_operator/__init__.py").chmod(0o600)
    target = tmp_path / "context"
    specs.stage_packages(OPERATOR, checkout, target)
    staged = {str(file.relative_to(target)) for file in target.rglob("*") if file.is_file()}
    assert "operator/src/modelyard_operator/__init__.py" in staged
    assert not any("__pycache__" in name for name in staged)
    assert (target / "operator/src/modelyard_operator/__init__.py").stat().st_mode & 0o777 == 0o644
