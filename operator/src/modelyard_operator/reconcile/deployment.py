"""Deployment: a model behind HTTP, by KServe or by plain Kubernetes.

    Pending ──model, token──► Progressing ──► Ready ◄──► Stopped (replicas 0)
                                 │    ▲
                                 └────┴── Failed (servers that cannot start, and why)

Until the new servers are ready nothing that serves is deleted: not the old pods (the rollout sees to
that), nor the other backend's objects when the backend changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelyard_operator import naming
from modelyard_operator.api.deployment import (
    KIND,
    BackendName,
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    Ordinary,
    Phase,
    Reason,
)
from modelyard_operator.api.reasons import Reason as Shared
from modelyard_operator.desired import kserve_backend, kubernetes_backend, server_pod
from modelyard_operator.desired.server_pod import Model, ServerPod, Token
from modelyard_operator.plan import Manifest, Observed, Plan, Ref, parse_time
from modelyard_operator.policies import deadlines, pod_start, rollout, server_trouble
from modelyard_operator.policies.rollout import Rollout
from modelyard_operator.reconcile import conclusion, serving_model, serving_token
from modelyard_operator.reconcile.conclusion import Conclusion
from modelyard_operator.reconcile.controller import Controller

SECRET_SECONDS = 5.0
"""Between two reconciles while a Secret of the user's is missing: no watch reports it."""
ROTATION_SECONDS = 60.0
"""Between two reconciles while the Secrets exist: no watch reports when one is deleted or changed."""
KSERVE_SECONDS = 30.0
HANDOVER_SECONDS = 10.0
"""The other backend's servers go on for so long after status.url has changed: clients follow it late."""


class Backend(Protocol):
    """What a module of ``desired`` offers to be a backend."""

    @property
    def NAME(self) -> BackendName: ...

    def pod(self, owner: Observed, spec: DeploymentSpec, model: Model, token: Token) -> ServerPod: ...

    def manifests(self, owner: Observed, spec: DeploymentSpec, server: ServerPod) -> list[Manifest]: ...

    def url(self, owner: Observed) -> str: ...


BACKENDS: Mapping[BackendName, Backend] = {b.NAME: b for b in (kserve_backend, kubernetes_backend)}


@dataclass(frozen=True)
class State:
    """What the decisions read."""

    observed: Observed
    spec: DeploymentSpec
    status: DeploymentStatus

    @classmethod
    def of(cls, observed: Observed) -> State:
        typed = Deployment.model_validate({"spec": observed.object["spec"]})
        return cls(observed, typed.spec, DeploymentStatus.read(observed.object.get("status")))

    def child(self, kind: str, name: str) -> Manifest | None:
        return next((c for c in self.observed.children_of(kind) if c["metadata"]["name"] == name), None)

    def going(self, kind: str) -> bool:
        """Whether a child of ours is being deleted."""
        return any(
            child["kind"] == kind and "deletionTimestamp" in child["metadata"]
            for child in self.observed.children
        )

    def owned(self) -> list[Manifest]:
        """Children that are ours, not KServe's."""
        return [
            child
            for child in self.observed.children
            if "deletionTimestamp" not in child["metadata"]
            and any(o.get("uid") == self.observed.uid for o in child["metadata"].get("ownerReferences", []))
        ]

    @property
    def users_secrets(self) -> bool:
        generated = None if self.spec.token_secret_name else serving_token.reference(self.observed.object)
        return any(ref.kind == "Secret" and ref != generated for ref in self.observed.references)


def plan(observed: Observed) -> Plan:
    """What should be, for a Deployment."""
    if observed.deleting:
        return Plan()
    state = State.of(observed)
    backend = _backend(state)
    model = serving_model.resolve(observed, state.spec, state.status)
    token = serving_token.resolve(observed, state.spec)
    for found in (backend, model, token):
        if isinstance(found, Conclusion):
            return _wait(state, found, [serving_token.secret(observed)] if token is None else [])
    assert not isinstance(backend, Conclusion)
    assert isinstance(model, Model)
    if token is None:
        return Plan(create=[serving_token.secret(observed)])
    assert isinstance(token, Token)
    return _serve(state, BACKENDS[backend], model, token)


