"""Notice: its status says how long its text is."""

from modelyard_operator.api.notice import KIND, Notice
from modelyard_operator.plan import Observed, Plan
from modelyard_operator.reconcile import standing
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.standing import Standing


def plan(observed: Observed) -> Plan:
    """What should be, for a Notice."""
    if observed.deleting:
        return Plan()
    notice = Notice.model_validate({"spec": observed.object["spec"]})
    found = Standing("Ready", "Published", "everybody can read it", "Ready")
    status = standing.status(observed, found, {"characters": len(notice.spec.text)})
    return Plan(status=status, events=standing.events(observed, found))


CONTROLLER = Controller(KIND, plan)
