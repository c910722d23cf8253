"""A user who may edit one namespace and nothing else, and pods as such a user makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from modelyard_operator import naming
from tests.support.cluster import Cluster, Object, documents
from tests.support.workspace import Workspace

NAME = "tenant"
AUDIENCE = "modelyard-operator"


def user(workspace: Workspace, folder: Path) -> Cluster:
    """The cluster as a user with the ClusterRole ``edit`` in a namespace sees it."""
    meta = {"name": NAME, "namespace": workspace.name}
    group = "rbac.authorization.k8s.io"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": workspace.name}],
    }
    admin = workspace.cluster
    admin.kubectl("apply", "-f", "-", stdin=documents(account, binding))
    token = admin.kubectl("create", "token", NAME, "-n", workspace.name, "--duration=2h").stdout.strip()
    config = yaml.safe_load(
        admin.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "yaml").stdout
    )
    (chosen,) = config["users"]
    chosen["user"] = {"token": token}
    path = folder / f"{workspace.name}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return Cluster(path)


def as_user(workspace: Workspace, user: Cluster) -> Workspace:
    """The same namespace, in that user's hands."""
    return Workspace(user, workspace.recorder, workspace.store, workspace.name)


def pod(name: str, image: str, code: str, *, labels: dict[str, str] | None = None, **env: str) -> Object:
    """A pod that keeps to Pod Security "restricted" and runs Python code with the namespace's keys mounted.

    It also has a token with which the operator would take reports.
    """
    mounts = [{"name": "keys", "mountPath": "/keys"}, {"name": "token", "mountPath": "/token"}]
    container: dict[str, Any] = {
        "name": "modelyard",
        "image": image,
        "command": ["python", "-c", code],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "volumeMounts": mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "capabilities": {"drop": ["ALL"]},
        },
    }
    token = {"serviceAccountToken": {"path": "token", "audience": AUDIENCE}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [container],
            "volumes": [
                {"name": "keys", "secret": {"secretName": naming.STORE_SECRET}},
                {"name": "token", "projected": {"sources": [token]}},
            ],
        },
    }
