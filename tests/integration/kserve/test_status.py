"""The status read from what KServe writes, traps included."""

from tests.integration.kserve.serving import DEPLOYMENTS, OURS, READY, SERVICES, Serving
from tests.support import kserve_sdk


def test_it_is_ready_when_kserve_and_its_servers_are(serving: Serving) -> None:
    serving.reaches("Progressing")
    serving.kserve_acts()
    status = serving.reaches("Ready")
    assert status["backend"] == "KServe"
    assert status["url"] == f"http://d-predictor.{serving.namespace}.svc.cluster.local"
    assert status["predictPath"] == "/v1/models/d:predict"
    assert status["ready"] == "1/1"
    assert status["tokenSecretName"] == "d-token"
    serving.server.kubectl(
        "wait", "--for=condition=Ready", "--timeout=10s", OURS, "d", "-n", serving.namespace
    )


def test_kserves_ready_is_not_believed_while_servers_are_exchanged(serving: Serving) -> None:
    serving.kserve_acts()
    serving.reaches("Ready")
    serving.edit(maxRequestBytes=4096)
    serving.reaches("Progressing")
    serving.kserve_acts(READY, replicas=2, updatedReplicas=1, readyReplicas=1, availableReplicas=1)
    serving.eventually(lambda: "rolling out" in serving.status()["message"], "a rollout")
    serving.kserve_acts()
    serving.reaches("Ready")


def test_the_url_needs_no_ingress_but_ready_does(serving: Serving) -> None:
    serving.kserve_acts({"PredictorReady": "True", "IngressReady": "False", "Ready": "False"})
    serving.eventually(
        lambda: (
            serving.status().get("message") == "KServe: IngressReady is False: IngressReady is not yet so"
        ),
        "KServe's own words",
    )
    assert serving.condition("Ready")["status"] == "False"


def test_stopped_and_started_again(serving: Serving) -> None:
    serving.kserve_acts()
    serving.reaches("Ready")
    serving.edit(replicas=0)
    serving.eventually(
        lambda: serving.service()["metadata"]["annotations"]["serving.kserve.io/stop"] == "true", "a stop"
    )
    serving.server.kubectl("delete", DEPLOYMENTS, "d-predictor", "-n", serving.namespace)
    assert serving.reaches("Stopped")["ready"] == "0/0"
    serving.edit(replicas=2)
    serving.eventually(
        lambda: serving.service()["metadata"]["annotations"]["serving.kserve.io/stop"] == "false", "a start"
    )
    serving.kserve_acts()
    assert serving.reaches("Ready")["ready"] == "2/2"


def test_the_other_backend_takes_over_without_a_gap(serving: Serving) -> None:
    serving.kserve_acts()
    serving.reaches("Ready")
    serving.edit(backend="Kubernetes")
    serving.eventually(lambda: serving.find(DEPLOYMENTS, "d-server"), "the other backend's Deployment")
    serving.reaches("Progressing")
    assert serving.find(SERVICES) is not None
    assert serving.status()["backend"] == "KServe"
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "observedGeneration")
    serving.patch(DEPLOYMENTS, "d-server", {"status": dict.fromkeys(counts, 1)}, "status")
    assert serving.reaches("Ready")["backend"] == "Kubernetes"
    serving.eventually(lambda: serving.find(SERVICES) is None, "no InferenceService")


def test_one_that_kserve_does_not_let_go_of_is_told(serving: Serving) -> None:
    """As when KServe's controller was removed first: its finalizer stays, and so does the object."""
    serving.kserve_acts()
    serving.reaches("Ready")
    before = serving.service()["metadata"]["uid"]
    serving.patch(SERVICES, "d", {"metadata": {"finalizers": ["kserve.example.com/finalizer"]}})
    serving.server.kubectl("delete", SERVICES, "d", "-n", serving.namespace, "--wait=false")
    serving.eventually(lambda: "let go of the InferenceService" in serving.status()["message"], "a sentence")
    assert serving.condition("Ready")["status"] == "False"
    serving.patch(SERVICES, "d", {"metadata": {"finalizers": None}})
    serving.eventually(lambda: serving.service()["metadata"]["uid"] != before, "another InferenceService")


def test_kserve_that_goes_away_is_told(serving: Serving) -> None:
    serving.kserve_acts()
    serving.edit(backend="KServe")
    serving.reaches("Ready")
    definition = f"{kserve_sdk.PLURAL}.{kserve_sdk.GROUP}"
    serving.server.kubectl("delete", "crd", definition, "--wait=false")
    try:
        # Sooner than it is asked for: the watch notices.
        serving.reaches("Failed", timeout=15)
        stalled = serving.condition("Stalled")
        assert (stalled["status"], stalled["reason"]) == ("True", "KServeNotInstalled")
        assert "install KServe, or set spec.backend" in stalled["message"]
    finally:
        serving.server.kubectl("wait", "crd", definition, "--for=delete", "--timeout=50s", check=False)
        serving.server.establish(kserve_sdk.definition())
    serving.eventually(lambda: serving.find(SERVICES), "an InferenceService again", timeout=120)
