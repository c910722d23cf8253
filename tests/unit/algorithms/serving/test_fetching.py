"""All files of a model are fetched, and none that is not what was published."""

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.digests import digest_of
from modelyard_algorithms.contract.model_card import ModelCard, digest_of_files
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.serving.fetching import fetch
from tests.unit.algorithms.memory import MemoryStore

FILES = {"trees.json": b"[]", "labels.json": b'["a"]'}
DIGESTS = {name: digest_of(data) for name, data in FILES.items()}


def _publish(store: MemoryStore) -> None:
    card = ModelCard(
        algorithm="trees",
        hyperparameters={},
        labels=["a"],
        metrics={},
        datasets={},
        files=DIGESTS,
        digest=digest_of_files(DIGESTS),
        bytes=sum(map(len, FILES.values())),
        libraries={},
        created="",
        training_job="",
    )
    for name, data in {**FILES, "model.json": card.to_json().encode()}.items():
        store.data["bucket", f"m/{name}"] = data


@pytest.mark.parametrize("digest", [None, digest_of_files(DIGESTS)])
def test_a_model_may_have_several_files(store: MemoryStore, digest: str | None) -> None:
    _publish(store)
    files, card = fetch(store.folder("m/"), digest)
    assert files == FILES
    assert card.files == DIGESTS


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_has_changed_is_refused(store: MemoryStore, name: str) -> None:
    _publish(store)
    store.data["bucket", f"m/{name}"] = b"other"
    with pytest.raises(WorkloadError) as caught:
        fetch(store.folder("m/"), None)
    assert caught.value.reason == report.MODEL_CHANGED


def test_a_file_that_is_gone_is_named(store: MemoryStore) -> None:
    _publish(store)
    del store.data["bucket", "m/trees.json"]
    with pytest.raises(WorkloadError, match=r"trees\.json") as caught:
        fetch(store.folder("m/"), None)
    assert caught.value.reason == report.MODEL_NOT_FOUND
