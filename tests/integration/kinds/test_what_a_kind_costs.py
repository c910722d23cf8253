"""A new kind is the files that CONTRIBUTING.md names, and nothing else is edited."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support import toys

KINDS = {"chore": "chores", "notice": "notices"}
SOURCE = "operator/src/modelyard_operator"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with both toys, before anything is generated."""
    return toys.checkout(tmp_path_factory.mktemp("checkout"), list(KINDS))


def test_a_kind_is_a_model_a_plan_builders_and_golden_files() -> None:
    golden = [f"tests/golden/operator/chore/{name}.yaml" for name in ("input", "manifests")]
    sources = [f"{SOURCE}/{name}.py" for name in ("api/chore", "desired/chore_job", "reconcile/chore")]
    assert toys.files("chore") == [*sources, *golden]


def test_a_kind_without_children_has_no_builders() -> None:
    golden = [f"tests/golden/operator/notice/{name}.yaml" for name in ("input", "manifests")]
    assert toys.files("notice") == [f"{SOURCE}/api/notice.py", f"{SOURCE}/reconcile/notice.py", *golden]


def test_make_crds_writes_all_that_follows_from_it(checkout: Path) -> None:
    before = toys.texts(checkout)
    assert toys.run(checkout, "-m", "modelyard_operator.generate", "--check").returncode == 1
    assert toys.run(checkout, "-m", "modelyard_operator.generate", "--write").returncode == 0
    after = toys.texts(checkout)
    changed = {path for path, text in after.items() if before.get(path) != text}
    definitions = {
        f"{folder}/{plural}.modelyard.dev.yaml"
        for folder in ("crds", "charts/modelyard/files/crds")
        for plural in KINDS.values()
    }
    assert changed == definitions | {"charts/modelyard/files/kinds.yaml", "docs/api.md"}
    assert before.keys() <= after.keys()
    scopes = {
        plural: yaml.safe_load(after[f"crds/{plural}.modelyard.dev.yaml"])["spec"]["scope"]
        for plural in KINDS.values()
    }
    assert scopes == {"chores": "Namespaced", "notices": "Cluster"}
    roles = yaml.safe_load(after["charts/modelyard/files/kinds.yaml"])
    assert roles["cluster"] == ["notices"]
    assert "chores" in roles["namespaced"]
    assert "chores" in roles["users"]
    assert "notices" not in roles["users"]


@pytest.mark.parametrize(
    "arguments",
    [
        [
            "tests/unit/operator/generate",
            "tests/unit/operator/api",
            "tests/unit/operator/desired/test_golden.py",
        ],
        ["tests/model/test_interleavings.py", "-k", "Chore or Notice"],
    ],
    ids=["generated and golden files", "the model checker"],
)
def test_the_tests_of_every_kind_take_it_in(checkout: Path, arguments: list[str]) -> None:
    toys.run(checkout, "-m", "modelyard_operator.generate", "--write")
    done = toys.run(checkout, "-m", "pytest", "-v", "-p", "no:cacheprovider", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Chore" in done.stdout or "chore" in done.stdout
    assert "Notice" in done.stdout or "notice" in done.stdout


def test_it_keeps_to_the_layers(checkout: Path) -> None:
    script = "from importlinter.cli import lint_imports_command as command; command()"
    done = toys.run(checkout, "-c", script, "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr
