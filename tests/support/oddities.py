"""Odd objects of our kinds, drawn by chance: good ones, with some of their fields changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.api.kind import Kind
from modelyard_operator.generate import crd
from modelyard_operator.generate.schema import Schema
from modelyard_operator.plan import Manifest
from tests.support.kinds import example

Path = tuple[str | int, ...]

_POD = {
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
    "schedulerName": "default-scheduler",
    "imagePullSecrets": ["pull"],
}
_RESOURCES = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi", "nvidia.com/gpu": 1}}
_FOLDER = {
    "bucket": "photos",
    "prefix": "2026/",
    "endpoint": "https://s3.example.com",
    "region": "eu-west-1",
    "credentialsSecretName": "keys",
}
GOOD: dict[str, Manifest] = {
    "Dataset": {
        "source": {"objectStore": _FOLDER},
        "format": "ImageFolder",
        "split": {"validationFraction": 0.2, "seed": 1},
        "revision": "a",
        "image": "registry.example.com/runtime:1",
        "deletionPolicy": "Retain",
    },
    "TrainingJob": {
        "algorithm": "image-classification",
        "hyperparameters": {"epochs": 3, "learningRate": 0.01},
        "datasets": [{"channel": "train", "dataset": "a"}, {"channel": "validation", "dataset": "b"}],
        "workers": 2,
        "resources": _RESOURCES,
        "pod": _POD,
        "image": "registry.example.com/runtime:1",
        "suspend": False,
        "backoffLimit": 1,
        "activeDeadlineSeconds": 3600,
        "stallTimeoutSeconds": 600,
        "ttlSecondsAfterFinished": 60,
        "checkpoints": {"intervalSeconds": 30},
        "deletionPolicy": "Retain",
    },
    "Deployment": {
        "model": {"trainingJob": "a"},
        "backend": "Kubernetes",
        "replicas": 2,
        "resources": _RESOURCES,
        "pod": _POD,
        "image": "registry.example.com/runtime:1",
        "expose": {"type": "NodePort", "nodePort": 30080},
        "tokenSecretName": "mine",
        "maxRequestBytes": 65536,
    },
}
_NUMBERS: list[Any] = [
    *(-1, 0, 1, 2, 3, 10, 60, 1000, 1023, 1024, 1025, 32767, 65535, 65536),
    *(
        2**31 - 1,
        2**31,
        10**12 - 1,
        10**18,
        2**63 - 1,
        2**63,
        10**30,
        1e300,
        3.0,
        1.5,
        0.999999,
        1e-300,
        -0.0,
    ),
]
_WORDS: list[Any] = [
    *("", "a", "A", "a-b", "-a", "a.", "a b", "a/b", "a//b", "../a", "a\0b", "a\n", "ü", "\U0001f600" * 20),
    *("x" * 64, "x" * 300, "x" * 5000, "null", "true", "1", "$(HOME)", "{{ x }}", "'", '"', "\\", "%s"),
    *("s3://modelyard-team/a/", "s3://other/a/", "s3://photos/a", "s3://", "S3://a/b", "https://a:99999"),
    *("http://[::1]:9000", "http://a@b", "http://", "nvidia.com/gpu", "example.com/", "/a", "a/b/c"),
]
_QUANTITIES: list[Any] = [
    *(
        0,
        1,
        2,
        -1,
        10**6,
        10**18,
        10**19,
        "0",
        "1",
        "2",
        "1000m",
        "1500m",
        "0.5",
        ".5",
        "5.",
        "1e3",
        "1E",
        "2E",
    ),
    *(
        "1Ei",
        "8Ei",
        "-1",
        "+1",
        "1Gi",
        "100m",
        "1n",
        "1u",
        "0x10",
        "1_000",
        "",
        " 1",
        "lots",
        "1e999",
        "1e-999",
    ),
    *("9" * 30, "\uff11", "1e9999999999", "NaN", "Infinity"),
]
_RESOURCE_NAMES = [
    *("cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "nvidia.com/gpu", "nvidia.com/mig-1g.5gb"),
    *("nvidia.com/mig-2g.10gb", "amd.com/gpu", "nvidia.com/gpu.shared", "gpu", "requests.nvidia.com/gpu", ""),
    *("a/b/c", "UPPER.com/gpu", "kubernetes.io/x", "/gpu", "nvidia.com/", "x" * 300 + "/gpu"),
]
_NAMES = ["a", "0", "x" * 50, "x" * 51, "x" * 52, "a.b", "a-", "A", "a--b", "0-0"]
_JUNK: list[Any] = [
    None,
    True,
    [],
    {},
    [[]],
    {"a": {"b": [{"c": None}]}},
    [1, "a", None],
    {"": ""},
    1.5,
    "x",
    -7,
]


class Oddities:
    """Objects of one kind, always the same ones for the same seed."""

    def __init__(self, kind: Kind, seed: int) -> None:
        self.kind, self._random = kind.name, Random(seed)
        self._paths = list(_fields(crd.root_schema(kind.model)["properties"]["spec"], ()))

    def next(self, namespace: str) -> Manifest:
        """A good object with up to three fields left out or made odd, deep ones as likely as others."""
        spec = copy.deepcopy(GOOD[self.kind] if self.kind in GOOD else example(self.kind).object["spec"])
        if self.kind == "Deployment" and self._random.random() < 0.5:
            spec["model"] = {"objectStore": copy.deepcopy(_FOLDER)}
        for _ in range(self._random.randint(1, 3)):
            path, schema = self._random.choice(self._paths)
            _put(spec, path, self._value(path, schema), leave_out=self._random.random() < 0.15)
        name = self._random.choice(_NAMES) if self._random.random() < 0.1 else "odd"
        meta = {"name": name, "namespace": namespace}
        return {"apiVersion": API_VERSION, "kind": self.kind, "metadata": meta, "spec": spec}

    def _value(self, path: Path, schema: Schema) -> Any:
        if self._random.random() < 0.1:
            return self._random.choice(_JUNK)
        if schema.get("x-kubernetes-int-or-string"):
            return self._random.choice(_QUANTITIES)
        match schema.get("type"):
            case "integer" | "number":
                return self._random.choice(_NUMBERS)
            case "boolean":
                return self._random.choice([True, False])
            case "string":
                return self._random.choice(_choices(schema) or _WORDS)
            case "object" if "additionalProperties" in schema:
                return self._map(schema["additionalProperties"])
            case "object" if path[-1] == "hyperparameters":
                return self._hyperparameters()
            case _:
                return self._random.choice(_JUNK)

    def _map(self, schema: Schema) -> Manifest:
        """Of quantities by resource, or of words by label."""
        quantities = schema.get("x-kubernetes-int-or-string")
        keys: list[Any] = (
            _RESOURCE_NAMES if quantities else [word for word in _WORDS if isinstance(word, str)]
        )
        return {
            self._random.choice(keys): self._random.choice(_QUANTITIES if quantities else _WORDS)
            for _ in range(self._random.randint(0, 3))
        }

    def _hyperparameters(self) -> Manifest:
        names = ["epochs", "learningRate", "batchSize", "network", "seed", "epochz", "", "x" * 5000]
        values = [*_NUMBERS, *_WORDS, *_JUNK]
        count = self._random.choice([1, 2, 3, 100, 101])
        return {
            self._random.choice(names) if number < 3 else f"k{number}": self._random.choice(values)
            for number in range(count)
        }


def _fields(schema: Schema, path: Path) -> Iterator[tuple[Path, Schema]]:
    """Every field of a schema, with the first item of lists and one entry of maps."""
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name), inner
        yield from _fields(inner, (*path, name))
    if "items" in schema:
        yield (*path, 0), schema["items"]
        yield from _fields(schema["items"], (*path, 0))
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict):
        for name in _RESOURCE_NAMES[:7] if inner.get("x-kubernetes-int-or-string") else ["disk"]:
            yield (*path, name), inner


def _choices(schema: Schema) -> list[str]:
    """The words of a field that takes only some: a wrong one is drawn as junk often enough."""
    _, found, words = str(schema.get("description", "")).partition("One of: ")
    return [*words.rstrip(".").split(", "), "Other"] if found else []


def _put(target: Any, path: Path, value: Any, *, leave_out: bool) -> None:
    """Set, or leave out, what is at the path; what is on the way and of another type stays as it is."""
    for here, following in pairwise(path):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(target, list):
            if not target:
                target.append(empty)
            target = target[0]
        elif isinstance(target, dict):
            target = target.setdefault(here, empty)
    last = path[-1]
    if isinstance(target, list):
        target[:1] = [] if leave_out else [value]
    elif isinstance(target, dict):
        if leave_out:
            target.pop(last, None)
        else:
            target[last] = value
