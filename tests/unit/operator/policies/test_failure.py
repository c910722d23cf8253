"""What a container leaves behind, whatever wrote it."""

from datetime import UTC, datetime
from typing import Any

from modelyard_operator.policies import failure, server_trouble

ODD = "\x1b[31mlast\u202e words\u2028\n\tof a log"
CLEAN = " [31mlast  words \n\tof a log"


def pod(message: str) -> dict[str, Any]:
    ended = {"exitCode": 1, "reason": "Error", "message": message}
    return {
        "metadata": {"name": "p", "namespace": "n", "labels": {}},
        "status": {"phase": "Failed", "containerStatuses": [{"state": {"terminated": ended}}]},
    }


def test_log_lines_that_the_kubelet_kept_are_made_printable() -> None:
    assert failure.cause_of(pod(ODD)).log_tail == CLEAN
    found = server_trouble.trouble([pod(ODD)], datetime.now(UTC), None)
    assert found is not None
    assert found.message.endswith(f"its last lines: {CLEAN}")
