"""A plan's manifest as it is sent: tokens made, Secrets in the API's own form, its shape noted.

The shape is the digest of all paths of the manifest, without values: values are compared one by one,
but a field that was asked for once and is not any more shows only there. Values stay out of it, so
that a change of one (a number of replicas) does not change an annotation that KServe hands down to
pods, and so that nothing of a Secret gets into it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from typing import Any

from modelyard_operator import naming
from modelyard_operator.plan import GENERATED_TOKEN, Manifest

TOKEN_BYTES = 32


def complete(manifest: Manifest) -> Manifest:
    """The manifest with ``stringData`` as data, and with a token where one is to be generated."""
    if "stringData" not in manifest:
        return manifest
    data = dict(manifest.get("data") or {})
    for key, value in manifest["stringData"].items():
        if value == GENERATED_TOKEN:
            data[key] = _encode(secrets.token_urlsafe(TOKEN_BYTES))
        else:
            data[key] = _encode(value)
    return {key: value for key, value in manifest.items() if key != "stringData"} | {"data": data}


def with_shape(manifest: Manifest) -> Manifest:
    """The manifest with the annotation that holds its shape."""
    meta = manifest["metadata"]
    paths = "\n".join(sorted(_paths(manifest, "")))
    digest = hashlib.sha256(paths.encode()).hexdigest()[:16]
    annotations = dict(meta.get("annotations") or {}) | {naming.SHAPE_ANNOTATION: digest}
    return dict(manifest) | {"metadata": dict(meta) | {"annotations": annotations}}


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            name = inner.get("name", index) if isinstance(inner, dict) else index
            yield from _paths(inner, f"{path}[{name}]")
    else:
        yield path
