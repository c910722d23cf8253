"""What can be set, its default, and the environment variable that sets it."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from modelyard_cluster.errors import ClusterError

KUBERNETES_VERSION = "v1.34.4"
"""1.34 is the last release whose kubelet accepts cgroup v1 without being asked to."""
ADMISSION_PLUGINS = ("NodeRestriction", "DenyServiceExternalIPs")
"""In addition to the API server's defaults. NodeRestriction is kubeadm's default. Without the other one, a
user who can create Services can redirect the traffic of any address, including pods of other namespaces
(CVE-2020-8554)."""


def _setting(default: Any, variable: str) -> Any:
    return field(default=default, metadata={"variable": variable})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a local cluster; each can be set by an environment variable."""

    name: str = _setting("modelyard", "MODELYARD_CLUSTER_NAME")
    """Name of the kind cluster, and of the bare cluster's node."""
    pod_cidr: str = _setting("198.18.0.0/16", "MODELYARD_POD_CIDR")
    """Addresses of pods. The default lies in the range for benchmarks (RFC 2544), which no LAN uses."""
    service_cidr: str = _setting("198.19.0.0/16", "MODELYARD_SERVICE_CIDR")
    """Addresses of services."""
    api_port: int = _setting(6443, "MODELYARD_API_PORT")
    """Port of the API server."""
    registry_port: int = _setting(5000, "MODELYARD_REGISTRY_PORT")
    """Port of the local image registry, on the loopback interface only."""
    node_ports: str = _setting("30000-30031", "MODELYARD_KIND_NODE_PORTS")
    """Node ports that kind maps to 127.0.0.1; the bare cluster serves all of 30000-32767 there."""
    registry: str = _setting("", "REGISTRY")
    """Where images are pushed with the driver `existing`, for example registry.example.com/team."""
    context: str = _setting("", "CONTEXT")
    """Context of the user's kubeconfig for the driver `existing`; the current one if empty."""
    debian_mirror: str = _setting("", "MODELYARD_DEBIAN_MIRROR")
    """Mirror for the base image; the machine's own mirror (on Debian) or debootstrap's default if empty."""

    @property
    def dns_ip(self) -> str:
        """Address of the cluster's DNS: the tenth of the service range, as everywhere."""
        return str(ipaddress.ip_network(self.service_cidr)[10])

    @property
    def registry_host(self) -> str:
        """Host and port of the local registry, as it stands in image names."""
        return f"127.0.0.1:{self.registry_port}"


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings, with what the environment says in place of the defaults."""
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        variable = setting.metadata["variable"]
        text = environment.get(variable, "").strip()
        if not text:
            continue
        if setting.type is int:
            if not text.isdigit() or not 0 < int(text) < 65536:
                raise ClusterError(f"{variable} must be a port number, not {text!r}.")
            values[setting.name] = int(text)
        else:
            values[setting.name] = text
    settings = Settings(**values)
    for variable, text in (
        ("MODELYARD_POD_CIDR", settings.pod_cidr),
        ("MODELYARD_SERVICE_CIDR", settings.service_cidr),
    ):
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise ClusterError(
                f"{variable} must be an address range such as 198.18.0.0/16: {error}."
            ) from None
        if network.version != 4 or network.prefixlen > 24:
            raise ClusterError(f"{variable} must be an IPv4 range of /24 or larger, not {text}.")
    if ipaddress.ip_network(settings.pod_cidr).overlaps(ipaddress.ip_network(settings.service_cidr)):
        raise ClusterError(
            "MODELYARD_POD_CIDR and MODELYARD_SERVICE_CIDR overlap; give them separate ranges."
        )
    return settings
