"""Where a workload finds its mounts and writes its last words.

In a pod these are the fixed paths of :mod:`contract.environment`. Each can be moved by an
environment variable, which is how the same commands run outside a cluster.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from modelyard_algorithms.contract import environment


@dataclass(frozen=True, kw_only=True)
class Paths:
    stores: Path
    """One folder of credential files for each object store alias (MODELYARD_STORES_DIR)."""
    scratch: Path
    """The one writable folder (MODELYARD_SCRATCH_DIR)."""
    termination_log: Path
    """Where the Outcome goes (MODELYARD_TERMINATION_LOG)."""
    report_token: Path
    """The bearer token for reports (MODELYARD_REPORT_TOKEN_FILE)."""
    serving_token: Path
    """The token that clients of the server must send (MODELYARD_SERVING_TOKEN_FILE)."""

    @classmethod
    def from_environment(cls) -> Self:
        """The pod's paths, with what the environment moves."""

        def path(variable: str, default: str) -> Path:
            return Path(os.environ.get(variable) or default)

        return cls(
            stores=path("MODELYARD_STORES_DIR", environment.STORES_DIR),
            scratch=path("MODELYARD_SCRATCH_DIR", environment.SCRATCH_DIR),
            termination_log=path("MODELYARD_TERMINATION_LOG", environment.TERMINATION_LOG),
            report_token=path("MODELYARD_REPORT_TOKEN_FILE", environment.REPORT_TOKEN_FILE),
            serving_token=path("MODELYARD_SERVING_TOKEN_FILE", environment.SERVING_TOKEN_FILE),
        )
