"""What the operator makes has no field that Kubernetes does not know: nobody checks its requests for that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from modelyard_operator.kube import resources
from tests.support.apiserver import ApiServer

FOLDER = Path(__file__).parents[2] / "golden" / "operator"
CASES = sorted(path for path in FOLDER.glob("*/manifests.yaml"))
UNKNOWN = "strict decoding error"


def refusal(api_server: ApiServer, manifest: dict[str, Any], namespace: str) -> str:
    """What a dry run with strict validation says."""
    placed = manifest | {"metadata": manifest["metadata"] | {"namespace": namespace}}
    done = api_server.kubectl(
        *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
        stdin=yaml.safe_dump(placed),
        check=False,
    )
    return done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_golden_manifests_have_known_fields_only(api_server: ApiServer, namespace: str, case: Path) -> None:
    for manifest in yaml.safe_load_all(case.read_text()):
        if manifest["apiVersion"] == resources.INFERENCE_SERVICE.api_version:
            continue  # Its kind has tests of its own, with KServe's definitions.
        if manifest["kind"] == "Secret":
            manifest.pop("data", None)
        said = refusal(api_server, manifest, namespace)
        # This API server has no service accounts: it takes no pod that wants a token of one.
        assert not said or (manifest["kind"] == "Pod" and UNKNOWN not in said), said


def test_a_field_that_nobody_knows_would_be_noticed(api_server: ApiServer, namespace: str) -> None:
    pod = next(
        manifest
        for case in CASES
        for manifest in yaml.safe_load_all(case.read_text())
        if manifest["kind"] == "Pod"
    )
    pod["spec"]["restartpolicy"] = "Never"
    assert UNKNOWN in refusal(api_server, pod, namespace)
