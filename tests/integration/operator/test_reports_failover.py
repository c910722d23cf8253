"""Jobs that report while the leader dies: the next one knows none of their tokens."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path

from modelyard_algorithms.contract.environment import REPORT_AUDIENCE
from modelyard_operator.kube import credentials, resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.transport import Request, Transport
from modelyard_operator.plan import Manifest
from tests.integration.operator.conftest import becomes, job
from tests.support import one_pod_operator, replicas
from tests.support.apiserver import ApiServer
from tests.support.reporters import Worker, reporting

JOBS = 200
LONGEST_GAP = 30.0
"""The claim: seconds between two accepted reports of a job."""

ENDPOINT_SECONDS = 5.0
"""For which the Service still sends reports to a replica that has died."""


async def pods(client: Client, namespace: str) -> dict[str, Manifest]:
    pages = client.pages(resources.POD, namespace=namespace)
    return {item["metadata"]["name"]: item async for page in pages for item in page.items}


async def workers(client: Client, api_server: ApiServer, namespace: str) -> list[Worker]:
    """A job each, whose pod is there and has a token of its own."""
    api_server.kubectl("create", "serviceaccount", one_pod_operator.ACCOUNT, "-n", namespace)
    jobs = await asyncio.gather(*(client.create(job(namespace, f"j{number}")) for number in range(JOBS)))

    async def all_there() -> bool:
        return len(await pods(client, namespace)) == JOBS

    await becomes(all_there, 60)
    found = await pods(client, namespace)
    transport = Transport(credentials.from_kubeconfig([api_server.kubeconfig]))

    async def worker(made: Manifest) -> Worker:
        pod = found[one_pod_operator.pod_name(made["metadata"]["name"])]["metadata"]
        token = await _token(transport, namespace, pod["name"], pod["uid"])
        return Worker(namespace, made["metadata"]["name"], made["metadata"]["uid"], token)

    made = await asyncio.gather(*map(worker, jobs))
    await transport.close()
    return made


async def _token(transport: Transport, namespace: str, pod: str, uid: str) -> str:
    """As the kubelet projects it into the pod."""
    bound = {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": uid}
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [REPORT_AUDIENCE], "expirationSeconds": 3600, "boundObjectRef": bound},
    }
    request = Request(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/{one_pod_operator.ACCOUNT}/token",
        verb="create",
        resource="serviceaccounts/token",
        body=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    return str(json.loads(await transport.send(request))["status"]["token"])


async def test_the_reports_of_two_hundred_jobs_survive_a_failover(
    client: Client, api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    settings = {
        "MODELYARD_NAMESPACE": namespace,
        "MODELYARD_WATCH_NAMESPACES": namespace,
        "MODELYARD_STORE_ENDPOINT": "http://127.0.0.1:9",
    }
    module = one_pod_operator.__name__
    with replicas.running(api_server.kubeconfig, tmp_path, module, **settings) as found:
        made = await workers(client, api_server, namespace)
        async with reporting(made, map(found.reports, replicas.NAMES)) as load:
            start = time.monotonic()
            await load.accepted(2, start, within=LONGEST_GAP)
            leader = found.leader()
            assert leader is not None
            killed = found.signal(leader, signal.SIGKILL)
            await asyncio.sleep(ENDPOINT_SECONDS)
            load.replicas.remove(found.reports(leader))
            await load.accepted(3, killed, within=3 * LONGEST_GAP)
            end = time.monotonic()
        gaps = sorted(worker.longest_gap(start, end) for worker in made)
        print(f"\n{dict(load.answers)}; median gap {gaps[JOBS // 2]:.1f} s, longest {gaps[-1]:.1f} s")
        assert gaps[-1] <= LONGEST_GAP
