"""The driver `kind`: a cluster inside Docker, and a registry next to it."""

import json
import time
from pathlib import Path

import yaml

from modelyard_cluster import clients, golang, registry, tools
from modelyard_cluster.command import output, run
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.images import pipeline, prune
from modelyard_cluster.images.docker import DockerTarget
from modelyard_cluster.images.targets import prune_registry
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress
from modelyard_cluster.settings import ADMISSION_PLUGINS, Settings

_REGISTRY_IMAGE = "registry:3"
_STEPS = 6


def kind_config(settings: Settings) -> str:
    """One node, whose node ports answer on 127.0.0.1; images come from the registry next to it."""
    first, _, last = settings.node_ports.partition("-")
    mappings = [
        {"containerPort": port, "hostPort": port, "listenAddress": "127.0.0.1", "protocol": "TCP"}
        for port in range(int(first), int(last or first) + 1)
    ]
    plugins = {"enable-admission-plugins": ",".join(ADMISSION_PLUGINS)}
    admission = {"kind": "ClusterConfiguration", "apiServer": {"extraArgs": plugins}}
    hosts = '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n'
    return yaml.safe_dump(
        {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "networking": {
                "apiServerAddress": "127.0.0.1",
                "podSubnet": settings.pod_cidr,
                "serviceSubnet": settings.service_cidr,
            },
            "nodes": [{"role": "control-plane", "extraPortMappings": mappings}],
            "kubeadmConfigPatches": [yaml.safe_dump(admission)],
            "containerdConfigPatches": [hosts],
        },
        sort_keys=False,
    )


def registry_name(settings: Settings) -> str:
    """The container of the registry."""
    return f"{settings.name}-registry"


def node_name(settings: Settings) -> str:
    """The container of the only node."""
    return f"{settings.name}-control-plane"


def hosts_file(settings: Settings) -> str:
    """Sends the node's containerd to the registry's container for the registry's name on this machine."""
    return f'[host."http://{registry_name(settings)}:5000"]\n'


def create_command(kind: Path, settings: Settings, kubeconfig: Path) -> list[str | Path]:
    """Creates the cluster; the configuration comes on standard input."""
    return [
        *(kind, "create", "cluster", "--name", settings.name, "--config", "-"),
        *("--kubeconfig", kubeconfig, "--wait", "180s"),
    ]


def delete_command(kind: Path, settings: Settings, kubeconfig: Path) -> list[str | Path]:
    """Deletes the cluster."""
    return [kind, "delete", "cluster", "--name", settings.name, "--kubeconfig", kubeconfig]


def run_registry_command(settings: Settings) -> list[str]:
    """Starts the registry; what was pushed survives the cluster in a volume."""
    name = registry_name(settings)
    return [
        *("docker", "run", "--detach", "--restart", "unless-stopped", "--name", name),
        *("--env", "REGISTRY_STORAGE_DELETE_ENABLED=true"),
        *("--publish", f"127.0.0.1:{settings.registry_port}:5000", "--volume", f"{name}:/var/lib/registry"),
        _REGISTRY_IMAGE,
    ]


def collect_command(settings: Settings) -> list[str]:
    """Deletes what no tag in the registry needs."""
    collect = ("registry", "garbage-collect", "--delete-untagged", "/etc/distribution/config.yml")
    return ["docker", "exec", registry_name(settings), *collect]


def remove_registry_commands(settings: Settings) -> list[list[str]]:
    """Removes the registry and what was pushed to it."""
    name = registry_name(settings)
    return [["docker", "rm", "--force", name], ["docker", "volume", "rm", "--force", name]]


def write_hosts_command(settings: Settings) -> list[str]:
    """Writes the hosts file, given on standard input, into the node."""
    folder = f"/etc/containerd/certs.d/{settings.registry_host}"
    return [
        *("docker", "exec", "--interactive", node_name(settings)),
        *("sh", "-c", f"mkdir -p '{folder}' && cat > '{folder}/hosts.toml'"),
    ]


