"""A Deployment's life, under both backends, as sentences."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from modelyard_algorithms.contract.report import ModelReport, Outcome, Report
from modelyard_algorithms.contract.task import ServingTask
from modelyard_operator import naming
from modelyard_operator.api.deployment import Deployment
from modelyard_operator.plan import GENERATED_TOKEN, NO_STORAGE, Ref
from modelyard_operator.reconcile.deployment import CONTROLLER, HANDOVER_SECONDS, plan, references
from tests.support.simulated import PLATFORM, Simulation
from tests.support.upgrade import later, later_version

JOB = Ref("modelyard.dev/v1alpha1", "TrainingJob", "team", "train")
TOKEN = Ref("v1", "Secret", "team", "ours")
GENERATED = Ref("v1", "Secret", "team", "d-token")
DIGEST = "sha256:" + "cd" * 32
FOLDER = {"objectStore": {"prefix": "models/a"}}
BACKENDS = ("Kubernetes", "KServe")


def training_job(phase: str = "Succeeded", digest: str = DIGEST, **status: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"phase": phase}
    if phase == "Succeeded":
        found["model"] = {"uri": "s3://modelyard-team/models/train-1/", "digest": digest, "bytes": 9}
    return {"metadata": {"name": "train", "namespace": "team"}, "status": found | status}


def deployment(backend: str = "Kubernetes", **spec: Any) -> Simulation:
    manifest = {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "team"},
        "spec": {"model": {"trainingJob": "train"}, "backend": backend} | spec,
    }
    found = Simulation(plan, manifest, replace(PLATFORM, kserve=backend == "KServe"))
    found.references[JOB] = training_job()
    if "tokenSecretName" not in spec:
        found.references[GENERATED] = None
    return found


def template(sim: Simulation) -> dict[str, Any]:
    """The pod template that was asked for, under either backend."""
    for service in sim.children_of("InferenceService"):
        predictor = service["spec"]["predictor"]
        return {"metadata": {k: predictor[k] for k in ("labels", "annotations")}, "spec": predictor}
    return dict(sim.children["Deployment", "d-server"]["spec"]["template"])


def kserve_makes_its_deployment(sim: Simulation) -> None:
    """As KServe's controller does it in Standard mode."""
    for service in sim.children_of("InferenceService"):
        predictor = service["spec"]["predictor"]
        stopped = service["metadata"]["annotations"]["serving.kserve.io/stop"] == "true"
        key = ("Deployment", "d-predictor")
        if stopped:
            sim.children.pop(key, None)
            continue
        meta = {"labels": predictor["labels"], "annotations": predictor["annotations"]}
        spec = {"replicas": predictor["minReplicas"], "template": {"metadata": copy.deepcopy(meta)}}
        before = sim.children.get(key)
        generation = 1 if before is None else before["metadata"]["generation"]
        if before is not None and before["spec"] != spec:
            generation += 1
        sim.children[key] = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "d-predictor",
                "labels": predictor["labels"],
                "generation": generation,
                "ownerReferences": [{"uid": service["metadata"]["uid"], "controller": True}],
            },
            "spec": spec,
            "status": before["status"] if before else {},
        }


def servers_run(sim: Simulation, ready: int | None = None, **status: Any) -> None:
    """The cluster's controllers have done their work; ``ready`` of the servers answer."""
    kserve_makes_its_deployment(sim)
    for found in sim.children_of("Deployment"):
        asked = found["spec"]["replicas"]
        answering = asked if ready is None else ready
        found["status"] = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": asked,
            "updatedReplicas": asked,
            "readyReplicas": answering,
            "availableReplicas": answering,
        } | status
    truth = "True" if ready is None else "False"
    for service in sim.children_of("InferenceService"):
        kinds = ("PredictorReady", "IngressReady", "Ready")
        service["status"] = {
            "address": {"url": "http://d-predictor.team.svc.cluster.local"},
            "url": "http://d-team.example.com",
            "conditions": [{"type": kind, "status": truth} for kind in kinds],
            "observedGeneration": 1,
        }


def serving(backend: str = "Kubernetes", **spec: Any) -> Simulation:
    sim = deployment(backend, **spec)
    sim.settle()
    servers_run(sim)
    sim.settle()
    assert sim.status["phase"] == "Ready", sim.status
    return sim


def task(sim: Simulation) -> ServingTask:
    """What the servers are asked to do."""
    (container,) = template(sim)["spec"]["containers"]
    env = {found["name"]: found["value"] for found in container["env"]}
    return ServingTask.model_validate_json(env["MODELYARD_TASK"])


