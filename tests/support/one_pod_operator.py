"""``python -m tests.support.one_pod_operator``: the operator, but a TrainingJob has one pod and nothing else.

An API server of the tests takes no pod that mounts a token, and nothing runs there; this one it takes.
"""

from __future__ import annotations

import sys

from modelyard_operator import command
from modelyard_operator.api import training_job
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.plan import Manifest, Observed, Plan
from modelyard_operator.reconcile.controller import Controller

ACCOUNT = "worker"
"""Of the pods."""


def pod_name(job: str) -> str:
    return f"{job}-pod"


def _plan(observed: Observed) -> Plan:
    status: Manifest = {"phase": "Running"}
    if observed.report is not None:
        status["progress"] = {"step": observed.report.step}
    pod: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(observed, pod_name(observed.name)),
        "spec": {
            "containers": [{"name": "c", "image": "image:1"}],
            "restartPolicy": "Never",
            "serviceAccountName": ACCOUNT,
        },
    }
    return Plan(status=status, create=[pod])


CONTROLLER = Controller(training_job.KIND, _plan)

if __name__ == "__main__":
    sys.exit(command.main({CONTROLLER.kind.name: CONTROLLER}))
