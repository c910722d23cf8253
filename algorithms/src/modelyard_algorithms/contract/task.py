"""What a pod is asked to do: one JSON document in the environment variable MODELYARD_TASK."""

from modelyard_algorithms.contract.base import WireModel
from modelyard_algorithms.contract.limits import MAX_PIXELS


class Store(WireModel):
    """An object store; the credentials lie in STORES_DIR/<alias>/ (see environment)."""

    endpoint: str
    """URL with scheme: "http://store:9000"."""
    region: str = "us-east-1"
    secret: str | None = None
    """Name of the Secret that the credentials are mounted from, for messages."""
    field: str | None = None
    """Where its bucket and region are named, for messages: "spec.source.objectStore"; None: in the Secret."""


class Location(WireModel):
    """A folder in a store."""

    store: str
    """Alias: a key of the task's ``stores``."""
    bucket: str
    prefix: str
    """"" or ending with "/"."""


class Reporting(WireModel):
    """Where progress goes; a workload never waits for it and never dies of it."""

    url: str


class DatasetTask(WireModel):
    namespace: str
    name: str
    uid: str
    stores: dict[str, Store]
    source: Location
    destination: Location
    """The Dataset's root; the job adds "<version>/", and "work/" for results that a later run may reuse."""
    seal: Location | None = None
    """Folder that holds layout.SEAL_FILE of an upload; None: the source is no upload."""
    format: str = "ImageFolder"
    """A name of the registry ``formats``."""
    validation_fraction: float = 0.0
    """Used where the source has no split of its own."""
    split_seed: int = 0
    max_pixels: int = MAX_PIXELS
    """Of one image; the same in all three tasks."""
    reporting: Reporting | None = None


class Channel(WireModel):
    """One input of a training: a Dataset version, and where its items are read from."""

    dataset: str
    version: str
    manifest: Location
    """Folder of dataset.json and items.jsonl."""
    source: Location
    """Store and bucket of the items; keys in items.jsonl are full keys."""
    split: str | None = None
    """Only items of this split; None: all."""
    drawn_too: bool = False
    """Also the items of other splits, where these were drawn (DatasetSummary.split_by) and are no folders."""


class TrainingTask(WireModel):
    namespace: str
    name: str
    uid: str
    attempt: int
    workers: int
    """Pods in the attempt."""
    processes_per_worker: int = 1
    """torchrun --nproc-per-node: the GPUs of a worker, or 1."""
    gpus_per_worker: int = 0
    requested_cpus: float | None = None
    """CPUs that the user requested for a worker: without a limit, as many threads compute."""
    master_address: str
    """DNS name of rank 0."""
    algorithm: str
    hyperparameters: dict[str, int | float | str | bool]
    stores: dict[str, Store]
    channels: dict[str, Channel]
    """Keys: "train", "validation"."""
    run: Location
    model: Location
    fingerprint: str
    """Of everything that decides the result (algorithm, hyperparameters, dataset versions):
    checkpoints of another fingerprint are not resumed from."""
    checkpoint_interval_seconds: int = 60
    max_pixels: int = MAX_PIXELS
    reporting: Reporting | None = None


class ServingTask(WireModel):
    namespace: str
    name: str
    model_name: str
    stores: dict[str, Store]
    model: Location
    digest: str | None = None
    """Expected digest of the weights; a model folder that changed is refused."""
    max_request_bytes: int = 16 * 1024 * 1024
    max_pixels: int = MAX_PIXELS
    uid: str | None = None
    """Of the Deployment, for reports."""
    source: str | None = None
    """Goes back with the report of the model, and so says what was asked for."""
    token_secret: str | None = None
    """Name of the Secret that the clients' token is mounted from, for messages."""
    reporting: Reporting | None = None
    """Set where the operator cannot know the model's digest: the server reports it."""
