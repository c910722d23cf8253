"""The one file, before a real API server: accepted without a word, applied again without a change."""

from __future__ import annotations

import pytest
import yaml

from tests.support import chart
from tests.support.apiserver import ApiServer

CASES = ["own-object-store", "shared", "production", "one-namespace", "two-namespaces", "tls"]


def test_applying_it_again_changes_nothing(server: ApiServer, manifest: str) -> None:
    done = server.kubectl("diff", "--server-side", "-f", "-", stdin=manifest, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("case", CASES)
def test_other_values_are_accepted_without_a_warning(server: ApiServer, manifest: str, case: str) -> None:
    values = chart.ROOT / "tests" / "golden" / "chart" / case / "values.yaml"
    kept = [m for m in chart.objects(chart.template([values], release="other")) if m["kind"] != "PodMonitor"]
    for namespace in ("team", "vision", "speech"):
        server.kubectl("create", "namespace", namespace, check=False)
    done = server.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server", "-f", "-"),
        stdin=yaml.safe_dump_all(kept),
    )
    assert done.stderr == ""


def test_pod_security_restricted_admits_every_pod(server: ApiServer, manifest: str) -> None:
    """The namespace of the release enforces it; a workload that violates it is answered with a warning."""
    for case in CASES:
        values = chart.ROOT / "tests" / "golden" / "chart" / case / "values.yaml"
        for found in chart.objects(chart.template([values], release="other")):
            template = found.get("spec", {}).get("template")
            if template is None:
                continue
            pod = {"apiVersion": "v1", "kind": "Pod", **template}
            pod["metadata"] = {**template["metadata"], "name": "probe", "namespace": "modelyard-system"}
            pod["spec"].pop("priorityClassName", None)
            pod["spec"]["serviceAccountName"] = "modelyard-operator"
            options = ("--dry-run=server", "-f", "-")
            assert server.kubectl("create", *options, stdin=yaml.safe_dump(pod)).stderr == ""
