"""What the workers of an attempt know of their resources."""

import pytest

from modelyard_operator.api.pod import Resources
from modelyard_operator.desired import pods


@pytest.mark.parametrize(
    ("resources", "cpus"),
    [
        ({}, None),
        ({"requests": {"memory": "1Gi"}}, None),
        ({"requests": {"cpu": "1500m"}}, 1.5),
        ({"requests": {"cpu": 2}, "limits": {"cpu": "4"}}, 2.0),
        ({"limits": {"cpu": "4"}}, None),
    ],
)
def test_threads_follow_only_what_the_user_requests(resources: dict[str, object], cpus: float | None) -> None:
    assert pods.requested_cpus(Resources.model_validate(resources)) == cpus
