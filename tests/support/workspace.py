"""One namespace under test: what a user does in it, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import yaml

from modelyard_operator import naming
from tests.support import manifests
from tests.support.cluster import (
    CHILDREN,
    DATASET,
    DEPLOYMENT,
    EVENT,
    NAMESPACE,
    POD,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    TRAINING_JOB,
    ApiError,
    Cluster,
    Object,
    Resource,
    documents,
)
from tests.support.objectstore import ObjectStore
from tests.support.recorder import Recorder, conditions
from tests.support.release import ensure_namespace
from tests.support.waiting import eventually

END_PHASES = {
    DATASET: {"Failed"},
    TRAINING_JOB: {"Invalid", "Succeeded", "Failed"},
    DEPLOYMENT: {"Failed"},
}
"""Phases in which waiting for another one is in vain."""
SECONDS = 300.0
"""For what takes a few seconds on a machine that does nothing else."""
GONE_SECONDS = 180.0


class Workspace:
    """A namespace that enforces Pod Security "restricted", and all that a test does in it."""

    def __init__(self, cluster: Cluster, recorder: Recorder, store: ObjectStore, name: str) -> None:
        """``store``: with the keys of this namespace."""
        self.cluster = cluster
        self.recorder = recorder
        self.store = store
        self.name = name

    def create(self) -> None:
        """Make the namespace."""
        ensure_namespace(self.cluster, self.name)
        # No pod can be made before.
        eventually(
            lambda: self.cluster.get(SERVICE_ACCOUNT, "default", self.name) is not None,
            f"namespace {self.name} has its service account",
            timeout=60,
        )

    def open_store(self) -> None:
        """Have the operator make the namespace's bucket and keys: with the first object, which then goes."""
        self.apply(manifests.upload("first"))
        self.until_phase(DATASET, "first", "AwaitingUpload")
        self.remove(DATASET, "first")
        self.until_gone(DATASET, "first")

    def delete(self) -> None:
        """Delete it with all that is in it; does not wait."""
        self.cluster.delete(NAMESPACE, self.name)

    # What a user does.
    def apply(self, *manifests: Object) -> str:
        """``kubectl apply``; what it said.

        Raises:
            KubectlError: the API server refuses one.
        """
        return self.cluster.kubectl("apply", "-n", self.name, "-f", "-", stdin=documents(*manifests)).stdout

    def refusal(self, manifest: Object) -> str:
        """What ``kubectl apply`` says against an object; fails where it says nothing."""
        command = ("apply", "-n", self.name, "-f", "-")
        done = self.cluster.kubectl(*command, stdin=documents(manifest), check=False)
        assert done.returncode, f"was accepted: {manifest}"
        return done.stderr.strip()

    def edit(self, resource: Resource, name: str, **spec: Any) -> Object:
        """Merge a change into an object's spec."""
        return self.cluster.patch(resource, name, {"spec": spec}, self.name)

    def get(self, resource: Resource, name: str) -> Object:
        """One object, which must exist."""
        found = self.cluster.get(resource, name, self.name)
        assert found is not None, f"there is no {resource.kind} {name} in {self.name}"
        return found

    def exists(self, resource: Resource, name: str) -> bool:
        """Whether there is such an object."""
        return self.cluster.get(resource, name, self.name) is not None

    def remove(self, resource: Resource, name: str, *, grace: int | None = None) -> None:
        """Delete an object; does not wait."""
        self.cluster.delete(resource, name, self.name, grace=grace)

    # What became of it.
    def status(self, resource: Resource, name: str) -> Object:
        """The status of one object."""
        return dict(self.get(resource, name).get("status") or {})

    def until(
        self,
        resource: Resource,
        name: str,
        what: str,
        fulfilled: Callable[[Object], bool],
        *,
        timeout: float = SECONDS,
        stop_at: Sequence[str] = (),
    ) -> Object:
        """The object, once it is as it should be.

        Args:
            what: For the message where it never is.
            fulfilled: Asked of the object, whose status is never absent.
            stop_at: Phases that end the waiting at once.

        Raises:
            AssertionError: not within ``timeout`` seconds, or it reached one of ``stop_at``.
        """

        def look() -> Object | None:
            try:
                found = self.cluster.get(resource, name, self.name)
            except ApiError as error:
                if error.status < 500:
                    raise
                return None  # The API server, too, has its moments.
            if found is None:
                return None
            found.setdefault("status", {})
            if fulfilled(found):
                return found
            phase = found["status"].get("phase")
            if phase in stop_at and _current(found):
                message = f"{resource.kind} {name} is {phase}, and was to be: {what}"
                raise AssertionError(f"{message}\n{self.diagnosis(resource, name)}")
            return None

        return eventually(
            look,
            f"{resource.kind} {name}: {what}",
            timeout=timeout,
            diagnose=lambda: self.diagnosis(resource, name),
        )

    def until_phase(
        self, resource: Resource, name: str, *phases: str, timeout: float = SECONDS, patient: bool = False
    ) -> Object:
        """The object in one of the phases, by a status of its newest generation.

        ``patient``: a phase that is otherwise the end is waited out.
        """
        return self.until(
            resource,
            name,
            " or ".join(phases),
            lambda found: found["status"].get("phase") in phases and _current(found),
            timeout=timeout,
            stop_at=() if patient else tuple(END_PHASES[resource] - set(phases)),
        )

    def until_reason(
        self,
        resource: Resource,
        name: str,
        reason: str,
        *,
        words: Sequence[str] = (),
        timeout: float = SECONDS,
    ) -> tuple[Object, str]:
        """The object whose condition Ready has a reason, and a message with these words; and that message."""

        def fulfilled(item: Object) -> bool:
            ready = conditions(item).get("Ready", {})
            said = all(word in ready.get("message", "") for word in words)
            return ready.get("reason") == reason and said and _current(item)

        what = f"Ready has the reason {reason} and the words {words}"
        found = self.until(resource, name, what, fulfilled, timeout=timeout)
        return found, str(conditions(found)["Ready"]["message"])

    def until_gone(self, resource: Resource, name: str, *, timeout: float = GONE_SECONDS) -> None:
        """Wait until there is no such object any more."""
        eventually(
            lambda: not self.exists(resource, name),
            f"{resource.kind} {name} is gone",
            timeout=timeout,
            diagnose=lambda: self.diagnosis(resource, name),
        )

    def ready_dataset(self, manifest: Object) -> Object:
        """Apply a Dataset and wait until it is Ready."""
        self.apply(manifest)
        return self.until_phase(DATASET, manifest["metadata"]["name"], "Ready")

    def running_job(self, manifest: Object) -> Object:
        """Apply a TrainingJob and wait until it has a checkpoint, in the middle of its training."""
        self.apply(manifest)
        return self.until_step(manifest["metadata"]["name"], 1, checkpoint=True)

    def until_step(self, job: str, step: int, *, checkpoint: bool = False, attempt: int = 1) -> Object:
        """The TrainingJob, running, from a step on; with a checkpoint if one is asked for."""

        def reached(found: Object) -> bool:
            status = found["status"]
            return (
                status.get("phase") == "Running"
                and status.get("attempt", 0) >= attempt
                and status.get("progress", {}).get("step", 0) >= step
                and (not checkpoint or status.get("checkpoint", {}).get("step", 0) > 0)
            )

        ends = tuple(END_PHASES[TRAINING_JOB])
        return self.until(TRAINING_JOB, job, f"trains at step {step} or later", reached, stop_at=ends)

    def children(self, owner: Object, resource: Resource | None = None) -> list[Object]:
        """All that the operator has made for an object and that is not being deleted."""
        ours = f"{naming.UID_LABEL}={owner['metadata']['uid']}"
        kinds = (resource,) if resource else CHILDREN
        return [
            item
            for kind in kinds
            for item in self.cluster.list(kind, self.name, f"{ours},{naming.child_selector(kind.kind)}")
            if "deletionTimestamp" not in item["metadata"]
        ]

    def pods(self, owner: Object) -> list[Object]:
        """The pods of an object, by name."""
        return sorted(self.children(owner, POD), key=lambda pod: str(pod["metadata"]["name"]))

    def pods_ever(self, owner: Object) -> set[str]:
        """uids of all pods that an object ever had."""
        labels = {naming.UID_LABEL: owner["metadata"]["uid"]}
        return {pod["metadata"]["uid"] for pod in self.recorder.seen(POD, self.name, labels)}

    def history(self, resource: Resource, name: str) -> list[Object]:
        """Every status that an object has had, oldest first."""
        return [
            dict(version.get("status") or {}) for version in self.recorder.versions(resource, self.name, name)
        ]

    def events(self, resource: Resource, name: str) -> list[Object]:
        """Kubernetes Events about an object."""
        return [
            event
            for event in self.cluster.list(EVENT, self.name)
            if (event["involvedObject"].get("kind"), event["involvedObject"].get("name"))
            == (resource.kind, name)
            and event["involvedObject"].get("apiVersion") == resource.api_version
        ]

    def diagnosis(self, resource: Resource, name: str) -> str:
        """The object, its children, events and logs: what one needs to see why it is not as it should be."""
        found = self.cluster.get(resource, name, self.name)
        if found is None:
            return f"there is no {resource.kind} {name}"
        found["metadata"].pop("managedFields", None)
        parts = [yaml.safe_dump(found, sort_keys=False, width=110)]
        for child in self.children(found):
            if child["kind"] not in {SECRET.kind, SERVICE.kind}:
                status = yaml.safe_dump(child.get("status", {}), sort_keys=False, width=110)
                parts.append(f"--- {child['kind']} {child['metadata']['name']}\n{status[-2500:]}")
        for event in self.cluster.list(EVENT, self.name):
            about = event["involvedObject"]
            parts.append(
                f"event {about.get('kind')}/{about.get('name')} {event.get('reason')}: {event.get('message')}"
            )
        for pod in self.recorder.seen(POD, self.name, {naming.UID_LABEL: found["metadata"]["uid"]}):
            log = self.recorder.log(self.name, pod["metadata"]["name"])
            parts.append(f"--- log of {pod['metadata']['name']}\n{log[-3000:]}")
        return "\n".join(parts)


def _current(item: Object) -> bool:
    """Whether the status was computed from the newest spec."""
    return bool(item["status"].get("observedGeneration") == item["metadata"]["generation"])
