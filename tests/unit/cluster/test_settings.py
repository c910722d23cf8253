"""What can be set, and the sentence for a setting that cannot work."""

import ipaddress

import pytest

from modelyard_cluster.errors import ClusterError
from modelyard_cluster.settings import Settings, load_settings


def test_the_default_ranges_collide_with_no_private_network() -> None:
    settings = load_settings({})
    for text in (settings.pod_cidr, settings.service_cidr):
        network = ipaddress.ip_network(text)
        for private in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"):
            assert not network.overlaps(ipaddress.ip_network(private))


def test_every_setting_comes_from_its_variable() -> None:
    settings = load_settings(
        {
            "MODELYARD_CLUSTER_NAME": "mine",
            "MODELYARD_POD_CIDR": "100.64.0.0/16",
            "MODELYARD_SERVICE_CIDR": "100.65.0.0/16",
            "MODELYARD_API_PORT": "7443",
            "MODELYARD_REGISTRY_PORT": "5050",
            "REGISTRY": "registry.example.com/team",
            "CONTEXT": "staging",
        }
    )
    assert settings == Settings(
        name="mine",
        pod_cidr="100.64.0.0/16",
        service_cidr="100.65.0.0/16",
        api_port=7443,
        registry_port=5050,
        registry="registry.example.com/team",
        context="staging",
    )


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_settings({"REGISTRY": "", "MODELYARD_API_PORT": " "}) == Settings()


def test_dns_is_the_tenth_address_of_the_services() -> None:
    assert Settings(service_cidr="100.65.0.0/16").dns_ip == "100.65.0.10"


def test_the_registry_is_named_by_its_loopback_address() -> None:
    assert Settings(registry_port=5050).registry_host == "127.0.0.1:5050"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"MODELYARD_API_PORT": "https"}, "MODELYARD_API_PORT must be a port number, not 'https'."),
        ({"MODELYARD_REGISTRY_PORT": "70000"}, "MODELYARD_REGISTRY_PORT must be a port number, not '70000'."),
        ({"MODELYARD_POD_CIDR": "pods"}, "MODELYARD_POD_CIDR must be an address range such as 198.18.0.0/16"),
        ({"MODELYARD_POD_CIDR": "100.64.0.1/16"}, "MODELYARD_POD_CIDR must be an address range"),
        (
            {"MODELYARD_SERVICE_CIDR": "100.65.0.0/28"},
            "MODELYARD_SERVICE_CIDR must be an IPv4 range of /24 or larger, not 100.65.0.0/28.",
        ),
        ({"MODELYARD_POD_CIDR": "fd00::/16"}, "MODELYARD_POD_CIDR must be an IPv4 range"),
        (
            {"MODELYARD_POD_CIDR": "198.18.0.0/15"},
            "MODELYARD_POD_CIDR and MODELYARD_SERVICE_CIDR overlap; give them separate ranges.",
        ),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_setting_that_cannot_work_is_named(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(ClusterError) as caught:
        load_settings(environment)
    assert sentence in str(caught.value)
