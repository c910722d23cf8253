"""Records with every kind of target, and the digests over them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_algorithms.contract.manifest import Digests, from_lines, to_line, version_of
from modelyard_algorithms.contract.record import (
    IMAGE,
    Box,
    Boxes,
    Image,
    Label,
    Mask,
    Part,
    Record,
    Row,
    Target,
    label_of,
)

PART = Part(
    key="in/a/1.png", size=10, sha256="b" * 64, pixels="c" * 64, image=Image(width=4, height=3, channels=1)
)
TARGETS: list[Target | None] = [
    Label(label="7"),
    Boxes(
        boxes=[
            Box(label="cat", x=0.5, y=1, width=2, height=1.5),
            Box(label="dog", x=0, y=0, width=1, height=1),
        ]
    ),
    Boxes(boxes=[]),
    Mask(part="mask"),
    Row(values={"r": 255, "share": 1.0, "name": "1", "known": True}, label="red"),
    Row(values={"r": 3}),
    None,
]


def _record(target: Target | None = None, **changes: object) -> Record:
    record = Record(id="a/1.png", split="train", parts={IMAGE: PART}, target=target)
    return record.model_copy(update=changes)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_every_target_is_read_as_it_was_written(target: Target | None) -> None:
    line = to_line(_record(target))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    (found,) = from_lines([line])
    assert found == _record(target)
    assert type(found.target) is type(target)


def test_a_row_keeps_the_types_of_its_values() -> None:
    (found,) = from_lines([to_line(_record(TARGETS[4]))])
    assert isinstance(found.target, Row)
    assert [type(value) for value in found.target.values.values()] == [int, float, str, bool]


def test_a_line_says_what_kind_of_target_it_has() -> None:
    assert json.loads(to_line(_record(Label(label="7")))) == {
        "id": "a/1.png",
        "split": "train",
        "parts": {
            "image": {
                "key": "in/a/1.png",
                "offset": 0,
                "size": 10,
                "sha256": "b" * 64,
                "pixels": "c" * 64,
                "image": {"width": 4, "height": 3, "channels": 1},
            }
        },
        "target": {"kind": "Label", "label": "7"},
    }


@pytest.mark.parametrize(
    "target",
    [
        {"kind": "Pose"},
        {"label": "7"},
        {"kind": "Boxes", "boxes": [{"label": "a", "x": 1}]},
        {"kind": "Label"},
        [],
    ],
)
def test_what_is_no_target_is_refused(target: object) -> None:
    line = json.dumps({"id": "a", "split": "train", "parts": {}, "target": target}).encode()
    with pytest.raises(ValueError, match="target"):
        list(from_lines([line]))


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        Box(label="a", x=float("nan"), y=0, width=1, height=1)


@given(st.text(), st.text(), st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()))
def test_any_text_is_one_line(identity: str, label: str, values: dict[str, int | str | bool]) -> None:
    record = _record(Row(values=values, label=label), id=identity)
    line = to_line(record)
    assert line.count(b"\n") == 1
    assert list(from_lines([line])) == [record]
    version_of([record])


def test_the_class_of_an_item_is_known_where_it_has_one() -> None:
    assert [label_of(target) for target in TARGETS] == ["7", None, None, None, "red", None, None]


def _content(*records: Record) -> str:
    digests = Digests()
    for record in records:
        digests.add(record)
    assert digests.version == version_of(records)
    return digests.content


def _with(**changes: object) -> Record:
    return _record(Label(label="7"), parts={IMAGE: PART.model_copy(update=changes)})


LABELLED = _record(Label(label="7"))


@pytest.mark.parametrize(
    "same",
    [
        _record(Label(label="7"), id="elsewhere/2.bmp"),
        _with(key="other/place"),
        _with(offset=12, size=99),
        _with(sha256="d" * 64),
    ],
    ids=["name", "place", "piece of a file", "another lossless encoding"],
)
def test_names_places_and_encodings_do_not_change_the_content(same: Record) -> None:
    assert _content(same) == _content(LABELLED)


@pytest.mark.parametrize(
    "other",
    [
        _record(Label(label="8")),
        _record(None),
        _record(Label(label="7"), split="validation"),
        _with(pixels="d" * 64),
        _with(pixels=None),
    ],
    ids=["label", "no label", "split", "pixels", "bytes"],
)
def test_labels_splits_and_payloads_change_content_and_version(other: Record) -> None:
    assert _content(other) != _content(LABELLED)
    assert version_of([other]) != version_of([LABELLED])


def test_the_order_changes_the_version_and_not_the_content() -> None:
    two = [LABELLED, _record(Label(label="8"), id="b")]
    assert _content(*two) == _content(*reversed(two))
    assert version_of(two) != version_of(two[::-1])
    assert _content(LABELLED, LABELLED) != _content(LABELLED), "duplicates count"


@pytest.mark.parametrize("change", ["name", "channels"])
def test_names_and_sizes_change_the_version(change: str) -> None:
    colour = Image(width=4, height=3, channels=3)
    other = _record(Label(label="7"), id="a/2.png") if change == "name" else _with(image=colour)
    assert version_of([other]) != version_of([LABELLED])
    assert _content(other) == _content(LABELLED)


def test_records_are_duplicates_by_what_a_model_is_given() -> None:
    assert _record(Label(label="7")).payload == _record(Label(label="8"), id="b").payload == PART.content
    rows = [
        _record(Row(values={"r": value}, label=label), parts={})
        for value, label in ((1, "a"), (1, "b"), (2, "a"))
    ]
    assert rows[0].payload == rows[1].payload != rows[2].payload
