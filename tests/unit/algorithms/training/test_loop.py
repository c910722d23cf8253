"""The loop with a small network, one process and a store in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from modelyard_algorithms.contract.model_card import ModelCard
from modelyard_algorithms.training import loop
from modelyard_algorithms.training.distributed import Group
from modelyard_algorithms.training.stop import TerminatedError
from modelyard_algorithms.training.task import Loss
from tests.unit.algorithms.memory import MemoryStore
from tests.unit.algorithms.training.toy import Toy, context

SETTINGS: dict[str, Any] = {"epochs": 3, "batch_size": 4}
ALONE = Group(rank=0, world=1, local_rank=0, device=torch.device("cpu"))


@pytest.fixture(autouse=True)
def process_group() -> Iterator[None]:
    store = dist.HashStore()  # type: ignore[attr-defined]
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


class Interrupted(Toy):
    """Does something before the n-th batch of a split."""

    def __init__(self, split: str, number: int, action: Callable[[], None]) -> None:
        super().__init__(22, 10)
        self._when, self._action = (split, number), action

    def batch(self, split: str, indices_n: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        found = super().batch(split, indices_n, device)
        if (split, sum(each == split for each, _ in self.asked)) == self._when:
            self._action()
        return found


def _lines(store: MemoryStore) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in store.data["bucket", "run/metrics.jsonl"].splitlines()]
    return [{"step": line["step"], **line["metrics"]} for line in lines]


def _checkpoints(store: MemoryStore) -> list[str]:
    return sorted(key.split("/")[3] for _, key in store.data if key.endswith("checkpoint.json"))


@pytest.fixture
def unbroken() -> MemoryStore:
    """What a training leaves behind that nothing interrupted."""
    store = MemoryStore()
    loop.run(context(store, ALONE, **SETTINGS), Toy(22, 10))
    return store


def _same(store: MemoryStore, unbroken: MemoryStore) -> None:
    weights = ("bucket", "model/model.safetensors")
    assert store.data[weights] == unbroken.data[weights]
    for found, expected in zip(_lines(store), _lines(unbroken), strict=True):
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("split", "number", "newest"),
    [("train", 8, "000001-0000000008"), ("validation", 2, "000000-0000000006-0000000008")],
)
def test_a_training_that_is_stopped_anywhere_goes_on_as_if_it_had_not_been(
    store: MemoryStore, unbroken: MemoryStore, split: str, number: int, newest: str
) -> None:
    first = context(store, ALONE, **SETTINGS)

    def stop() -> None:
        first.stop.requested = True

    with pytest.raises(TerminatedError, match="at step"):
        loop.run(first, Interrupted(split, number, stop))
    assert _checkpoints(store)[-1] == newest
    loop.run(context(store, ALONE, attempt=1, **SETTINGS), Toy(22, 10))
    _same(store, unbroken)


def test_a_step_that_fails_because_a_peer_is_lost_counts_nowhere(
    store: MemoryStore, unbroken: MemoryStore
) -> None:
    def lose() -> None:
        raise RuntimeError("Connection closed by peer")

    with pytest.raises(RuntimeError, match="closed by peer"):
        loop.run(context(store, ALONE, **SETTINGS), Interrupted("train", 9, lose))
    assert _checkpoints(store)[-1] == "000001-0000000008"
    loop.run(context(store, ALONE, attempt=1, **SETTINGS), Toy(22, 10))
    _same(store, unbroken)


def test_validation_takes_batches_of_the_size_that_training_takes(store: MemoryStore) -> None:
    toy = Toy(8, 10)
    loop.run(context(store, ALONE, epochs=1, batch_size=4), toy)
    assert toy.asked == [("train", 4)] * 2 + [("validation", 4), ("validation", 4), ("validation", 2)]


def test_a_training_that_is_done_is_published_again_with_the_same_metrics(
    store: MemoryStore, unbroken: MemoryStore
) -> None:
    toy = Toy(22, 10)
    first = ModelCard.model_validate_json(unbroken.data["bucket", "model/model.json"])
    result = loop.run(context(unbroken, ALONE, attempt=1, **SETTINGS), toy)
    assert (result.digest, result.metrics) == (first.digest, first.metrics)
    assert toy.asked == []


class Casting(Toy):
    """Says in which type its network has computed."""

    types: set[torch.dtype] = set()

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Loss:
        found = super().loss(model, (batch[0].float(), batch[1]))
        self.types.add(found.outputs.dtype)
        return found

    def build(self) -> nn.Module:
        return super().build().float()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_forward_pass_has_the_precision_that_was_chosen(store: MemoryStore, precision: str) -> None:
    toy = Casting(8, 4)
    toy.types = set()
    loop.run(context(store, ALONE, epochs=1, batch_size=4, precision=precision), toy)
    assert toy.types == {getattr(torch, precision)}
