"""Percentiles that do not flatter: what never ended counts as the slowest."""

import pytest

from bench.control_plane.figures import curve, percentile, spread


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 99) == 4.0
    assert percentile([], 99) is None


def test_the_99th_of_a_hundred_is_not_the_slowest() -> None:
    assert percentile([float(value) for value in range(1, 101)], 99) == 99.0


def test_what_never_ended_is_slower_than_everything() -> None:
    found = spread([0.1, 0.2, None])
    assert (found["n"], found["unfinished"], found["p50"]) == (3, 1, 0.2)
    assert found["p99"] is None
    assert found["max"] is None


@pytest.mark.parametrize("count", [1, 7, 300, 1000])
def test_a_curve_ends_with_the_last_moment(count: int) -> None:
    points = curve([10.0 + index for index in range(count)], begin=10.0, points=50)
    assert points[-1] == [count - 1.0, count]
    assert len(points) <= 101


def test_a_curve_leaves_out_what_did_not_happen() -> None:
    assert curve([None, 12.0], begin=10.0) == [[2.0, 1]]