def references(manifest: Manifest) -> Sequence[Ref]:
    """The TrainingJob, the user's Secrets, and the one with the token."""
    return [*serving_model.references(manifest), serving_token.reference(manifest)]


CONTROLLER = Controller(kind=KIND, plan=plan, references=references)


def _backend(state: State) -> BackendName | Conclusion[Phase]:
    """Which backend serves."""
    kserve, asked = state.observed.platform.kserve, state.spec.backend
    if asked == "KServe" and not kserve:
        text = (
            "spec.backend is KServe, but this cluster has no InferenceService (serving.kserve.io/v1beta1): "
            "install KServe, or set spec.backend to Auto or Kubernetes"
        )
        return Conclusion("Failed", Reason.KSERVE_NOT_INSTALLED, text, "Stalled")
    if asked != "Auto":
        return asked
    return (
        kserve_backend.NAME if kserve and state.spec.expose.type == "ClusterIP" else kubernetes_backend.NAME
    )


def _wait(state: State, concluded: Conclusion[Phase], create: Sequence[Manifest]) -> Plan:
    """Something is missing: say so, and leave alone what serves. The token is made meanwhile."""
    wait = KSERVE_SECONDS if concluded.reason == Reason.KSERVE_NOT_INSTALLED else SECRET_SECONDS
    unannounced = {Reason.KSERVE_NOT_INSTALLED, Shared.OBJECT_STORE_PENDING, Reason.TOKEN_TERMINATING}
    polls = state.users_secrets or concluded.reason in unannounced
    ready = _still_ready(state)
    changes = DeploymentStatus(ready_replicas=ready, ready=f"{ready}/{state.spec.replicas}")
    return Plan(
        status=conclusion.status(state.observed, concluded, changes),
        create=create,
        events=conclusion.events(state.observed, concluded),
        requeue_after=wait if polls else ROTATION_SECONDS,
    )


def _still_ready(state: State) -> int:
    """Servers of an earlier spec that answer."""
    names = {naming.server(state.observed.name), naming.predictor(state.observed.name)}
    found = [c for c in state.observed.children_of("Deployment") if c["metadata"]["name"] in names]
    return sum(int(child.get("status", {}).get("readyReplicas", 0)) for child in found)


def _serve(state: State, backend: Backend, model: Model, token: Token) -> Plan:
    """What serves, and how far it is."""
    observed, spec = state.observed, state.spec
    server = backend.pod(observed, spec, model, token)
    wanted = backend.manifests(observed, spec, server)
    progress = _rollout(state, backend, server)
    concluded = _conclude(state, progress, server)
    keep = {(m["kind"], m["metadata"]["name"]) for m in wanted}
    stale = [c for c in state.owned() if (c["kind"], c["metadata"]["name"]) not in keep]
    others = any(child["kind"] == _SERVES[backend.NAME] for child in stale)
    changes = _facts(state, backend, progress, switching=not progress.done and others)
    handover = _handover(state, backend) if others else 0.0
    again = None
    if not progress.done:
        again = pod_start.look_again(_newest(state, server), observed.now, spec.pod.scheduler_name)
    looks = [ROTATION_SECONDS, *[handover] * (progress.done and handover > 0)]
    if progress.done or state.status.model is None:
        served = serving_model.served(observed, state.status, model)
        source = serving_model.source_digest(spec)
        changes = changes.changed(DeploymentStatus(model=served, model_source=source))
    changes = changes.changed(DeploymentStatus(token_secret_name=token.secret))
    return Plan(
        status=conclusion.status(observed, concluded, changes),
        apply=wanted,
        delete=[Ref.of(child) for child in stale] if progress.done and handover <= 0 else [],
        events=conclusion.events(observed, concluded),
        requeue_after=deadlines.soonest(*looks, again),
    )


