"""Whether the cluster has KServe: asked now and then, and at once where there is reason to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from modelyard_operator.kube.client import Client
from modelyard_operator.kube.discovery import KServe
from modelyard_operator.kube.errors import NotFoundError, UnavailableError
from tests.support.eventually import eventually

HOUR = 3600.0


class Cluster(Client):
    """Has KServe, or not; or does not answer."""

    def __init__(self) -> None:
        self.kserve = False
        self.answers = True

    async def get_path(self, path: str) -> Any:
        assert path == "/apis/serving.kserve.io/v1beta1"
        if not self.answers:
            raise UnavailableError("no answer")
        if not self.kserve:
            raise NotFoundError("404 page not found", status=404)
        return {"resources": [{"name": "inferenceservices"}, {"name": "inferenceservices/status"}]}


class Looking:
    def __init__(self, cluster: Cluster, period: float) -> None:
        self.changes: list[bool] = []
        self.kserve = KServe(cluster, self.changes.append, period)
        self.task = asyncio.create_task(self.kserve.run())


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
async def looking(cluster: Cluster) -> AsyncIterator[Looking]:
    """Looks once an hour."""
    found = Looking(cluster, HOUR)
    await asyncio.wait_for(found.kserve.known.wait(), 5)
    yield found
    found.task.cancel()


async def test_only_a_change_is_told(cluster: Cluster) -> None:
    cluster.kserve = True
    found = Looking(cluster, period=0.001)
    await eventually(lambda: found.changes == [True])
    cluster.kserve = False
    await eventually(lambda: found.changes == [True, False])
    found.task.cancel()


async def test_it_looks_at_once_where_there_is_reason_to(cluster: Cluster, looking: Looking) -> None:
    assert looking.changes == []
    cluster.kserve = True
    looking.kserve.hurry()
    await eventually(lambda: looking.changes == [True])


async def test_no_answer_changes_nothing(cluster: Cluster, looking: Looking) -> None:
    cluster.kserve = True
    looking.kserve.hurry()
    await eventually(lambda: looking.kserve.present)
    cluster.answers = False
    looking.kserve.hurry()
    await asyncio.sleep(0.02)
    assert looking.kserve.present
    assert looking.changes == [True]
