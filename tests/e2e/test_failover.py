"""Two replicas on the real cluster, under a burst: the second takes over in time, and never do two write.

The replicas run outside the cluster, each behind a proxy that records every write, so that the proof
does not rest on the operator's own word; the release's own operator is away meanwhile.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard_operator import naming
from tests.e2e.conftest import Data
from tests.support import burst, manifests, replicas
from tests.support.cluster import POD, TRAINING_JOB, Cluster, documents
from tests.support.release import Release
from tests.support.waiting import eventually
from tests.support.workspace import Workspace


@pytest.fixture(scope="module")
def alone(workspace: Workspace, release: Release, data: Data) -> Iterator[Workspace]:
    """A namespace with a Dataset that is ready, and nobody who looks after it."""
    workspace.ready_dataset(manifests.dataset("tiny", data.tiny))
    try:
        release.scale_operator(0)
        yield workspace
    finally:
        release.scale_operator(1)


@pytest.mark.parametrize("trouble", [signal.SIGKILL, signal.SIGSTOP])
def test_never_two_write_under_a_burst(
    cluster: Cluster, alone: Workspace, tmp_path: Path, trouble: signal.Signals
) -> None:
    settings = {
        "MODELYARD_NAMESPACE": alone.name,
        "MODELYARD_WATCH_NAMESPACES": alone.name,
        # They find the namespace's keys in its Secret, and never ask the store.
        "MODELYARD_STORE_ENDPOINT": "http://127.0.0.1:9",
    }

    def send() -> None:
        cluster.kubectl("apply", "-f", "-", stdin=documents(*burst.jobs("tiny", alone.name)))

    def pods() -> Counter[tuple[str, str]]:
        """(job, attempt) -> pods."""
        labels = [item["metadata"]["labels"] for item in cluster.list(POD, alone.name, naming.CHILD_SELECTOR)]
        return Counter((found[naming.NAME_LABEL], found[naming.ATTEMPT_LABEL]) for found in labels
                       if found[naming.KIND_LABEL] == TRAINING_JOB.kind)  # fmt: skip

    with replicas.running(cluster.kubeconfig, tmp_path, **settings) as found:
        print(f"\n{burst.strike(found, trouble, send)}")
        wanted = Counter({(f"burst-{n}", "1"): burst.WORKERS for n in range(burst.JOBS)})
        eventually(lambda: pods() >= wanted, "every job has its pods", timeout=burst.SETTLE_SECONDS)
        # No attempt was begun twice, and no pod is one too many.
        assert pods() == wanted
        burst.one_wrote(found)
        for job in burst.jobs("tiny", alone.name):
            alone.remove(TRAINING_JOB, job["metadata"]["name"])
        eventually(lambda: not pods(), "the burst is gone", timeout=burst.SETTLE_SECONDS)
