"""Trains the toy network in the process group that torchrun describes; rank 0 writes the weights.

torchrun … gradients.py <samples> <path>
"""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from modelyard_algorithms.training import eager, loop
from modelyard_algorithms.training.distributed import Group
from tests.unit.algorithms.memory import MemoryStore
from tests.unit.algorithms.training.toy import Toy, context


def main(samples: int, path: Path) -> None:
    eager.install()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    group = Group(dist.get_rank(), dist.get_world_size(), int(os.environ["LOCAL_RANK"]), torch.device("cpu"))
    store = MemoryStore()
    loop.run(context(store, group, epochs=3, batch_size=4), Toy(samples, 6))
    if group.leads:
        path.write_bytes(store.data["bucket", "model/model.safetensors"])
        path.with_suffix(".jsonl").write_bytes(store.data["bucket", "run/metrics.jsonl"])
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