def told(source: str | None, digest: str) -> Report:
    """A server says which model it has read."""
    assert source is not None
    return Report(
        kind="Deployment",
        namespace="team",
        name="d",
        uid="u",
        stage="Serving",
        model=ModelReport(source=source, digest=digest, bytes=7),
        time="2026-01-01T00:00:00Z",
    )


def add_pod(sim: Simulation, **container: Any) -> None:
    """A server of the newest template."""
    meta = template(sim)["metadata"]
    sim.children["Pod", "d-x"] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "d-x", "labels": meta["labels"], "annotations": meta["annotations"]},
        "status": {
            "phase": "Pending",
            "containerStatuses": [{"image": "runtime:1", "ready": False} | container],
        },
    }


@pytest.mark.parametrize("backend", BACKENDS)
class TestServing:
    def test_it_is_ready_when_its_servers_are(self, backend: str) -> None:
        sim = deployment(backend)
        sim.settle()
        assert (sim.status["phase"], sim.status["ready"]) == ("Progressing", "0/1")
        servers_run(sim, ready=0)
        sim.settle()
        assert sim.status["phase"] == "Progressing"
        servers_run(sim)
        sim.settle()
        assert sim.status["phase"] == "Ready"
        assert sim.status["backend"] == backend
        assert sim.status["ready"] == "1/1"
        assert sim.status["model"] == {
            "uri": "s3://modelyard-team/models/train-1/",
            "digest": DIGEST,
            "bytes": 9,
        }
        assert sim.status["predictPath"] == "/v1/models/d:predict"
        assert sim.status["tokenSecretName"] == "d-token"
        assert sim.condition("Ready")["message"] == "1 server answers"

    def test_the_address_is_the_one_inside_the_cluster(self, backend: str) -> None:
        expected = {
            "Kubernetes": "http://d-server.team.svc",
            "KServe": "http://d-predictor.team.svc.cluster.local",
        }
        assert serving(backend).status["url"] == expected[backend]

    def test_the_token_is_generated_and_comes_before_the_servers(self, backend: str) -> None:
        sim = deployment(backend)
        (token,) = sim.reconcile().create
        assert token["stringData"] == {"token": GENERATED_TOKEN}
        sim.settle()
        assert sim.created[0] == "d-token"

    def test_the_servers_are_told_what_to_serve(self, backend: str) -> None:
        sim = serving(backend)
        asked = task(sim)
        assert (asked.model_name, asked.digest) == ("d", DIGEST)
        assert (asked.model.bucket, asked.model.prefix) == ("modelyard-team", "models/train-1/")

    def test_a_new_model_rolls_and_the_status_names_the_old_one_until_it_is_there(self, backend: str) -> None:
        sim = serving(backend)
        before = template(sim)["metadata"]["annotations"]
        newer = "sha256:" + "ef" * 32
        sim.references[JOB] = training_job(digest=newer)
        sim.settle()
        assert template(sim)["metadata"]["annotations"] != before
        assert (sim.status["phase"], sim.status["model"]["digest"]) == ("Progressing", DIGEST)
        servers_run(sim)
        sim.settle()
        assert (sim.status["phase"], sim.status["model"]["digest"]) == ("Ready", newer)

    def test_a_rollout_is_not_over_while_an_old_server_is_left(self, backend: str) -> None:
        sim = serving(backend, replicas=2)
        sim.references[JOB] = training_job(digest="sha256:" + "ef" * 32)
        sim.settle()
        servers_run(sim, None, replicas=3, updatedReplicas=1, readyReplicas=2, availableReplicas=2)
        sim.settle()
        assert sim.status["phase"] == "Progressing"
        assert sim.status["message"] == "rolling out: 1 of 2 servers are new, 2 answer"

    def test_a_changed_token_rolls_the_servers(self, backend: str) -> None:
        sim = serving(backend)
        before = template(sim)["metadata"]["annotations"]
        sim.children["Secret", "d-token"]["metadata"]["resourceVersion"] = "2"
        sim.settle()
        assert template(sim)["metadata"]["annotations"] != before

    def test_a_deleted_token_is_looked_for_and_made_again(self, backend: str) -> None:
        sim = serving(backend)
        assert sim.reconcile().requeue_after == 60.0
        del sim.children["Secret", "d-token"]
        (token,) = sim.reconcile().create
        assert token["metadata"]["name"] == "d-token"

    def test_a_secret_of_the_tokens_name_that_is_not_this_deployments_is_not_taken(
        self, backend: str
    ) -> None:
        """Its creation fails then, and says that the name is taken."""
        sim = deployment(backend)
        for owners in (
            [],
            [{"uid": "another", "controller": True}],
            [{"uid": sim.object["metadata"]["uid"]}],
        ):
            meta = {"name": "d-token", "uid": "s", "resourceVersion": "1", "ownerReferences": owners}
            sim.references[GENERATED] = {"metadata": meta}
            plan = sim.decide(sim.observed())
            assert [found["metadata"]["name"] for found in plan.create] == ["d-token"]
            assert not plan.apply

    def test_the_token_is_made_while_the_model_is_waited_for(self, backend: str) -> None:
        """Else a Deployment whose model comes in an hour would be asked for it every few seconds."""
        sim = deployment(backend)
        sim.references[JOB] = training_job("Running")
        assert sim.settle().requeue_after == 60.0
        assert ("Secret", "d-token") in sim.children

    def test_the_users_token_is_waited_for_and_the_generated_one_stays(self, backend: str) -> None:
        sim = serving(backend)
        sim.edit(tokenSecretName="ours")
        del sim.references[GENERATED]
        sim.references[TOKEN] = None
        assert sim.settle().requeue_after == 5.0
        assert sim.condition("Ready")["reason"] == "TokenNotFound"
        assert sim.status["ready"] == "1/1", "the servers go on with the token before"
        sim.references[TOKEN] = {"metadata": {"name": "ours", "uid": "o", "resourceVersion": "1"}}
        sim.settle()
        servers_run(sim)
        sim.settle()
        assert (sim.status["phase"], sim.status["tokenSecretName"]) == ("Ready", "ours")
        assert ("Secret", "d-token") in sim.children

    def test_no_replicas_stops_it_and_keeps_the_token(self, backend: str) -> None:
        sim = serving(backend)
        sim.edit(replicas=0)
        sim.settle()
        assert sim.status["phase"] == "Progressing"
        servers_run(sim)
        sim.settle()
        assert (sim.status["phase"], sim.condition("Ready")["reason"]) == ("Stopped", "Stopped")
        assert ("Secret", "d-token") in sim.children
        sim.edit(replicas=1)
        sim.settle()
        servers_run(sim)
        sim.settle()
        assert sim.status["phase"] == "Ready"

    def test_a_deleted_child_comes_back(self, backend: str) -> None:
        sim = serving(backend)
        before = {key for key in sim.children if key != ("Deployment", "d-predictor")}
        sim.children.clear()
        sim.settle()
        assert set(sim.children) == before

    def test_it_is_not_ready_any_more_when_a_server_stops_answering(self, backend: str) -> None:
        sim = serving(backend, replicas=2)
        servers_run(sim, ready=1)
        sim.settle()
        assert (sim.status["phase"], sim.status["ready"]) == ("Progressing", "1/2")
        assert sim.condition("Ready")["status"] == "False"


