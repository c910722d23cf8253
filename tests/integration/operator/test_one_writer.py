"""Of two replicas one writes: seen from outside, under a burst, when the leader dies and when it freezes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.support import burst, replicas
from tests.support.apiserver import ApiServer
from tests.support.waiting import eventually


@pytest.mark.parametrize("trouble", [signal.SIGKILL, signal.SIGSTOP])
def test_never_two_write_under_a_burst(
    api_server: ApiServer, namespace: str, tmp_path: Path, trouble: signal.Signals
) -> None:
    """The jobs wait for a Dataset: this API server takes no pods that want a token."""
    settings = {
        "MODELYARD_NAMESPACE": namespace,
        "MODELYARD_WATCH_NAMESPACES": namespace,
        "MODELYARD_STORE_ENDPOINT": "http://127.0.0.1:9",
    }
    with replicas.running(api_server.kubeconfig, tmp_path, **settings) as found:
        jobs = burst.jobs("absent", namespace)
        print(f"\n{burst.strike(found, trouble, lambda: api_server.apply(*jobs))}")

        def all_told() -> bool:
            said = api_server.kubectl(
                "get", "trainingjobs.modelyard.dev", "-n", namespace, "-o", "json"
            ).stdout
            phases = [item.get("status", {}).get("phase") for item in json.loads(said)["items"]]
            return phases == ["Pending"] * burst.JOBS

        eventually(all_told, "every job has its status", timeout=burst.SETTLE_SECONDS)
        burst.one_wrote(found)
