"""The pods of a TrainingJob's attempt."""

from collections.abc import Mapping
from dataclasses import dataclass

from modelyard_algorithms.contract import environment, layout
from modelyard_algorithms.contract.task import Channel, Reporting, Store, TrainingTask
from modelyard_operator import naming
from modelyard_operator.api.dataset import DatasetSource
from modelyard_operator.api.training_job import TrainingJobSpec
from modelyard_operator.desired import pods, stores
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.plan import Manifest, Observed

DEFAULT_REQUESTS = {"cpu": "250m", "memory": "512Mi"}
GRACE_SECONDS = 30
"""Time for a last checkpoint after SIGTERM."""
NODE_LOSS_SECONDS = 30
"""An unreachable node's pods are given up after this long (Kubernetes' own default is 300)."""


@dataclass(frozen=True, slots=True)
class TrainingInput:
    """A channel's Dataset, and the version of it that is trained on."""

    name: str
    uid: str
    source: DatasetSource
    version: str
    splits: Mapping[str, int]
    """Items for each split of that version."""
    split_by: str | None = None
    """Dataset.status.splitBy of that version; None: the Dataset has another version by now."""


def worker_pods(
    owner: Observed,
    spec: TrainingJobSpec,
    *,
    attempt: int,
    record: str,
    hyperparameters: Mapping[str, int | float | str | bool],
    fingerprint: str,
    datasets: Mapping[str, TrainingInput],
) -> list[Manifest]:
    """All pods of an attempt, by rank; ``datasets`` by channel, "train" among them; ``record`` is what their
    annotation says of the attempt."""
    task, secrets = _task(owner, spec, attempt, hyperparameters, fingerprint, datasets)
    return [_pod(owner, spec, task, record, secrets, rank) for rank in range(spec.workers)]


def _task(
    owner: Observed,
    spec: TrainingJobSpec,
    attempt: int,
    hyperparameters: Mapping[str, int | float | str | bool],
    fingerprint: str,
    datasets: Mapping[str, TrainingInput],
) -> tuple[TrainingTask, dict[str, str]]:
    """The attempt's task, and the credential Secrets to mount: alias -> name."""
    channels, where, secrets = _channels(owner, datasets)
    first = naming.worker_pod(owner.name, attempt, 0)
    master = f"{first}.{naming.workers_service(datasets['train'].name)}.{owner.namespace}.svc"
    task = TrainingTask(
        namespace=owner.namespace,
        name=owner.name,
        uid=owner.uid,
        attempt=attempt,
        workers=spec.workers,
        processes_per_worker=max(pods.gpus(spec.resources), 1),
        gpus_per_worker=pods.gpus(spec.resources),
        requested_cpus=pods.requested_cpus(spec.resources),
        master_address=master if spec.workers > 1 else "127.0.0.1",
        algorithm=spec.algorithm,
        hyperparameters=dict(hyperparameters),
        stores=where,
        channels=channels,
        run=stores.own(owner, layout.run_prefix(owner.name, owner.uid)),
        model=stores.own(owner, layout.model_prefix(owner.name, owner.uid)),
        fingerprint=fingerprint,
        checkpoint_interval_seconds=spec.checkpoints.interval_seconds,
        reporting=Reporting(url=owner.platform.report_url),
    )
    return task, secrets


def _channels(
    owner: Observed, datasets: Mapping[str, TrainingInput]
) -> tuple[dict[str, Channel], dict[str, Store], dict[str, str]]:
    """Channels by name, the stores that they are in by alias, and each store's Secret by alias."""
    where: dict[str, Store] = {stores.PLATFORM: stores.platform_store(owner.platform)}
    secrets = {stores.PLATFORM: naming.STORE_SECRET}
    channels = {}
    for channel, (found, split) in _inputs(datasets).items():
        files = layout.upload_prefix(found.name, found.uid)
        of = f"Dataset {found.name!r}, "
        source, store, secret = stores.source(owner, found.source, files, channel, of)
        where[source.store] = store
        if secret is not None:
            secrets[source.store] = secret
        version = found.version.removeprefix("sha256:")
        channels[channel] = Channel(
            dataset=found.name,
            version=found.version,
            manifest=stores.own(owner, layout.dataset_prefix(found.name, version)),
            source=source,
            split=split,
            drawn_too=channel == "train" and validates_elsewhere(datasets),
        )
    return channels, where, secrets


def validates_elsewhere(datasets: Mapping[str, TrainingInput]) -> bool:
    """Whether validation has a Dataset of its own. Then what was drawn from the train Dataset for validation
    is trained on too; what lies in its folder validation/ never is."""
    return "validation" in datasets and datasets["validation"].name != datasets["train"].name


def _inputs(datasets: Mapping[str, TrainingInput]) -> dict[str, tuple[TrainingInput, str | None]]:
    """Channel -> (input, split; None: all of it). Given alone, a train Dataset serves both channels by its
    own splits."""
    train = datasets["train"]
    if validates_elsewhere(datasets):
        return {"train": (train, "train"), "validation": (datasets["validation"], None)}
    if train.splits.get("validation"):
        return {"train": (train, "train"), "validation": (train, "validation")}
    return {"train": (train, "train")}


def _pod(
    owner: Observed,
    spec: TrainingJobSpec,
    task: TrainingTask,
    record: str,
    secrets: Mapping[str, str],
    rank: int,
) -> Manifest:
    name = naming.worker_pod(owner.name, task.attempt, rank)
    labels = {naming.ATTEMPT_LABEL: str(task.attempt), naming.RANK_LABEL: str(rank)}
    container = pods.container(
        owner.platform,
        command="train",
        task=task.to_json(),
        image=spec.image,
        resources=pods.resources(spec.resources, requests=DEFAULT_REQUESTS),
        secrets=secrets,
        reports=True,
        env=[{"name": environment.RANK_ENV, "value": str(rank)}],
    )
    found = metadata(owner, name, labels=labels)
    # Autoscalers must not move a gang member: that restarts the whole attempt.
    found["annotations"] = {
        naming.RECORD_ANNOTATION: record,
        "karpenter.sh/do-not-disrupt": "true",
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "sidecar.istio.io/inject": "false",
    }
    body = pods.pod_spec(container, options=spec.pod, secrets=secrets, reports=True, shared_memory=True)
    body["restartPolicy"] = "Never"
    body["hostname"] = name
    body["subdomain"] = naming.workers_service(task.channels["train"].dataset)
    body["terminationGracePeriodSeconds"] = GRACE_SECONDS
    body["tolerations"] = [*body.get("tolerations", []), *_node_loss_tolerations()]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": found, "spec": body}


def _node_loss_tolerations() -> list[Manifest]:
    return [
        {
            "key": f"node.kubernetes.io/{key}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": NODE_LOSS_SECONDS,
        }
        for key in ("not-ready", "unreachable")
    ]
