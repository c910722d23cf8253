"""A task's stores carry the names that the workloads' messages use."""

from modelyard_operator.api.base import ObjectStoreFolder
from modelyard_operator.api.dataset import DatasetSource
from modelyard_operator.desired import stores
from modelyard_operator.plan import Observed
from tests.support.simulated import Simulation

FOREIGN = ObjectStoreFolder(bucket="photos", credentials_secret_name="team-s3")


def owner() -> Observed:
    manifest = {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "j", "namespace": "team"},
        "spec": {},
    }
    found: Observed = Simulation(lambda _: None, manifest).observed()  # type: ignore[arg-type,return-value]
    return found


def test_the_platforms_store_is_that_of_the_namespaces_secret() -> None:
    store = stores.platform_store(owner().platform)
    assert (store.secret, store.field) == ("modelyard-store", None)


def test_a_users_store_names_its_secret_and_where_the_user_wrote_it() -> None:
    _, store, secret = stores.resolve(owner(), FOREIGN, "model", "spec.model.objectStore")
    assert (store.secret, store.field, secret) == ("team-s3", "spec.model.objectStore", "team-s3")


def test_a_trainings_store_names_the_dataset_that_the_field_is_of() -> None:
    asked = DatasetSource(object_store=FOREIGN)
    _, store, _ = stores.source(owner(), asked, "uploads/x/", "train", "Dataset 'photos', ")
    assert store.field == "Dataset 'photos', spec.source.objectStore"