class KindDriver:
    """A cluster inside Docker."""

    name = "kind"

    def __init__(self, settings: Settings, paths: Paths) -> None:
        self._settings = settings
        self._paths = paths
        self._target = DockerTarget(paths, settings.registry_host, local=True)

    def steps(self, *, images: bool) -> int:
        """How many steps `up` has."""
        return _STEPS + (self.image_steps() if images else 0)

    def image_steps(self) -> int:
        """How many steps `images` has."""
        return pipeline.STEPS + 1

    def up(self, progress: Progress, *, images: bool) -> None:
        """Create the cluster unless it works; make it anew if it does not."""
        if not output(["docker", "version", "--format", "{{.Server.Version}}"], timeout=15).strip():
            raise ClusterError(
                "CLUSTER=kind needs a Docker daemon, and none answers. Start Docker, or use CLUSTER=bare "
                "(on Debian or Ubuntu as root)."
            )
        self._paths.state.mkdir(parents=True, exist_ok=True)
        self._paths.driver.write_text(f"{self.name}\n")
        clients.ensure([tools.KIND, tools.KUBECTL, tools.HELM], self._paths, progress)
        with progress.step("Image registry") as step:
            self._ensure_registry()
            step.outcome = f"answers on {self._settings.registry_host}"
        with progress.step("Kubernetes in Docker") as step:
            if not self.problem():
                step.skip(f"is healthy, kubeconfig {self._paths.kubeconfig}")
            else:
                self._create()
                step.outcome = f"up after {step.seconds:.0f} s, kubeconfig {self._paths.kubeconfig}"
        clients.build(tools.VERSITYGW, self._paths, progress)
        golang.forget_sources(self._paths)
        if images:
            self.images(progress)

    def images(self, progress: Progress) -> None:
        """Build and push the images that changed."""
        if not registry.answers(self._settings.registry_host):
            raise ClusterError(
                "The cluster is not up: there is no registry to push to. Run `make cluster` first."
            )
        images = pipeline.ImagePipeline(self._paths, self._target, progress)
        images.build_python_images()
        images.publish()
        self._prune(set(images.finish().values()), progress)

    def down(self, progress: Progress) -> None:
        """Delete the cluster and the registry's container; its volume stays, as a cache."""
        with progress.step("Taking the cluster down"):
            kind = self._kind()
            if kind:
                run(delete_command(kind, self._settings, self._paths.kubeconfig), timeout=180)
            run(["docker", "rm", "--force", registry_name(self._settings)], timeout=60, check=False)
            self._paths.kubeconfig.unlink(missing_ok=True)
            self._paths.driver.unlink(missing_ok=True)

    def purge(self) -> None:
        """Delete what `down` keeps outside our folders: the registry's volume."""
        for command in remove_registry_commands(self._settings):
            run(command, timeout=120, check=False)

    def problem(self) -> str:
        """What is wrong with the cluster; empty if nothing is."""
        if not self._paths.kubeconfig.exists():
            return "the kubeconfig is missing"
        nodes = output([*self._kubectl(), "get", "nodes", "--output=json"], timeout=10)
        if not nodes:
            return "the API server does not answer"
        conditions = [
            condition["status"]
            for node in json.loads(nodes)["items"]
            for condition in node.get("status", {}).get("conditions", [])
            if condition["type"] == "Ready"
        ]
        return "" if conditions and set(conditions) == {"True"} else "the node is not ready"

    def _kubectl(self) -> list[str | Path]:
        kubectl = clients.on_path("kubectl", self._paths) or self._paths.bin / "kubectl"
        return [kubectl, f"--kubeconfig={self._paths.kubeconfig}", "--request-timeout=5s"]

    def _prune(self, current: set[str], progress: Progress) -> None:
        """Remove images of former code that nothing in the cluster names."""
        with progress.step("Old images") as step:
            removed = self._target.prune(current)
            manifests = output(prune.manifests_command(self._kubectl()))
            if not manifests:
                step.outcome = f"{removed} removed from Docker"
                return
            in_use = prune.references_in(manifests, self._target.repositories)
            log = prune.UseLog(self._paths.image_use)
            collect = collect_command(self._settings)
            kept = prune_registry(
                self._settings.registry_host,
                current,
                in_use,
                log,
                lambda: output(collect, timeout=300),
                time.time(),
            )
            step.outcome = f"{removed} removed from Docker, {len(kept)} kept in the registry"

    def _kind(self) -> Path | None:
        link = self._paths.bin / "kind"
        return link if link.exists() else clients.on_path("kind", self._paths)

    def _create(self) -> None:
        kind = self._kind()
        if kind is None:
            raise ClusterError(
                "The program kind is not there although it was built; run `make cluster` again."
            )
        if self._settings.name in output([kind, "get", "clusters"]).split():
            run(
                ["docker", "start", node_name(self._settings)], timeout=60, check=False
            )  # after a restart of Docker
            deadline = time.monotonic() + 45
            while self.problem() and time.monotonic() < deadline:
                time.sleep(1)
            if not self.problem():
                return
            run(delete_command(kind, self._settings, self._paths.kubeconfig), timeout=180)
        create = create_command(kind, self._settings, self._paths.kubeconfig)
        run(create, stdin=kind_config(self._settings), timeout=900)
        connect = ["docker", "network", "connect", "kind", registry_name(self._settings)]
        run(connect, timeout=30, check=False)  # fails if it is connected already
        run(write_hosts_command(self._settings), stdin=hosts_file(self._settings), timeout=30)

    def _ensure_registry(self) -> None:
        host = self._settings.registry_host
        if registry.answers(host) and registry_name(self._settings) in _containers():
            return
        run(["docker", "rm", "--force", registry_name(self._settings)], timeout=60, check=False)
        if registry.answers(host):
            raise ClusterError(f"Something else answers on {host}. End it, or set MODELYARD_REGISTRY_PORT.")
        run(run_registry_command(self._settings), timeout=300)
        deadline = time.monotonic() + 30
        while not registry.answers(host):
            if time.monotonic() > deadline:
                raise ClusterError(f"The image registry does not answer on {host}; see `docker logs`.")
            time.sleep(0.3)


def _containers() -> list[str]:
    return output(["docker", "ps", "--format", "{{.Names}}"]).split()
