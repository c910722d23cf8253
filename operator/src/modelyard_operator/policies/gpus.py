"""Which resources of a node are GPUs."""

import re

_MISSING = re.compile(r"Insufficient (\S+?)[.,]?(?=\s|$)")
"""In the scheduler's words about a pod that fits on no node."""


def is_gpu(resource: str) -> bool:
    """Whether a resource is a GPU (nvidia.com/gpu, amd.com/gpu, nvidia.com/gpu.shared) or a slice of one
    (nvidia.com/mig-1g.5gb)."""
    _, _, name = resource.partition("/")
    return name == "gpu" or name.startswith(("gpu.", "mig-"))


def are_missing(detail: str) -> bool:
    """Whether the scheduler says that nodes have too few GPUs."""
    return any(is_gpu(resource) for resource in _MISSING.findall(detail))
