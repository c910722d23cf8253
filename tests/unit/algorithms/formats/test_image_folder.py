"""What a listing of keys means."""

from collections import Counter
from hashlib import sha256

import pytest

from modelyard_algorithms.contract.record import IMAGE, Image, Part, Problem, Record, label_of
from modelyard_algorithms.contract.task import DatasetTask, Location
from modelyard_algorithms.datasets import merge
from modelyard_algorithms.datasets.check import Checked
from modelyard_algorithms.datasets.problems import Problems
from modelyard_algorithms.formats.base import Entry, Listing
from modelyard_algorithms.formats.image_folder import depth
from modelyard_algorithms.formats.image_folder.layout import Layout, label, read_layout

SPLIT = [
    f"{split}/{label}/{number}.png" for split in ("train", "validation") for label in "ab" for number in "12"
]
FLAT = [f"{label}/{number}.png" for label in "ab" for number in "1234"]


def _read(paths: list[str]) -> Layout:
    return read_layout(Listing.of((path, 1) for path in paths))


def _checked(entries: list[Entry], bad: frozenset[str] = frozenset()) -> Checked:
    """What reading them comes to: no two are equal, and those of ``bad`` cannot be read."""
    image = Image(width=1, height=1, channels=1)
    records, problems = [], []
    for entry in entries:
        if entry.id in bad:
            problems.append(Problem(text=entry.id, label=label(entry), split=entry.split))
            continue
        part = Part(key=entry.id, size=1, sha256=sha256(entry.id.encode()).hexdigest(), image=image)
        records.append(Record(id=entry.id, split=entry.split, parts={IMAGE: part}, target=entry.target))
    return Checked(records=records, problems=problems)


def _survey(part: Checked, fraction: float = 0.0) -> tuple[merge.Split, list[str]]:
    """The split, and what is wrong with labels."""
    nowhere = Location(store="", bucket="", prefix="")
    task = DatasetTask(
        namespace="",
        name="",
        uid="",
        stores={},
        source=nowhere,
        destination=nowhere,
        validation_fraction=fraction,
    )
    problems = Problems()
    split = merge.survey([part], task, problems)
    return split, problems.whole


def _problems(layout: Layout) -> list[str]:
    return layout.files + layout.folders + _survey(_checked(layout.entries))[1]


def _counts(layout: Layout, fraction: float = 0.0) -> dict[tuple[str, str], int]:
    part = _checked(layout.entries)
    split, _ = _survey(part, fraction)
    sides = merge.records([part], split)
    return Counter((record.split, label_of(record.target) or "") for record in sides)


def test_folders_train_and_validation_are_the_split() -> None:
    layout = _read(SPLIT)
    assert _problems(layout) == []
    assert set(_counts(layout, 0.5).values()) == {2}
    assert {entry.split for entry in layout.entries} == {"train", "validation"}


def test_labels_alone_are_split_by_the_fraction() -> None:
    assert _counts(_read(FLAT), 0.25) == {
        ("train", "a"): 3,
        ("validation", "a"): 1,
        ("train", "b"): 3,
        ("validation", "b"): 1,
    }


def test_without_a_fraction_all_is_for_training() -> None:
    assert _counts(_read(FLAT)) == {("train", "a"): 4, ("train", "b"): 4}


def test_train_without_validation_is_split_too() -> None:
    assert ("validation", "a") in _counts(_read([f"train/{path}" for path in FLAT]), 0.25)


def test_a_label_may_be_called_train() -> None:
    layout = _read([f"{label}/{number}.png" for label in ("bus", "train") for number in "12"])
    assert _problems(layout) == []
    assert {label(entry) for entry in layout.entries} == {"bus", "train"}


