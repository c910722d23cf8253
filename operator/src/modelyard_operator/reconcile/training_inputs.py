"""What a TrainingJob needs before an attempt: valid settings, ready Datasets, the object store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from modelyard_algorithms import catalog
from modelyard_algorithms.contract.hyperparameters import Hyperparameters
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.api.dataset import KIND as DATASET
from modelyard_operator.api.dataset import Dataset
from modelyard_operator.api.training_job import MADE_FROM
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
    def record(self) -> Manifest:
        """What the status keeps of the Datasets of an attempt, each field by channel."""
        datasets = self.datasets.items()
        return {
            "datasetNames": {channel: found.name for channel, found in datasets},
            "datasetUids": {channel: found.uid for channel, found in datasets},
            "datasetVersions": self.versions,
            "datasetSplits": {channel: dict(found.splits) for channel, found in datasets},
        }


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
    found = Inputs(hyperparameters=_values(parsed), datasets=datasets, spec_digest=spec_digest(state))
    digest = fingerprint(state.spec.algorithm, chosen, found.versions)[:16]
    return replace(found, fingerprint=digest)


def spec_digest(state: State) -> str:
    """Digest of what the pods are made from; policies such as backoffLimit are not part of it, and
    neither is what the operator adds by itself: its own upgrade must not restart a training."""
    return fingerprint(state.spec.chosen(MADE_FROM))[:16]


def _invalid(reason: str, error: ValueError) -> Inputs:
    return Inputs(problem=Problem(reason, str(error), phase="Invalid", stalled=True))


def _values(parsed: Hyperparameters) -> dict[str, int | float | str | bool]:
    return dict(parsed.model_dump(by_alias=True))


def replaced(state: State, inputs: Inputs) -> bool:
    """Whether the attempt under way began with Datasets that were deleted and made again since."""
    return bool(inputs.record["datasetUids"] != state.status.get("datasetUids"))


def anew(state: State, inputs: Inputs) -> str:
    """What to add where an attempt begins for which the checkpoints of the one before are of no use."""
    before = state.status
    if before.get("fingerprint") in {None, inputs.fingerprint}:
        return ""
    versions = before.get("datasetVersions", {})
    other = [
        found.name for channel, found in inputs.datasets.items() if found.version != versions.get(channel)
    ]
    if inputs.versions == versions:
        why = "spec.hyperparameters was edited"
    elif inputs.record["datasetNames"] != before.get("datasetNames"):
        why = "spec.datasets was edited"
    else:
        why = f"Dataset {other[0]!r} was made again and has another version"
    return f"; begins anew, without the checkpoints of attempt {state.attempt}: {why}"


def _datasets(state: State) -> tuple[dict[str, TrainingInput], Problem | None]:
    """Datasets by channel. A job that has begun keeps the versions that it began with, as long as it names
    the same Datasets: with another version its checkpoints would be of no use."""
    found: dict[str, TrainingInput] = {}
    for entry in state.spec.datasets:
        ref = Ref(API_VERSION, DATASET, state.observed.namespace, entry.dataset)
        manifest = state.observed.references.get(ref)
        problem = _absence(entry.dataset, manifest)
        if problem is not None or manifest is None:
            return {}, problem
        dataset = Dataset.model_validate({"spec": manifest["spec"], "status": manifest.get("status") or {}})
        known = _begun_with(state, entry.channel, manifest)
        if known is None:
            problem = _not_ready(entry.dataset, manifest)
            if problem is not None:
                return {}, problem
            known = str(dataset.status.version), dataset.status.splits or {}
        found[entry.channel] = TrainingInput(
            name=entry.dataset,
            uid=str(manifest["metadata"]["uid"]),
            source=dataset.spec.source,
            version=known[0],
            splits=known[1],
            split_by=(dataset.status.split_by or "Fraction") if known[0] == dataset.status.version else None,
        )
    return found, None


def _begun_with(state: State, channel: str, manifest: Manifest) -> tuple[str, Mapping[str, int]] | None:
    """Version and splits that the job has begun with, if they are of this very Dataset: what is made again
    under its name is another one, and may hold other images."""
    status = state.status
    if status.get("datasetUids", {}).get(channel) != manifest["metadata"]["uid"]:
        return None
    return str(status["datasetVersions"][channel]), status["datasetSplits"][channel]


def _absence(name: str, manifest: Manifest | None) -> Problem | None:
    if manifest is None:
        text = f"waits for Dataset {name!r}: it does not exist here; create it, or correct spec.datasets"
        return Problem("DatasetNotFound", text, missing=name)
    if "deletionTimestamp" in manifest["metadata"]:
        text = f"waits for Dataset {name!r}: it is being deleted; create it again, or correct spec.datasets"
        return Problem("DatasetNotFound", text, missing=name)
    return None


def _not_ready(name: str, manifest: Manifest) -> Problem | None:
    """What a Dataset lacks whose newest version is needed."""
    meta, status = manifest["metadata"], manifest.get("status") or {}
    phase, generation = status.get("phase") or "Pending", meta.get("generation")
    if status.get("observedGeneration", generation) != generation:
        # The status is of an older spec, which may mean another version.
        return Problem("DatasetNotReady", f"waits for Dataset {name!r} (it was edited)")
    if status.get("version") and phase == "Ready":
        return None
    if phase == "Failed":
        text = f"Dataset {name!r} has failed: {status.get('message', '')}"
        return Problem("DatasetFailed", text, stalled=True)
    return Problem("DatasetNotReady", f"waits for Dataset {name!r} ({phase})")
