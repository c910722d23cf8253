"""Where everything of a namespace lies in its bucket: the one place that composes object keys.

    uploads/<name>-<uid8>/data/…                       what a Dataset with source.upload is made from
    uploads/<name>-<uid8>/seal.json                    Seal (written last, by the uploader)
    datasets/<name>/<version>/dataset.json             Dataset summary (written last)
    datasets/<name>/<version>/items.jsonl              one Record a line
    datasets/<name>/work/<plan>/parts/<i>.json         the result of a shard, until they are merged (shards)
    runs/<name>-<uid8>/checkpoints/<fingerprint>/<epoch>-<step>/   see training.checkpoints
    runs/<name>-<uid8>/metrics.jsonl, tensorboard/
    models/<name>-<uid8>/<file>                        those of ModelCard.files
    models/<name>-<uid8>/model.json                    ModelCard (written last: it publishes)

Keys are relative to the namespace's root: "" in a bucket of its own, "<namespace>/" in a shared one.
Prefixes end with "/". A folder is complete when the file marked "last" exists.
"""

SEAL_FILE = "seal.json"
DATASET_FILE = "dataset.json"
ITEMS_FILE = "items.jsonl"
WORK_FOLDER = "work"
WEIGHTS_FILE = "model.safetensors"
MODEL_FILE = "model.json"
METRICS_FILE = "metrics.jsonl"


def upload_root(name: str, uid: str) -> str:
    """Prefix of a Dataset's upload: its data and the seal."""
    return f"uploads/{name}-{uid[:8]}/"


def upload_prefix(name: str, uid: str) -> str:
    """Prefix of the uploaded files; the seal lies outside, so it is never taken for one of them."""
    return f"{upload_root(name, uid)}data/"


def dataset_root(name: str) -> str:
    """Prefix of all versions of a Dataset."""
    return f"datasets/{name}/"


def dataset_prefix(name: str, version: str) -> str:
    """Prefix of one version; ``version`` is the hex digest without "sha256:"."""
    return f"{dataset_root(name)}{version}/"


def run_prefix(name: str, uid: str) -> str:
    """Prefix of a TrainingJob's checkpoints and metrics."""
    return f"runs/{name}-{uid[:8]}/"


def model_prefix(name: str, uid: str) -> str:
    """Prefix of the model that a TrainingJob publishes."""
    return f"models/{name}-{uid[:8]}/"