@pytest.mark.parametrize("backend", BACKENDS)
class TestTrouble:
    def test_the_servers_last_words_are_the_condition(self, backend: str) -> None:
        sim = deployment(backend)
        sim.settle()
        words = Outcome(reason="ModelNotFound", message="there is no model in x", retriable=False).to_json()
        ended = {"terminated": {"exitCode": 64, "message": words}}
        add_pod(sim, state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState=ended)
        sim.settle()
        assert (sim.status["phase"], sim.status["message"]) == ("Failed", "there is no model in x")
        assert sim.condition("Stalled")["reason"] == "ModelNotFound"

    def test_a_store_that_is_away_is_waited_for(self, backend: str) -> None:
        sim = deployment(backend)
        sim.settle()
        words = Outcome(reason="StoreUnreachable", message="the store does not answer").to_json()
        add_pod(sim, state={"running": {}}, lastState={"terminated": {"exitCode": 1, "message": words}})
        sim.settle()
        assert (sim.status["phase"], sim.condition("Reconciling")["status"]) == ("Progressing", "True")
        assert sim.condition("Reconciling")["reason"] == "StoreUnreachable"

    @pytest.mark.parametrize(
        ("ended", "reason"),
        [
            ({"exitCode": 137, "reason": "OOMKilled"}, "OOMKilled"),
            ({"exitCode": 1, "message": "Traceback"}, "ServerCrashed"),
        ],
    )
    def test_a_crash_without_last_words_is_told_too(
        self, backend: str, ended: dict[str, Any], reason: str
    ) -> None:
        sim = deployment(backend)
        sim.settle()
        add_pod(sim, state={"terminated": ended})
        sim.settle()
        assert sim.condition("Stalled")["reason"] == reason

    def test_an_image_that_cannot_be_pulled_is_named(self, backend: str) -> None:
        sim = deployment(backend, image="nowhere:1")
        sim.settle()
        add_pod(sim, image="nowhere:1", state={"waiting": {"reason": "ErrImagePull"}})
        sim.settle()
        assert sim.condition("Stalled")["reason"] == "ImagePullFailed"
        assert "nowhere:1" in sim.status["message"]

    def test_pods_of_an_earlier_template_do_not_count(self, backend: str) -> None:
        sim = deployment(backend, image="nowhere:1")
        sim.settle()
        add_pod(sim, image="nowhere:1", state={"waiting": {"reason": "ErrImagePull"}})
        sim.edit(image="runtime:1")
        sim.settle()
        assert sim.condition("Stalled")["status"] == "False"

    def test_a_rollout_without_progress_is_stuck(self, backend: str) -> None:
        sim = deployment(backend)
        sim.settle()
        late = {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": "m",
        }
        servers_run(sim, ready=0, conditions=[late])
        sim.settle()
        assert sim.condition("Stalled")["reason"] == "RolloutStuck"

    def test_a_quota_that_allows_no_pod_is_told(self, backend: str) -> None:
        sim = deployment(backend)
        sim.settle()
        full = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
        servers_run(sim, ready=0, conditions=[full])
        sim.settle()
        assert sim.condition("Stalled")["reason"] == "PodNotCreated"
        assert "exceeded quota" in sim.status["message"]


