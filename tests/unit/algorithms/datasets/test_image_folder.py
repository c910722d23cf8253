"""What a listing of keys means."""

import pytest

from modelyard_algorithms.datasets import image_folder

SPLIT = [
    f"{split}/{label}/{number}.png" for split in ("train", "validation") for label in "ab" for number in "12"
]
FLAT = [f"{label}/{number}.png" for label in "ab" for number in "1234"]


def _read(paths: list[str], fraction: float = 0.0) -> image_folder.Layout:
    return image_folder.read_layout([(path, 1) for path in paths], fraction, 0)


def _counts(layout: image_folder.Layout) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for entry in layout.entries:
        found[entry.split, entry.label] = found.get((entry.split, entry.label), 0) + 1
    return found


def test_folders_train_and_validation_are_the_split() -> None:
    layout = _read(SPLIT, fraction=0.5)
    assert layout.problems == []
    assert set(_counts(layout).values()) == {2}
    assert {entry.split for entry in layout.entries} == {"train", "validation"}


def test_labels_alone_are_split_by_the_fraction() -> None:
    assert _counts(_read(FLAT, 0.25)) == {
        ("train", "a"): 3,
        ("validation", "a"): 1,
        ("train", "b"): 3,
        ("validation", "b"): 1,
    }


def test_without_a_fraction_all_is_for_training() -> None:
    assert _counts(_read(FLAT)) == {("train", "a"): 4, ("train", "b"): 4}


def test_train_without_validation_is_split_too() -> None:
    assert ("validation", "a") in _counts(_read([f"train/{path}" for path in FLAT], 0.25))


def test_a_label_may_be_called_train() -> None:
    layout = _read([f"{label}/{number}.png" for label in ("bus", "train") for number in "12"])
    assert layout.problems == []
    assert {entry.label for entry in layout.entries} == {"bus", "train"}


def test_folders_below_a_label_belong_to_it() -> None:
    layout = _read(["a/x/1.png", "a/y/2.png", "b/1.png", "b/2.png"])
    assert _counts(layout) == {("train", "a"): 2, ("train", "b"): 2}


def test_clutter_is_passed_over() -> None:
    clutter = [
        ".DS_Store",
        "a/.hidden.png",
        "a/Thumbs.db",
        "__MACOSX/a/._1.png",
        "a/",
        ".git/config",
        "a/desktop.ini",
    ]
    layout = _read(FLAT + clutter)
    assert layout.problems == []
    assert len(layout.entries) == len(FLAT)


@pytest.mark.parametrize("label", ["..", "ü ñ 漢", "a b", "%2e%2e", "x" * 300, "\\windows\\", "new\nline"])
def test_any_name_is_only_a_name(label: str) -> None:
    layout = _read([*FLAT, f"{label}/1.png", f"{label}/2.png"])
    assert layout.problems == []
    assert label in {entry.label for entry in layout.entries}


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([*FLAT, "a/notes.txt"], "'a/notes.txt' is not an image by its name"),
        ([*FLAT, "1.png"], "'1.png' lies in no label folder"),
        ([*FLAT, "/1.png"], "'/1.png' lies in no label folder"),
        ([*SPLIT, "train/1.png"], "'train/1.png' lies in no label folder"),
        ([*SPLIT, "test/a/1.png"], "'test/a/1.png' lies beside train/"),
        ([*FLAT, "c/1.png"], "label 'c' has only 1 image; every label needs at least 2"),
        (
            [*SPLIT, "validation/c/1.png", "validation/c/2.png"],
            "label 'c' has images in validation/ but none",
        ),
        (["a/1.png", "a/2.png"], "only one label, 'a'"),
    ],
)
def test_each_mistake_has_its_sentence(paths: list[str], words: str) -> None:
    assert any(words in problem for problem in _read(paths).problems)


def test_nothing_at_all_is_no_entry_and_no_problem() -> None:
    assert _read([]) == image_folder.Layout()
