"""The bench's Dataset is one that the operator takes for ready: else no job of a run would begin."""

from datetime import UTC, datetime

from bench.control_plane.subjects import modelyard
from modelyard_operator.plan import Observed
from modelyard_operator.reconcile import dataset
from tests.support.simulated import PLATFORM


def test_the_dataset_of_a_run_is_ready_and_is_not_read_again() -> None:
    manifest = modelyard._dataset("load", ready=True)
    manifest["metadata"] |= {"uid": "u", "generation": 1}
    state = dataset.State.of(Observed(object=manifest, now=datetime.now(UTC), platform=PLATFORM))
    assert state.processed
