"""The dataset job as a process against a real object store."""

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from modelyard_algorithms.contract import environment, report
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.contract.task import Store
from tests.integration.algorithms.tenant import Tenant
from tests.integration.algorithms.workload import Machine, eventually
from tests.support import pictures
from tests.support.mounted_secret import MountedSecret


def test_a_source_is_validated_and_its_result_told(machine: Machine, digits: DatasetSummary) -> None:
    pod = machine.start("dataset", machine.dataset("digits/", validation_fraction=0.2))
    assert pod.wait() == 0, pod.log
    result = pod.outcome.result
    key = f"datasets/digits/{digits.version.removeprefix('sha256:')}/dataset.json"
    document = machine.store.read(key)
    assert result == {
        "document": {"key": key, "digest": f"sha256:{sha256(document).hexdigest()}"},
        "splitBy": "Fraction",
        "version": digits.version,
        "items": 200,
        "bytes": digits.bytes,
        "classes": 4,
        "labels": ["0", "1", "2", "3"],
        "splits": {"train": 160, "validation": 40},
    }


def test_names_of_all_kinds_are_read(machine: Machine) -> None:
    names = ["ü/漢 字.png", "a b/x+y&z=1%20.png", "c#?/'quoted\".png", "…/~tilde.png"]
    good = pictures.digits([0], 2)
    for name in names:
        machine.store.write(f"odd/{name}", good[0][1])
        machine.store.write(f"odd/{name}.2.png", good[1][1])
    pod = machine.start("dataset", machine.dataset("odd/"))
    assert pod.wait() == 0, pod.log
    result = pod.outcome.result
    assert result is not None
    assert result["labels"] == sorted(name.split("/")[0] for name in names), "none is a number"


def test_a_listing_of_several_pages_is_read_in_full(machine: Machine) -> None:
    files = pictures.folder([0, 1], 2)
    for path, data in files.items():
        machine.store.write(f"pages/{path}", data)
    # More than one page of the S3 listing; empty files of this kind are passed over.
    for number in range(1100):
        machine.store.write(f"pages/.hidden/{number:05}", b"")
    pod = machine.start("dataset", machine.dataset("pages/"))
    assert pod.wait() == 0, pod.log
    result = pod.outcome.result
    assert result is not None
    assert result["items"] == len(files)


def test_a_job_that_is_killed_continues_with_the_shards_that_are_missing(machine: Machine) -> None:
    good = pictures.digits([0, 1], 1)
    names = [f"killed/{label}/{number:04}.png" for number in range(1250) for label, _ in good]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: machine.store.write(name, dict(good)[name[7]]), names))
    work = "datasets/digits/work/"
    first = machine.start("dataset", machine.dataset("killed/"))
    eventually(lambda: bool(machine.store.keys(work)))
    first.kill()
    done = machine.store.keys(work)
    assert 1 <= len(done) < 3
    second = machine.start("dataset", machine.dataset("killed/"))
    assert second.wait() == 0, second.log
    assert f"{len(done)} of 3 shards were done before" in second.log
    result = second.outcome.result
    assert result is not None
    assert (result["items"], result["classes"]) == (2500, 2)
    assert machine.store.keys(work) == []


def test_an_upload_is_read_once_it_is_sealed(machine: Machine) -> None:
    task = machine.upload("uploaded")
    files = pictures.folder([0, 1], 3)
    for path, data in files.items():
        machine.store.write(f"uploads/uploaded-12345678/data/{path}", data)
    pod = machine.start("dataset", task)
    assert pod.wait() == environment.EXIT_INVALID
    assert pod.outcome.reason == report.UPLOAD_INCOMPLETE
    seal = {"files": len(files), "bytes": sum(map(len, files.values()))}
    machine.store.write("uploads/uploaded-12345678/seal.json", json.dumps(seal).encode())
    pod = machine.start("dataset", task)
    assert pod.wait() == 0, pod.log
    result = pod.outcome.result
    assert result is not None
    assert result["items"] == len(files)
    version = result["version"].removeprefix("sha256:")
    lines = machine.store.read(f"datasets/digits/{version}/items.jsonl").splitlines()
    assert {json.loads(line)["parts"]["image"]["key"] for line in lines} == {
        f"uploads/uploaded-12345678/data/{path}" for path in files
    }


def test_an_upload_of_which_a_part_is_missing_is_refused(machine: Machine) -> None:
    for path, data in pictures.folder([0, 1], 3).items():
        machine.store.write(f"uploads/partial-12345678/data/{path}", data)
    machine.store.write("uploads/partial-12345678/seal.json", b'{"files": 7}')
    pod = machine.start("dataset", machine.upload("partial"))
    assert pod.wait() == environment.EXIT_INVALID
    assert pod.outcome.reason == report.INVALID_DATA
    assert "sealed with 7 files, but there are 6 files" in pod.outcome.message


def test_a_bad_image_is_named_and_another_try_cannot_help(machine: Machine) -> None:
    for path, data in pictures.folder([0, 1], 3).items():
        machine.store.write(f"bad/{path}", data)
    machine.store.write("bad/0/cut.png", pictures.corrupt(pictures.digits([0], 1)[0][1]))
    pod = machine.start("dataset", machine.dataset("bad/"))
    assert pod.wait() == environment.EXIT_INVALID
    assert pod.outcome.reason == report.INVALID_DATA
    assert "'0/cut.png' is damaged" in pod.outcome.message


def test_a_bucket_that_does_not_exist_is_told(machine: Machine) -> None:
    pod = machine.start("dataset", machine.dataset("digits/", bucket="nowhere"))
    assert pod.wait() == environment.EXIT_INVALID
    assert pod.outcome.reason == report.BUCKET_NOT_FOUND
    assert "bucket 'nowhere' does not exist" in pod.outcome.message


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("AWS_ACCESS_KEY_ID", "it does not know the access key"),
        ("AWS_SECRET_ACCESS_KEY", "the secret key is not that of the access key"),
    ],
)
def test_wrong_credentials_are_named_and_not_shown(
    machine: Machine, tenant: Tenant, tmp_path: Path, wrong: str, words: str
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": tenant.access, "AWS_SECRET_ACCESS_KEY": tenant.secrets[-1]}
    mounted = MountedSecret(tmp_path / "stores" / "platform")
    mounted.write(*{**keys, wrong: "wrong-and-secret"}.values())
    named = machine.stores["platform"].model_copy(update={"secret": "photos-keys"})
    task = machine.dataset("digits/").model_copy(update={"stores": {"platform": named}})
    pod = machine.start("dataset", task, MODELYARD_STORES_DIR=str(tmp_path / "stores"))
    assert pod.wait() == 1, "the keys may be about to be replaced"
    assert pod.outcome.reason == report.STORE_ACCESS_DENIED
    assert words in pod.outcome.message
    assert "check Secret 'photos-keys', keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACC" in pod.outcome.message
    shown = pod.log + pod.outcome.to_json()
    assert not any(secret in shown for secret in ("wrong-and-secret", *tenant.secrets))


def test_a_store_that_does_not_answer_is_waited_for_and_then_told(machine: Machine) -> None:
    task = machine.dataset("digits/").model_copy(
        update={"stores": {"platform": Store(endpoint="http://127.0.0.1:9")}}
    )
    pod = machine.start("dataset", task, MODELYARD_STORE_PATIENCE_SECONDS="2")
    assert pod.wait() == 1
    assert pod.outcome.reason == report.STORE_UNREACHABLE
    assert pod.outcome.retriable
    assert "http://127.0.0.1:9 does not answer" in pod.outcome.message
