"""Where credentials come from, and that a rotated token is used."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelyard_operator.kube import credentials
from modelyard_operator.kube.credentials import LoginError, Token


def kubeconfig(folder: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None) -> Path:
    path = folder / "config"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "mine"}}],
                "clusters": [{"name": "k", "cluster": cluster or {"server": "http://localhost:8001/"}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return path


def test_a_kubeconfig_with_a_token(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "abc"})
    access = credentials.load({"KUBECONFIG": str(path)}, tmp_path / "none")
    assert (access.server, access.namespace) == ("http://localhost:8001", "mine")
    assert access.authorization() == "Bearer abc"


def test_a_kubeconfig_with_a_password(tmp_path: Path) -> None:
    access = credentials.from_kubeconfig([kubeconfig(tmp_path, {"username": "a", "password": "b"})])
    assert access.authorization() == "Basic " + base64.b64encode(b"a:b").decode()


def test_a_token_file_is_named_relative_to_its_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t1\n")
    access = credentials.from_kubeconfig([kubeconfig(tmp_path, {"tokenFile": "token"})])
    assert access.authorization() == "Bearer t1"


def test_of_several_kubeconfigs_the_first_wins(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    first, second = kubeconfig(tmp_path, {"token": "first"}), kubeconfig(other, {"token": "second"})
    assert credentials.from_kubeconfig([first, second]).authorization() == "Bearer first"


def test_a_pod_uses_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("pod-token")
    (tmp_path / "namespace").write_text("system")
    monkeypatch.setattr("ssl.create_default_context", lambda cafile: None)
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    access = credentials.load(environment, tmp_path)
    assert (access.server, access.namespace) == ("https://[fd00::1]:6443", "system")
    assert access.authorization() == "Bearer pod-token"


def test_a_rotated_token_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    file = tmp_path / "token"
    file.write_text("old")
    token = Token(file=file)
    assert token.current() == "old"
    file.write_text("new")
    assert token.current() == "old"
    assert token.current(fresh=True) == "new"
    file.write_text("newer")
    now = 61.0
    assert token.current() == "newer"


def test_no_secret_is_ever_printed() -> None:
    access = credentials.Access("http://x", None, Token("hush"), ("a", "hush"))
    assert "hush" not in repr(access)


@pytest.mark.parametrize("user", [{"exec": {"command": "aws"}}, {"auth-provider": {"name": "gcp"}}])
def test_users_that_need_a_program_are_refused_with_advice(tmp_path: Path, user: dict[str, Any]) -> None:
    with pytest.raises(LoginError, match="kubectl create token"):
        credentials.from_kubeconfig([kubeconfig(tmp_path, user)])


def test_without_any_credentials_the_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(LoginError, match="KUBECONFIG is not set"):
        credentials.load({}, tmp_path)


def test_an_unreadable_or_empty_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoginError, match="cannot be read"):
        credentials.from_kubeconfig([tmp_path / "missing"])
    (tmp_path / "empty").write_text("")
    with pytest.raises(LoginError, match="set current-context"):
        credentials.from_kubeconfig([tmp_path / "empty"])
