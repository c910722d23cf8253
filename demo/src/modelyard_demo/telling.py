"""The last lines of the demo: what was found, how long it took, what to try next."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from modelyard_demo import predict
from modelyard_demo import settings as s
from modelyard_demo.predict import Endpoint
from modelyard_demo.results import Results

Say = Callable[[str], None]


def conclude(results: Results, endpoint: Endpoint, say: Say) -> None:
    """All of it."""
    count = len(results.predictions)
    say(f"\n{results.accuracy:.2%} of {count} held-out images are read right, {results.wrong} wrong.")
    times(results, say)
    curl(results, endpoint, say)
    next_steps(results.namespace, say)


def times(results: Results, say: Say) -> None:
    """Stages, then the spans that have goals."""
    say("\nHow long it took")
    for name, seconds in results.bring_up.stages.items():
        say(f"  make {name:<31} {seconds:6.1f} s")
    for stage in results.stages:
        say(f"  {stage.name:<36} {stage.seconds:6.1f} s")
    start = "a cold" if results.bring_up.cold else "a warm"
    say(f"  {'In all':<36} {results.seconds:6.1f} s, {start} start")
    if results.bring_up.busy:
        others = f"load {results.bring_up.load:.1f} on {os.cpu_count()} CPUs before the demo began"
        say(f"  The machine was busy with something else ({others}): take it away for its own figures.")
    say("Of this, from the seal of the upload, or from kubectl apply")
    for figure in results.figures:
        say(f"  {figure}")


def curl(results: Results, endpoint: Endpoint, say: Say) -> None:
    """One command that works as pasted, with an image that the model reads right."""
    image = next((each.image for each in results.predictions if each.right), results.predictions[0].image)
    say(f"\nAsk the model yourself; it answers with the class, and this image is a {image.parent.name}:")
    if endpoint.forwarded:
        port = endpoint.url.split(":")[2].split("/")[0]
        service = f"service/{s.NAME}-server"
        say(f"  kubectl port-forward -n {results.namespace} {service} {port}:{predict.SERVER_PORT} &")
    say(f"  {endpoint.curl(image)}")


def next_steps(namespace: str, say: Say) -> None:
    """What to try, and how to take it all down."""
    kubeconfig, cache = os.environ.get("KUBECONFIG", ""), os.environ.get("MODELYARD_CACHE", "")
    report = _from_here(s.FOLDER / "report.html")
    say("\nTry next")
    say(f"  export KUBECONFIG={kubeconfig} PATH={cache}/bin:$PATH")
    say(f"  kubectl get modelyard -n {namespace}")
    say(f"  kubectl describe {s.TRAINING_JOBS} {s.NAME} -n {namespace}")
    say("  Another job with other hyperparameters:")
    change = f"s/name: {s.NAME}$/name: {s.NAME}-2/; s/epochs: .*/epochs: 5/"
    say(f"  sed '{change}' examples/digits/trainingjob.yaml | kubectl apply -n {namespace} -f -")
    say(f"  Open {report} in a browser: learning curves, and every prediction.")
    say("\nThe cluster stays up. Take it down with: make cluster-down")


def _from_here(path: Path) -> Path:
    """Shorter, where the checkout is the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
