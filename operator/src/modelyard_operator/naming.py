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

STORE_SECRET = "modelyard-store"  # noqa: S105 - the name of a Secret
"""Secret in each namespace with the keys and the name of its bucket."""
KEY_ANNOTATION = f"{GROUP}/key"
"""On that Secret: random, and what its secret key is derived from. Another one, another key."""

RECORD_ANNOTATION = f"{GROUP}/attempt-record"
"""On each pod of a TrainingJob: what its attempt began with, as JSON (reconcile.training_record)."""

SLICE_SERVICE_LABEL = "kubernetes.io/service-name"
SLICE_WRITER_LABEL = "endpointslice.kubernetes.io/managed-by"
"""On an EndpointSlice: whose addresses it holds, and who wrote it. Kubernetes' own controller leaves the
slices of other writers alone."""
HEADLESS_LABEL = "service.kubernetes.io/headless"
"""On an EndpointSlice that is for DNS alone: the proxies of the nodes need not hear of it."""
LONGEST_BUCKET = 63
_ACCOUNT = re.compile(r"(?P<namespace>[a-z0-9]([-a-z0-9]*[a-z0-9])?)\.(?P<uid>[0-9a-f-]{36})")
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


def account(namespace: str, uid: str) -> str:
    """Access key of a namespace's account in the object store. The bucket's owner is this account, so the
    bucket records which Namespace object it was made for: another one of the same name has another uid."""
    return f"{namespace}.{uid}"


def account_owner(account: str) -> tuple[str, str] | None:
    """(namespace, uid) of an account; None where it is not one of ours."""
    found = _ACCOUNT.fullmatch(account)
    return (found["namespace"], found["uid"]) if found else None


def bucket(prefix: str, namespace: str, *, uid: str | None = None) -> str:
    """Bucket of a namespace, at most 63 characters; with ``uid`` where another one has that name.

    A name that is too long is cut and gets a digest of the whole namespace.
    """
    end = f"-{uid[:8]}" if uid is not None else ""
    name = f"{prefix}-{namespace}{end}"
    if len(name) <= LONGEST_BUCKET:
        return name
    digest = hashlib.sha256(namespace.encode()).hexdigest()[:8]
    cut = f"{prefix}-{namespace}"[: LONGEST_BUCKET - len(end) - len(digest) - 1].rstrip("-")
    return f"{cut}-{digest}{end}"


def shared_bucket(prefix: str) -> str:
    """Bucket with data for all namespaces. It has a dot, which no namespace has: no bucket of one is it."""
    return f"{prefix}.shared"


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