class TestModel:
    def test_a_missing_training_job_is_waited_for(self) -> None:
        sim = deployment()
        sim.references[JOB] = None
        sim.settle()
        assert (sim.status["phase"], sim.condition("Ready")["reason"]) == ("Pending", "TrainingJobNotFound")
        assert list(sim.children) == [("Secret", "d-token")]
        sim.references[JOB] = training_job("Running")
        sim.settle()
        assert sim.status["message"] == "waits for the model of TrainingJob 'train' (Running)"
        sim.references[JOB] = training_job()
        sim.settle()
        assert sim.status["phase"] == "Progressing"

    @pytest.mark.parametrize("phase", ["Failed", "Invalid"])
    def test_a_training_job_without_a_model_is_a_failure(self, phase: str) -> None:
        sim = deployment()
        sim.references[JOB] = training_job(phase, message="out of memory")
        sim.settle()
        assert (sim.status["phase"], sim.condition("Stalled")["reason"]) == ("Failed", "TrainingJobFailed")
        assert "out of memory" in sim.status["message"]

    def test_a_model_is_served_on_when_its_training_job_is_gone(self) -> None:
        sim = serving()
        sim.references[JOB] = None
        sim.settle()
        assert sim.status["phase"] == "Ready"
        sim.children.pop(("Deployment", "d-server"))
        sim.settle()
        assert ("Deployment", "d-server") in sim.children

    def test_another_model_that_is_not_there_leaves_the_servers_alone(self) -> None:
        sim = serving()
        before = template(sim)
        sim.edit(model={"trainingJob": "other"})
        sim.references[replace(JOB, name="other")] = None
        sim.settle()
        assert (sim.status["phase"], sim.status["readyReplicas"]) == ("Pending", 1)
        assert template(sim) == before

    def test_a_folder_of_ones_own_store_needs_no_storage_of_the_namespace(self) -> None:
        keys = Ref("v1", "Secret", "team", "keys")
        folder = {"bucket": "models", "prefix": "a", "credentialsSecretName": "keys"}
        sim = deployment(model={"objectStore": folder})
        sim.storage = NO_STORAGE
        sim.references[keys] = None
        sim.settle()
        assert sim.condition("Ready")["reason"] == "CredentialsNotFound"
        sim.references[keys] = {"metadata": {"name": "keys"}}
        sim.settle()
        servers_run(sim)
        sim.settle()
        assert sim.status["model"] == {"uri": "s3://models/a/"}
        assert [c["metadata"]["name"] for c in sim.children_of("Secret")] == ["d-token"]

    def test_the_servers_tell_the_digest_of_a_folder(self) -> None:
        sim = serving(model=FOLDER)
        assert sim.status["model"] == {"uri": "s3://modelyard-team/models/a/"}
        before = template(sim)
        sim.report = told(task(sim).source, DIGEST)
        sim.settle()
        assert sim.status["model"] == {"uri": "s3://modelyard-team/models/a/", "digest": DIGEST, "bytes": 7}
        assert template(sim) == before, "what is told rolls no server"
        sim.report = None
        sim.settle()
        assert sim.status["model"]["digest"] == DIGEST, "told once is enough"

    def test_a_folder_with_new_weights_is_told_again(self) -> None:
        sim = serving(model=FOLDER)
        newer = "sha256:" + "ef" * 32
        for digest in (DIGEST, newer):
            sim.report = told(task(sim).source, digest)
            sim.settle()
        assert sim.status["model"]["digest"] == newer

    def test_what_is_told_of_another_folder_does_not_count(self) -> None:
        sim = serving(model=FOLDER)
        sim.report = told(task(sim).source, DIGEST)
        sim.settle()
        sim.edit(model={"objectStore": {"prefix": "models/b"}})
        sim.settle()
        assert sim.status["model"]["digest"] == DIGEST, "it is served until the new one is"
        servers_run(sim)
        sim.settle()
        assert sim.status["model"] == {"uri": "s3://modelyard-team/models/b/"}

    def test_a_training_jobs_model_is_known_and_nothing_is_told(self) -> None:
        sim = serving()
        asked = task(sim)
        assert (asked.uid, asked.source, asked.reporting) == (None, None, None)
        assert "report-token" not in [found["name"] for found in template(sim)["spec"]["volumes"]]

    def test_the_storage_of_the_namespace_is_waited_for(self) -> None:
        sim = deployment()
        sim.storage = NO_STORAGE
        sim.settle()
        assert sim.condition("Ready")["reason"] == "ObjectStorePending"

    def test_it_refers_to_everything_that_it_waits_for(self) -> None:
        assert references(deployment(tokenSecretName="ours").object) == [JOB, TOKEN]
        folder = {"objectStore": {"bucket": "b", "credentialsSecretName": "keys"}}
        assert references(deployment(model=folder).object) == [Ref("v1", "Secret", "team", "keys"), GENERATED]
        assert CONTROLLER.kind.plural == "deployments"


