"""Notice: its status says how long its text is."""

from modelyard_operator.api.notice import KIND, Notice, NoticeStatus, Ordinary, Phase
from modelyard_operator.plan import Observed, Plan
from modelyard_operator.reconcile import conclusion
from modelyard_operator.reconcile.conclusion import Conclusion
from modelyard_operator.reconcile.controller import Controller


def plan(observed: Observed) -> Plan:
    """What should be, for a Notice."""
    if observed.deleting:
        return Plan()
    notice = Notice.model_validate({"spec": observed.object["spec"]})
    concluded = Conclusion[Phase]("Ready", Ordinary.PUBLISHED, "everybody can read it", "Ready")
    status = conclusion.status(observed, concluded, NoticeStatus(characters=len(notice.spec.text)))
    return Plan(status=status, events=conclusion.events(observed, concluded))


CONTROLLER = Controller(KIND, plan)
