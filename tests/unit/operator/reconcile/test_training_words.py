"""What a TrainingJob says: in the columns of kubectl get, after its end, and while it is suspended."""

import copy
import dataclasses
from typing import Any

from modelyard_operator.reconcile.training_attempt import QUIET_SECONDS
from modelyard_operator.reconcile.training_end import AGAIN, EDITED
from tests.support.simulated import Simulation
from tests.unit.operator.reconcile.test_training_job import (
    DATASET,
    SUCCESS,
    dataset,
    job,
    names,
    outcome,
    report,
    running,
)


def trains(sim: Simulation, step: int = 5, **fields: Any) -> None:
    sim.report = report(sim, epoch=1, epochs=4, step=step, steps=20, seconds_left=130, **fields)
    sim.settle()


class TestReason:
    def test_it_is_absent_while_the_phase_says_all(self) -> None:
        sim = job()
        sim.settle()
        assert "reason" not in sim.status
        sim.pods_run()
        sim.settle()
        assert (sim.status["phase"], "reason" in sim.status) == ("Running", False)

    def test_it_says_why_a_job_does_not_start(self) -> None:
        sim = job(workers=1)
        sim.settle()
        full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}
        sim.set_pod("j-1-0", phase="Pending", conditions=[full])
        sim.settle()
        assert (sim.status["phase"], sim.status["reason"]) == ("Starting", "Unschedulable")
        sim.set_pod("j-1-0")
        sim.pods_run()
        sim.settle()
        assert (sim.status["phase"], "reason" in sim.status) == ("Running", False)

    def test_it_stays_through_the_pause_before_the_next_attempt_and_after_the_last(self) -> None:
        sim = running(backoffLimit=1, workers=1)
        sim.pod_ends("j-1-0", 137, reason="OOMKilled")
        sim.settle()
        assert (sim.status["phase"], sim.status["reason"]) == ("Restarting", "OOMKilled")
        sim.tick(60)
        sim.settle()
        sim.pods_run()
        sim.settle()
        assert "reason" not in sim.status
        sim.pod_ends("j-2-0", 137, reason="OOMKilled")
        sim.settle()
        assert (sim.status["phase"], sim.status["reason"]) == ("Failed", "OOMKilled")

    def test_it_says_what_a_worker_waits_for_while_it_waits(self) -> None:
        sim = running()
        words = "object store at http://store:9000 unreachable (NameResolutionError), retrying"
        trains(sim, message=words, reason="StoreUnreachable")
        assert (sim.status["phase"], sim.status["reason"]) == ("Running", "StoreUnreachable")
        assert sim.status["message"] == f"attempt 1: epoch 1/4 ({words})"
        assert sim.condition("Reconciling")["message"] == words
        assert sim.condition("Stalled")["status"] == "False"
        trains(sim, step=6)
        assert (sim.status["phase"], "reason" in sim.status) == ("Running", False)


class TestAnew:
    """Checkpoints are of use only to an attempt on the same data with the same hyperparameters."""

    def again(self, sim: Simulation, replaced: bool = False, **spec: Any) -> str:
        """What the next attempt says as it begins."""
        sim.edit(suspend=True)
        sim.settle()
        if replaced:
            found = copy.deepcopy(dataset(version="sha256:" + "cd" * 32))
            found["metadata"]["uid"] = "33333333-2222-3333-4444-555555555555"
            sim.references[DATASET] = found
        sim.edit(suspend=False, **spec)
        begun = sim.reconcile()
        (event,) = begun.events
        assert (event.reason, event.message) == ("Starting", sim.status["message"])
        sim.settle()
        assert sim.status["message"] == sim.condition("Reconciling")["message"] == event.message
        return event.message

    def test_a_dataset_that_was_made_again_is_named(self) -> None:
        assert self.again(running(), replaced=True) == (
            "attempt 2: starting 2 workers; begins anew, without the checkpoints of attempt 1: Dataset "
            "'digits' was made again and has another version"
        )

    def test_edited_hyperparameters_are_named(self) -> None:
        sim = running(workers=1)
        assert self.again(sim, hyperparameters={"epochs": 7}) == (
            "attempt 2: starting 1 worker; begins anew, without the checkpoints of attempt 1: "
            "spec.hyperparameters was edited"
        )
        sim.pods_run()
        sim.settle()
        assert sim.status["message"] == "attempt 2: running"

    def test_another_dataset_in_the_spec_is_an_edit_of_it(self) -> None:
        sim = running()
        other = dataset(version="sha256:" + "cd" * 32)
        other["metadata"] |= {"name": "more", "uid": "3" * 36}
        sim.references[dataclasses.replace(DATASET, name="more")] = other
        said = self.again(sim, datasets=[{"channel": "train", "dataset": "more"}])
        assert said.endswith("without the checkpoints of attempt 1: spec.datasets was edited")

    def test_an_edit_that_changes_no_result_goes_on_from_the_checkpoints(self) -> None:
        assert self.again(running(), workers=3) == "attempt 2: starting 3 workers"


