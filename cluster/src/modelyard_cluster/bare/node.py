"""Bringing the node of the bare cluster up: containerd, kubeadm, kubelet, kube-proxy, volumes."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from modelyard_cluster import cgroups, tools
from modelyard_cluster.bare import configs, firewall, names, network
from modelyard_cluster.bare.archives import control_plane_images
from modelyard_cluster.bare.containerd import Containerd
from modelyard_cluster.bare.health import Health, kubelet_answers
from modelyard_cluster.bare.teardown import owned_marker
from modelyard_cluster.command import CommandError, run
from modelyard_cluster.daemons import Daemons
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.golang import program
from modelyard_cluster.paths import Paths
from modelyard_cluster.settings import KUBERNETES_VERSION, Settings

Say = Callable[[str], None]

SLOW_SECONDS = 90.0
"""How long a component that is there may take to answer on a machine that is busy with other things."""
RESTART_SECONDS = 25.0
"""How long kubelet may take to start an API server that has ended."""


class Node:
    """The only node of the bare cluster, which also carries the control plane."""

    def __init__(self, settings: Settings, paths: Paths, daemons: Daemons) -> None:
        self._settings = settings
        self._paths = paths
        self._daemons = daemons
        self.containerd = Containerd(paths, daemons)
        self.health = Health(program(tools.KUBERNETES, paths, "kubectl"), names.ADMIN_CONF, settings)

    def prepare_runtime(self, say: Say) -> int:
        """Start containerd and see that it has the control plane's images; the number imported."""
        cgroups.prepare()
        network.configure_kernel(self._paths.state / "kernel-settings.json")
        _, mtu = network.default_route()
        cni = self._paths.config / "cni"
        cni.mkdir(parents=True, exist_ok=True)
        (cni / "10-modelyard.conflist").write_text(configs.cni_config(self._settings, self._paths, mtu))
        self.containerd.start()
        kubeadm = self._program("kubeadm")
        listed = run(
            [kubeadm, "config", "images", "list", f"--kubernetes-version={KUBERNETES_VERSION}"], timeout=30
        )
        return self.containerd.import_images(control_plane_images(self._paths, listed.stdout.split()), say)

    def initialise(self) -> None:
        """Make the control plane with kubeadm, and start what runs next to it."""
        move_foreign_folders(self._paths)
        owned_marker(self._paths).put()
        node_ip, _ = network.default_route()
        config = self._paths.config / "kubeadm.yaml"
        resolv_conf = network.resolver(self._paths.config)
        config.write_text(configs.kubeadm_config(self._settings, self._paths, node_ip, resolv_conf))
        self.start_kubelet()
        command: list[str | Path] = [
            *(self._program("kubeadm"), "init", "--config", config),
            *("--ignore-preflight-errors=all", "--skip-token-print"),
        ]
        try:
            run(command, timeout=240, env=_without_proxies(os.environ))
        except CommandError as error:
            raise ClusterError(
                f"{error}\nThe end of kubelet's log:\n{self._daemons.tail(names.KUBELET)}\n"
                f"Logs: {self._paths.logs}"
            ) from None
        firewall.allow_pods(self._settings.pod_cidr)
        self.start_helpers()
        run(self.health.kubectl("apply", "--filename=-"), stdin=configs.storage_class(), timeout=30)

    def start_kubelet(self) -> None:
        """Start kubelet; it waits for what kubeadm writes."""
        script = configs.kubelet_script(self._program("kubelet"))
        self._start(names.KUBELET, ["/bin/sh", "-c", script])

    def start_helpers(self) -> None:
        """Start kube-proxy and the volume provisioner."""
        self._start(names.KUBE_PROXY, configs.kube_proxy_command(self._program("kube-proxy"), self._settings))
        self._paths.volumes.mkdir(parents=True, exist_ok=True)
        self._start(
            names.PROVISIONER_DAEMON,
            [
                program(tools.PROVISIONER, self._paths),
                f"--kubeconfig={names.ADMIN_CONF}",
                f"--provisioner={names.PROVISIONER}",
                f"--root={self._paths.volumes}",
            ],
        )

    def wait(self, say: Say, patience: float, *, new: bool = False) -> None:
        """Wait until the cluster works."""
        deadline = time.monotonic() + patience
        while problem := self.health.problem(new=new):
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"After {patience:.0f} s {problem}. The end of kubelet's log:\n"
                    f"{self._daemons.tail(names.KUBELET)}\nLogs: {self._paths.logs}"
                )
            say(problem)
            time.sleep(0.3)

    def complete(self) -> None:
        """Note what the cluster was made with, and write the kubeconfig: it stands for a complete one."""
        self._paths.made_with.write_text(self._makings())
        self.write_kubeconfig()

    def is_outdated(self) -> bool:
        """Whether the cluster was made with other programs or settings than it would be now."""
        made_with = self._paths.made_with
        return made_with.is_file() and made_with.read_text() != self._makings()

    def _makings(self) -> str:
        settings = self._settings
        ranges = f"pods {settings.pod_cidr}, services {settings.service_cidr}, port {settings.api_port}"
        return f"{tools.KUBERNETES.key(self._paths.tool_modules)}, {ranges}\n"

    def write_kubeconfig(self) -> None:
        """Write the kubeconfig for users and tests."""
        text = configs.user_kubeconfig(names.ADMIN_CONF.read_text(), self._settings)
        fresh = self._paths.kubeconfig.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        fresh.replace(self._paths.kubeconfig)

    def problem(self) -> str:
        """What is wrong with the cluster, in a few words; empty if nothing is."""
        dead = [name for name in names.NODE_DAEMONS if not self._daemons.is_running(name)]
        if dead:
            return f"{' and '.join(dead)} not running"
        if not self.containerd.answers():
            return "containerd does not answer"
        if not kubelet_answers():
            return "kubelet does not answer"
        if not self._paths.kubeconfig.exists():
            return "the kubeconfig is missing"
        return self.health.problem()

    def is_repairable(self, say: Say) -> bool:
        """Whether the cluster was complete once and its API server answers, be it slowly.

        The kubeconfig is written last: without it the cluster was never complete. While kubelet and
        containerd work, the API server is given time: the machine may be busy, or kubelet starts it again.
        """
        if not owned_marker(self._paths) or not self._paths.kubeconfig.exists():
            return False
        started = time.monotonic()
        while not self.health.api_answers():
            if not self._daemons.is_running(names.KUBELET) or not self.containerd.answers():
                return False
            if time.monotonic() - started > (SLOW_SECONDS if self.health.api_listens() else RESTART_SECONDS):
                return False
            say("waiting for the API server")
            time.sleep(0.5)
        return True

    def repair(self, say: Say) -> bool:
        """While the API server works, start again what does not; whether that was enough."""
        cgroups.prepare()
        if not self.containerd.answers():
            self._daemons.stop(names.CONTAINERD, patience=3)
        if not kubelet_answers():
            self._daemons.stop(names.KUBELET, patience=3)
        self.containerd.start()
        self.start_kubelet()
        self.start_helpers()
        try:
            self.wait(say, patience=SLOW_SECONDS)
        except ClusterError:
            return False
        self.write_kubeconfig()
        return True

    def _program(self, name: str) -> Path:
        return program(tools.KUBERNETES, self._paths, name)

    def _start(self, name: str, argv: list[str | Path]) -> None:
        group = cgroups.group(cgroups.HOST)
        self._daemons.start(name, argv, env=_without_proxies(os.environ), group=group)


def move_foreign_folders(paths: Paths) -> None:
    """Keep what another Kubernetes, which no longer runs, left in the folders that ours will use."""
    if owned_marker(paths):
        return
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for folder in (names.KUBERNETES_CONFIG, names.KUBELET_ROOT, names.ETCD_DATA):
        if folder.is_dir() and any(folder.iterdir()):
            kept = folder.with_name(f"{folder.name}.before-modelyard-{stamp}")
            folder.rename(kept)


def _without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The components talk to nothing but one another."""
    return {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
