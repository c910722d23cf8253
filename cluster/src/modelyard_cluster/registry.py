"""The image registry on the loopback interface."""

import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from modelyard_cluster import cgroups
from modelyard_cluster.command import run
from modelyard_cluster.daemons import Daemons
from modelyard_cluster.errors import ClusterError

DAEMON = "registry"
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def config(data: Path, host: str) -> str:
    """The registry's configuration: files below `data`, deletes allowed, remains of killed pushes removed."""
    return json.dumps(
        {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(data)},
                "delete": {"enabled": True},
                "maintenance": {
                    "uploadpurging": {"enabled": True, "age": "24h", "interval": "24h", "dryrun": False}
                },
            },
            "http": {"addr": host},
        },
        indent=2,
    )


def answers(host: str, timeout: float = 2.0) -> bool:
    """Whether a registry answers."""
    try:
        with _direct.open(f"http://{host}/v2/", timeout=timeout) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def has_data(data: Path, repository: str) -> bool:
    """Whether an image of this name lies in a registry's folder, whether the registry runs or not."""
    tags = data / "docker" / "registry" / "v2" / "repositories" / repository / "_manifests" / "tags"
    return any(tags.glob("*/current/link"))


def has_image(host: str, repository: str, tag: str) -> bool:
    """Whether an image with this tag has been pushed."""
    return _ask(host, f"{repository}/manifests/{tag}", method="HEAD") is not None


def tags(host: str, repository: str) -> list[str]:
    """The tags of all images of one name."""
    answer = _ask(host, f"{repository}/tags/list")
    found: list[str] = (json.loads(answer).get("tags") if answer else None) or []
    return found


def layers(host: str, repository: str, tag: str) -> dict[str, int]:
    """Digest and compressed size of each layer of an image."""
    answer = _ask(host, f"{repository}/manifests/{tag}")
    listed = json.loads(answer).get("layers", []) if answer else []
    return {layer["digest"]: layer["size"] for layer in listed}


def delete_tag(host: str, repository: str, tag: str) -> None:
    """Forget a tag; what only it needed goes with the next `collect_garbage`."""
    _ask(host, f"{repository}/manifests/{tag}", method="DELETE")


def collect_garbage(program: Path, config_file: Path) -> None:
    """Delete what no tag needs. Nothing may be pushed meanwhile: the lock of the commands sees to that."""
    run([program, "garbage-collect", "--delete-untagged", config_file], timeout=300)


def _ask(host: str, path: str, method: str = "GET", timeout: float = 10.0) -> bytes | None:
    """The registry's answer; nothing if it does not answer or refuses."""
    request = urllib.request.Request(f"http://{host}/v2/{path}", method=method)
    request.add_header("Accept", ", ".join(_MANIFESTS))
    try:
        with _direct.open(request, timeout=timeout) as response:
            body: bytes = response.read()
            return body
    except OSError:
        return None


def ensure(program: Path, data: Path, config_file: Path, host: str, daemons: Daemons) -> None:
    """Start the registry unless it answers already, as this version of the code would have it."""
    wanted = config(data, host)
    command: list[str | Path] = [program, "serve", config_file]
    configured = config_file.is_file() and config_file.read_text() == wanted
    if configured and daemons.runs(DAEMON, command) and answers(host):
        return
    daemons.stop(DAEMON)
    cgroups.kill(cgroups.REGISTRY)
    if answers(host):
        raise ClusterError(
            f"Something else answers on {host}. End it, or set MODELYARD_REGISTRY_PORT to another port."
        )
    data.mkdir(parents=True, exist_ok=True)
    config_file.parent.mkdir(parents=True, exist_ok=True)
    config_file.write_text(wanted)
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    group = cgroups.group(cgroups.REGISTRY)
    daemons.start(DAEMON, command, env=environment, group=group)
    deadline = time.monotonic() + 20
    while not answers(host):
        if time.monotonic() > deadline:
            raise ClusterError(f"The image registry does not answer on {host}:\n{daemons.tail(DAEMON)}")
        time.sleep(0.1)
