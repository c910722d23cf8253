"""Checkpoints: what is written, what is read back, what is passed over."""

import json
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.report import CheckpointReport
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.training import checkpoints
from modelyard_algorithms.training.checkpoints import Checkpoints
from modelyard_algorithms.training.state import Progress, State
from tests.unit.algorithms.memory import MemoryStore

PREFIX = "run/checkpoints/f/"


def _state(seed: int = 0) -> State:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = AdamW(model.parameters(), lr=0.1)
    return State(model, optimizer, LambdaLR(optimizer, lambda step: 1 / (1 + step)))


def _step(state: State, count: int = 1) -> None:
    for _ in range(count):
        state.optimizer.zero_grad()
        state.model(torch.ones(2, 3)).square().sum().backward()
        state.optimizer.step()
        state.scheduler.step()


def _weights(state: State) -> torch.Tensor:
    return nn.utils.parameters_to_vector(state.model.parameters()).detach().clone()


def _checkpoints(
    store: MemoryStore,
    fingerprint: str = "f",
    interval: float = 0.0,
    warn: Callable[[str | None], None] = lambda _text: None,
) -> Checkpoints:
    return Checkpoints(store.folder("run/"), fingerprint, interval, world=1, warn=warn)


def _save(writer: Checkpoints, state: State, step: int, epoch: int = 0) -> None:
    writer.save(state.snapshot(Progress(epoch=epoch, step=step, position=step)))
    writer.drain()


def _restored(store: MemoryStore) -> tuple[State, Progress]:
    files = _checkpoints(store).newest()
    assert files is not None
    state = _state(seed=99)
    return state, checkpoints.unpack(files, state).progress


def test_going_on_from_a_checkpoint_is_going_on(store: MemoryStore) -> None:
    state = _state()
    _step(state, 3)
    _save(_checkpoints(store), state, 3)
    restored, progress = _restored(store)
    _step(state, 2)
    _step(restored, 2)
    assert progress == Progress(epoch=0, step=3, position=3)
    assert torch.equal(_weights(state), _weights(restored))
    assert state.scheduler.get_last_lr() == restored.scheduler.get_last_lr()


def test_checkpoint_json_is_written_last(store: MemoryStore) -> None:
    _save(_checkpoints(store), _state(), 1)
    folder = f"{PREFIX}000000-0000000001/"
    assert store.written == [
        folder + name for name in ("model.safetensors", "optimizer.safetensors", "checkpoint.json")
    ]


def test_a_snapshot_does_not_change_with_the_training(store: MemoryStore) -> None:
    state = _state()
    snapshot = state.snapshot(Progress())
    before = {name: tensor.clone() for name, tensor in snapshot.model.items()}
    _step(state)
    assert all(torch.equal(before[name], tensor) for name, tensor in snapshot.model.items())


def test_the_newest_two_are_kept(store: MemoryStore) -> None:
    writer, state = _checkpoints(store), _state()
    for step in range(1, 5):
        _save(writer, state, step)
    folders = {key.split("/")[3] for _, key in store.data}
    assert folders == {"000000-0000000003", "000000-0000000004"}


def _folders(store: MemoryStore) -> set[int]:
    """Steps of the folders in which anything lies."""
    return {int(key.split("/")[3].partition("-")[2]) for _, key in store.data}


def _cut_off(store: MemoryStore, step: int) -> None:
    """What is left of a checkpoint whose writing was cut off."""
    store.data["bucket", f"{PREFIX}000000-{step:010}/model.safetensors"] = b"half"


def test_those_that_were_cut_off_take_no_good_one_s_place(store: MemoryStore) -> None:
    _save(_checkpoints(store), _state(), 10)
    for step in (20, 30):
        _cut_off(store, step)
    _save(_checkpoints(store), _state(), 11)
    assert _restored(store)[1].step == 11
    assert _folders(store) == {10, 11, 20, 30}
    _save(_checkpoints(store), _state(), 40)
    assert _folders(store) == {11, 40}, "what was cut off goes when it is passed"


