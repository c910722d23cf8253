"""Every name, label and annotation that the operator gives to an object; the only place they stand."""

import hashlib
import re

from modelyard_operator.api.base import GROUP

FIELD_MANAGER = "modelyard-operator"
FINALIZER = f"{GROUP}/object-store"
"""Only on objects with deletionPolicy Delete: the object store must be cleaned first."""

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "modelyard"
KIND_LABEL = f"{GROUP}/kind"
NAME_LABEL = f"{GROUP}/name"
UID_LABEL = f"{GROUP}/uid"
ATTEMPT_LABEL = f"{GROUP}/attempt"
RANK_LABEL = f"{GROUP}/rank"
BACKEND_LABEL = f"{GROUP}/backend"
"""On a server's pods: which backend made them, so that those of the other one are not selected."""
CHILD_SELECTOR = f"{MANAGED_BY}={MANAGER},{KIND_LABEL}"
"""Label selector of everything that the operator makes for an object of our kinds."""

JOURNAL_PREFIX = "modelyard-journal-"
JOURNAL_LABEL = f"{GROUP}/journal"
"""On a ConfigMap in the operator's namespace: statuses that are on record and not yet written."""

SLICE_SERVICE_LABEL = "kubernetes.io/service-name"
SLICE_WRITER_LABEL = "endpointslice.kubernetes.io/managed-by"
"""On an EndpointSlice: whose addresses it holds, and who wrote it. Kubernetes' own controller leaves the
slices of other writers alone."""
HEADLESS_LABEL = "service.kubernetes.io/headless"
"""On an EndpointSlice that is for DNS alone: the proxies of the nodes need not hear of it."""
_SERVICE_NAME = re.compile("[a-z][-a-z0-9]*")

SHAPE_ANNOTATION = f"{GROUP}/shape"
"""On applied children: digest of the fields that were asked for, so that one that is dropped is noticed."""

ROLLOUT_ANNOTATION = f"{GROUP}/rollout"
"""On a server's pod template: changes when the model or the token does, and so rolls the pods."""


def labels(kind: str, name: str, uid: str) -> dict[str, str]:
    """Labels of every child of an object: how children are found, and never mixed with a user's."""
    return {
        MANAGED_BY: MANAGER,
        "app.kubernetes.io/name": "modelyard",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": kind.lower(),
        KIND_LABEL: kind,
        NAME_LABEL: name,
        UID_LABEL: uid,
    }


def selector(kind: str, name: str) -> dict[str, str]:
    """The smallest set of labels that selects an object's pods: survives re-creation of the object."""
    return {KIND_LABEL: kind, NAME_LABEL: name}


def child_selector(kind: str) -> str:
    """Label selector of the children of one kind (an EndpointSlice, say)."""
    if kind == "EndpointSlice":
        # Kubernetes gives the slices that it makes for a Service of ours the labels of that Service.
        return f"{CHILD_SELECTOR},{SLICE_WRITER_LABEL}={FIELD_MANAGER}"
    return CHILD_SELECTOR


def store_secret(kind: str, name: str) -> str:
    """Secret with the platform's object store credentials, one for each Dataset and Deployment."""
    return f"{name}-{kind.lower()}-store"


def worker_pod(job: str, attempt: int, rank: int) -> str:
    return f"{job}-{attempt}-{rank}"


def workers_service(dataset: str) -> str:
    """Headless Service under which every TrainingJob on a Dataset gives its rank 0 a name in DNS.

    A Service's name is a DNS label that begins with a letter; a Dataset may have dots in its own, and begin
    with a digit. Such a one goes by its digest.
    """
    if _SERVICE_NAME.fullmatch(dataset):
        return f"{dataset}-workers"
    return f"dataset-{hashlib.sha256(dataset.encode()).hexdigest()[:12]}-workers"


def workers_slice(job: str, family: int) -> str:
    """EndpointSlice with the address of a TrainingJob's rank 0; ``family`` is 4 or 6."""
    return f"{job}-workers-ipv{family}"


def dataset_job(dataset: str, digest: str) -> str:
    """batch/v1 Job that validates a Dataset; ``digest`` of what it reads: each reading has its own."""
    return f"{dataset}-{digest[:8]}"


def token_secret(deployment: str) -> str:
    return f"{deployment}-token"


def server(deployment: str) -> str:
    """apps/v1 Deployment and Service (backend Kubernetes)."""
    return f"{deployment}-server"


def inference_service(deployment: str) -> str:
    """InferenceService (backend KServe)."""
    return deployment


def predictor(deployment: str) -> str:
    """apps/v1 Deployment and Service that KServe makes for the InferenceService."""
    return f"{inference_service(deployment)}-predictor"
