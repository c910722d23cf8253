"""How Docker is called, for the drivers kind and existing."""

from pathlib import Path

import pytest

from modelyard_cluster import registry
from modelyard_cluster.images import docker
from modelyard_cluster.paths import Paths


def test_a_build_sees_the_machines_proxies_and_hands_secrets_over() -> None:
    secret = ["--secret", "id=build-env,src=/tmp/build-env"]
    command = docker.build_command(Path("Containerfile"), Path("context"), "image:tag", secret)
    assert command[:2] == ["docker", "build"]
    assert command[command.index("--network") + 1] == "host"
    assert command[command.index("--secret") + 1] == secret[1]
    assert command[-1] == Path("context")


def test_images_are_named_below_the_users_registry(paths: Paths) -> None:
    target = docker.DockerTarget(paths, "registry.example.com/team/", local=False)
    assert target.reference("operator", "abc") == "registry.example.com/team/modelyard/operator:abc"


def test_the_users_registry_is_asked_through_docker_which_knows_the_login(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def answer(argv: list[str], **options: object) -> str:
        asked.append(argv)
        return "{}"

    monkeypatch.setattr(docker, "output", answer)
    assert docker.DockerTarget(paths, "registry.example.com", local=False).has("operator", "abc")
    assert asked == [["docker", "manifest", "inspect", "registry.example.com/modelyard/operator:abc"]]


def test_the_local_registry_is_asked_directly(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "has_image", lambda host, repository, tag: (host, repository, tag))
    target = docker.DockerTarget(paths, "127.0.0.1:5000", local=True)
    assert target.has("operator", "abc") == ("127.0.0.1:5000", "modelyard/operator", "abc")  # type: ignore[comparison-overlap]


def test_docker_keeps_the_newest_images_and_those_just_built(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    newest_first = [f"registry.example.com/modelyard/operator:v{number}" for number in range(8)]
    listed = {"registry.example.com/modelyard/operator": "\n".join(newest_first)}
    monkeypatch.setattr(docker, "output", lambda argv, **options: listed.get(argv[-1], ""))
    monkeypatch.setattr(docker, "run", lambda argv, **options: ran.append(argv))
    target = docker.DockerTarget(paths, "registry.example.com", local=False)
    assert target.prune({newest_first[6]}) == 2
    assert ran == [["docker", "image", "rm", newest_first[5], newest_first[7]]]