def test_the_newest_whole_one_is_never_deleted(store: MemoryStore) -> None:
    for step in (100, 200):
        _save(_checkpoints(store), _state(), step)
        store.data["bucket", f"{PREFIX}000000-{step:010}/model.safetensors"] = b"damaged"
    writer = _checkpoints(store)
    assert writer.newest() is None
    _save(writer, _state(), 5)
    assert _restored(store)[1].step == 5


def test_a_damaged_one_does_not_count_among_those_that_are_kept(store: MemoryStore) -> None:
    _save(_checkpoints(store), _state(), 1)
    _save(_checkpoints(store), _state(), 2)
    store.data["bucket", f"{PREFIX}000000-0000000002/model.safetensors"] = b"damaged"
    writer = _checkpoints(store)
    assert writer.newest() is not None
    _save(writer, _state(), 3)
    assert _folders(store) == {1, 3}


def test_a_store_that_does_not_delete_costs_space_and_not_the_training(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str | None] = []
    writer = _checkpoints(store, warn=told.append)
    store.keep = WorkloadError(report.STORE_ACCESS_DENIED, "refused access (AccessDenied)")
    for step in range(1, 6):
        _save(writer, _state(), step)
    assert _folders(store) == {1, 2, 3, 4, 5}
    assert told == ["old checkpoints cannot be deleted and take space (StoreAccessDenied)"]
    assert caplog.text.count("refused access (AccessDenied)") == 1
    store.keep = None
    _save(writer, _state(), 6)
    assert _folders(store) == {5, 6}
    assert told[1:] == [None]


@pytest.mark.parametrize("damage", ["incomplete", "other bytes", "cut json", "other format"])
def test_a_damaged_one_is_passed_over_for_the_one_before(store: MemoryStore, damage: str) -> None:
    writer, state = _checkpoints(store), _state()
    _save(writer, state, 1)
    _save(writer, state, 2)
    newest = f"{PREFIX}000000-0000000002/"
    complete = ("bucket", f"{newest}checkpoint.json")
    if damage == "incomplete":
        del store.data[complete]
    elif damage == "other bytes":
        store.data["bucket", f"{newest}model.safetensors"] += b"x"
    elif damage == "cut json":
        store.data[complete] = store.data[complete][:20]
    else:
        store.data[complete] = json.dumps({**json.loads(store.data[complete]), "format": 99}).encode()
    assert _restored(store)[1].step == 1


def test_another_fingerprint_s_are_not_seen(store: MemoryStore) -> None:
    _save(_checkpoints(store), _state(), 1)
    assert _checkpoints(store, "other").newest() is None


def test_there_may_be_none(store: MemoryStore) -> None:
    assert _checkpoints(store).newest() is None


def test_the_interval_decides_what_is_due(store: MemoryStore) -> None:
    assert _checkpoints(store, interval=0).due()
    assert not _checkpoints(store, interval=3600).due()


def test_each_complete_one_is_reported(store: MemoryStore) -> None:
    told: list[CheckpointReport] = []
    writer = Checkpoints(store.folder("run/"), "f", 0, 1, told.append)
    _save(writer, _state(), 7, epoch=2)
    assert told == [CheckpointReport(epoch=2, step=7, key=f"{PREFIX}000002-0000000007/")]


def test_a_store_that_stays_away_is_told_to_the_training(store: MemoryStore) -> None:
    writer, state = _checkpoints(store), _state()
    store.fail = WorkloadError(report.STORE_UNREACHABLE, "gone")
    writer.save(state.snapshot(Progress(step=1)))
    with pytest.raises(WorkloadError, match="gone"):
        writer.drain()
    with pytest.raises(WorkloadError, match="gone"):
        writer.save(state.snapshot(Progress(step=2)))


def test_nothing_in_a_checkpoint_is_pickled(store: MemoryStore) -> None:
    state = _state()
    _step(state)
    _save(_checkpoints(store), state, 1)
    for (_, key), data in store.data.items():
        assert key.endswith((".safetensors", ".json"))
        assert not data.startswith((b"PK", b"\x80"))
