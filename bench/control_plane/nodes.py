"""kwok: simulated nodes, and pods that start immediately and succeed after a fixed time.

The stages are the same for the pods of all subjects. Pods in a namespace whose name begins with
``endless`` run indefinitely. The termination message is that of our runtime; other operators ignore it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from bench.control_plane.plane import KWOK, Plane
from bench.control_plane.programs import program
from modelyard_algorithms.contract.report import Outcome, TrainingResult

ENDLESS = "endless"
ENDLESS_NAMESPACES = (ENDLESS,)
NODE_CAPACITY = {"cpu": "256", "memory": "1Ti", "pods": "2000"}
PARALLEL = 32
"""Status writes of kwok at the same time: the simulation must not be the bottleneck."""

_CONDITIONS = "Initialized", "Ready", "ContainersReady"
_RUNNING = """\
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
conditions:
%(conditions)s
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: true
  restartCount: 0
  started: true
  state: {running: {startedAt: {{ $now | Quote }}}}
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: true
  restartCount: 0
  state:
    terminated:
      exitCode: 0
      reason: Completed
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
{{ end }}
{{ $ips := PodIPsWith .spec.nodeName (or .spec.hostNetwork false) (or .metadata.uid "")
   (or .metadata.name "") (or .metadata.namespace "") }}
{{ with $ips }}
podIP: {{ index . 0 | Quote }}
podIPs:
{{ range . }}
- ip: {{ . | Quote }}
{{ end }}
{{ end }}
"""
_COMPLETE = """\
{{ $now := Now }}
{{ $root := . }}
phase: Succeeded
containerStatuses:
{{ range $index, $item := .spec.containers }}
{{ $before := index $root.status.containerStatuses $index }}
- image: {{ $item.image | Quote }}
  name: {{ $item.name | Quote }}
  ready: false
  restartCount: 0
  started: false
  state:
    terminated:
      exitCode: 0
      reason: Completed
      message: '%(message)s'
      startedAt: {{ $before.state.running.startedAt | Quote }}
      finishedAt: {{ $now | Quote }}
{{ end }}
"""
_NODE_READY = """\
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
  message: {{ .message | Quote }}
  reason: {{ .reason | Quote }}
  status: {{ .status | Quote }}
  type: {{ .type | Quote }}
{{ end }}
phase: Running
"""


def bring_up(plane: Plane, count: int, pod_seconds: float) -> None:
    """Start kwok and wait until all nodes are ready."""
    config = plane.folder / "kwok.yaml"
    config.write_text(yaml.safe_dump_all([_configuration(), *_stages(pod_seconds)]))
    plane.apply(*(_node(index) for index in range(count)))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(plane.folder)}
    argv: list[str | Path] = [
        program("kwok"),
        f"--kubeconfig={plane.kubeconfig(KWOK)}",
        f"--config={config}",
        "--v=ERROR",
    ]
    plane.start("kwok", argv, environment)
    plane.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")


def outcome_message() -> str:
    """What rank 0 of a successful training leaves behind."""
    result = TrainingResult(
        digest="sha256:" + "0" * 64,
        bytes=44_800_000,
        metrics={"loss": 0.1234, "validation/accuracy": 0.9876},
        epoch=3,
        step=1000,
    )
    outcome = Outcome(reason="Succeeded", result=result.model_dump(by_alias=True))
    return json.dumps(outcome.model_dump(by_alias=True, exclude_none=True), separators=(",", ":"))


def _configuration() -> dict[str, Any]:
    return {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": {
            "manageAllNodes": True,
            "cidr": "198.18.0.0/16",
            "nodeIP": "192.0.2.1",
            "nodeLeaseDurationSeconds": 40,
            "podPlayStageParallelism": PARALLEL,
            "nodePlayStageParallelism": 4,
            "nodeLeaseParallelism": 4,
            "podsOnNodeSyncParallelism": 4,
            "enablePodsOnNodeSyncStreamWatch": True,
        },
    }


def _stages(pod_seconds: float) -> list[dict[str, Any]]:
    conditions = "\n".join(
        f'- {{lastTransitionTime: {{{{ $now | Quote }}}}, status: "True", type: {name}}}'
        for name in _CONDITIONS
    )
    alive = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}
    gone = {"key": ".metadata.deletionTimestamp", "operator": "Exists"}
    pending = {"key": ".status.phase", "operator": "In", "values": ["Pending"]}
    running = {"key": ".status.phase", "operator": "In", "values": ["Running"]}
    ends = {"key": ".metadata.namespace", "operator": "NotIn", "values": list(ENDLESS_NAMESPACES)}
    not_ready = {
        "key": '.status.conditions.[] | select( .type == "Ready" ) | .status',
        "operator": "NotIn",
        "values": ["True"],
    }
    return [
        _stage("Node", "node-ready", [not_ready], {"statusTemplate": _NODE_READY}),
        _stage("Pod", "pod-run", [alive, pending], {"statusTemplate": _RUNNING % {"conditions": conditions}}),
        _stage(
            "Pod",
            "pod-complete",
            [alive, running, ends],
            {"statusTemplate": _COMPLETE % {"message": outcome_message()}},
            milliseconds=round(1000 * pod_seconds),
        ),
        _stage("Pod", "pod-delete", [gone], {"delete": True}),
    ]


def _stage(
    kind: str, name: str, expressions: list[dict[str, Any]], following: dict[str, Any], milliseconds: int = 0
) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "resourceRef": {"apiGroup": "v1", "kind": kind},
        "selector": {"matchExpressions": expressions},
        "next": following,
    }
    if milliseconds:
        spec["delay"] = {"durationMilliseconds": milliseconds}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}


def _node(index: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"node-{index}", "labels": {"kubernetes.io/hostname": f"node-{index}"}},
        "status": {"allocatable": NODE_CAPACITY, "capacity": NODE_CAPACITY},
    }
