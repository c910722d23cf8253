"""``python -m modelyard_algorithms dataset|train|train-worker|serve``: what a pod runs.

Each command imports only what it needs: pods start faster, and a dataset job never loads torch.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module

COMMANDS = {
    "dataset": "modelyard_algorithms.datasets.job",
    "train": "modelyard_algorithms.training.launch",
    "train-worker": "modelyard_algorithms.training.worker",
    "serve": "modelyard_algorithms.serving.main",
}


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        sys.stderr.write(f"usage: python -m modelyard_algorithms {'|'.join(COMMANDS)}\n")
        return 2
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    command: Callable[[], int] = import_module(COMMANDS[arguments[0]]).main
    return command()


if __name__ == "__main__":
    # The first process of a container ignores a signal that it has no handler for. Until a command has
    # one of its own, this one ends a pod at once that is deleted while torch is imported.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
