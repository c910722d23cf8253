"""The machine: its hardware, and the CPU used by processes outside the measurement."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def hardware() -> dict[str, Any]:
    """Processor, cores, memory and kernel; no name of the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) * 1024 / 2**30
    return {
        "processor": model or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def load_average() -> float:
    """Runnable processes over the last minute."""
    return round(os.getloadavg()[0], 2)


@dataclass(frozen=True)
class _Sample:
    at: float
    busy: float
    ours: float


class Busyness:
    """CPU that other processes used during a phase.

    Other load on the machine makes every figure worse, so each phase records it.
    """

    def __init__(self, ours: Callable[[], float]) -> None:
        self._ours = ours
        self._start = self._sample()

    def foreign_percent(self) -> float:
        """Percent of one core that processes outside the measurement used since this object was made."""
        now = self._sample()
        seconds = max(now.at - self._start.at, 0.01)
        foreign = (now.busy - self._start.busy) - (now.ours - self._start.ours)
        return round(max(100 * foreign / seconds, 0.0), 1)

    def total_percent(self) -> float:
        """Percent of one core that everything used; all cores busy is 100 times their number."""
        now = self._sample()
        seconds = max(now.at - self._start.at, 0.01)
        return round(100 * (now.busy - self._start.busy) / seconds, 1)

    def _sample(self) -> _Sample:
        fields = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        user, nice, system, _idle, _wait, interrupts, soft, _stolen = fields
        busy = (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")
        return _Sample(time.monotonic(), busy, self._ours())
