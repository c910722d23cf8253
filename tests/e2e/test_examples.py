"""Every walkthrough of examples/ works as it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.cluster import DATASET, DEPLOYMENT, KINDS, TRAINING_JOB, Object
from tests.support.objectstore import ObjectStore
from tests.support.predictions import Predictions
from tests.support.release import CHECKOUT
from tests.support.workspace import Workspace

EXAMPLES = CHECKOUT / "examples"
ACCURACY = 0.97
END = {DATASET: "Ready", TRAINING_JOB: "Succeeded", DEPLOYMENT: "Ready"}
RESOURCES = {resource.kind: resource for resource in KINDS}
TRAINING_SECONDS = 420.0


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
def test_the_example_goes_from_images_to_right_predictions(
    workspace: Workspace, store: ObjectStore, tmp_path: Path, example: str
) -> None:
    made = tmp_path / "made"
    subprocess.run(
        [sys.executable, str(EXAMPLES / example / "make_images.py"), str(made)],
        check=True,
        timeout=120,
        capture_output=True,
    )
    manifests = _manifests(EXAMPLES / example)
    (dataset,) = [item for item in manifests if item["kind"] == "Dataset"]
    workspace.apply(*manifests)
    waiting = workspace.until_phase(DATASET, dataset["metadata"]["name"], "AwaitingUpload")
    images = made / "images"
    files = {path.relative_to(images).as_posix(): path.read_bytes() for path in images.rglob("*.png")}
    upload = waiting["status"]["upload"]
    store.upload(upload["prefix"], files)
    sealed = {"files": len(files), "bytes": sum(map(len, files.values()))}
    store.write(upload["seal"], json.dumps(sealed).encode())
    for manifest in manifests:
        resource = RESOURCES[manifest["kind"]]
        name = manifest["metadata"]["name"]
        workspace.until_phase(resource, name, END[resource], timeout=TRAINING_SECONDS)
    (served,) = [item["metadata"]["name"] for item in manifests if item["kind"] == "Deployment"]
    held_out = [(path.parent.name, path.read_bytes()) for path in sorted((made / "held-out").rglob("*.png"))]
    found: list[str] = []
    with Predictions(workspace, served) as client:
        for start in range(0, len(held_out), 100):
            found += client.labels([image for _, image in held_out[start : start + 100]])
    right = sum(label == truth for label, (truth, _) in zip(found, held_out, strict=True))
    assert right / len(held_out) >= ACCURACY, f"{right} of {len(held_out)}"


def _manifests(folder: Path) -> list[Object]:
    """The example's objects in the order of the flow."""
    found = [
        item
        for path in sorted(folder.glob("*.yaml"))
        for item in yaml.safe_load_all(path.read_text())
        if item
    ]
    for item in found:
        # A port of the node can be held by one Service only, and a demo's may still have it.
        item["spec"].get("expose", {}).pop("nodePort", None)
    order = [resource.kind for resource in KINDS]
    return sorted(found, key=lambda item: order.index(item["kind"]))
