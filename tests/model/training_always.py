"""Invariants of TrainingJobs that hold at every single write, whatever goes wrong.

Each returns what broke it, or None.

One more is in ``history``: only the holder of the lease writes.
"""

from __future__ import annotations

from modelyard_operator.reconcile.training_state import LOST_AFTER_SECONDS
from tests.model.apiserver import Change
from tests.model.history import (
    SPLITS,
    TERMINAL,
    Check,
    History,
    attempt_of,
    by_operator,
    is_job,
    is_new_pod,
    live,
    owner_of,
    runs,
    status_of,
    task_of,
)
from tests.model.kubelet import lost_for_good

CLOCK_TOLERANCE = 50.0
"""How far the operator's clock may be ahead in the checker: a pod counts as lost so much sooner, and a gang
as stalled."""
UNDER_WAY = frozenset({"Starting", "Running"})
PODS_FIELDS = (
    "algorithm",
    "hyperparameters",
    "datasets",
    "workers",
    "resources",
    "pod",
    "image",
    "checkpoints",
)
"""Of a spec: an edit of one of these restarts the gang."""


def one_attempt_lives(history: History, change: Change) -> str | None:
    """No two attempts of a job ever have pods that may run at the same time (two gangs would write the
    same checkpoints); a pod whose node has been gone for longer than LOST_AFTER_SECONDS does not count."""
    if not is_new_pod(change):
        return None
    found = [
        pod
        for pod in history.pods_of(owner_of(change.object))
        if live(pod) and not lost_for_good(pod, history.now(), LOST_AFTER_SECONDS - CLOCK_TOLERANCE)
    ]
    attempts = {attempt_of(pod) for pod in found}
    return f"attempts {sorted(attempts)} live at once" if len(attempts) > 1 else None


def attempt_numbers_only_grow(history: History, change: Change) -> str | None:
    """status.attempt goes up by one, never back: no number is used twice."""
    if not is_job(change) or change.after is None or change.before is None:
        return None
    before, after = status_of(change.before).get("attempt", 0), status_of(change.after).get("attempt", 0)
    return None if after in {before, before + 1} else f"attempt {before} became {after}"


def no_number_is_used_twice(history: History, change: Change) -> str | None:
    """An attempt that comes into the status has had no pods yet. The first one may have had some, if it is
    what one of them has on record, or if they are another operator's, which this one did not know."""
    if not is_job(change) or change.after is None or change.before is None:
        return None
    before, after = status_of(change.before).get("attempt", 0), status_of(change.after)
    life, attempt = history.life(change.after["metadata"]["uid"]), after.get("attempt", 0)
    if attempt == before or attempt not in life.tasks:
        return None
    same = ("attemptSpec", "datasetVersions", "fingerprint")
    if attempt == 1 and (
        change.actor not in life.makers[1]
        or any(
            all(found.get(key) == after.get(key, found.get(key)) for key in same) for found in life.records[1]
        )
    ):
        return None
    return f"attempt {attempt} has had pods before"


def an_attempt_begins_once(history: History, change: Change) -> str | None:
    """Whatever begins an attempt gives it a new number: an attempt that has ended never starts again."""
    if not is_job(change) or change.after is None or change.before is None:
        return None
    before, after = status_of(change.before), status_of(change.after)
    began = after.get("phase") == "Starting" and before.get("phase") not in {"Starting", "Running"}
    if began and before.get("attempt", 0) == after.get("attempt"):
        return f"attempt {after.get('attempt')} began again after {before.get('phase')}"
    return None


def pods_belong_to_the_attempt_under_way(history: History, change: Change) -> str | None:
    """The operator makes pods only of the attempt whose number is in the status while that lasts: its number
    was there before, and nothing follows its end. Only the first attempt's come before any number."""
    if not is_new_pod(change) or not by_operator(change):
        return None
    job = history.find(owner_of(change.object))
    if job is None or "deletionTimestamp" in job["metadata"]:
        # A request that was under way: the garbage collector takes the pod.
        return None
    status, attempt = status_of(job), attempt_of(change.object)
    if status.get("attempt") == attempt and status.get("phase") in UNDER_WAY:
        return None
    if attempt == 1 and not status.get("attempt") and status.get("phase") not in TERMINAL:
        return None
    return (
        f"pod {change.object['metadata']['name']} in {status.get('phase')}, attempt {status.get('attempt')}"
    )


def never_more_pods_than_asked(history: History, change: Change) -> str | None:
    """An attempt has at most as many pods as it began with workers, one for each rank."""
    if not is_new_pod(change):
        return None
    uid, attempt = owner_of(change.object), attempt_of(change.object)
    workers = task_of(change.object)["workers"]
    names = [p["metadata"]["name"] for p in history.pods_of(uid) if attempt_of(p) == attempt]
    ranks = {int(name.rsplit("-", 1)[1]) for name in names}
    if len(names) > workers or any(rank >= workers for rank in ranks):
        return f"{names} for {workers} workers"
    return None


def a_gang_has_one_task(history: History, change: Change) -> str | None:
    """All pods of an attempt, those too that are made again, have the same task: with two it hangs. Those of
    the first attempt may differ until it runs, where a second operator did not know the first one's pods, or
    somebody deleted a pod before any status recorded the attempt."""
    if not is_new_pod(change):
        return None
    task, life = task_of(change.object), history.life(owner_of(change.object))
    attempt, job = task["attempt"], history.find(life.uid)
    others = life.makers.get(attempt, set()) - {change.actor}
    if attempt == 1 and (others or life.lost_early) and status_of(job).get("phase") != "Running":
        return None
    known = life.tasks.get(attempt, task)
    differ = sorted(key for key in task if task[key] != known.get(key))
    return f"{change.object['metadata']['name']}: {differ} differ" if differ else None


