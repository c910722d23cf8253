"""Where everything lies in the platform's bucket: the one place that composes object keys.

    datasets/<namespace>/<name>/<version>/dataset.json      Dataset summary (written last)
    datasets/<namespace>/<name>/<version>/items.jsonl       one Item a line
    runs/<namespace>/<name>-<uid8>/checkpoints/<fingerprint>/<epoch>-<step>/   see runtime.checkpoints
    runs/<namespace>/<name>-<uid8>/metrics.jsonl, tensorboard/
    models/<namespace>/<name>-<uid8>/model.safetensors
    models/<namespace>/<name>-<uid8>/model.json             ModelCard (written last: it publishes)

Prefixes end with "/". A folder is complete when the file marked "last" exists.
"""

DATASET_FILE = "dataset.json"
ITEMS_FILE = "items.jsonl"
WEIGHTS_FILE = "model.safetensors"
MODEL_FILE = "model.json"
METRICS_FILE = "metrics.jsonl"


def dataset_root(namespace: str, name: str) -> str:
    """Prefix of all versions of a Dataset."""
    return f"datasets/{namespace}/{name}/"


def dataset_prefix(namespace: str, name: str, version: str) -> str:
    """Prefix of one version; ``version`` is the hex digest without "sha256:"."""
    return f"{dataset_root(namespace, name)}{version}/"


def run_prefix(namespace: str, name: str, uid: str) -> str:
    """Prefix of a TrainingJob's checkpoints and metrics."""
    return f"runs/{namespace}/{name}-{uid[:8]}/"


def model_prefix(namespace: str, name: str, uid: str) -> str:
    """Prefix of the model that a TrainingJob publishes."""
    return f"models/{namespace}/{name}-{uid[:8]}/"
