"""What the API server refuses is said with the field of ours that it comes from, and what to do."""

import pytest

from modelyard_operator.policies import rejection, rollout

INVALID = 422


@pytest.mark.parametrize(
    ("text", "status", "advice"),
    [
        (
            'Service "port-server" is invalid: spec.ports[0].nodePort: Invalid value: 30010: provided port '
            "is already allocated",
            INVALID,
            "port 30010 is taken on the nodes: set spec.expose.nodePort to another one, or leave it out",
        ),
        (
            'Service "s" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the '
            "valid range. The range of valid ports is 30000-32767",
            INVALID,
            "set spec.expose.nodePort to a port of 30000-32767",
        ),
        (
            'pods "j-1-0" is forbidden: no PriorityClass with name nope was found',
            rejection.FORBIDDEN,
            "there is no PriorityClass 'nope': create it, or correct spec.pod.priorityClassName",
        ),
        (
            'Pod "j-1-0" is invalid: spec.nodeSelector: Invalid value: "a b": name part must consist of',
            INVALID,
            "correct spec.pod.nodeSelector",
        ),
        (
            'pods "p" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1',
            rejection.FORBIDDEN,
            "ask for less, or raise ResourceQuota 'small'",
        ),
        (
            'pods "p" is forbidden: failed quota: small: must specify limits.memory for: worker',
            rejection.FORBIDDEN,
            "set in spec.resources what ResourceQuota 'small' wants",
        ),
        (
            'pods "p" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
            rejection.FORBIDDEN,
            "set spec.resources to what the namespace's LimitRange allows",
        ),
        (
            'pods is forbidden: User "system:serviceaccount:a:b" cannot create resource "pods"',
            rejection.FORBIDDEN,
            "the operator lacks a right: install the Helm chart",
        ),
        (
            'admission webhook "x" denied the request: not today',
            rejection.FORBIDDEN,
            "a policy of the cluster or the namespace is against it",
        ),
        ("spec.other: Required value", INVALID, "correct the field of the spec"),
    ],
)
def test_a_refusal_says_what_to_do_and_keeps_the_api_servers_words(
    text: str, status: int, advice: str
) -> None:
    said = rejection.explained(text, status)
    assert said.startswith(advice)
    assert said.endswith(f"({text})")


def test_what_nobody_can_correct_is_as_it_is() -> None:
    assert rejection.explained('namespaces "x" not found', 404) == 'namespaces "x" not found'


def test_a_server_without_a_pod_says_what_to_do_too() -> None:
    message = 'pods "d-x" is forbidden: no PriorityClass with name nope was found'
    failure = {"type": "ReplicaFailure", "status": "True", "message": message}
    deployment = {
        "metadata": {"generation": 1},
        "spec": {"replicas": 1, "template": {"metadata": {}}},
        "status": {"observedGeneration": 1, "conditions": [failure]},
    }
    found = rollout.of_deployment(deployment, asked=1, rollout=None)
    assert found.stuck is not None
    assert found.stuck[0] == "PodNotCreated"
    assert "spec.pod.priorityClassName" in found.stuck[1]
