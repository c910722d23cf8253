"""The series of a run's metrics."""

import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_file_loader import (  # type: ignore[import-untyped]
    LegacyEventFileLoader,
)

from modelyard_algorithms.training import tensorboard
from modelyard_algorithms.training.history import History
from tests.unit.algorithms.memory import MemoryStore


def _lines(store: MemoryStore) -> list[dict[str, object]]:
    return [json.loads(line) for line in store.data["bucket", "run/metrics.jsonl"].splitlines()]


def test_epochs_become_lines_and_events(store: MemoryStore, tmp_path: Path) -> None:
    history = History(store.folder("run/"), attempt=1, resumed_step=0, interval=0.01)
    history.add(1, 10, {"train/loss": 0.5})
    history.add(2, 20, {"train/loss": 0.25, "validation/accuracy": 1.0})
    history.close()
    assert [(line["epoch"], line["step"]) for line in _lines(store)] == [(1, 10), (2, 20)]
    assert _lines(store)[1]["metrics"] == {"train/loss": 0.25, "validation/accuracy": 1.0}
    [key] = [key for _, key in store.data if "tensorboard/events.out.tfevents." in key]
    assert key.endswith("attempt-1")


def test_a_resumed_run_keeps_what_came_before_its_checkpoint(store: MemoryStore) -> None:
    first = History(store.folder("run/"), attempt=0, resumed_step=0, interval=0.01)
    for epoch in (1, 2, 3):
        first.add(epoch, 10 * epoch, {"train/loss": 1.0})
    first.close()
    second = History(store.folder("run/"), attempt=1, resumed_step=20, interval=0.01)
    second.add(3, 30, {"train/loss": 0.5})
    second.close()
    assert [line["step"] for line in _lines(store)] == [10, 20, 30]
    assert _lines(store)[-1]["metrics"] == {"train/loss": 0.5}


def test_a_store_that_fails_does_not_stop_the_training(store: MemoryStore) -> None:
    store.fail = OSError("gone")
    history = History(store.folder("run/"), attempt=0, resumed_step=0, interval=0.01)
    history.add(1, 10, {"train/loss": 0.5})
    history.close()
    assert store.data == {}


def test_tensorboard_reads_the_events(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(
        tensorboard.header(1000.5)
        + tensorboard.scalars(1001.5, 300, {"train/loss": 0.5, "validation/accuracy": 0.25})
    )
    events = list(LegacyEventFileLoader(str(path)).Load())
    assert events[0].file_version == "brain.Event:2"
    assert (events[1].wall_time, events[1].step) == (1001.5, 300)
    found = {value.tag: value.simple_value for value in events[1].summary.value}
    assert found == {"train/loss": 0.5, "validation/accuracy": 0.25}


def test_the_checksum_is_crc_32c() -> None:
    """Of the test vectors of RFC 3720, appendix B.4: 32 bytes of zeros give 0x8A9136AA."""
    crc = 0x8A9136AA
    assert tensorboard.masked_crc32c(bytes(32)) == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize("step", [0, 127, 128, 2**40])
def test_steps_of_any_size_are_written(tmp_path: Path, step: int) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(tensorboard.header(0.0) + tensorboard.scalars(1.0, step, {"a": 1.0}))
    assert list(LegacyEventFileLoader(str(path)).Load())[1].step == step
