"""The pod that every workload runs in: Pod Security "restricted", read-only root, a scratch folder."""

from collections.abc import Mapping, Sequence

from modelyard_algorithms.contract import environment
from modelyard_operator.api.pod import PodOptions, Resources
from modelyard_operator.desired import quantities, stores
from modelyard_operator.plan import Manifest, Platform
from modelyard_operator.policies.gpus import is_gpu

USER = 10001
CONTAINER = "modelyard"


def security_context() -> Manifest:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container(
    platform: Platform,
    *,
    command: str,
    task: str,
    image: str | None,
    resources: Manifest,
    secrets: Mapping[str, str],
    reports: bool = False,
    name: str = CONTAINER,
    env: Sequence[Manifest] = (),
    mounts: Sequence[Manifest] = (),
) -> Manifest:
    """The container that runs ``python -m modelyard_algorithms <command>`` on a task (JSON)."""
    home = environment.SCRATCH_DIR
    variables = [
        {"name": environment.TASK_ENV, "value": task},
        {"name": "HOME", "value": home},
        {"name": "TMPDIR", "value": home},
        *env,
    ]
    found: Manifest = {
        "name": name,
        "image": image or platform.runtime_image,
        "imagePullPolicy": platform.image_pull_policy,
        "command": ["python", "-m", "modelyard_algorithms", command],
        "env": variables,
        "resources": resources,
        "securityContext": security_context(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "scratch", "mountPath": home}, *stores.mounts(secrets), *mounts],
    }
    if reports:
        found["volumeMounts"].append(mount("report-token", environment.REPORT_TOKEN_FILE))
    return found


def mount(volume: str, file: str) -> Manifest:
    """A volume, read-only, as the folder of one of its files."""
    return {"name": volume, "mountPath": file.rsplit("/", 1)[0], "readOnly": True}


def pod_spec(
    main: Manifest,
    *,
    options: PodOptions,
    secrets: Mapping[str, str],
    reports: bool = False,
    volumes: Sequence[Manifest] = (),
    shared_memory: bool = False,
) -> Manifest:
    """A pod spec around one container.

    ``shared_memory`` gives /dev/shm room (NCCL and data loader workers use it).
    """
    found: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [main],
        "volumes": [{"name": "scratch", "emptyDir": {}}, *stores.volumes(secrets), *volumes],
    }
    if reports:
        token = {"audience": environment.REPORT_AUDIENCE, "expirationSeconds": 3600, "path": "token"}
        found["volumes"].append(
            {"name": "report-token", "projected": {"sources": [{"serviceAccountToken": token}]}}
        )
    if shared_memory:
        found["volumes"].append({"name": "shm", "emptyDir": {"medium": "Memory"}})
        main["volumeMounts"].append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108
    chosen = options.chosen()
    if "imagePullSecrets" in chosen:
        chosen["imagePullSecrets"] = [{"name": name} for name in chosen["imagePullSecrets"]]
    return found | chosen


def resources(asked: Resources, *, requests: Mapping[str, str]) -> Manifest:
    """The user's resources over default requests; what has a limit only is requested by Kubernetes."""
    limits = {key: str(value) for key, value in (asked.limits or {}).items()}
    chosen = {key: value for key, value in requests.items() if key not in limits}
    chosen |= {key: str(value) for key, value in (asked.requests or {}).items()}
    return {"requests": chosen} | ({"limits": limits} if limits else {})


def gpus(asked: Resources) -> int:
    """GPUs of one pod, each a device to PyTorch: whole ones and MIG slices, of any vendor."""
    return sum(
        int(quantities.number(str(value))) for key, value in (asked.limits or {}).items() if is_gpu(key)
    )


def requested_cpus(asked: Resources) -> float | None:
    """CPUs that the user requests for one pod; None: the request is our default, which says nothing."""
    found = (asked.requests or {}).get("cpu")
    return None if found is None else float(quantities.number(str(found)))
