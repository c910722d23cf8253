"""The token bucket."""

from modelyard_operator.kube.limiter import Limiter


def test_a_burst_is_free_and_then_the_rate_holds() -> None:
    now = 0.0
    limiter = Limiter(10, 3, lambda: now)
    assert [round(limiter.reserve(), 3) for _ in range(5)] == [0, 0, 0, 0.1, 0.2]
    now = 0.3
    assert round(limiter.reserve(), 3) == 0.0


def test_a_rate_of_zero_is_no_limit() -> None:
    limiter = Limiter(0, 0)
    assert all(limiter.reserve() == 0 for _ in range(1000))


def test_what_is_refused_costs_later_calls_nothing() -> None:
    now = 0.0
    limiter = Limiter(10, 3, lambda: now)
    assert [limiter.take() for _ in range(100)].count(True) == 3
    now = 0.1
    assert limiter.take()
    assert not limiter.take()
    assert Limiter(0, 0).take()
