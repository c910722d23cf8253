"""Batches are the same for any number of ranks, and from any position on."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modelyard_algorithms.training.sampling import Sampler


def _sampler(samples: int = 23, batch: int = 5, rank: int = 0, world: int = 1, seed: int = 7) -> Sampler:
    return Sampler(samples=samples, batch=batch, rank=rank, world=world, seed=seed)


@given(samples=st.integers(1, 60), batch=st.integers(1, 70), world=st.integers(1, 5), epoch=st.integers(0, 3))
def test_ranks_together_see_every_sample_once_in_the_same_batches(
    samples: int, batch: int, world: int, epoch: int
) -> None:
    alone = [each.indices for each in _sampler(samples, batch).epoch(epoch)]
    ranks = [list(_sampler(samples, batch, rank, world).epoch(epoch)) for rank in range(world)]
    assert len(alone) == _sampler(samples, batch).steps
    assert sorted(torch.cat(alone).tolist()) == list(range(samples))
    for step, whole in enumerate(alone):
        shares = [batches[step] for batches in ranks]
        assert sorted(torch.cat([share.indices for share in shares]).tolist()) == sorted(whole.tolist())
        assert {share.total for share in shares} == {len(whole)}


@pytest.mark.parametrize("position", [0, 5, 10, 20])
def test_an_epoch_goes_on_from_any_position(position: int) -> None:
    whole = list(_sampler().epoch(2))
    rest = list(_sampler().epoch(2, position))
    for expected, found in zip(whole[position // 5 :], rest, strict=True):
        assert torch.equal(expected.indices, found.indices)
        assert expected.position == found.position


def test_a_finished_epoch_has_no_batches_left() -> None:
    assert list(_sampler().epoch(0, 23)) == []


def test_epochs_and_seeds_differ() -> None:
    orders = [
        tuple(torch.cat([each.indices for each in _sampler(seed=seed).epoch(epoch)]).tolist())
        for seed in (1, 2)
        for epoch in (0, 1)
    ]
    assert len(set(orders)) == 4