class TestTimeLeft:
    def test_it_is_there_while_the_training_moves(self) -> None:
        sim = running()
        trains(sim)
        assert sim.status["progress"]["timeLeft"] == "2m10s"

    def test_it_goes_where_nothing_moves_any_more_and_comes_back(self) -> None:
        sim = running()
        trains(sim)
        sim.tick(QUIET_SECONDS + 1)
        trains(sim)
        assert "timeLeft" not in sim.status["progress"]
        assert sim.status["progress"]["summary"] == "epoch 1/4"
        trains(sim, step=6)
        assert sim.status["progress"]["timeLeft"] == "2m10s"

    def test_a_job_that_does_not_run_has_none(self) -> None:
        for spec, change in (({"suspend": True}, "Suspended"), ({"workers": 3}, "Restarting")):
            sim = running()
            trains(sim)
            sim.edit(**spec)
            sim.reconcile()
            assert sim.status["phase"] == change
            assert "timeLeft" not in sim.status["progress"]
            assert sim.status["progress"]["step"] == 5

    def test_nor_has_one_that_has_failed(self) -> None:
        sim = running(backoffLimit=0)
        trains(sim)
        sim.pod_ends("j-1-0", 1, outcome("TrainingError"))
        sim.settle()
        assert (sim.status["phase"], "timeLeft" in sim.status["progress"]) == ("Failed", False)


class TestAfterTheEnd:
    def ended(self) -> Simulation:
        sim = running(workers=1)
        sim.pod_ends("j-1-0", 0, SUCCESS)
        sim.settle()
        assert sim.status["phase"] == "Succeeded"
        return sim

    def test_what_to_do_after_the_last_failure_works(self) -> None:
        """An edit does not: so the advice to raise a limit must not be the last word."""
        sim = running(backoffLimit=0, workers=1)
        sim.pod_ends("j-1-0", 137, reason="OOMKilled")
        sim.settle()
        said = sim.status["message"]
        assert said.startswith("j-1-0 ran out of memory: raise spec.resources.limits.memory")
        assert said.endswith(f"; {AGAIN}")
        assert "delete it and apply it with the change" in AGAIN

    def test_a_failure_that_another_attempt_follows_speaks_of_no_deletion(self) -> None:
        sim = running(workers=1)
        sim.pod_ends("j-1-0", 137, reason="OOMKilled")
        sim.settle()
        assert "delete it" not in sim.status["message"]

    def test_an_edit_that_came_too_late_is_said_once_and_taken_back(self) -> None:
        """The API server refuses it once it knows of the end; it may come in the moment before."""
        sim = self.ended()
        before = sim.status["message"]
        sim.edit(hyperparameters={"epochs": 7})
        sim.settle()
        assert sim.status["message"] == f"{before}; {EDITED}"
        assert sim.events.count("SpecEdited") == 1
        sim.edit(hyperparameters={})
        sim.settle()
        assert sim.status["message"] == before
        assert sim.events.count("SpecEdited") == 1

    def test_an_edit_of_what_happens_to_it_is_no_such_edit(self) -> None:
        sim = self.ended()
        before = sim.status["message"]
        sim.edit(suspend=True, ttlSecondsAfterFinished=3600, deletionPolicy="Delete", backoffLimit=9)
        sim.settle()
        assert sim.status["message"] == before


class TestSuspended:
    def test_a_job_that_begins_suspended_is_validated(self) -> None:
        sim = job(suspend=True, hyperparameters={"epochs": -3})
        sim.settle()
        assert (sim.status["phase"], sim.status["reason"]) == ("Invalid", "InvalidHyperparameters")
        assert sim.status["message"].startswith(
            "suspended, and cannot go on as it is: hyperparameter 'epochs' is -3"
        )
        assert sim.condition("Stalled")["status"] == "True"
        assert sim.events == ["InvalidHyperparameters"]
        sim.edit(hyperparameters={"epochs": 3})
        sim.settle()
        assert (sim.status["phase"], "reason" in sim.status) == ("Suspended", False)
        sim.edit(suspend=False)
        sim.settle()
        assert names(sim) == ["j-1-0", "j-1-1"]

    def test_a_wrong_edit_of_one_that_is_suspended_leaves_no_pod(self) -> None:
        sim = running()
        sim.tick(10)
        sim.edit(suspend=True, hyperparameters={"epocs": 3})
        sim.settle()
        assert (sim.status["phase"], names(sim)) == ("Invalid", [])
        assert sim.status["activeSeconds"] == 10
        sim.edit(suspend=False, hyperparameters={})
        sim.settle()
        assert names(sim) == ["j-2-0", "j-2-1"]

    def test_one_that_waits_for_its_dataset_is_just_suspended(self) -> None:
        sim = job(suspend=True)
        sim.references.clear()
        sim.settle()
        assert sim.status["phase"] == "Suspended"
        assert sim.status["message"] == "suspended: set spec.suspend to false to start it"
