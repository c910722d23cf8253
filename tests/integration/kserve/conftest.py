"""An API server that has KServe's InferenceService, and the operator; the tests play KServe's controller."""

from collections.abc import Iterator

import pytest

from tests.integration.conftest import GARBAGE_COLLECTOR, our_kinds
from tests.integration.kserve.serving import Serving
from tests.support import apiserver, kserve_sdk, operator_process
from tests.support.apiserver import ApiServer


@pytest.fixture(scope="package")
def kserve_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server with our kinds and KServe's, and the operator running against it."""
    folder = tmp_path_factory.mktemp("kserve")
    crds = [*our_kinds(), kserve_sdk.definition()]
    with (
        apiserver.running(folder, crds=crds, controllers=[GARBAGE_COLLECTOR]) as server,
        operator_process.running(server),
    ):
        yield server


@pytest.fixture
def serving(kserve_server: ApiServer) -> Serving:
    """A Deployment with backend Auto, in a namespace of its own, that has a model to serve."""
    found = Serving(kserve_server)
    found.create()
    return found
