"""What must hold of Deployments: at every write, and in a cluster that has come to rest.

The backend is plain Kubernetes: KServe's part is proven against KServe itself.
"""

from __future__ import annotations

from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.plan import Manifest, Ref
from tests.model.apiserver import Change
from tests.model.every_kind import handled
from tests.model.history import Check, History, Rest, by_operator, is_own, status_of, task_of
from tests.model.workloads import owned_pods, ready

SERVERS = ("apps/v1", "Deployment")
MADE_BY_KUBERNETES = {"ReplicaSet", "Pod"}


class Servings:
    """Remembers which models there were, and which servers have answered."""

    def __init__(self) -> None:
        self._published: dict[tuple[str, str], set[str]] = {}
        """Namespace and name of a TrainingJob -> URIs of its models."""
        self._complete: set[tuple[str, int, str]] = set()
        """(uid of our Deployment, replicas, model's URI): so many servers of this model have answered, and
        no others were left."""
        self.always: list[Check] = [
            self._remember,
            self.ready_is_no_lie,
            self.the_model_is_the_one_asked_for,
            nothing_that_serves_is_deleted,
            a_token_stays_what_it_is,
        ]
        self.quiet: list[Rest] = [
            self.what_can_be_served_is_served,
            servers_are_as_the_spec_asks,
            nothing_is_left_over,
        ]

    def _remember(self, history: History, change: Change) -> str | None:
        item = change.after
        if item is None:
            return None
        if is_own(change) and item["kind"] == "TrainingJob":
            uri = (status_of(item).get("model") or {}).get("uri")
            if uri is not None:
                key = (item["metadata"]["namespace"], item["metadata"]["name"])
                self._published.setdefault(key, set()).add(uri)
        elif change.kind == SERVERS:
            status, asked = status_of(item), item["spec"]["replicas"]
            counts = {status.get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")}
            if counts == {asked} and status["observedGeneration"] == item["metadata"]["generation"]:
                self._complete.add((history.root_of(item), asked, model_of(item["spec"]["template"])))
        return None

    def ready_is_no_lie(self, history: History, change: Change) -> str | None:
        """Ready: as many servers as the observed spec asks for have answered at some time, with the model
        that the status names."""
        if change.after is None or not says_ready(change):
            return None
        uid, status = change.after["metadata"]["uid"], status_of(change.after)
        asked, uri = history.observed_spec(change.after).get("replicas", 1), status["model"]["uri"]
        if asked == 0 or (uid, asked, uri) in self._complete:
            return None
        return f"{change.after['metadata']['name']} is Ready, and never had {asked} servers of {uri}"

    def the_model_is_the_one_asked_for(self, history: History, change: Change) -> str | None:
        """status.model, where it is Ready, is one that the spec has named."""
        if change.after is None or not says_ready(change):
            return None
        spec, uri = history.observed_spec(change.after), status_of(change.after)["model"]["uri"]
        known = self._models(change.after["metadata"]["namespace"], spec)
        return None if uri in known else f"{uri} is served for {spec['model']}"

    def _models(self, namespace: str, spec: Manifest) -> set[str]:
        """URIs that a spec can have meant, all of its own namespace."""
        if "objectStore" in spec["model"]:
            return {f"s3://modelyard-{namespace}/{spec['model']['objectStore']['prefix']}"}
        return self._published.get((namespace, spec["model"]["trainingJob"]), set())

    def what_can_be_served_is_served(self, history: History) -> str | None:
        """With a model and a token it is Ready, or stopped as asked; without one of them it says so."""
        for item in handled(history):
            status, name = status_of(item), item["metadata"]["name"]
            phase, message = status.get("phase"), status.get("message")
            if not history.has_secret(item, item["spec"].get("tokenSecretName")):
                wanted = {"Pending", "Failed"}  # Failed where its TrainingJob has: that is said first.
            elif has_model(history, item):
                wanted = {"Ready"} if item["spec"].get("replicas", 1) else {"Stopped"}
            else:
                # One whose TrainingJob is gone goes on with the model that it has found before.
                wanted = {"Pending", "Failed", "Ready", "Stopped"}
            if phase not in wanted:
                return f"{name} rests in {phase}, not in {sorted(wanted)}: {message}"
        return None


def nothing_that_serves_is_deleted(history: History, change: Change) -> str | None:
    """The operator deletes no servers of a Deployment that there is: the rollout exchanges them."""
    if change.kind not in {SERVERS, ("v1", "Pod")} or not by_operator(change):
        return None
    going = change.after is None or "deletionTimestamp" in change.after["metadata"]
    return f"{change.object['kind']} {change.object['metadata']['name']} was deleted" if going else None


def a_token_stays_what_it_is(history: History, change: Change) -> str | None:
    """The operator makes a token once: clients have it."""
    if change.object["kind"] != "Secret" or not by_operator(change) or None in (change.before, change.after):
        return None
    assert change.before is not None
    assert change.after is not None
    was, is_ = change.before["data"].get("token"), change.after["data"].get("token")
    return "the token was changed" if was not in {None, is_} else None


def servers_are_as_the_spec_asks(history: History) -> str | None:
    """Their number, their model and their size, and what they need besides."""
    for item in handled(history):
        status, name = status_of(item), item["metadata"]["name"]
        asked = item["spec"].get("replicas", 1)
        if status.get("phase") not in {"Ready", "Stopped"}:
            continue
        found = {(c["kind"], c["metadata"]["name"]): c for c in history.children(item)}
        servers = found.get(("Deployment", naming.server(name)))
        if servers is None:
            return f"{name} is {status['phase']} without servers"
        pods = [pod for pod in owned_pods(history.server, servers) if ready(pod)]
        if len(pods) != asked or status.get("readyReplicas") != asked:
            return f"{name} has {len(pods)} servers, says {status.get('readyReplicas')}, and wants {asked}"
        for pod in pods:
            if pod["spec"] != servers["spec"]["template"]["spec"] | {"nodeName": pod["spec"]["nodeName"]}:
                return f"{pod['metadata']['name']} is of an older template"
            if model_of(pod) != status["model"]["uri"]:
                return f"{pod['metadata']['name']} serves {model_of(pod)}, not {status['model']['uri']}"
            limits = pod["spec"]["containers"][0]["resources"].get("limits")
            if limits != item["spec"].get("resources", {}).get("limits"):
                return f"{pod['metadata']['name']} has limits {limits}"
        missing = sorted(needed(item) - set(found))
        if missing:
            return f"{name} lacks {missing}"
    return None


def nothing_is_left_over(history: History) -> str | None:
    """No child is there that the spec does not ask for."""
    for item in handled(history):
        if status_of(item).get("phase") not in {"Ready", "Stopped"}:
            continue
        own = {
            (c["kind"], c["metadata"]["name"])
            for c in history.children(item)
            if c["kind"] not in MADE_BY_KUBERNETES
        }
        left = own - needed(item) - {("Secret", naming.token_secret(item["metadata"]["name"]))}
        if left:
            return f"{item['metadata']['name']} has {sorted(left)} besides"
    return None


def needed(item: Manifest) -> set[tuple[str, str]]:
    """(kind, name) of what serves, and its token."""
    name, spec = item["metadata"]["name"], item["spec"]
    found = {("Deployment", naming.server(name)), ("Service", naming.server(name))}
    if spec.get("replicas", 1) > 1:
        found.add(("PodDisruptionBudget", naming.server(name)))
    if "tokenSecretName" not in spec:
        found.add(("Secret", naming.token_secret(name)))
    return found


def model_of(pod: Manifest) -> str:
    """URI of what a server's pod, or a template of it, serves."""
    model = task_of(pod)["model"]
    return f"s3://{model['bucket']}/{model['prefix']}"


def has_model(history: History, item: Manifest) -> bool:
    if "objectStore" in item["spec"]["model"]:
        return True
    namespace, name = item["metadata"]["namespace"], item["spec"]["model"]["trainingJob"]
    job = history.server.find(Ref(API_VERSION, "TrainingJob", namespace, name))
    return status_of(job).get("phase") == "Succeeded"


def says_ready(change: Change) -> bool:
    """Whether a Deployment of ours is Ready by its status."""
    conditions = status_of(change.after).get("conditions", [])
    ours = is_own(change) and change.object["kind"] == "Deployment"
    return ours and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
