"""A real API server with the chart's objects, for all tests that ask one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from modelyard_demo.chart import namespace
from tests.support import apiserver, chart
from tests.support.apiserver import ApiServer

SYSTEM = "modelyard-system"


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with apiserver.running(tmp_path_factory.mktemp("apiserver")) as found:
        yield found


@pytest.fixture(scope="package")
def manifest(server: ApiServer) -> str:
    """Applied, and nothing but "created" was said."""
    text = f"{yaml.safe_dump(namespace(SYSTEM))}{chart.template()}"
    done = server.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=text)
    assert done.stderr == ""
    assert {line.rpartition(" ")[2] for line in done.stdout.splitlines()} == {"serverside-applied"}
    return text