class TestBackend:
    @pytest.mark.parametrize(
        ("kserve", "expose", "expected"),
        [
            (False, "ClusterIP", "Kubernetes"),
            (True, "ClusterIP", "KServe"),
            (True, "NodePort", "Kubernetes"),
        ],
    )
    def test_auto_takes_kserve_where_it_can_do_what_is_asked(
        self, kserve: bool, expose: str, expected: str
    ) -> None:
        sim = deployment("Auto", expose={"type": expose})
        sim.platform = replace(PLATFORM, kserve=kserve)
        sim.settle()
        assert sim.status["backend"] == expected

    def test_kserve_that_is_not_there_is_told(self) -> None:
        sim = deployment("KServe")
        sim.platform = PLATFORM
        last = sim.settle()
        assert (sim.status["phase"], sim.condition("Stalled")["reason"]) == ("Failed", "KServeNotInstalled")
        assert last.requeue_after is not None

    def test_kserve_that_vanishes_is_told(self) -> None:
        sim = serving("KServe")
        sim.platform = PLATFORM
        sim.settle()
        assert sim.condition("Ready")["reason"] == "KServeNotInstalled"

    @pytest.mark.parametrize(("first", "second"), [BACKENDS, BACKENDS[::-1]])
    def test_the_other_backend_serves_until_the_new_one_does(self, first: str, second: str) -> None:
        sim = serving(first)
        sim.platform = replace(PLATFORM, kserve=True)
        before, url = set(sim.children), sim.status["url"]
        sim.edit(backend=second)
        sim.settle()
        assert before <= set(sim.children)
        assert (sim.status["backend"], sim.status["url"]) == (first, url)
        servers_run(sim)
        last = sim.settle()
        assert (sim.status["phase"], sim.status["backend"]) == ("Ready", second)
        assert sim.status["url"] != url
        assert before <= set(sim.children), "clients need some seconds to follow"
        assert last.requeue_after == HANDOVER_SECONDS
        sim.tick(HANDOVER_SECONDS)
        assert sim.settle().requeue_after == 60.0
        kinds = {kind for kind, name in sim.children if name != "d-predictor"}
        assert ("InferenceService" in kinds) == (second == "KServe")
        assert ("Service" in kinds) == (second == "Kubernetes")

    def test_a_node_port_is_reported(self) -> None:
        sim = deployment(expose={"type": "NodePort", "nodePort": 30080})
        sim.settle()
        assert sim.status["nodePort"] == 30080
        sim.edit(expose={"type": "ClusterIP"})
        sim.settle()
        assert "nodePort" not in sim.status

    def test_a_disruption_budget_comes_with_the_second_server_and_goes_with_it(self) -> None:
        sim = serving(replicas=2)
        assert ("PodDisruptionBudget", "d-server") in sim.children
        sim.edit(replicas=1)
        sim.settle()
        servers_run(sim)
        sim.settle()
        assert ("PodDisruptionBudget", "d-server") not in sim.children


