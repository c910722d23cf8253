"""Names and paths that the operator sets in a pod and the workload reads."""

TASK_ENV = "MODELYARD_TASK"
"""JSON of a DatasetTask, TrainingTask or ServingTask."""

RANK_ENV = "MODELYARD_NODE_RANK"
"""This pod's rank among the attempt's pods, from 0."""

STORE_PATIENCE_ENV = "MODELYARD_STORE_PATIENCE_SECONDS"
"""How long a request to an object store is tried again before the workload gives up."""

STORES_DIR = "/var/run/modelyard/stores"
"""One folder for each object store alias, holding the credential files below (a mounted Secret)."""

ACCESS_KEY_FILE = "AWS_ACCESS_KEY_ID"
SECRET_KEY_FILE = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a file, not a secret
"""File names in a store's folder; also the keys of a credentials Secret (KServe uses the same)."""

BUCKET_FILE = "BUCKET"
"""Key of a namespace's Secret: the bucket that is the namespace's own."""

ENDPOINT_FILE = "AWS_ENDPOINT_URL"
"""Key of a namespace's Secret: the store's URL with scheme, as S3 clients read it."""

REGION_FILE = "AWS_REGION"
"""Key of a namespace's Secret: the store's region, as S3 clients read it."""

CA_FILE = "ca.crt"
"""Optional key: a CA bundle (PEM) for the store's TLS certificate."""

REPORT_TOKEN_FILE = "/var/run/modelyard/report/token"  # noqa: S105
"""Projected service-account token for reports; audience REPORT_AUDIENCE; re-read before each use."""

REPORT_AUDIENCE = "modelyard-operator"

SERVING_TOKEN_FILE = "/var/run/modelyard/serving/token"  # noqa: S105
"""The token that a client of a Deployment must send; re-read when the file changes."""

SCRATCH_DIR = "/scratch"
"""A writable emptyDir; the root file system is read-only. HOME and TMPDIR point into it."""

TERMINATION_LOG = "/dev/termination-log"
"""Where a workload writes its Outcome (JSON, at most 4096 bytes)."""

RENDEZVOUS_PORT = 29500
SERVING_PORT = 8080
EXIT_INVALID = 64
"""Exit code (sysexits EX_USAGE) of a failure that another try cannot fix: bad data, bad settings."""
