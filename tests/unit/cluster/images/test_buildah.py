"""Building without a daemon, and the base image from the machine's own mirror."""

from pathlib import Path

import pytest

from modelyard_cluster.images import buildah
from modelyard_cluster.paths import Paths

LISTED = """\
Debian|http://deb.example.org/debian|bookworm
Debian|http://deb.example.org/debian|bookworm
Debian|http://deb.example.org/debian/|bookworm-updates
Debian|https://security.example.org/debian-security|bookworm-security
Docker|https://docker.example.org/linux/debian|bookworm
Debian|http://deb.example.org/debian|trixie
Debian|http://ann:secret@private.example.org/debian|bookworm
Debian|file:/srv/mirror|bookworm

"""


def test_debians_own_sources_of_this_release_are_used_each_once() -> None:
    assert buildah.parse_sources(LISTED) == [
        ("http://deb.example.org/debian", "bookworm"),
        ("http://deb.example.org/debian", "bookworm-updates"),
        ("https://security.example.org/debian-security", "bookworm-security"),
    ]


def test_a_mirror_with_a_password_does_not_end_up_in_an_image() -> None:
    assert not any("secret" in uri for uri, _ in buildah.parse_sources(LISTED))


def test_a_machine_that_runs_another_system_has_no_sources_for_it() -> None:
    assert buildah.parse_sources("Ubuntu|http://archive.example.org/ubuntu|noble\n") == []
    assert buildah.parse_sources("") == []


def test_debootstrap_uses_its_default_mirror_where_none_is_known() -> None:
    assert buildah.debootstrap_command(Path("/base"), "")[-1] == Path("/base")
    assert buildah.debootstrap_command(Path("/base"), "http://deb.example.org/debian")[-1] == (
        "http://deb.example.org/debian"
    )


def test_our_layers_are_kept_apart_from_the_users_images(paths: Paths) -> None:
    command = buildah.Buildah(paths).command("images")
    assert command[command.index("--root") + 1] == paths.buildah_storage
    assert command[command.index("--runroot") + 1] == paths.buildah_run


def test_builds_use_layers_again_and_a_runtime_that_knows_mixed_control_groups(paths: Paths) -> None:
    command = buildah.Buildah(paths).build_command(Path("Containerfile"), Path(), "image:tag", [])
    assert "--layers" in command
    assert command[command.index("--runtime") + 1] == "runc"


def test_secrets_reach_the_build_and_only_the_build(paths: Paths) -> None:
    secret = ["--secret", "id=build-env,src=/tmp/build-env"]
    command = buildah.Buildah(paths).build_command(Path("Containerfile"), Path(), "image:tag", secret)
    assert command[command.index("--secret") + 1] == secret[1]
    assert not any("--build-arg" in str(word) for word in command)


def test_images_are_pushed_over_plain_http(paths: Paths) -> None:
    command = buildah.Buildah(paths).push_command("image:tag", "127.0.0.1:5000/modelyard/operator:tag")
    assert "--tls-verify=false" in command
    assert command[-1] == "docker://127.0.0.1:5000/modelyard/operator:tag"


def test_builds_share_the_package_cache_with_the_checkouts_environment(paths: Paths) -> None:
    environment = buildah.Buildah(paths).environment()
    link = Path(environment["TMPDIR"]) / "buildah-cache" / "uv"
    assert link.resolve() == paths.uv_cache.resolve()
    buildah.Buildah(paths).environment()
    assert link.is_symlink()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in ("usr/share/doc/bash", "var/cache/apt", "etc/apt", "etc/dpkg/dpkg.cfg.d", "usr/bin"):
        (root / folder).mkdir(parents=True)
    (root / "usr/share/doc/bash/README").write_text("long")
    (root / "usr/bin/bash").write_text("needed")
    return root


def test_documentation_is_left_out_of_the_base_image_and_programs_are_not(root: Path) -> None:
    buildah.trim(root, [])
    assert not (root / "usr/share/doc/bash").exists()
    assert (root / "usr/bin/bash").exists()
    assert "path-exclude /usr/share/doc/*" in (root / "etc/dpkg/dpkg.cfg.d/docker").read_text()


def test_builds_see_security_updates(root: Path) -> None:
    buildah.trim(root, buildah.parse_sources(LISTED))
    sources = (root / "etc/apt/sources.list").read_text()
    assert "deb https://security.example.org/debian-security bookworm-security main\n" in sources


def test_the_machines_name_and_name_servers_are_in_no_image(root: Path) -> None:
    buildah.trim(root, [])
    assert (root / "etc/hostname").read_text() == "debian\n"
    assert (root / "etc/resolv.conf").read_text() == ""
