"""The local registry: what is removed from it, and in which order."""

import pytest

from modelyard_cluster import registry
from modelyard_cluster.images import prune, targets
from modelyard_cluster.images.buildah import Buildah
from modelyard_cluster.paths import Paths
from modelyard_cluster.settings import Settings

NOW = 1_000_000.0
OPERATOR = "127.0.0.1:5000/modelyard/operator"


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the registry and of buildah, with seven images of the operator and one store."""
    done: list[str] = []
    stored = {"operator": [f"v{number}" for number in range(7)], "store": ["v0"]}
    monkeypatch.setattr(registry, "tags", lambda host, name: stored.get(name.rpartition("/")[2], []))
    monkeypatch.setattr(registry, "layers", lambda host, name, tag: {"sha256:base": 1_000_000})
    monkeypatch.setattr(registry, "delete_tag", lambda host, name, tag: done.append(f"delete {tag}"))
    monkeypatch.setattr(registry, "collect_garbage", lambda program, config: done.append("collect"))
    monkeypatch.setattr(Buildah, "prune", lambda self, names, kept: done.append(f"buildah keeps {len(kept)}"))
    return done


def _prune(paths: Paths, in_use: set[str]) -> set[str]:
    paths.state.mkdir(exist_ok=True)
    log = prune.UseLog(paths.image_use)
    for age in range(7):
        log.note([f"{OPERATOR}:v{6 - age}"], NOW - 100_000 * (7 - age))
    return targets.LocalRegistry(Settings(), paths).prune({f"{OPERATOR}:v0"}, in_use, NOW)


def test_old_images_are_deleted_and_then_their_files(paths: Paths, done: list[str]) -> None:
    kept = _prune(paths, set())
    assert done == ["delete v5", "delete v6", "collect", "buildah keeps 6"]
    assert f"{OPERATOR}:v6" not in kept
    assert f"{OPERATOR}:v6" not in prune.UseLog(paths.image_use).read()


def test_what_the_cluster_uses_stays(paths: Paths, done: list[str]) -> None:
    assert f"{OPERATOR}:v6" in _prune(paths, {f"{OPERATOR}:v6"})
    assert "delete v6" not in done


def test_the_images_of_this_run_stay_even_if_the_registry_is_silent(
    paths: Paths, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "tags", lambda host, name: [])
    assert _prune(paths, set()) == {f"{OPERATOR}:v0"}
    assert "collect" not in done
