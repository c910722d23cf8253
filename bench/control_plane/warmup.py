"""A control plane that has processed pods before.

The API server gives each watch a buffer for about a second of recent events of its kind, and closes a watch
that cannot keep up. On a new server the buffer holds 10 events: in a burst, kwok, the scheduler and the
observer lose their watches and start again, which does not happen in a cluster that has had such a burst
before. So every subject's server processes some thousand changes of a pod before anything watches it.
"""

from __future__ import annotations

import asyncio

from bench.control_plane.client import Client
from bench.control_plane.plane import Plane

CHANGES = 3300
"""With these the watch cache holds 6,400 events, and a new watch's buffer 86 (cacher, watch_cache.go)."""
PARALLEL = 16
NAMESPACE, POD = "warm-up", "warm-up"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


async def warm_up(plane: Plane) -> None:
    """Change one pod again and again, which nobody runs; nothing of it is left."""
    named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": NAMESPACE},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD},
        "spec": {"containers": [{"name": "none", "image": "registry.invalid/none:1"}]},
    }
    plane.apply(named, account)
    async with Client(plane) as client:
        await client.create(PODS, pod)
        numbers = iter(range(CHANGES))

        async def change() -> None:
            for number in numbers:
                await client.patch(f"{PODS}/{POD}", {"metadata": {"labels": {"change": str(number)}}})

        await asyncio.gather(*(change() for _ in range(PARALLEL)))
    plane.kubectl("delete", "pod", POD, "--namespace", NAMESPACE, "--grace-period=0", "--force")
