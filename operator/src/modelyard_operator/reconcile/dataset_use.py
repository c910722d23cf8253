"""What each channel of a training takes of its Dataset, in words."""

from __future__ import annotations

from collections.abc import Mapping

from modelyard_operator.desired.training_pods import TrainingInput, validates_elsewhere


def words(datasets: Mapping[str, TrainingInput]) -> dict[str, str] | None:
    """A sentence for each channel, as desired.training_pods asks for it.

    None: a Dataset has another version by now, and what was said when the job began still holds.
    """
    if any(found.split_by is None for found in datasets.values()):
        return None
    train = datasets["train"]
    held_out = train.splits.get("validation", 0)
    if validates_elsewhere(datasets):
        return {"train": _beside_another(train, held_out), "validation": _whole(datasets["validation"])}
    if not held_out:
        return {"train": f"{_whole(train)}; nothing is held out for validation"}
    how = "drawn by its spec.split.validationFraction" if _drawn(train) else "of its folder validation/"
    return {
        "train": f"{_items(train.splits.get('train', 0))} of {train.name}",
        "validation": f"{_items(held_out)} of {train.name}, {how}",
    }


def _beside_another(train: TrainingInput, held_out: int) -> str:
    if not held_out:
        return _whole(train)
    if _drawn(train):
        return f"{_whole(train)}, with the {held_out} that were drawn for validation"
    taken = f"{_items(train.splits.get('train', 0))} of {train.name}"
    return f"{taken}; the {held_out} of its folder validation/ are not trained on"


def _whole(found: TrainingInput) -> str:
    return f"all {_items(sum(found.splits.values()))} of {found.name}"


def _drawn(found: TrainingInput) -> bool:
    """Whether its validation split was drawn from what is for training, and is no folder of its own."""
    return found.split_by != "Folders"


def _items(count: int) -> str:
    return f"{count} item{'s' * (count != 1)}"
