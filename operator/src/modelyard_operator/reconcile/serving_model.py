"""Which model a Deployment serves, and where it lies; or what keeps it from being known."""

from __future__ import annotations

from modelyard_algorithms.contract.task import Location
from modelyard_operator.api.base import ObjectStoreFolder
from modelyard_operator.api.deployment import DeploymentSpec, DeploymentStatus, Phase, Reason
from modelyard_operator.api.training_job import KIND as TRAINING_JOB
from modelyard_operator.api.training_status import ModelStatus
from modelyard_operator.desired import stores
from modelyard_operator.desired.server_pod import Model
from modelyard_operator.plan import Manifest, Observed, Ref, fingerprint
from modelyard_operator.reconcile import conclusion
from modelyard_operator.reconcile.conclusion import Conclusion

MODEL_STORE = "model"
"""Alias of a store that is not the platform's."""
FIELD = "spec.model.objectStore"


def source_digest(spec: DeploymentSpec) -> str:
    """status.modelSource: a model that was found by this spec is served on when its TrainingJob is gone."""
    return fingerprint(spec.model.chosen())[:16]


def references(manifest: Manifest) -> list[Ref]:
    """The TrainingJob or the user's credentials Secret."""
    namespace = manifest["metadata"]["namespace"]
    model = manifest.get("spec", {}).get("model", {})
    secret = model.get("objectStore", {}).get("credentialsSecretName")
    found = [Ref("v1", "Secret", namespace, secret)] if secret else []
    if "trainingJob" in model:
        found.append(Ref.to(TRAINING_JOB, model["trainingJob"], namespace))
    return found


def resolve(observed: Observed, spec: DeploymentSpec, status: DeploymentStatus) -> Model | Conclusion[Phase]:
    """The model, or what it waits for."""
    pending = conclusion.without_storage(observed)
    if pending is not None and not _is_foreign(spec):
        return pending
    if spec.model.object_store is not None:
        found = _of_folder(observed, spec.model.object_store, source_digest(spec))
    else:
        assert spec.model.training_job is not None
        found = _of_job(observed, spec.model.training_job)
        if isinstance(found, Conclusion) and status.model_source == source_digest(spec) and status.model:
            found = _on_platform(observed, status.model)
    return found


def served(observed: Observed, status: DeploymentStatus, model: Model) -> ModelStatus:
    """status.model: what is known of the model that is served, by the servers' own word where needed."""
    if model.digest is not None:
        return ModelStatus(uri=model.uri, digest=model.digest, bytes=model.bytes)
    told = observed.report.model if observed.report else None
    if told is not None and told.source == model.source:
        return ModelStatus(uri=model.uri, digest=told.digest, bytes=told.bytes)
    if status.model_source == model.source and status.model is not None:
        # Told once is enough: reports are not kept over the operator's end.
        return status.model
    return ModelStatus(uri=model.uri)


def _is_foreign(spec: DeploymentSpec) -> bool:
    """Whether the model lies in a store of the user's, and the namespace's own is not needed."""
    folder = spec.model.object_store
    return folder is not None and folder.credentials_secret_name is not None


def _of_folder(observed: Observed, folder: ObjectStoreFolder, source: str) -> Model | Conclusion[Phase]:
    if (problem := stores.misplaced(observed, folder, FIELD)) is not None:
        return conclusion.misplaced(problem)
    location, store, secret = stores.resolve(observed, folder, MODEL_STORE, FIELD)
    if (
        secret is not None
        and observed.references.get(Ref("v1", "Secret", observed.namespace, secret)) is None
    ):
        return conclusion.without_credentials(secret, FIELD)
    uri = f"s3://{location.bucket}/{location.prefix}"
    return Model(location=location, store=store, secret=secret, uri=uri, digest=None, source=source)


def _of_job(observed: Observed, name: str) -> Model | Conclusion[Phase]:
    job = observed.references.get(Ref.to(TRAINING_JOB, name, observed.namespace))
    if job is None:
        text = f"waits for TrainingJob {name!r}: it does not exist here; create it, or correct spec.model"
        return Conclusion("Pending", Reason.TRAINING_JOB_NOT_FOUND, text, "Reconciling")
    status = job.get("status") or {}
    phase, model = status.get("phase") or "Pending", ModelStatus.model_validate(status.get("model") or {})
    if phase == "Succeeded" and model.uri:
        return _on_platform(observed, model)
    if phase in {"Failed", "Invalid"}:
        text = f"TrainingJob {name!r} has no model ({phase}): {status.get('message', '')}"
        return Conclusion("Failed", Reason.TRAINING_JOB_FAILED, text, "Stalled")
    text = f"waits for the model of TrainingJob {name!r} ({phase})"
    return Conclusion("Pending", Reason.TRAINING_JOB_NOT_FINISHED, text, "Reconciling")


def _on_platform(observed: Observed, model: ModelStatus) -> Model:
    """A model that a TrainingJob has published."""
    bucket, _, prefix = str(model.uri).removeprefix("s3://").partition("/")
    return Model(
        location=Location(store=stores.PLATFORM, bucket=bucket, prefix=prefix),
        store=stores.platform_store(observed.platform),
        secret=None,
        uri=str(model.uri),
        digest=model.digest,
        bytes=model.bytes,
    )
