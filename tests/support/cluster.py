"""The cluster under test: its API as plain JSON, and kubectl as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

from modelyard_operator.api import registry

Object = dict[str, Any]

REQUEST_SECONDS = 60
KUBECTL_SECONDS = 120
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class Resource:
    """A kind of object, as the API's paths have it."""

    api_version: str
    plural: str
    kind: str

    @property
    def argument(self) -> str:
        """How kubectl is told of it without ambiguity."""
        group = self.api_version.rpartition("/")[0]
        return f"{self.plural}.{group}" if group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of one object, or of the list."""
        parts = ["apis" if "/" in self.api_version else "api", self.api_version]
        parts += ["namespaces", namespace] if namespace else []
        parts += [self.plural, *([name] if name else [])]
        return "/" + "/".join(parts)


OURS = "modelyard.dev/v1alpha1"
KINDS = tuple(Resource(OURS, kind.plural, kind.name) for kind in registry.KINDS if kind.namespaced)
DATASET, TRAINING_JOB, DEPLOYMENT = (
    next(found for found in KINDS if found.kind == name) for name in ("Dataset", "TrainingJob", "Deployment")
)
NAMESPACE = Resource("v1", "namespaces", "Namespace")
NODE = Resource("v1", "nodes", "Node")
POD = Resource("v1", "pods", "Pod")
SECRET = Resource("v1", "secrets", "Secret")
SERVICE_ACCOUNT = Resource("v1", "serviceaccounts", "ServiceAccount")
SERVICE = Resource("v1", "services", "Service")
ENDPOINT_SLICE = Resource("discovery.k8s.io/v1", "endpointslices", "EndpointSlice")
EVENT = Resource("v1", "events", "Event")
JOB = Resource("batch/v1", "jobs", "Job")
APPS_DEPLOYMENT = Resource("apps/v1", "deployments", "Deployment")
STATEFUL_SET = Resource("apps/v1", "statefulsets", "StatefulSet")
DISRUPTION_BUDGET = Resource("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget")
LEASE = Resource("coordination.k8s.io/v1", "leases", "Lease")
CRD = Resource("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition")
CHILDREN = (POD, SECRET, SERVICE, ENDPOINT_SLICE, JOB, APPS_DEPLOYMENT, DISRUPTION_BUDGET)
"""Kinds of what the operator makes for our objects with the backend Kubernetes."""


class KubectlError(RuntimeError):
    """kubectl failed; the text is what it wrote to stderr."""


class ApiError(RuntimeError):
    """The API server refused a request."""

    def __init__(self, method: str, path: str, status: int, text: str) -> None:
        super().__init__(f"{method} {path}: {status} {text[:1000]}")
        self.status = status


class Cluster:
    """A client of the cluster that a kubeconfig names."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    @cached_property
    def _api(self) -> Any:
        return self._client(connections=8)

    @cached_property
    def _streams(self) -> Any:
        """A client of its own for watches, so that they do not take the connections of requests."""
        return self._client(connections=64)

    def _client(self, connections: int) -> Any:
        settings = client.Configuration()
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(self.kubeconfig), client_configuration=settings
        )
        settings.connection_pool_maxsize = connections
        return client.ApiClient(settings)

    def close(self) -> None:
        """Give the connections back."""
        for name in ("_api", "_streams"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        """The body of the API server's answer.

        Raises:
            ApiError: the answer is no success.
        """
        response = self._send(self._api, method, path, query, body, content_type, REQUEST_SECONDS)
        data: bytes = response.response.read()
        response.response.release_conn()
        if not 200 <= response.status < 300:
            raise ApiError(method, path, response.status, data.decode(errors="replace"))
        return data

    def lines(self, path: str, *, query: Sequence[tuple[str, str]] = (), idle: float) -> Iterator[bytes]:
        """The lines of a stream (a watch, a log that is followed) until it ends.

        Raises:
            ApiError: the answer is no success.
        """
        response = self._send(self._streams, "GET", path, query, None, "application/json", (10, idle))
        if response.status != 200:
            text = response.response.read().decode(errors="replace")
            raise ApiError("GET", path, response.status, text)
        rest = b""
        try:
            for chunk in response.response.stream(65536, decode_content=False):
                *complete, rest = (rest + chunk).split(b"\n")
                yield from complete
            if rest:
                yield rest
        finally:
            response.response.close()

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """One object; None where there is none."""
        try:
            found: Object = json.loads(self.request("GET", resource.path(namespace, name)))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return found

    def list(self, resource: Resource, namespace: str | None = None, selector: str = "") -> list[Object]:
        """Objects of a kind, in one namespace or in all."""
        query = [("labelSelector", selector)] if selector else []
        found = json.loads(self.request("GET", resource.path(namespace), query=query))
        common = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [common | item for item in found["items"]]

    def create(self, resource: Resource, manifest: Object, namespace: str | None = None) -> Object:
        """Create an object."""
        made: Object = json.loads(self.request("POST", resource.path(namespace), body=manifest))
        return made

    def patch(self, resource: Resource, name: str, change: Object, namespace: str | None = None) -> Object:
        """Merge a change into an object, as ``kubectl patch --type=merge`` does."""
        path = resource.path(namespace, name)
        answer = self.request("PATCH", path, body=change, content_type=MERGE_PATCH)
        changed: Object = json.loads(answer)
        return changed

    def delete(
        self, resource: Resource, name: str, namespace: str | None = None, *, grace: int | None = None
    ) -> None:
        """Delete an object if there is one; ``grace`` 0 is what ``kubectl delete --force`` sends."""
        options: Object = {"propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            self.request("DELETE", resource.path(namespace, name), body=options)
        except ApiError as error:
            if error.status != 404:
                raise

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl.

        Raises:
            KubectlError: it failed, and ``check`` is set.
        """
        done = subprocess.run(
            ["kubectl", f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=KUBECTL_SECONDS,
            check=False,
            env=self.environment,
        )
        if check and done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done

    @property
    def environment(self) -> dict[str, str]:
        """For programs that talk to this cluster."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    @staticmethod
    def _send(
        api: Any,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        body: Object | None,
        content_type: str,
        timeout: float | tuple[float, float],
    ) -> Any:
        request = api.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params={"Accept": "application/json, */*", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        return api.call_api(*request, _request_timeout=timeout)


def documents(*manifests: Object) -> str:
    """YAML that ``kubectl apply -f -`` reads."""
    return yaml.safe_dump_all(manifests, sort_keys=False)
