"""Chore: its Job is made once, and its status says what became of it."""

from modelyard_operator.api.chore import KIND, Chore
from modelyard_operator.desired import chore_job
from modelyard_operator.plan import Observed, Plan
from modelyard_operator.reconcile import standing
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.standing import Standing


def plan(observed: Observed) -> Plan:
    """What should be, for a Chore."""
    if observed.deleting:
        return Plan()
    chore = Chore.model_validate({"spec": observed.object["spec"]})
    job = chore_job.job(observed, chore.spec)
    found = _standing(observed)
    status = standing.status(observed, found, {"job": job["metadata"]["name"]})
    return Plan(status=status, create=[job], events=standing.events(observed, found))


CONTROLLER = Controller(KIND, plan)


def _standing(observed: Observed) -> Standing:
    ends = {
        condition["type"]
        for job in observed.children_of("Job")
        for condition in job.get("status", {}).get("conditions", [])
        if condition["status"] == "True"
    }
    if "Complete" in ends:
        return Standing("Succeeded", "Succeeded", "the command has succeeded", "Ready")
    if "Failed" in ends:
        return Standing("Failed", "CommandFailed", "the command has failed", "Stalled")
    return Standing("Running", "Running", "the command runs", "Reconciling")
