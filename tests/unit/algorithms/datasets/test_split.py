"""The split by fraction."""

from hypothesis import given
from hypothesis import strategies as st

from modelyard_algorithms.datasets.split import stratified

ITEMS = [(label, f"{label}/{number}.png") for label in "abc" for number in range(20)]


def test_the_order_of_the_listing_does_not_matter() -> None:
    assert stratified(ITEMS, 0.2, 1) == stratified(reversed(ITEMS), 0.2, 1)


def test_another_seed_is_another_split() -> None:
    assert stratified(ITEMS, 0.2, 1) != stratified(ITEMS, 0.2, 2)


def test_a_new_file_moves_at_most_one_other() -> None:
    before = stratified(ITEMS, 0.2, 1)
    after = stratified([*ITEMS, ("a", "a/new.png")], 0.2, 1)
    assert len(before ^ after) <= 2


@given(
    counts=st.lists(st.integers(2, 30), min_size=1, max_size=4),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 5),
)
def test_every_label_has_an_item_on_each_side(counts: list[int], fraction: float, seed: int) -> None:
    items = [
        (str(label), f"{label}/{number}") for label, count in enumerate(counts) for number in range(count)
    ]
    chosen = stratified(items, fraction, seed)
    for label, count in enumerate(counts):
        held_out = sum(path.startswith(f"{label}/") for path in chosen)
        assert 1 <= held_out <= count - 1
        assert abs(held_out - fraction * count) <= 1


def test_fraction_0_holds_nothing_out() -> None:
    assert stratified(ITEMS, 0, 1) == set()