@pytest.mark.parametrize(
    ("stray", "words"),
    [
        ("train/sample.png", "'train/sample.png' lies in no label folder"),
        ("validation/sample.png", "'validation/sample.png' lies in no label folder"),
        ("train/labels.csv", "'train/labels.csv' is not an image by its name"),
        ("sample.png", "'sample.png' lies beside train/"),
    ],
)
def test_a_stray_file_does_not_turn_the_splits_into_labels(stray: str, words: str) -> None:
    layout = _read([*SPLIT, "test/a/1.png", "test/b/1.png", stray])
    assert [sentence for sentence in layout.files if words in sentence] == layout.files
    assert len(layout.files) == 1
    assert len(layout.folders) == 1
    assert "folder 'test/' with 2 files lies beside train/" in layout.folders[0]
    assert {label(entry) for entry in layout.entries} == {"a", "b"}


def test_train_is_a_split_by_its_own_folders_whatever_lies_in_the_others() -> None:
    flat = [f"{top}/{number}.png" for top in ("validation", "test") for number in range(50)]
    layout = _read([*SPLIT[:4], *flat])
    assert {label(entry) for entry in layout.entries} == {"a", "b"}
    assert layout.files[0] == "'validation/0.png' lies in no label folder; put it into <label>/"
    assert "folder 'test/' with 50 files" in layout.folders[0]


@pytest.mark.parametrize("other", ["train/steam/1.png", "train/labels.csv", "train/raw/notes.txt"])
def test_a_label_called_train_may_have_a_folder_too(other: str) -> None:
    photos = [f"{label}/{number}.png" for label in ("bus", "train", "validation") for number in "12"]
    layout = _read([*photos, other])
    assert {label(entry) for entry in layout.entries} == {"bus", "train", "validation"}
    assert layout.folders == []


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
    assert _problems(layout) == []
    assert len(layout.entries) == len(FLAT)


@pytest.mark.parametrize("name", ["..", "ü ñ 漢", "a b", "%2e%2e", "x" * 300, "\\windows\\", "new\nline"])
def test_any_name_is_only_a_name(name: str) -> None:
    layout = _read([*FLAT, f"{name}/1.png", f"{name}/2.png"])
    assert _problems(layout) == []
    assert name in {label(entry) for entry in layout.entries}


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([*FLAT, "a/notes.doc"], "'a/notes.doc' is not an image by its name; remove it (accepted: .png"),
        ([*FLAT, "a/notes.txt"], "'a/notes.txt' is not an image by its name: labels come from the names of"),
        ([*FLAT, "labels.csv"], "'labels.csv' is not an image by its name: labels come from the names of"),
        ([*FLAT, "a.tar.gz"], "'a.tar.gz' is not an image by its name: an archive; unpack it"),
        ([*FLAT, "a/1.HEIC"], "'a/1.HEIC' is not an image by its name: a format that is not read; save"),
        ([*FLAT, "a/1.mp4"], "a video; save the frames"),
        ([*FLAT, "a/1.npy"], "save each as an image"),
        ([*FLAT, "a/1"], "'a/1' is not an image by its name: it has no extension; rename it"),
        ([*FLAT, "1.png"], "'1.png' lies in no label folder"),
        ([*FLAT, "/1.png"], "'/1.png' lies in no label folder"),
        ([*SPLIT, "train/1.png"], "'train/1.png' lies in no label folder"),
        ([*SPLIT, "1.png"], "'1.png' lies beside train/"),
        ([*SPLIT, "test/a/1.png"], "folder 'test/' with 1 file lies beside train/"),
        ([*SPLIT, "val/a/1.png", "val/a/2.png"], "folder 'val/' with 2 files lies beside"),
        ([*FLAT, "c/1.png"], "label 'c' has only 1 image; every label needs at least 2"),
        (
            [*SPLIT, "validation/c/1.png", "validation/c/2.png"],
            "label 'c' has images in validation/ but none",
        ),
    ],
)
def test_each_mistake_has_its_sentence(paths: list[str], words: str) -> None:
    assert any(words in problem for problem in _problems(_read(paths)))


