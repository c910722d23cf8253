"""Whatever a pod of an object reports, the object is reconciled: nothing raises, and the status is JSON."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from modelyard_algorithms.contract.report import Report
from modelyard_operator.plan import Plan
from tests.support.simulated import Simulation
from tests.unit.operator.reconcile import test_dataset, test_deployment, test_training_job

CASES: dict[str, Any] = {
    "Dataset": lambda: test_dataset.reading(test_dataset.dataset()),
    "TrainingJob": test_training_job.running,
    "Deployment": test_deployment.serving,
}
stages = st.sampled_from(
    ["Preparing", "Listing", "Validating", "Training", "Evaluating", "Publishing", "Serving"]
)
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "9" * 400, "\x00", "2026-01-01T00:00:00Z", "NaN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
counts = st.integers(0, 3) | st.integers(0, 2**53 - 1)
amounts = st.floats(0, 1e15) | st.sampled_from([0.0, 1e-320, 59.5, 3599.9, 1e15])
texts = st.text(st.characters(exclude_categories=["C"]), max_size=40)
times = st.datetimes(
    min_value=datetime(2000, 1, 1),
    max_value=datetime(2026, 1, 2),
).map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z")
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "attempt": counts,
    "message": st.none() | texts,
    "reason": st.none() | st.sampled_from(["StoreUnreachable", "Stalled", "x y"]),
    "epoch": st.none() | counts,
    "epochs": st.none() | counts,
    "step": st.none() | counts,
    "steps": st.none() | counts,
    "percent": st.none() | st.floats(0, 100),
    "secondsLeft": st.none() | amounts,
    "samplesPerSecond": st.none() | amounts,
    "metrics": st.dictionaries(
        st.sampled_from(["loss", "train/accuracy", "validation/accuracy", "x"]),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    "checkpoint": st.none() | st.fixed_dictionaries({"epoch": counts, "step": counts, "key": texts}),
    "model": st.none() | st.fixed_dictionaries({"source": texts, "digest": texts, "bytes": counts}),
    "time": times,
}
reports = st.fixed_dictionaries({"stage": stages}, optional=FIELDS)
hurried = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def received(kind: str, body: dict[str, Any]) -> Report | None:
    """What comes of it on receipt; None: it is refused."""
    about = {"kind": kind, "namespace": "team", "name": "x", "uid": "u", "time": "2026-01-01T00:00:00Z"}
    try:
        return Report.model_validate_json(json.dumps(about | body))
    except ValidationError:
        return None


def reconciled(kind: str, report: Report) -> Plan:
    """The plan that it leads to, however the object stands."""
    sim: Simulation = CASES[kind]()
    sim.report = report
    first = sim.reconcile()
    for pod in sim.children_of("Pod"):
        sim.pod_ends(pod["metadata"]["name"], 1, message=json.dumps({"reason": "TrainingError"}))
    sim.tick(120)
    sim.reconcile()
    return first


@pytest.mark.parametrize("kind", CASES)
@hurried
@given(body=reports)
def test_a_report_in_its_bounds_is_shown(kind: str, body: dict[str, Any]) -> None:
    report = received(kind, body)
    if report is None:
        return
    plan = reconciled(kind, report)
    json.dumps(plan.status, allow_nan=False)
    assert plan.status is not None
    assert len(plan.status["message"]) < 2000
    assert math.isfinite(plan.requeue_after or 0.0)


@pytest.mark.parametrize("kind", CASES)
@hurried
@given(body=st.dictionaries(st.sampled_from(["stage", *FIELDS]), junk), stage=stages)
def test_whatever_else_is_refused_or_harmless(kind: str, body: dict[str, Any], stage: str) -> None:
    report = received(kind, {"stage": stage} | body)
    if report is not None:
        json.dumps(reconciled(kind, report).status, allow_nan=False)
