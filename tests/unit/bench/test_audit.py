"""Requests are counted once, by namespace, and a lease is nobody's job."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from bench.control_plane import audit
from bench.control_plane.audit import Audit, Request, count, pods_made


def request(verb: str, resource: str, namespace: str = "load", code: int = 200, at: float = 0.0) -> Request:
    return Request("user", verb, resource, namespace, code, at)


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


def test_pods_are_made_when_the_api_server_has_answered() -> None:
    found = [
        request("create", "pods", code=201, at=5.0),
        request("create", "pods", code=201, at=3.0),
        request("create", "pods", code=409, at=9.0),
        request("create", "pods", code=201, at=9.0, namespace="other"),
        request("create", "pods/binding", code=201, at=9.0),
    ]
    assert pods_made(found, "load") == [3.0, 5.0]


async def test_the_log_is_read_from_mark_to_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FLUSH_SECONDS", 0)
    log = tmp_path / "audit.log"
    event = {
        "user": {"username": "operator"},
        "verb": "patch",
        "requestURI": "/apis",
        "objectRef": {"resource": "pods", "subresource": "status", "namespace": "load"},
        "responseStatus": {"code": 200},
        "stageTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    line = orjson.dumps(event) + b"\n"
    log.write_bytes(line)
    reader = Audit(log)
    await reader.skip()
    log.write_bytes(line + line + line[:20])
    before = time.monotonic()
    (found,) = await reader.take()
    assert replace(found, at=0.0) == Request("operator", "patch", "pods/status", "load", 200, 0.0)
    assert found.at == pytest.approx(before, abs=60), "on the clock of all other times"
    log.write_bytes(line + line + line)
    assert len(await reader.take()) == 1
