"""The Job of a Chore."""

from modelyard_operator.api.chore import ChoreSpec
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.plan import Manifest, Observed


def job(owner: Observed, spec: ChoreSpec) -> Manifest:
    """A batch/v1 Job with one container, named after the Chore."""
    container = {"name": "chore", "image": owner.platform.runtime_image, "command": list(spec.command)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(owner, f"{owner.name}-chore"),
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }
