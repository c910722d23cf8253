"""Caches go where the user wants them; the state of the machine's cluster is in one place."""

from pathlib import Path

import pytest

from modelyard_cluster.paths import load_paths


@pytest.mark.parametrize(
    ("environment", "cache"),
    [
        ({"HOME": "/home/ann"}, "/home/ann/.cache/modelyard"),
        ({"HOME": "/home/ann", "XDG_CACHE_HOME": "/big"}, "/big/modelyard"),
        ({"HOME": "/home/ann", "XDG_CACHE_HOME": "/big", "MODELYARD_CACHE": "/ssd/yard"}, "/ssd/yard"),
    ],
    ids=["home", "XDG_CACHE_HOME", "MODELYARD_CACHE"],
)
def test_the_cache_is_where_the_user_wants_it(environment: dict[str, str], cache: str) -> None:
    assert load_paths(environment).cache == Path(cache)


def test_roots_state_is_the_machines_and_not_the_checkouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert load_paths({"HOME": "/root", "XDG_STATE_HOME": "/elsewhere"}).state == Path("/var/lib/modelyard")


def test_another_users_state_is_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert load_paths({"HOME": "/home/ann"}).state == Path("/home/ann/.local/state/modelyard")


def test_the_checkout_is_found_from_this_file() -> None:
    checkout = load_paths({"HOME": "/root"}).checkout
    assert (checkout / "requirements.lock").is_file()


def test_the_kubeconfig_is_never_the_users_own() -> None:
    paths = load_paths({"HOME": "/home/ann"})
    assert ".kube" not in paths.kubeconfig.parts
