"""What ``kubectl apply`` says against resources and pod options that no pod could have: one sentence."""

from typing import Any

import pytest

from tests.integration.crds.test_sentences import NAME, assert_one_sentence, manifest
from tests.support.apiserver import ApiServer

LABEL = "must be the value of a label: letters and digits, with '-', '_' or '.' between"
ONE_SLICE = "one MIG slice for each pod, because PyTorch uses no more: ask for more workers or replicas"
CASES: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "TrainingJob",
        {"resources": {"requests": {"nvidia.com/gpu": 1}}},
        "spec.resources",
        "GPUs and other extended resources: put them in limits (requests, if given, must be equal)",
    ),
    (
        "TrainingJob",
        {"resources": {"limits": {"cpu": "lots"}}},
        "spec.resources.limits[cpu]",
        "must be a quantity, for example 500m or 2Gi",
    ),
    *(
        (
            "TrainingJob",
            {"resources": {"limits": {"memory": quantity}}},
            "spec.resources.limits[memory]",
            "must not be below 0 or above 1E",
        )
        for quantity in (-1, "-1", "2E", "8Ei")
    ),
    (
        "TrainingJob",
        {"resources": {"limits": {"cpu": "2E"}}},
        "spec.resources.limits[cpu]",
        "must not be below 0 or above 1E",
    ),
    *(
        (
            "TrainingJob",
            {"resources": {amount: {"cpu": cores}}},
            f"spec.resources.{amount}",
            "cpu counts cores, at most 1000000 of them: write 500m or 4, for example",
        )
        for amount, cores in (("requests", "1E"), ("limits", 10**18), ("limits", "1000000001m"))
    ),
    *(
        (
            kind,
            {"resources": {amount: {"memory": "512m"}}},
            f"spec.resources.{amount}",
            "memory and storage are bytes, and m is a thousandth: write 512Mi, not 512m",
        )
        for kind, amount in (("TrainingJob", "limits"), ("Deployment", "requests"))
    ),
    *(
        (
            "TrainingJob",
            {"resources": {"limits": {"nvidia.com/gpu": count}}},
            "spec.resources.limits",
            "GPUs and other extended resources are whole numbers, for example nvidia.com/gpu: 1",
        )
        for count in ("1000m", "1500m", "0.5", "1k", 10**7)
    ),
    *(
        ("TrainingJob", {"resources": {"limits": limits}}, field, ONE_SLICE)
        for limits, field in (
            ({"nvidia.com/mig-1g.5gb": 2}, "spec.resources.limits"),
            ({"nvidia.com/mig-1g.5gb": 1, "nvidia.com/mig-2g.10gb": 1}, "spec.resources"),
        )
    ),
    (
        "Deployment",
        {"resources": {"limits": {"gpu": 1}}},
        "spec.resources.limits",
        "must be cpu, memory, ephemeral-storage, or have a domain: nvidia.com/gpu",
    ),
    (
        "TrainingJob",
        {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": 1000000000}}},
        "spec.resources",
        "requests must not be larger than limits",
    ),
    *(
        ("TrainingJob", {"pod": {"tolerations": [toleration]}}, f"spec.pod.tolerations[0]{field}", sentence)
        for toleration, field, sentence in (
            ({"effect": "NoExecute"}, "", "a toleration without a key needs operator: Exists"),
            (
                {"key": "a", "operator": "Exists", "value": "b"},
                "",
                "operator Exists compares no value: leave value out",
            ),
            ({"key": "a", "tolerationSeconds": 1}, "", "tolerationSeconds needs effect: NoExecute"),
            ({"key": "a b"}, ".key", "must be the key of a taint, for example nvidia.com/gpu"),
            ({"key": "a", "value": "b c"}, ".value", LABEL),
        )
    ),
    ("TrainingJob", {"pod": {"nodeSelector": {"disk": "a b"}}}, "spec.pod.nodeSelector[disk]", LABEL),
    ("TrainingJob", {"pod": {"priorityClassName": "A B"}}, "spec.pod.priorityClassName", NAME),
    (
        "TrainingJob",
        {"pod": {"tolerations": [{"operator": "Is"}]}},
        "spec.pod.tolerations[0].operator",
        "unknown: Is; choose one of: Exists, Equal",
    ),
]


@pytest.mark.parametrize(
    ("kind", "spec", "field", "sentence"), CASES, ids=[f"{kind}-{field}" for kind, _, field, _ in CASES]
)
def test_a_bad_field_of_a_pod_gets_one_sentence(
    api_server: ApiServer, namespace: str, kind: str, spec: dict[str, Any], field: str, sentence: str
) -> None:
    assert_one_sentence(api_server, namespace, kind, spec, field, sentence)


def test_quantities_may_be_numbers_or_words(api_server: ApiServer, namespace: str) -> None:
    limits = {"cpu": "1000k", "memory": "2Gi", "nvidia.com/gpu": 2, "nvidia.com/mig-1g.5gb": "1"}
    resources = {"requests": {"cpu": "1500m", "memory": "1500M"}, "limits": limits}
    api_server.apply(manifest("TrainingJob", namespace, resources=resources))
    assert api_server.get("trainingjobs", "x", namespace)["spec"]["resources"] == resources