class TestKServe:
    def conditions(self, sim: Simulation, **status: str) -> None:
        service = sim.children["InferenceService", "d"]
        service["status"]["conditions"] = [
            {"type": kind, "status": value, "reason": "Because", "message": f"{kind} text"}
            for kind, value in status.items()
        ]

    def test_its_ready_is_not_believed_while_servers_are_exchanged(self) -> None:
        sim = serving("KServe")
        sim.edit(maxRequestBytes=2048)
        sim.settle()
        assert sim.status["phase"] == "Progressing", "Ready of the InferenceService is still True"

    def test_what_it_says_is_missing_is_told(self) -> None:
        sim = serving("KServe")
        self.conditions(sim, PredictorReady="True", IngressReady="False", Ready="False")
        sim.settle()
        assert sim.status["message"] == "KServe: IngressReady is False: IngressReady text"

    def test_before_it_has_made_its_deployment_it_is_waited_for(self) -> None:
        sim = deployment("KServe")
        sim.settle()
        assert sim.status["message"] == "waits for KServe to take up the InferenceService"

    def test_one_that_is_being_deleted_is_waited_for(self) -> None:
        """KServe has a finalizer on it; where KServe is gone, it stays for ever."""
        sim = serving("KServe")
        service = sim.children["InferenceService", "d"]
        service["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        sim.reconcile()
        assert sim.status["phase"] == "Progressing"
        assert sim.status["message"].startswith("waits for KServe to let go of the InferenceService")
        assert sim.status["readyReplicas"] == 1
        del sim.children["InferenceService", "d"]
        sim.settle()
        servers_run(sim)
        sim.settle()
        assert sim.status["phase"] == "Ready"

    def test_the_address_stays_while_it_is_stopped(self) -> None:
        sim = serving("KServe")
        url = sim.status["url"]
        sim.edit(replicas=0)
        sim.settle()
        kserve_makes_its_deployment(sim)
        sim.children["InferenceService", "d"]["status"] = {"deploymentMode": "Standard"}
        sim.settle()
        assert (sim.status["phase"], sim.status["url"]) == ("Stopped", url)

    def test_its_own_objects_are_not_deleted_by_us(self) -> None:
        sim = serving("KServe")
        sim.settle()
        assert ("Deployment", "d-predictor") in sim.children


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("filled_in", [False, True])
@pytest.mark.parametrize(
    "spec",
    [
        {},
        {
            "model": FOLDER,
            "pod": {"tolerations": [{"key": "gpu"}], "nodeSelector": {"disk": "ssd"}},
            "resources": {"limits": {"memory": "4Gi"}},
        },
    ],
)
def test_a_version_with_more_optional_fields_rolls_nothing(
    backend: str, filled_in: bool, spec: dict[str, Any]
) -> None:
    """Nor where the API server fills the new defaults into what it has stored."""
    sim = serving(backend, **spec)
    before = (copy.deepcopy(sim.status), copy.deepcopy(sim.children))
    if filled_in:
        found = later(Deployment).model_validate({"spec": sim.object["spec"]}).spec
        sim.object["spec"] = found.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert sim.object["spec"]["model"]["addedNumber"] == 7
    with later_version():
        sim.settle()
    assert (sim.status, sim.children) == before


def test_a_model_is_served_on_by_a_later_version_when_its_training_job_is_gone() -> None:
    sim = serving()
    sim.references[JOB] = None
    with later_version():
        sim.settle()
    assert sim.status["phase"] == "Ready"


def test_deletion_is_left_to_the_garbage_collector() -> None:
    sim = serving()
    sim.object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    last = sim.reconcile()
    assert (last.finalizer, list(last.delete), last.status) == (False, [], None)


def test_an_earlier_objects_labels_select_no_pod_of_the_other_backend() -> None:
    for backend in BACKENDS:
        labels = template(serving(backend))["metadata"]["labels"]
        assert labels[naming.BACKEND_LABEL] == backend