def a_gang_of_two_tasks_never_runs(history: History, change: Change) -> str | None:
    """An attempt whose pods differ is restarted: no status says that it runs, or has succeeded."""
    if not is_job(change) or change.after is None:
        return None
    after = status_of(change.after)
    if after.get("phase") not in {"Running", "Succeeded"} or after == status_of(change.before):
        return None
    pods = history.pods_of(change.after["metadata"]["uid"])
    tasks = [task_of(pod) for pod in pods if attempt_of(pod) == after["attempt"]]
    if any(task != tasks[0] for task in tasks):
        return f"attempt {after['attempt']} is {after['phase']} with different tasks"
    return None


def no_checkpoint_is_skipped(history: History, change: Change) -> str | None:
    """An attempt finds the checkpoints of the one before (same run folder, same fingerprint) unless an
    edit changed what decides the result (algorithm, hyperparameters, names of the Datasets), or a Dataset was
    deleted and made again."""
    if not is_new_pod(change):
        return None
    task, life = task_of(change.object), history.life(owner_of(change.object))
    before = life.tasks.get(task["attempt"] - 1)
    if before is None or task["attempt"] not in life.begun:
        return None
    if task["run"] != before["run"]:
        return f"run {before['run']} became {task['run']}"
    attempt = task["attempt"]
    same = life.result(attempt) == life.result(attempt - 1)
    same &= life.datasets[attempt] == life.datasets.get(attempt - 1)
    if same and task["fingerprint"] != before["fingerprint"]:
        return f"attempt {attempt} has another fingerprint for the same result"
    return None


def a_gang_trains_on_all_of_a_version(history: History, change: Change) -> str | None:
    """Its pods read a version that the very Dataset has had that the status names, and every split of it."""
    if not is_new_pod(change) or not by_operator(change):
        return None
    task, life = task_of(change.object), history.life(owner_of(change.object))
    version = task["channels"]["train"]["version"]
    dataset = life.datasets.get(task["attempt"], {}).get("train", "")
    if version not in history.life(dataset).versions:
        return f"{version[:8]} was never a version of Dataset {dataset[:8]}"
    splits = sorted(SPLITS[version[-1]])
    return None if sorted(task["channels"]) == splits else f"{sorted(task['channels'])} of {splits}"


def a_healthy_gang_is_never_ended(history: History, change: Change) -> str | None:
    """An attempt all of whose pods run, and make progress, ends by a user's word only: suspend, an edit of
    what pods are made from, a deadline."""
    if not is_job(change) or not by_operator(change) or change.after is None:
        return None
    before, after = status_of(change.before), status_of(change.after)
    if before.get("phase") not in UNDER_WAY or after["phase"] in UNDER_WAY | {"Succeeded"}:
        return None
    uid = change.after["metadata"]["uid"]
    pods = [pod for pod in history.pods_of(uid) if attempt_of(pod) == before["attempt"] and runs(pod)]
    if len(pods) < before["attemptWorkers"]:
        return None
    life, spec = history.life(uid), history.observed_spec(change.after)
    began, silent = life.specs[life.begun[before["attempt"]]], change.at - life.moved
    reason = next(c["reason"] for c in after["conditions"] if c["type"] == "Ready")
    if {
        "Suspended": bool(spec.get("suspend")),
        "SpecChanged": any(spec.get(field) != began.get(field) for field in PODS_FIELDS),
        "DeadlineExceeded": "activeDeadlineSeconds" in spec,
        "Stalled": silent >= spec.get("stallTimeoutSeconds", 1800) - CLOCK_TOLERANCE,
    }.get(reason, False):
        return None
    return f"attempt {before['attempt']} was ended ({reason}); its last progress was {silent:.0f} s ago"


def an_end_is_final(history: History, change: Change) -> str | None:
    """Succeeded and Failed stay, with their time, model and failure, whatever is edited."""
    if not is_job(change) or change.after is None:
        return None
    life, status = history.life(change.after["metadata"]["uid"]), status_of(change.after)
    if life.end is None:
        if status.get("phase") in TERMINAL:
            life.end = status
        return None
    for field in ("phase", "completionTime", "attempt", "failures", "failure", "model"):
        if status.get(field) != life.end.get(field):
            return f"{field}: {life.end.get(field)} became {status.get(field)}"
    return None


def failures_stay_within_the_limit(history: History, change: Change) -> str | None:
    """Counted failures only grow, one an attempt, and never past the first over backoffLimit."""
    if not is_job(change) or change.after is None:
        return None
    before, after = status_of(change.before), status_of(change.after)
    was, is_ = before.get("failures", 0), after.get("failures", 0)
    if is_ not in {was, was + 1}:
        return f"failures {was} became {is_}"
    limit = history.life(change.after["metadata"]["uid"]).limit
    if is_ > limit + 1 or (is_ > limit and after.get("phase") not in TERMINAL and is_ > was):
        return f"{is_} failures, backoffLimit {limit}, phase {after.get('phase')}"
    return None


ALWAYS: list[Check] = [
    one_attempt_lives,
    attempt_numbers_only_grow,
    no_number_is_used_twice,
    an_attempt_begins_once,
    pods_belong_to_the_attempt_under_way,
    never_more_pods_than_asked,
    a_gang_has_one_task,
    a_gang_of_two_tasks_never_runs,
    no_checkpoint_is_skipped,
    a_gang_trains_on_all_of_a_version,
    a_healthy_gang_is_never_ended,
    an_end_is_final,
    failures_stay_within_the_limit,
]
