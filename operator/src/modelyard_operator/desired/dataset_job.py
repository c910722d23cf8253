"""The batch/v1 Job that validates a Dataset and writes its version."""

from modelyard_algorithms.contract import environment, layout
from modelyard_algorithms.contract.task import DatasetTask, Location, Reporting
from modelyard_operator import naming
from modelyard_operator.api.dataset import DatasetSpec
from modelyard_operator.api.pod import PodOptions, Resources
from modelyard_operator.desired import pods, stores
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.plan import Manifest, Observed

REQUESTS = {"cpu": "100m", "memory": "256Mi"}
"""Little, so that it starts at once on a busy node; no limit, so that it may use what is free."""
GRACE_SECONDS = 5
"""It keeps no state: another run writes the same version."""
PATIENCE_SECONDS = 60
"""A store that is away longer is told in the status; the operator tries again later."""
SOURCE = "source"
"""Alias of a store that is not the platform's."""


def job(owner: Observed, spec: DatasetSpec, *, name: str) -> Manifest:
    """One reading of the source.

    It fails with its first pod: when to try again is decided in policies.data_retry. A pod that the
    cluster disrupts is no failure; Kubernetes replaces it.
    """
    task, secrets = _task(owner, spec)
    container = pods.container(
        owner.platform,
        command="dataset",
        task=task.to_json(),
        image=spec.image,
        resources=pods.resources(Resources(), requests=REQUESTS),
        secrets=secrets,
        reports=True,
        env=[{"name": environment.STORE_PATIENCE_ENV, "value": str(PATIENCE_SECONDS)}],
    )
    body = pods.pod_spec(container, options=PodOptions(), secrets=secrets, reports=True)
    body["restartPolicy"] = "Never"
    body["terminationGracePeriodSeconds"] = GRACE_SECONDS
    found = metadata(owner, name)
    template = {
        "metadata": {"labels": found["labels"], "annotations": {"sidecar.istio.io/inject": "false"}},
        "spec": body,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": found,
        "spec": {"backoffLimit": 0, "podFailurePolicy": _POD_FAILURE_POLICY, "template": template},
    }


_POD_FAILURE_POLICY = {
    "rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {
            "action": "FailJob",
            "onExitCodes": {
                "containerName": pods.CONTAINER,
                "operator": "In",
                "values": [environment.EXIT_INVALID],
            },
        },
    ]
}


def _task(owner: Observed, spec: DatasetSpec) -> tuple[DatasetTask, dict[str, str]]:
    """What is read and where the version goes; and the credential Secrets to mount: alias -> name."""
    platform = owner.platform
    files = layout.upload_prefix(owner.name, owner.uid)
    source, store, secret = stores.source(owner, spec.source, files, SOURCE)
    secrets = {stores.PLATFORM: naming.STORE_SECRET}
    if secret is not None:
        secrets[source.store] = secret
    task = DatasetTask(
        namespace=owner.namespace,
        name=owner.name,
        uid=owner.uid,
        stores={stores.PLATFORM: stores.platform_store(platform), source.store: store},
        source=source,
        destination=stores.own(owner, layout.dataset_root(owner.name)),
        seal=_seal(owner) if spec.source.upload is not None else None,
        format=spec.format,
        validation_fraction=spec.split.validation_fraction,
        split_seed=spec.split.seed,
        reporting=Reporting(url=platform.report_url),
    )
    return task, secrets


def _seal(owner: Observed) -> Location:
    return stores.own(owner, layout.upload_root(owner.name, owner.uid))