def _rollout(state: State, backend: Backend, server: ServerPod) -> Rollout:
    """How far the backend is with these servers."""
    name, asked = state.observed.name, state.spec.replicas
    if backend.NAME == kubernetes_backend.NAME:
        deployment = state.child("Deployment", naming.server(name))
        return rollout.of_deployment(deployment, asked=asked, rollout=server.rollout)
    service = state.child(kserve_backend.KIND, naming.inference_service(name))
    deployment = state.child("Deployment", naming.predictor(name))
    going = state.going(kserve_backend.KIND)
    return rollout.of_inference_service(service, deployment, asked=asked, rollout=server.rollout, going=going)


def _conclude(state: State, progress: Rollout, server: ServerPod) -> Conclusion[Phase]:
    """The conclusion about what serves; the pods' own words before the backend's."""
    if progress.done:
        if state.spec.replicas == 0:
            return Conclusion("Stopped", Ordinary.STOPPED, "serves nothing: spec.replicas is 0", "Ready")
        text = f"{progress.ready} server{' answers' if progress.ready == 1 else 's answer'}"
        return Conclusion("Ready", Ordinary.SERVING, text, "Ready")
    newest = _newest(state, server)
    trouble = server_trouble.trouble(newest, state.observed.now, state.spec.pod.scheduler_name)
    if trouble is not None and trouble.lasting:
        return Conclusion("Failed", trouble.reason, trouble.message, "Stalled")
    if progress.stuck is not None:
        reason, text = progress.stuck
        return Conclusion("Failed", reason, trouble.message if trouble else text, "Stalled")
    if trouble is not None:
        return Conclusion("Progressing", trouble.reason, trouble.message, "Reconciling")
    return Conclusion("Progressing", Ordinary.ROLLING_OUT, progress.message, "Reconciling")


def _newest(state: State, server: ServerPod) -> list[Manifest]:
    """Pods of the newest template."""
    return [
        pod
        for pod in state.observed.children_of("Pod")
        if (pod["metadata"].get("annotations") or {}).get(naming.ROLLOUT_ANNOTATION) == server.rollout
    ]


_SERVES = {kserve_backend.NAME: "Deployment", kubernetes_backend.NAME: kserve_backend.KIND}
"""Kind by which the other backend serves."""


def _handover(state: State, backend: Backend) -> float:
    """Seconds until the other backend's objects can go, once the servers of this one answer."""
    if state.status.backend != backend.NAME:
        return HANDOVER_SECONDS
    ready = next((c for c in state.status.conditions or [] if c.type == "Ready"), None)
    if ready is None or ready.status != "True":
        return HANDOVER_SECONDS
    since = parse_time(ready.last_transition_time)
    return HANDOVER_SECONDS - (state.observed.now - since).total_seconds()


def _facts(state: State, backend: Backend, progress: Rollout, *, switching: bool) -> DeploymentStatus:
    """The status fields that say where and how much is served; those of the backend before, while it
    still does the work."""
    found = DeploymentStatus(
        replicas=progress.replicas,
        ready_replicas=progress.ready,
        ready=f"{progress.ready}/{progress.asked}",
        predict_path=server_pod.predict_path(state.observed),
        selector=server_pod.label_selector(state.observed, backend.NAME),
    )
    if switching and state.status.backend is not None:
        return found
    service = state.child("Service", naming.server(state.observed.name))
    ports = service["spec"].get("ports", []) if service and backend.NAME == kubernetes_backend.NAME else []
    where = DeploymentStatus(
        backend=backend.NAME,
        url=_url(state, backend),
        node_port=next((port["nodePort"] for port in ports if "nodePort" in port), None),
    )
    return found.changed(where)


def _url(state: State, backend: Backend) -> str:
    """KServe's own word where it has said it; it takes it back while the servers are stopped."""
    if backend.NAME != kserve_backend.NAME:
        return backend.url(state.observed)
    service = state.child(kserve_backend.KIND, naming.inference_service(state.observed.name))
    said = (service or {}).get("status", {}).get("address", {}).get("url")
    known = state.status.url if state.status.backend == kserve_backend.NAME else None
    return str(said or known or backend.url(state.observed))
