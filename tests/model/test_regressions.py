"""Interleavings that the checker has found and that once ended badly, as it printed them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelyard_operator import naming
from modelyard_operator.policies.pod_start import LONGEST_START_SECONDS
from tests.model.history import SPLITS, status_of
from tests.model.training_jobs import TrainingJobs, TwoReplicas


@pytest.fixture
def state() -> Iterator[TrainingJobs]:
    """A checker whose steps the test takes itself; at the end all must be well."""
    found = TrainingJobs()
    yield found
    found.teardown()


def test_a_pod_without_its_owners_uid_is_still_the_owners(state: TrainingJobs) -> None:
    """It counted as deleted: the next attempt began while it ran on."""
    state.begin(spec={"suspend": False}, workers=1)
    state.all_is_well_for_a_while()
    state.somebody_edits_a_pods_labels(label=naming.UID_LABEL, value=None, which=0)
    state.nothing_is_broken()


def test_a_pod_without_its_owners_name_still_wakes_the_owner(state: TrainingJobs) -> None:
    """Nobody was told of it any more: the job stayed in Starting for ever."""
    state.begin(spec={"suspend": False}, workers=1)
    state.somebody_edits_a_pods_labels(label=naming.NAME_LABEL, value=None, which=0)


def test_a_pod_whose_rank_is_no_number(state: TrainingJobs) -> None:
    """The plan raised, and nobody looked after the gang any more."""
    state.begin(spec={"suspend": False}, workers=2)
    state.all_is_well_for_a_while()
    state.somebody_edits_a_pods_labels(label=naming.RANK_LABEL, value="other", which=0)
    state.a_pod_ends(how="crashes", which=1)
    state.nothing_is_broken()


def test_a_starting_pod_without_the_label_that_the_watch_selects_by(state: TrainingJobs) -> None:
    """It was found by its name again and again, and never seen to run: requests without end."""
    state.begin(spec={"suspend": False}, workers=1)
    state.history_is_compacted()
    state.a_worker_reports(late=False, name="a", step=0)
    state.somebody_edits_a_pods_labels(label=naming.KIND_LABEL, value=None, which=0)
    state.a_worker_reports(late=False, name="a", step=0)


@pytest.mark.parametrize("edit", [{}, {"workers": 1}])
def test_a_pod_that_cannot_be_made_again_says_why(state: TrainingJobs, edit: dict[str, int]) -> None:
    """With its Dataset deleted meanwhile the job rested in Starting and said only "starting"; with an
    edit besides, that the attempt goes on, which it could not."""
    state.begin(spec={"suspend": False}, workers=2)
    state.somebody_deletes_a_dataset(name="d")
    state.a_pod_is_evicted(which=0)
    state.somebody_edits(name="a", spec=edit)
    state.all_is_well_for_a_while()
    assert "lacks pods" in status_of(state.world.find("TrainingJob", "a"))["message"]
    assert "Dataset 'd'" in status_of(state.world.find("TrainingJob", "a"))["message"]


@pytest.mark.parametrize("pause", [[{"suspend": True}, {"suspend": False}], [{"workers": 2}]])
def test_a_new_version_of_the_dataset_costs_no_checkpoint(
    state: TrainingJobs, pause: list[dict[str, bool | int]]
) -> None:
    """A suspended job, and one that got another worker, took the new version, and so began anew."""
    state.begin(spec={"suspend": False}, workers=1)
    state.all_is_well_for_a_while()
    state.a_dataset_changes(name="d", version="2")
    for spec in pause:
        state.somebody_edits(name="a", spec=spec)
        state.all_is_well_for_a_while()
    assert status_of(state.world.find("TrainingJob", "a"))["attempt"] == 2


def test_a_gang_that_starts_late_and_unseen_is_not_ended(state: TrainingJobs) -> None:
    """Its pod has waited for its container for as long as one may, and the watch is behind when it starts."""
    state.begin(spec={"suspend": False, "stallTimeoutSeconds": 600}, workers=1)
    world = state.world
    [pod] = world.kubelet.pods()
    pod = world.kubelet.schedule(pod)
    world.pass_time(LONGEST_START_SECONDS - 100)
    assert status_of(world.find("TrainingJob", "a"))["reason"] == "ContainerCreating"
    world.replicas[0].wire.lag["Pod"] = 300.0
    world.kubelet.run(pod)
    world.pass_time(200)
    status = status_of(world.find("TrainingJob", "a"))
    assert (status["phase"], status["attempt"]) == ("Running", 1)


def test_a_gang_that_never_starts_is_ended(state: TrainingJobs) -> None:
    """It stayed in Starting for ever, and said nothing."""
    state.begin(spec={"suspend": False, "stallTimeoutSeconds": 10}, workers=1)
    [pod] = state.world.kubelet.pods()
    state.world.kubelet.schedule(pod)
    state.world.pass_time(LONGEST_START_SECONDS + 5)
    status = status_of(state.world.find("TrainingJob", "a"))
    assert (status["attempt"], status["failure"]["reason"]) == (1, "Stalled")


def test_a_clock_that_was_an_hour_behind(state: TrainingJobs) -> None:
    """What was reckoned by it waited for an hour after the clock was right again."""
    state.begin(spec={"ttlSecondsAfterFinished": 0}, workers=1)
    state.all_is_well_for_a_while()
    state.a_gang_succeeds(name="a")
    state.the_clock_jumps(seconds=-3600.0)
    state.time_passes(seconds=1.0)
    state.all_is_well_for_a_while()
    assert state.world.find("TrainingJob", "a") is None


def test_a_clock_that_is_put_back_during_a_back_off(state: TrainingJobs) -> None:
    """The next attempt waited until the clock had caught up."""
    state.begin(spec={"suspend": False}, workers=1)
    state.all_is_well_for_a_while()
    state.world.clock_error = 3600.0
    state.a_pod_ends(how="crashes", which=0)
    state.time_passes(seconds=1.0)
    state.world.clock_error = 0.0
    for _ in range(10):
        state.the_cluster_works(seconds=3.0)
    assert status_of(state.world.find("TrainingJob", "a"))["phase"] == "Running"


def test_an_attempt_whose_end_was_cut_off_leaves_no_pod_while_the_job_waits(state: TrainingJobs) -> None:
    """The status said that the attempt had ended, the answer to that got lost before the pods were deleted,
    and its Dataset was gone: the job waited for that, and the pods ran on."""
    state.begin(spec={"suspend": False}, workers=2)
    state.somebody_deletes_a_dataset(name="d")
    state.the_cluster_works(seconds=0.0005)
    state.the_cluster_works(seconds=0.0005)
    state.somebody_edits_a_pods_labels(label=naming.KIND_LABEL, value=None, which=0)
    state.many_requests_will_fail(count=2, what="lost")
    state.the_cluster_works(seconds=0.003)


def test_a_watch_that_tells_the_newest_only_tells_that_a_pod_has_left_it(state: TrainingJobs) -> None:
    """The checker's own mistake: a deleted pod without its label was never told of, as no watch does it."""
    state.begin(spec={"suspend": False}, workers=1)
    state.all_is_well_for_a_while()
    state.somebody_deletes_a_pod(grace=None, which=0)
    state.the_network_changes(coalesce=True, latency=0.0005)
    state.somebody_edits_a_pods_labels(label=naming.KIND_LABEL, value=None, which=0)
    state.the_cluster_works(seconds=0.0005)


