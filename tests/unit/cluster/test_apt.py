"""Which Debian packages are missing."""

from modelyard_cluster import apt


def test_only_what_is_missing_is_installed() -> None:
    assert apt.missing_packages(set(apt.PACKAGES) - {"buildah", "runc"}) == ["buildah", "runc"]


def test_dockers_own_containerd_serves_as_well() -> None:
    installed = set(apt.PACKAGES) - {"containerd", "runc"} | {"containerd.io"}
    assert apt.missing_packages(installed) == []


def test_nothing_is_asked_and_the_users_configuration_is_kept() -> None:
    command = apt.install_command(["buildah"])
    assert "--yes" in command
    assert "Dpkg::Options::=--force-confold" in command
    assert command[-1] == "buildah"
