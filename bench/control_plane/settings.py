"""The settings of a run: defaults and environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

PREFIX = "BENCH_"


def _setting(default: Any, name: str) -> Any:
    return field(default=default, metadata={"variable": PREFIX + name})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The load. All published figures are measured with the defaults."""

    subjects: str = _setting("modelyard,training-operator,trainer", "SUBJECTS")
    """Which operators are measured, in this order."""
    burst: int = _setting(300, "BURST")
    """Jobs sent at once."""
    bursts: int = _setting(3, "BURSTS")
    """Number of bursts; the median is reported. Other load on the machine changes a single burst by half."""
    peer_bursts: int = _setting(1, "PEER_BURSTS")
    """The same for peers: their client limits determine the figure, so one burst is enough."""
    rate: float = _setting(5.0, "RATE")
    """Jobs a second of the steady stream."""
    steady_seconds: float = _setting(180.0, "STEADY_SECONDS")
    """How long the stream lasts."""
    peer_steady_seconds: float = _setting(60.0, "PEER_STEADY_SECONDS")
    """The same for peers: one that cannot keep up falls further behind."""
    finished: int = _setting(5000, "FINISHED")
    """Finished jobs at the end of the run, for our operator."""
    running: int = _setting(500, "RUNNING")
    """Running jobs beside them."""
    fill_rate: float = _setting(20.0, "FILL_RATE")
    """Jobs per second until then; the scheduler handles 25 at most."""
    probe: int = _setting(100, "PROBE")
    """Jobs of one measurement of the cost of a job."""
    probe_rate: float = _setting(10.0, "PROBE_RATE")
    """Jobs per second during a probe: always the same, so that costs are comparable."""
    noisy: int = _setting(2000, "NOISY")
    """Jobs that one namespace creates at once while another continues at the steady rate."""
    idle_seconds: float = _setting(60.0, "IDLE_SECONDS")
    """How long the idle operator is measured."""
    restarts: int = _setting(3, "RESTARTS")
    """How often it is restarted."""
    pod_seconds: float = _setting(5.0, "POD_SECONDS")
    """How long a pod runs."""
    nodes: int = _setting(20, "NODES")
    """Simulated nodes."""
    results: str = _setting("bench/results", "RESULTS")
    """Folder of the JSON file and the chart."""


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings, with what the environment says in place of the defaults.

    Raises:
        ValueError: a value is not of its setting's type.
    """
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        variable = setting.metadata["variable"]
        text = environment.get(variable, "").strip()
        if not text:
            continue
        kind: type[str | int | float] = type(getattr(Settings(), setting.name))
        try:
            values[setting.name] = kind(text)
        except ValueError:
            raise ValueError(f"{variable} must be of type {kind.__name__}, not {text!r}") from None
    return Settings(**values)
