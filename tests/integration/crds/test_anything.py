"""A thousand odd objects of each kind: each is refused with a sentence, or comes to a condition.

What the API server takes is decided on by the real plan, through the life of an object; what the plan
wants to make is shown to the API server in a dry run. Some live for real, under the real operator.
"""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import urllib3

from modelyard_algorithms.contract.report import Outcome, Report
from modelyard_operator.api.kind import Kind
from modelyard_operator.api.registry import KINDS as ALL
from modelyard_operator.kube import resources
from modelyard_operator.plan import Manifest, Ref, timestamp
from modelyard_operator.reconcile import serving_token
from modelyard_operator.reconcile.registry import CONTROLLERS
from tests.integration.crds.test_sentences import manifest
from tests.support.apiserver import ApiServer
from tests.support.oddities import Oddities
from tests.support.simulated import Simulation

COUNT, THREADS, SEED = 1000, 4, 12
KINDS = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
CANNOT_BE_SEEN = ("no PriorityClass with name", "resources.limits[", "nodeSelector")
"""What only the child's creation shows, and the object's condition then says: keys of maps are too long for
the budget of a CEL rule, and no rule sees other objects."""
NOT_A_SENTENCE = (
    "panic",
    "runtime error",
    "no such overload",
    "no such key",
    "exceeded",
    "goroutine",
    "regexp",
)
"""What would come of a rule that cannot cope with a value."""


@dataclass(frozen=True)
class Answer:
    """Of the API server to a creation in a dry run."""

    code: int
    body: Manifest

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class DryRun:
    """Shows objects to the API server; nothing is kept."""

    def __init__(self, server: ApiServer) -> None:
        context = ssl.create_default_context(cafile=str(server.ca))
        self._pool = urllib3.PoolManager(maxsize=THREADS, ssl_context=context, retries=False)
        self._url, self._token = server.url, server.token

    def close(self) -> None:
        self._pool.clear()

    def create(self, manifest: Manifest) -> Answer:
        found = resources.of(manifest["apiVersion"], manifest["kind"])
        path = found.path(manifest["metadata"]["namespace"])
        answer = self._pool.request(
            "POST",
            f"{self._url}{path}?dryRun=All&fieldValidation=Strict",
            body=json.dumps(manifest),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        return Answer(answer.status, json.loads(answer.data))


@pytest.fixture(scope="module")
def dry_run(api_server: ApiServer) -> Iterator[DryRun]:
    found = DryRun(api_server)
    yield found
    found.close()


def ready(ref: Ref) -> Manifest:
    """What an object refers to, as it is when all is well."""
    meta = {"name": ref.name, "namespace": ref.namespace, "uid": f"uid-{ref.name}", "resourceVersion": "1"}
    found: Manifest = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": meta}
    if ref.kind == "Dataset":
        status = {"phase": "Ready", "version": "sha256:" + "ab" * 32, "splits": {"train": 8, "validation": 2}}
        return found | {"spec": {"source": {"objectStore": {"prefix": "in/"}}}, "status": status}
    if ref.kind == "TrainingJob":
        model = {"uri": "s3://modelyard-team/models/a/", "digest": "sha256:1", "bytes": 1}
        return found | {"spec": {}, "status": {"phase": "Succeeded", "model": model}}
    return found


def live(accepted: Manifest, see: Callable[[Simulation], None]) -> None:
    """An object's life: it begins, runs, reports, fails, and a day goes by; ``see`` looks at each stage."""
    controller = CONTROLLERS[accepted["kind"]]
    sim = Simulation(controller.plan, accepted)
    sim.references = {ref: ready(ref) for ref in controller.references(accepted)}
    if accepted["kind"] == "Deployment" and "tokenSecretName" not in accepted["spec"]:
        sim.references[serving_token.reference(accepted)] = None  # It is made.
    sim.settle()
    see(sim)
    sim.pods_run()
    sim.settle()
    if accepted["kind"] == "TrainingJob" and sim.status.get("attempt"):
        sim.report = _report(sim)
        sim.settle()
    see(sim)
    for pod in sim.children_of("Pod")[:1]:
        sim.pod_ends(pod["metadata"]["name"], 1, Outcome(reason="TrainingError", message="no").to_json())
    sim.settle()
    see(sim)
    sim.now += timedelta(days=1)
    sim.settle()
    see(sim)


def _report(sim: Simulation) -> Report:
    meta = sim.object["metadata"]
    facts: dict[str, Any] = {"kind": "TrainingJob", "namespace": meta["namespace"], "name": meta["name"]}
    facts |= {
        "uid": meta["uid"],
        "attempt": sim.status["attempt"],
        "stage": "Training",
        "epoch": 1,
        "step": 1,
    }
    return Report.model_validate(facts | {"time": timestamp(sim.now)})


def has_come_to_something(sim: Simulation) -> None:
    assert sim.deleted_self or (sim.status["phase"] and sim.status["message"]), sim.object
    types = {c["type"] for c in sim.status["conditions"]}
    assert types >= {"Ready", "Reconciling", "Stalled"}, sim.object
    assert all(len(c["message"]) <= 32768 for c in sim.status["conditions"]), sim.object


@KINDS
def test_each_is_refused_with_a_sentence_or_comes_to_a_condition(
    dry_run: DryRun, namespace: str, kind: Kind
) -> None:
    oddities = Oddities(kind, SEED)
    objects = [oddities.next(namespace) for _ in range(COUNT)]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(dry_run.create, objects))
    counted = Counter(answer.code for answer in answers)
    assert counted[201] > COUNT / 10, f"too little is taken to prove anything: {counted}"
    assert counted[422] > COUNT / 8, f"too little is refused to prove anything: {counted}"
    children: list[Manifest] = []
    for given, answer in zip(objects, answers, strict=True):
        if answer.code != 201:
            assert answer.code in {400, 422}, (answer, given)
            assert answer.message, given
            assert not any(word in answer.message for word in NOT_A_SENTENCE), (answer.message, given)
            continue
        seen: dict[str, Manifest] = {}

        def see(sim: Simulation, seen: dict[str, Manifest] = seen) -> None:
            has_come_to_something(sim)
            for (child, _), made in sim.children.items():
                seen.setdefault(child, made)

        live(answer.body, see)
        children += seen.values()
    answers = [dry_run.create(_sent(child)) for child in children]
    refused = {found.message for found in answers if found.code != 201}
    assert not [said for said in refused if not any(words in said for words in CANNOT_BE_SEEN)], refused
    assert len(refused) < len(children) / 50


@pytest.mark.parametrize("quantity", ["1e999999999", "1e-999999999", "1e999"])
def test_a_quantity_with_a_long_exponent_is_refused_before_anybody_computes_it(
    dry_run: DryRun, namespace: str, quantity: str
) -> None:
    """The API server's isQuantity takes minutes for it."""
    found = dry_run.create(manifest("TrainingJob", namespace, resources={"limits": {"cpu": quantity}}))
    assert found.code == 422
    assert "must be a quantity, for example 500m or 2Gi" in found.message


def _sent(child: Manifest) -> Manifest:
    """A child as the engine sends it."""
    meta = {key: child["metadata"][key] for key in ("name", "namespace", "labels")}
    sent = {key: value for key, value in child.items() if key not in {"metadata", "status"}}
    if child["kind"] == "Pod":
        # Without the admission of service accounts, which this API server does not have, it must be named.
        sent["spec"] = child["spec"] | {"serviceAccountName": "default"}
    return sent | {"metadata": meta}
