"""What can be wrong with the labels of a classification, once all items are known."""

from collections import Counter
from collections.abc import Iterable

from modelyard_algorithms.contract import labels
from modelyard_algorithms.contract.record import TRAIN, label_of
from modelyard_algorithms.datasets.check import Checked


class Tally:
    """Counts the items of each label: all of them, those that are good, and those for training."""

    def __init__(self) -> None:
        self._all: Counter[str] = Counter()
        self._good: Counter[str] = Counter()
        self._train: Counter[str] = Counter()

    def add(self, part: Checked) -> None:
        """Count the result of a shard."""
        good = [(label_of(record.target), record.split) for record in part.records]
        bad = [(problem.label, problem.split) for problem in part.problems]
        for label, split in good + bad:
            if label is not None:
                self._all[label] += 1
                self._train[label] += split == TRAIN
        self._good.update(label for label, _ in good if label is not None)

    def problems(self) -> list[str]:
        """A label needs two images to learn from, and one of them in train."""
        return list(self._sentences(labels.in_order(self._all)))

    def _sentences(self, in_order: Iterable[str]) -> Iterable[str]:
        for label in in_order:
            good = self._good[label]
            if self._all[label] == 1:
                yield f"label {label!r} has only 1 image; every label needs at least 2"
            elif self._train[label] == 0:
                yield f"label {label!r} has images in validation/ but none in train/; add some or remove it"
            elif good < 2:
                yield (
                    f"label {label!r} has only {good} image{'s' * (good != 1)} without the bad "
                    "ones; every label needs at least 2"
                )
