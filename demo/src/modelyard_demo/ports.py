"""The node port of the example's Deployment: its own where that is free, else another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from modelyard_demo import kubectl
from modelyard_demo.errors import DemoError

FORWARDED = range(30000, 30032)
"""Node ports that every local cluster of ours has on 127.0.0.1: kind forwards these."""
_PORTS = r'jsonpath={range .items[*]}{range .spec.ports[*]}{.nodePort}{"\n"}{end}{end}'


def with_free_port(manifest: Path, folder: Path, say: Callable[[str], None]) -> Path:
    """The manifest, or a copy below ``folder`` with another port where somebody has taken its own.

    Raises:
        DemoError: all ports are taken.
    """
    found = yaml.safe_load(manifest.read_text())
    wanted = found["spec"]["expose"]["nodePort"]
    taken = {int(port) for port in kubectl.run("get", "services", "-A", "-o", _PORTS).split()}
    if wanted not in taken:
        return manifest
    free = next((port for port in FORWARDED if port not in taken), None)
    if free is None:
        raise DemoError(f"all node ports from {FORWARDED[0]} to {FORWARDED[-1]} are taken: delete a Service")
    say(f"node port {wanted} is taken, {free} is used instead")
    found["spec"]["expose"]["nodePort"] = free
    copy = folder / manifest.name
    copy.write_text(yaml.safe_dump(found, sort_keys=False))
    return copy