def test_an_operator_that_dies_of_a_request_on_its_way_is_started_again(state: TrainingJobs) -> None:
    """The checker's own mistake: from then on nobody looked after the jobs."""
    state.begin(spec={"suspend": False}, workers=1)
    state.a_pod_is_evicted(which=0)
    state.requests_will_fail(after=0, verb=None, what="crash-after")
    state.a_dead_operator_starts_again(seconds=0.0005)


@pytest.mark.parametrize("what", ["operator", "API server", "operator, then API server"])
@pytest.mark.parametrize("replicas", [1, 2])
def test_an_outage_longer_than_the_stall_time_out_fails_nothing(what: str, replicas: int) -> None:
    """The first pass after it ended every attempt as stalled, and counted that as a failure."""
    state = TrainingJobs() if replicas == 1 else TwoReplicas()
    state.begin(spec={"suspend": False}, workers=2, seconds=30.0)
    state.all_is_well_for_a_while()
    state.an_outage_is_longer_than_a_gang_may_be_silent(what=what)
    status = status_of(state.world.find("TrainingJob", "a"))
    assert (status["attempt"], status["phase"], status.get("failures")) == (1, "Running", 0)
    state.teardown()


def test_a_gang_that_makes_no_progress_still_counts_as_stalled(state: TrainingJobs) -> None:
    state.begin(spec={"stallTimeoutSeconds": 120}, workers=1)
    state.the_cluster_works(seconds=3.0)
    state.gangs_make_progress(seconds=20.0)
    state.world.pass_time(160.0)
    assert status_of(state.world.find("TrainingJob", "a"))["failure"]["reason"] == "Stalled"


@pytest.mark.parametrize("seconds", [0.06, 3.0])
def test_a_job_that_is_resumed_on_a_dataset_made_again_keeps_its_validation(
    state: TrainingJobs, seconds: float
) -> None:
    """It began with the train split alone, and nothing warned."""
    state.begin(spec={"suspend": False}, workers=1)
    state.all_is_well_for_a_while()
    state.a_job_is_resumed_on_another_version(name="a", made_again=True, version=None, seconds=seconds)
    state.all_is_well_for_a_while()
    assert "waits for Dataset 'd'" in status_of(state.world.find("TrainingJob", "a"))["message"]
    state.a_dataset_changes(name="d", version="1")
    state.all_is_well_for_a_while()
    assert status_of(state.world.find("TrainingJob", "a"))["datasetSplits"] == {"train": SPLITS["1"]}


def test_an_upgrade_that_adds_fields_restarts_no_gang(state: TrainingJobs) -> None:
    """Digests covered defaults, those of new fields too."""
    state.begin(spec={"suspend": False}, workers=2)
    state.an_upgrade_that_adds_fields_writes_nothing()
    state.an_upgrade_that_adds_fields_writes_nothing()