def test_nothing_at_all_is_no_entry_and_no_problem() -> None:
    assert _read([]) == Layout()


def test_many_files_of_one_folder_beside_train_are_one_problem() -> None:
    layout = _read([*SPLIT, *(f"val/a/{number}.png" for number in range(1000))])
    assert len(_problems(layout)) == 1
    assert "rename it to validation/ if it is for that" in _problems(layout)[0]


@pytest.mark.parametrize(
    ("paths", "split_by"), [(SPLIT, "Folders"), (FLAT, "Fraction"), (SPLIT[:4], "Fraction"), ([], "Fraction")]
)
def test_how_the_split_came_about_is_known(paths: list[str], split_by: str) -> None:
    assert _survey(_checked(_read(paths).entries), 0.5)[0].by == split_by


def test_labels_are_also_counted_without_the_bad_images() -> None:
    entries = _read(["a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/2.png", "c/1.png"]).entries
    bad = frozenset({"b/1.png", "a/1.png", "c/1.png"})
    assert _survey(_checked(entries, bad))[1] == [
        "label 'b' has only 1 image without the bad ones; every label needs at least 2",
        "label 'c' has only 1 image; every label needs at least 2",
    ]


def test_problems_of_labels_come_in_the_labels_order() -> None:
    entries = _read([f"{name}/1.png" for name in ("10", "9", "x", "1")]).entries
    named = [problem.split("'")[1] for problem in _survey(_checked(entries))[1]]
    assert named == ["1", "9", "10", "x"]


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("photos/cat/", "the prefix is one folder too deep; take 'cat/' off its end"),
        ("a/photos/cat/", "the prefix is one folder too deep; take 'cat/' off its end"),
        ("photos/train/cat/", "the prefix is two folders too deep; take 'train/cat/' off its end"),
        ("photos/", "in no label folder; put them into <label>/<image>"),
        ("", "in no label folder; put them into <label>/<image>"),
    ],
)
def test_a_prefix_that_is_too_deep_is_recognised(prefix: str, words: str) -> None:
    layout = _read(["1.png", "2.png", "notes.doc"])
    assert layout.unlabelled == 2
    assert [problem.split(" ")[0] for problem in layout.files] == ["'notes.doc'"]
    assert words in depth.too_deep(layout.unlabelled, prefix, is_upload=False)
    assert depth.too_deep(1, prefix, is_upload=True) == (
        "the only image lies in no label folder; put them into <label>/<image>"
    )


def test_a_prefix_is_not_too_deep_where_some_images_have_a_label() -> None:
    layout = _read(["1.png", "a/2.png"])
    assert layout.unlabelled == 0
    assert layout.files == ["'1.png' lies in no label folder; put it into <label>/"]


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["a/1.png", "a/2.png"], "there is only one label, 'a'; classification needs at least 2"),
        (["a/x/1.png", "a/x/2.png"], "there is only one label, 'a'; classification needs at least 2"),
        (
            [f"photos/{path}" for path in FLAT],
            "Its folders ('a', 'b') look like the labels: add 'photos/' to the prefix",
        ),
        (
            [f"photos/{label}/1.png" for label in ("10", "9", "8", "7")],
            "Its folders ('7', '8', '9', …) look like the labels",
        ),
    ],
)
def test_one_label_alone_may_be_a_prefix_that_is_too_shallow(paths: list[str], words: str) -> None:
    sentence = depth.one_label(_read(paths).entries, is_upload=False)
    assert sentence is not None
    assert words in sentence
    assert ("look like" in sentence) == ("look like" in words)


def test_an_upload_has_no_prefix_to_correct() -> None:
    sentence = depth.one_label(_read([f"photos/{path}" for path in FLAT]).entries, is_upload=True)
    assert sentence is not None
    assert sentence.endswith("upload what is in 'photos' and not the folder itself")
    assert depth.one_label(_read(FLAT).entries, is_upload=True) is None
