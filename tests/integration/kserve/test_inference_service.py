"""The InferenceService on a real API server: accepted, owned, repaired, deleted."""

from tests.integration.kserve.serving import DIGEST, OURS, SERVICES, Serving
from tests.support import kserve_sdk

SERVERS_OWN = {"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"}


def test_it_is_what_the_sdks_models_can_say(serving: Serving) -> None:
    found = serving.service()
    found["metadata"] = {k: v for k, v in found["metadata"].items() if k not in SERVERS_OWN}
    assert kserve_sdk.round_trip(found) == found


def test_the_server_keeps_every_field_of_it(serving: Serving) -> None:
    predictor = serving.service()["spec"]["predictor"]
    (container,) = predictor["containers"]
    assert container["name"] == "kserve-container"
    assert container["readinessProbe"]["httpGet"] == {
        "path": "/v2/health/ready",
        "port": 8080,
        "scheme": "HTTP",
    }
    assert predictor["deploymentStrategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert predictor["securityContext"]["runAsNonRoot"] is True
    assert predictor["volumes"][0] == {"name": "scratch", "emptyDir": {}}


def test_it_says_what_kserve_would_choose_otherwise(serving: Serving) -> None:
    meta = serving.service()["metadata"]
    assert meta["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    assert meta["annotations"]["serving.kserve.io/autoscalerClass"] == "none"
    assert meta["annotations"]["serving.kserve.io/stop"] == "false"
    assert meta["labels"]["networking.kserve.io/visibility"] == "cluster-local"


def test_it_is_owned_and_labelled(serving: Serving) -> None:
    meta = serving.service()["metadata"]
    ours = serving.find(OURS)
    assert ours is not None
    (owner,) = meta["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Deployment", "d", ours["metadata"]["uid"])
    assert owner["controller"] is True
    assert meta["labels"]["modelyard.dev/uid"] == ours["metadata"]["uid"]


def test_an_edit_is_repaired(serving: Serving) -> None:
    before = serving.service()
    change = {
        "metadata": {"annotations": {"serving.kserve.io/autoscalerClass": "hpa"}},
        "spec": {"predictor": {"minReplicas": 7}},
    }
    serving.patch(SERVICES, "d", change)

    def repaired() -> bool:
        found = serving.service()
        mode = found["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"]
        return bool(found["spec"] == before["spec"] and mode == "none")

    serving.eventually(repaired, "the InferenceService as it was")


def test_a_deleted_one_comes_back(serving: Serving) -> None:
    before = serving.service()["metadata"]["uid"]
    serving.server.kubectl("delete", SERVICES, "d", "-n", serving.namespace)
    serving.eventually(lambda: serving.service()["metadata"]["uid"] != before, "another InferenceService")


def test_what_somebody_else_adds_stays(serving: Serving) -> None:
    serving.service()
    serving.patch(SERVICES, "d", {"metadata": {"annotations": {"team.example.com/note": "kept"}}})
    serving.edit(replicas=2)
    serving.eventually(lambda: serving.service()["spec"]["predictor"]["minReplicas"] == 2, "two replicas")
    assert serving.service()["metadata"]["annotations"]["team.example.com/note"] == "kept"


def test_it_goes_with_its_deployment(serving: Serving) -> None:
    serving.kserve_acts()
    serving.server.kubectl("delete", OURS, "d", "-n", serving.namespace)
    for resource, name in ((SERVICES, "d"), ("deployments.apps", "d-predictor"), ("secrets", "d-token")):
        serving.eventually(lambda r=resource, n=name: serving.find(r, n) is None, f"no {resource} {name}")


def test_a_new_model_changes_the_template(serving: Serving) -> None:
    before = serving.service()["spec"]["predictor"]["annotations"]
    serving.publish(DIGEST.replace("cd", "ef"))
    serving.eventually(
        lambda: serving.service()["spec"]["predictor"]["annotations"] != before, "another rollout"
    )
