"""Requests are counted once, by namespace, and a lease is nobody's job."""

from pathlib import Path

import orjson
import pytest

from bench.control_plane import audit
from bench.control_plane.audit import Audit, Request, count


def request(verb: str, resource: str, namespace: str = "load", code: int = 200) -> Request:
    return Request("user", verb, resource, namespace, code)


def test_requests_divide_into_those_for_jobs_and_all_others() -> None:
    found = count(
        [
            request("create", "pods"),
            request("create", "pods"),
            request("patch", "leases"),
            request("list", "pods", namespace=""),
            request("patch", "trainingjobs/status", code=409),
        ],
        {"load"},
    )
    assert found.for_jobs == {"create pods": 2, "patch trainingjobs/status": 1}
    assert found.total == 3
    assert found.other == {"patch leases": 1, "list pods": 1}
    assert found.refused == {"patch trainingjobs/status: 409": 1}


async def test_the_log_is_read_from_mark_to_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FLUSH_SECONDS", 0)
    log = tmp_path / "audit.log"
    event = {
        "user": {"username": "operator"},
        "verb": "patch",
        "requestURI": "/apis",
        "objectRef": {"resource": "pods", "subresource": "status", "namespace": "load"},
        "responseStatus": {"code": 200},
    }
    line = orjson.dumps(event) + b"\n"
    log.write_bytes(line)
    reader = Audit(log)
    await reader.skip()
    log.write_bytes(line + line + line[:20])
    assert await reader.take() == [Request("operator", "patch", "pods/status", "load", 200)]
    log.write_bytes(line + line + line)
    assert len(await reader.take()) == 1
