"""Ranges that the machine needs itself, and names that pods can resolve."""

from typing import Any

import pytest

from modelyard_cluster.bare import names, network
from modelyard_cluster.settings import Settings

SETTINGS = Settings(pod_cidr="100.64.0.0/16", service_cidr="100.65.0.0/16")


@pytest.mark.parametrize(
    "route",
    [{"dst": "100.64.0.0/10", "dev": "wg0"}, {"dst": "100.65.3.1", "dev": "tun0"}],
    ids=["a VPN around the pods", "an address among the services"],
)
def test_a_route_inside_the_clusters_ranges_is_named(route: dict[str, Any]) -> None:
    assert network.colliding_route(SETTINGS, [route]) == f"{route['dst']} on {route['dev']}"


@pytest.mark.parametrize(
    "route",
    [
        {"dst": "default", "dev": "eth0"},
        {"dst": "192.168.1.0/24", "dev": "eth0"},
        {"dst": "fe80::/64", "dev": "eth0"},
        {"dst": "100.64.0.0/16", "dev": names.BRIDGE},
        {"dst": "not an address", "dev": "eth0"},
    ],
    ids=lambda route: f"{route['dst']} on {route['dev']}",
)
def test_other_routes_and_the_clusters_own_are_in_nobodys_way(route: dict[str, Any]) -> None:
    assert network.colliding_route(SETTINGS, [route]) is None


def test_pods_use_the_machines_name_servers() -> None:
    text = "search lan\nnameserver 192.0.2.1\noptions edns0\n"
    assert network.pod_resolv_conf(text) == text


@pytest.mark.parametrize("loopback", ["127.0.0.53", "127.0.0.1", "::1"])
def test_a_name_server_on_the_loopback_interface_is_left_out(loopback: str) -> None:
    text = network.pod_resolv_conf(f"nameserver {loopback}\nnameserver 192.0.2.1\n")
    assert text == "nameserver 192.0.2.1\n"


@pytest.mark.parametrize("text", ["", "nameserver 127.0.0.53\n", "nameserver\n"])
def test_dns_starts_on_a_machine_that_has_none(text: str) -> None:
    assert "nameserver 192.0.2.53" in network.pod_resolv_conf(text).splitlines()
