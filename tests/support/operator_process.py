"""The operator as a process of its own, against an API server of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.apiserver import ApiServer
from tests.support.waiting import eventually

NAMESPACE = "modelyard-system"
STOP_SECONDS = 15.0


@contextmanager
def running(server: ApiServer, **settings: str) -> Iterator[Path]:
    """The operator until the block ends; gives its log. ``settings`` are environment variables."""
    server.kubectl("create", "namespace", NAMESPACE)
    environment = {
        "PATH": os.defpath,
        "HOME": str(server.folder),
        "KUBECONFIG": str(server.kubeconfig),
        "MODELYARD_NAMESPACE": NAMESPACE,
        "MODELYARD_STORE_ENDPOINT": "http://store.test:9000",
        "MODELYARD_BIND_ADDRESS": "127.0.0.1",
        "MODELYARD_HEALTH_PORT": "0",
        "MODELYARD_REPORT_PORT": "0",
        "MODELYARD_LOG_FORMAT": "text",
    } | settings
    log = server.folder / "operator.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "modelyard_operator"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )

        def lives() -> None:
            assert process.poll() is None, f"the operator has ended:\n{log.read_text()[-4000:]}"

        def leads() -> bool:
            lives()
            return ": leading" in log.read_text()

        try:
            eventually(leads, "the operator leads", timeout=90, diagnose=log.read_text)
            yield log
            lives()
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
