"""Which objects are known as they are: those that were written after the term began."""

from tests.unit.operator.engine.conftest import Bench


async def test_only_what_is_younger_than_the_term_is_current(bench: Bench) -> None:
    before = bench.add("before")
    assert not bench.freshness.is_current(before)
    await bench.freshness.begin()
    assert not bench.freshness.is_current(before)
    after = bench.add("after")
    assert bench.freshness.is_current(after)
    await bench.freshness.begin()
    assert not bench.freshness.is_current(after), "another leader may have written it in between"
    bench.freshness.end()
    assert not bench.freshness.is_current(bench.add("later"))
