"""The chart with the images that were built here: installed, or rendered to one file.

python -m modelyard_demo.chart install     into the cluster of KUBECONFIG
python -m modelyard_demo.chart manifest    to build/modelyard.yaml, for ``kubectl apply --server-side -f``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from modelyard_demo import kubectl, release
from modelyard_demo.errors import DemoError
from modelyard_demo.settings import BUILD, CHART, IMAGES_JSON, RELEASE, SYSTEM_NAMESPACE, Limits

MANIFEST = BUILD / "modelyard.yaml"
VALUES = BUILD / "values-images.yaml"
KUBERNETES = "1.34.0"
"""What the one file is rendered for: nothing in the chart depends on it."""


def image_values(references: Mapping[str, str]) -> dict[str, Any]:
    """Values of the chart for images by their reference, as build/images.json has them."""
    return {part: {"image": split(references[part])} for part in ("operator", "runtime", "store")}


def split(reference: str) -> dict[str, str]:
    """A reference in the chart's parts: registry, repository, tag or digest."""
    name, _, digest = reference.partition("@")
    first, slash, rest = name.partition("/")
    is_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, path = (first, rest) if is_registry else ("", name)
    repository, _, tag = path.partition(":")
    return {"registry": registry, "repository": repository, "tag": tag, "digest": digest}


def namespace(name: str) -> kubectl.Manifest:
    """A namespace whose pods must keep to Pod Security "restricted"."""
    level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": level}}


def write_values() -> Path:
    """The values for the images that `make images` built.

    Raises:
        DemoError: none were built.
    """
    try:
        references = json.loads(IMAGES_JSON.read_text())
        values = image_values(references)
    except FileNotFoundError:
        raise DemoError("there are no images yet: run `make images` first") from None
    except KeyError as missing:
        raise DemoError(f"{IMAGES_JSON} names no image {missing}: run `make images` again") from None
    VALUES.write_text(yaml.safe_dump(values))
    return VALUES


def install(options: Sequence[str] = ()) -> None:
    """Install or upgrade the release; it does not wait until everything runs.

    Raises:
        DemoError: Helm or the API server refuses it.
    """
    values = write_values()
    kubectl.apply(namespace(SYSTEM_NAMESPACE))
    release.upgrade(f"--values={values}", *options)


def wait(limits: Limits) -> None:
    """Until the operator and the object store run.

    Raises:
        DemoError: they do not in time.
    """
    for workload in (f"deployment/{RELEASE}-operator", f"statefulset/{RELEASE}-store"):
        kubectl.run(
            "rollout",
            "status",
            workload,
            f"--namespace={SYSTEM_NAMESPACE}",
            f"--timeout={limits.rollout:.0f}s",
            timeout=limits.rollout + 10,
        )


def render() -> str:
    """The namespace and everything in it, as one file."""
    options = [f"--kube-version={KUBERNETES}"]
    if IMAGES_JSON.exists():
        options.append(f"--values={write_values()}")
    text = release.helm("template", RELEASE, str(CHART), *options)
    return f"---\n{yaml.safe_dump(namespace(SYSTEM_NAMESPACE), sort_keys=False)}{text}"


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m modelyard_demo.chart", description=__doc__)
    parser.add_argument("command", choices=("install", "manifest"))
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "install":
            install()
            wait(Limits())
            print(f"Modelyard runs in the namespace {SYSTEM_NAMESPACE}.")
        else:
            BUILD.mkdir(exist_ok=True)
            MANIFEST.write_text(render())
            print(f"{MANIFEST.relative_to(BUILD.parent)} is written: kubectl apply --server-side -f it.")
    except DemoError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
