"""The substitute for torch._dynamo, in interpreters of its own: importing the real one cannot be undone."""

import subprocess
import sys

PRELUDE = """
import sys, torch
from modelyard_algorithms.training import eager
eager.install()
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
model = DistributedDataParallel(torch.nn.Linear(2, 2))
optimizer = torch.optim.AdamW(model.parameters())
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
optimizer.zero_grad()
dist.destroy_process_group()
"""


def _run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_training_step_imports_no_compiler() -> None:
    assert (
        _run("print('sympy' in sys.modules, 'torch._dynamo.symbolic_convert' in sys.modules)")
        == "False False"
    )


def test_who_asks_for_more_gets_the_real_package() -> None:
    program = """
print(torch._dynamo.config.suppress_errors, torch._dynamo is sys.modules["torch._dynamo"])
compiled = torch.compile(lambda x: x + 1, backend="eager")
print(compiled(torch.ones(1)).item())
"""
    assert _run(program).splitlines() == ["False True", "2.0"]
