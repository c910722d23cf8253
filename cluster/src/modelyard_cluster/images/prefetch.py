"""Bringing images onto the node before they are needed: one with torch takes a minute to unpack."""

import json
import time
from pathlib import Path
from typing import Any

from modelyard_cluster.command import output, run
from modelyard_cluster.images.specs import ImageSpec
from modelyard_cluster.progress import Step

_NAMESPACE = "kube-system"
_LABEL = "modelyard.dev/fetches-image"


def pod_name(spec: ImageSpec, reference: str) -> str:
    """One name for each image and tag."""
    return f"modelyard-fetch-{spec.name}-{reference.rpartition(':')[2][:12]}"


def pod(spec: ImageSpec, reference: str) -> dict[str, Any]:
    """A pod that pulls an image, shows that it runs, and ends."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(spec, reference),
            "namespace": _NAMESPACE,
            "labels": {_LABEL: "true"},
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "probe",
                    "image": reference,
                    "command": list(spec.probe),
                    "imagePullPolicy": "IfNotPresent",
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }
            ],
        },
    }


def delete_command(kubectl: list[str | Path]) -> list[str | Path]:
    """Deletes all such pods, whichever run made them."""
    return [*kubectl, "delete", "pod", f"--namespace={_NAMESPACE}", f"--selector={_LABEL}", "--force"]


def outcome(found: dict[str, Any]) -> str | None:
    """How a pod ended: empty if well, a reason if not, nothing while it goes on."""
    status = found.get("status", {})
    if status.get("phase") == "Succeeded":
        return ""
    if status.get("phase") == "Failed":
        for container in status.get("containerStatuses", []):
            message = container.get("state", {}).get("terminated", {}).get("message", "")
            return message.strip().splitlines()[-1] if message.strip() else "it ends with an error"
        return "it ends with an error"
    return None


def fetch(
    kubectl: list[str | Path], images: dict[ImageSpec, str], step: Step, patience: float = 900.0
) -> list[str]:
    """Pull images on the cluster's node; what is wrong with those that do not run."""
    run(delete_command(kubectl), timeout=60)  # what a run that was killed has left
    pods = [pod(spec, reference) for spec, reference in images.items()]
    if not pods:
        return []
    names = [item["metadata"]["name"] for item in pods]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods})
    run([*kubectl, "apply", "--filename=-"], stdin=manifest, timeout=60)
    problems: list[str] = []
    waiting = dict(zip(names, images, strict=True))
    deadline = time.monotonic() + patience
    try:
        while waiting and time.monotonic() < deadline:
            for name, spec in list(waiting.items()):
                text = output(
                    [*kubectl, "get", "pod", name, f"--namespace={_NAMESPACE}", "--output=json"], timeout=10
                )
                ended = outcome(json.loads(text)) if text else None
                if ended is not None:
                    del waiting[name]
                    problems += [f"image {spec.name} does not run: {ended}"] if ended else []
            step.say_sometimes("pulling " + ", ".join(spec.name for spec in waiting.values()))
            time.sleep(0.3)
    finally:
        run(delete_command(kubectl), timeout=60, check=False)
    return problems + [
        f"image {spec.name} was not pulled within {patience:.0f} s" for spec in waiting.values()
    ]
