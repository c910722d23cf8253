"""The operator comes up before its definitions do, as it may when everything is applied at once."""

import asyncio
from pathlib import Path

import aiohttp

from modelyard_operator.kube import credentials
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.transport import Transport
from modelyard_operator.main import Operator
from modelyard_operator.plan import Plan, Ref
from modelyard_operator.settings import Settings
from tests.integration.operator.conftest import becomes, job, tiny
from tests.support import apiserver
from tests.support.eventually import eventually

CRDS = Path(__file__).parents[3] / "crds"


async def test_it_waits_for_its_definitions_and_then_works(tmp_path: Path) -> None:
    with apiserver.running(tmp_path) as server:
        settings = Settings(
            namespace="default",
            bind_address="127.0.0.1",
            health_port=0,
            report_port=0,
            store_endpoint="http://127.0.0.1:9",
        )
        access = credentials.from_kubeconfig([server.kubeconfig])
        operator = Operator(settings, access, tiny(lambda _: Plan(status={"phase": "Running"})))
        running = asyncio.create_task(operator.run())
        await eventually(lambda: "health" in operator.ports)

        async def answer(path: str) -> int:
            url = f"http://127.0.0.1:{operator.ports['health']}/{path}"
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                return response.status

        await asyncio.sleep(1)
        assert await answer("healthz") == 200
        assert await answer("readyz") == 503
        assert not operator.elector.leading
        await asyncio.to_thread(server.kubectl, "apply", "--server-side", "-f", str(CRDS))
        await eventually(lambda: operator.elector.leading, 30)
        assert await answer("readyz") == 200
        transport = Transport(access)
        client = Client(transport)
        created = await client.create(job("default"))

        async def done() -> bool:
            found = await client.get(Ref.of(created))
            return bool((found.get("status") or {}).get("phase") == "Running")

        await becomes(done)
        await transport.close()
        operator.stop()
        await asyncio.wait_for(running, 15)
