"""The API server that the other tests stand on."""

from tests.support.apiserver import ApiServer


def test_our_kinds_are_established_and_listed_by_their_category(
    api_server: ApiServer, namespace: str
) -> None:
    listed = api_server.kubectl("api-resources", "--categories=modelyard", "-o", "name").stdout.split()
    assert listed == ["datasets.modelyard.dev", "deployments.modelyard.dev", "trainingjobs.modelyard.dev"]
    assert api_server.kubectl("get", "modelyard", "-n", namespace).stderr.startswith("No resources found")
