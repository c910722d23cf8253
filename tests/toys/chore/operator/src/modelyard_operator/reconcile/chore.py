"""Chore: its Job is made once, and its status says what became of it."""

from modelyard_operator.api.chore import KIND, Chore, ChoreStatus, Ordinary, Phase, Reason
from modelyard_operator.desired import chore_job
from modelyard_operator.plan import Observed, Plan
from modelyard_operator.reconcile import conclusion
from modelyard_operator.reconcile.conclusion import Conclusion
from modelyard_operator.reconcile.controller import Controller


def plan(observed: Observed) -> Plan:
    """What should be, for a Chore."""
    if observed.deleting:
        return Plan()
    chore = Chore.model_validate({"spec": observed.object["spec"]})
    job = chore_job.job(observed, chore.spec)
    concluded = _conclude(observed)
    status = conclusion.status(observed, concluded, ChoreStatus(job=job["metadata"]["name"]))
    return Plan(status=status, create=[job], events=conclusion.events(observed, concluded))


CONTROLLER = Controller(KIND, plan)


def _conclude(observed: Observed) -> Conclusion[Phase]:
    ends = {
        condition["type"]
        for job in observed.children_of("Job")
        for condition in job.get("status", {}).get("conditions", [])
        if condition["status"] == "True"
    }
    if "Complete" in ends:
        return Conclusion("Succeeded", Ordinary.SUCCEEDED, "the command has succeeded", "Ready")
    if "Failed" in ends:
        return Conclusion("Failed", Reason.COMMAND_FAILED, "the command has failed", "Stalled")
    return Conclusion("Running", Ordinary.RUNNING, "the command runs", "Reconciling")
