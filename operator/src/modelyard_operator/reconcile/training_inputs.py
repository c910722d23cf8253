"""What a TrainingJob needs before an attempt: valid settings, ready Datasets, the object store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelyard_algorithms import catalog
from modelyard_algorithms.contract.hyperparameters import Hyperparameters
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.api.dataset import KIND as DATASET
from modelyard_operator.api.dataset import Dataset
from modelyard_operator.desired.training_pods import TrainingInput
from modelyard_operator.plan import Manifest, Ref, StoragePending, fingerprint
from modelyard_operator.reconcile.training_state import Problem, State


@dataclass(frozen=True)
class Inputs:
    """Either a problem, or all that an attempt is made from."""

    problem: Problem | None = None
    hyperparameters: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    """With defaults."""
    datasets: Mapping[str, TrainingInput] = field(default_factory=dict)
    """By channel."""
    fingerprint: str = ""
    spec_digest: str = ""
    """Of everything in the spec that the pods are made from: another one restarts the gang."""

    @property
    def versions(self) -> dict[str, str]:
        return {channel: found.version for channel, found in self.datasets.items()}

    @property
    def names(self) -> dict[str, str]:
        return {channel: found.name for channel, found in self.datasets.items()}


def check(state: State) -> Inputs:
    """All inputs, or the first problem."""
    try:
        parsed = catalog.parse(state.spec.algorithm, dict(state.spec.hyperparameters))
    except catalog.UnknownAlgorithmError as error:
        return _invalid("UnknownAlgorithm", error)
    except catalog.InvalidHyperparametersError as error:
        return _invalid("InvalidHyperparameters", error)
    pending = state.observed.storage
    if isinstance(pending, StoragePending):
        return Inputs(problem=Problem(pending.reason, pending.message, stalled=pending.stalled))
    datasets, problem = _datasets(state)
    if problem is not None:
        return Inputs(problem=problem)
    chosen = parsed.model_dump(by_alias=True, exclude_unset=True)
    versions = {channel: found.version for channel, found in datasets.items()}
    return Inputs(
        hyperparameters=_values(parsed),
        datasets=datasets,
        fingerprint=fingerprint(state.spec.algorithm, chosen, versions)[:16],
        spec_digest=spec_digest(state),
    )


def spec_digest(state: State) -> str:
    """Digest of what the pods are made from; policies such as backoffLimit are not part of it, and
    neither is what the operator adds by itself: its own upgrade must not restart a training."""
    fields = {
        "algorithm",
        "hyperparameters",
        "datasets",
        "workers",
        "resources",
        "pod",
        "image",
        "checkpoints",
    }
    return fingerprint(state.spec.model_dump(mode="json", by_alias=True, include=fields))[:16]


def _invalid(reason: str, error: ValueError) -> Inputs:
    return Inputs(problem=Problem(reason, str(error), phase="Invalid", stalled=True))


def _values(parsed: Hyperparameters) -> dict[str, int | float | str | bool]:
    return dict(parsed.model_dump(by_alias=True))


def _datasets(state: State) -> tuple[dict[str, TrainingInput], Problem | None]:
    """Ready Datasets by channel. A job that has begun keeps the versions that it began with, as
    long as it names the same Datasets: with another version its checkpoints would be of no use."""
    versions, names = state.status.get("datasetVersions", {}), state.status.get("datasetNames", {})
    found: dict[str, TrainingInput] = {}
    for entry in state.spec.datasets:
        ref = Ref(API_VERSION, DATASET, state.observed.namespace, entry.dataset)
        manifest = state.observed.references.get(ref)
        problem = _dataset_problem(entry.dataset, manifest)
        version = versions.get(entry.channel) if names.get(entry.channel) == entry.dataset else None
        if problem is not None and (version is None or manifest is None):
            return {}, problem
        assert manifest is not None
        dataset = Dataset.model_validate({"spec": manifest["spec"], "status": manifest.get("status") or {}})
        found[entry.channel] = TrainingInput(
            name=entry.dataset,
            uid=str(manifest["metadata"]["uid"]),
            dataset=dataset,
            version=version or str(dataset.status.version),
        )
    return found, None


def _dataset_problem(name: str, manifest: Manifest | None) -> Problem | None:
    if manifest is None:
        text = f"waits for Dataset {name!r}: it does not exist here; create it, or correct spec.datasets"
        return Problem("DatasetNotFound", text, missing=name)
    status = manifest.get("status") or {}
    if status.get("version") and status.get("phase") == "Ready":
        return None
    if status.get("phase") == "Failed":
        text = f"Dataset {name!r} has failed: {status.get('message', '')}"
        return Problem("DatasetFailed", text, stalled=True)
    return Problem("DatasetNotReady", f"waits for Dataset {name!r} ({status.get('phase') or 'Pending'})")
