"""What a build learns about the machine: enough to reach an index, and nothing that stays."""

import stat
import subprocess
from pathlib import Path

import pytest

from modelyard_cluster.images import buildenv

INDEX = "https://user:secret@index.example.com/simple"


def test_proxies_and_indexes_are_passed_on_and_nothing_else() -> None:
    environment = {
        "https_proxy": "http://proxy.example.com:3128",
        "PIP_INDEX_URL": INDEX,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "HOME": "/root",
    }
    variables = buildenv.build_environment(environment, pip_index="", apt_proxy="")
    assert variables["https_proxy"] == "http://proxy.example.com:3128"
    assert variables["PIP_INDEX_URL"] == INDEX
    assert "AWS_SECRET_ACCESS_KEY" not in variables
    assert "HOME" not in variables


def test_uv_uses_the_index_that_pip_is_set_up_with() -> None:
    variables = buildenv.build_environment({}, pip_index=INDEX, apt_proxy="")
    assert variables["PIP_INDEX_URL"] == variables["UV_DEFAULT_INDEX"] == INDEX


def test_an_index_of_uvs_own_is_kept() -> None:
    variables = buildenv.build_environment({"UV_INDEX_URL": "https://uv.example.com"}, INDEX, "")
    assert variables["UV_INDEX_URL"] == "https://uv.example.com"
    assert "UV_DEFAULT_INDEX" not in variables


def test_the_proxy_of_apt_serves_where_no_other_is_set() -> None:
    proxy = "http://apt.example.com:3142"
    assert buildenv.build_environment({}, "", proxy)["http_proxy"] == proxy
    set_by_user = {"http_proxy": "http://proxy.example.com"}
    assert buildenv.build_environment(set_by_user, "", proxy)["http_proxy"] == "http://proxy.example.com"


def test_a_machine_without_anything_special_needs_nothing_special() -> None:
    assert buildenv.build_environment({}, "", "") == {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def test_a_ca_bundle_is_named_by_its_place_inside_the_build(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.touch()
    variables = buildenv.build_environment({"PIP_CERT": str(bundle)}, "", "")
    assert variables["SSL_CERT_FILE"] == variables["PIP_CERT"] == buildenv.CA_IN_BUILD
    assert str(bundle) not in variables.values()


def test_a_ca_bundle_that_does_not_exist_is_ignored(tmp_path: Path) -> None:
    assert buildenv.ca_bundle({"SSL_CERT_FILE": str(tmp_path / "gone.crt"), "PIP_CERT": ""}) is None


def test_a_value_with_quotes_and_spaces_survives_the_shell() -> None:
    text = buildenv.shell_file({"PIP_INDEX_URL": "https://a'b $HOME"})
    script = f'{text}printf %s "$PIP_INDEX_URL"'
    assert (
        subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True).stdout
        == b"https://a'b $HOME"
    )


def test_the_secrets_are_readable_by_us_alone_and_gone_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(buildenv, "output", lambda *words, **options: "")
    with buildenv.secrets({"PIP_INDEX_URL": INDEX}) as arguments:
        sources = [Path(word.partition("src=")[2]) for word in arguments if "src=" in word]
        assert stat.S_IMODE(sources[0].stat().st_mode) == 0o600
        assert INDEX in sources[0].read_text()
        assert all(source.exists() for source in sources)
    assert not any(source.exists() for source in sources)


def test_the_password_of_an_index_is_not_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buildenv, "output", lambda *words, **options: "")
    with buildenv.secrets({"PIP_INDEX_URL": INDEX}) as arguments:
        assert not any("secret@" in word for word in arguments)
