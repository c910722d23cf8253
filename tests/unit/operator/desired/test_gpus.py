"""Which resources count as GPUs, however their number is written."""

import pytest

from modelyard_operator.api.pod import Resources
from modelyard_operator.desired import pods
from modelyard_operator.policies.gpus import are_missing


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        ({"nvidia.com/gpu": 2}, 2),
        ({"nvidia.com/gpu": "1000m"}, 1),
        ({"nvidia.com/gpu": "1e0"}, 1),
        ({"amd.com/gpu": "1"}, 1),
        ({"nvidia.com/gpu.shared": "1"}, 1),
        ({"nvidia.com/mig-1g.5gb": "1"}, 1),
        ({"nvidia.com/gpu": 0}, 0),
        ({"cpu": "2", "memory": "1Gi", "rdma/hca": 4, "example.com/gpu-memory": 10}, 0),
        (None, 0),
    ],
)
def test_gpus_and_their_slices_are_counted(limits: dict[str, str | int] | None, count: int) -> None:
    assert pods.gpus(Resources(limits=limits)) == count


@pytest.mark.parametrize(
    ("detail", "missing"),
    [
        ("0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: none", True),
        ("0/2 nodes are available: 1 Insufficient cpu, 2 Insufficient nvidia.com/mig-1g.5gb.", True),
        ("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {gpu: true}.", False),
        ("", False),
    ],
)
def test_the_scheduler_says_whether_gpus_are_missing(detail: str, missing: bool) -> None:
    assert are_missing(detail) == missing
