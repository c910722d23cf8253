"""The machine's side of the cluster's network: addresses, routes, kernel settings, interfaces."""

import contextlib
import ipaddress
import json
import shutil
from pathlib import Path
from typing import Any

from modelyard_cluster.bare import names
from modelyard_cluster.command import output, run
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.settings import Settings

_SYSCTL = Path("/proc/sys")
_WANTED = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}
_TOUCHED_BY_KUBERNETES = (
    "net/ipv4/conf/all/route_localnet",
    "vm/overcommit_memory",
    "kernel/panic",
    "kernel/panic_on_oops",
)
"""Set by kubelet and kube-proxy; put back as they were when the cluster is taken down."""
_CNI_RESULTS = Path("/var/lib/cni/results")


def default_route() -> tuple[str, int]:
    """The machine's own address and the largest packet that its interface carries."""
    routes = _json(["ip", "-json", "-4", "route", "show", "default"])
    for route in routes:
        for link in _json(["ip", "-json", "-4", "address", "show", "dev", route["dev"]]):
            addresses = [info["local"] for info in link.get("addr_info", []) if info.get("scope") == "global"]
            if addresses:
                return route.get("prefsrc", addresses[0]), int(link.get("mtu", 1500))
    raise ClusterError(
        "This machine has no default route over IPv4, and Kubernetes needs the machine's own address."
    )


def colliding_route(settings: Settings, routes: list[dict[str, Any]]) -> str | None:
    """A route of the machine that overlaps the addresses of pods or services."""
    ranges = [ipaddress.ip_network(text) for text in (settings.pod_cidr, settings.service_cidr)]
    for route in routes:
        if route.get("dst", "default") == "default" or route.get("dev") == names.BRIDGE:
            continue
        try:
            network = ipaddress.ip_network(route["dst"], strict=False)
        except ValueError:
            continue
        if network.version == 4 and any(network.overlaps(mine) for mine in ranges):
            return f"{route['dst']} on {route.get('dev', 'an unknown interface')}"
    return None


def check_ranges(settings: Settings) -> None:
    """Refuse addresses that the machine needs for something else."""
    collision = colliding_route(settings, _json(["ip", "-json", "-4", "route", "show", "table", "all"]))
    if collision:
        raise ClusterError(
            f"The cluster's ranges {settings.pod_cidr} and {settings.service_cidr} overlap the machine's "
            f"route {collision}. Set MODELYARD_POD_CIDR and MODELYARD_SERVICE_CIDR to free ranges."
        )


def configure_kernel(saved: Path) -> None:
    """Let packets through from pod to pod and out; remember what was set before."""
    if not (_SYSCTL / "net/bridge").exists():
        with contextlib.suppress(ClusterError):
            run(["modprobe", "br_netfilter"], timeout=30, check=False)
    if not saved.exists():
        names_to_save = [*_WANTED, *_TOUCHED_BY_KUBERNETES]
        before = {
            name: (_SYSCTL / name).read_text().strip() for name in names_to_save if (_SYSCTL / name).exists()
        }
        saved.parent.mkdir(parents=True, exist_ok=True)
        saved.write_text(json.dumps(before))
    for name, value in _WANTED.items():
        path = _SYSCTL / name
        if path.exists() and path.read_text().strip() != value:
            path.write_text(value)


def restore_kernel(saved: Path) -> None:
    """Put the kernel's settings back as they were."""
    if not saved.exists():
        return
    for name, value in json.loads(saved.read_text()).items():
        with contextlib.suppress(OSError):
            (_SYSCTL / name).write_text(value)
    saved.unlink()


def remove_interfaces() -> None:
    """Remove the bridge and whatever is attached to it."""
    for link in _json(["ip", "-json", "link", "show", "master", names.BRIDGE]):
        run(["ip", "link", "delete", link["ifname"]], timeout=30, check=False)
    run(["ip", "link", "delete", names.BRIDGE], timeout=30, check=False)


def interfaces_left() -> list[str]:
    """Interfaces of the cluster that are still there."""
    return [
        link["ifname"] for link in _json(["ip", "-json", "link", "show"]) if link["ifname"] == names.BRIDGE
    ]


def remove_cni_results() -> None:
    """Remove what the CNI plugins noted about our pods, and the folder if nothing else is in it."""
    for result in _CNI_RESULTS.glob(f"{names.CNI_NETWORK}-*"):
        sandbox = result.name.removeprefix(f"{names.CNI_NETWORK}-").partition("-")[0]
        for noted in _CNI_RESULTS.glob(f"*-{sandbox}-*"):  # the loopback plugin's, and ours
            noted.unlink(missing_ok=True)
    for folder in (_CNI_RESULTS, _CNI_RESULTS.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def resolver(folder: Path) -> Path:
    """A resolv.conf that also works inside a pod, where the machine's loopback is not reachable."""
    systemd = Path("/run/systemd/resolve/resolv.conf")
    own = Path("/etc/resolv.conf")
    source = systemd if systemd.exists() and "127.0.0.53" in _text(own) else own
    target = folder / "resolv.conf"
    target.write_text(pod_resolv_conf(_text(source)))
    return target


def pod_resolv_conf(text: str) -> str:
    """Without name servers on the loopback interface; an unreachable one if none is left.

    CoreDNS does not start without a name server to forward to, and names inside
    the cluster must resolve on a machine that has no DNS at all.
    """
    kept = []
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and (
            len(words) < 2 or words[1].startswith("127.") or words[1] == "::1"
        ):
            continue
        kept.append(line)
    if not any(line.split()[:1] == ["nameserver"] for line in kept):
        kept.append("nameserver 192.0.2.53")
    return "\n".join(kept) + "\n"


def forget_addresses(run_folder: Path) -> None:
    """Forget which addresses were given to pods."""
    shutil.rmtree(run_folder / "addresses", ignore_errors=True)


def _json(argv: list[str]) -> list[dict[str, Any]]:
    text = output(argv)
    found: list[dict[str, Any]] = json.loads(text) if text.strip() else []
    return [item for item in found if item]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
