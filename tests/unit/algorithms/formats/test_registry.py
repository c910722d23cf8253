"""The formats that exist, and that they are light."""

import subprocess
import sys

import pytest

from modelyard_algorithms import formats
from modelyard_algorithms.contract.record import IMAGE, Label, Problem
from modelyard_algorithms.formats.base import UNIT_ENTRIES, Entry, Listing, Match, Place, in_units
from modelyard_algorithms.formats.image_folder import FORMAT


def _listing(*paths: str) -> Listing:
    return Listing.of((path, 1) for path in paths)


def _unread(path: str) -> bytes:
    raise AssertionError(f"{path} was read")


@pytest.mark.parametrize("name", formats.names())
def test_every_format_has_a_summary_and_finds_nothing_in_nothing(name: str) -> None:
    found = formats.load(name)
    assert found.summary
    assert not found.summary.endswith(".")
    assert found.detect(_listing()) is None
    assert list(found.units(_listing())) == []
    assert found.nothing(_listing())


def test_the_default_is_one_of_them() -> None:
    assert formats.DEFAULT in formats.names()


def test_an_unknown_format_is_refused_with_those_that_exist() -> None:
    with pytest.raises(
        formats.UnknownFormatError, match="format 'COCO' is not known; the known format is Ima"
    ):
        formats.load("COCO")


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["a/1.png"], {"ImageFolder": Match("images in label folders")}),
        (["train/a/1.JPG", "notes.txt"], {"ImageFolder": Match("images in label folders")}),
        (["1.png"], {}),
        (["a/1.csv"], {}),
        (["__MACOSX/1.png"], {}),
        ([], {}),
    ],
)
def test_files_are_recognised(paths: list[str], found: dict[str, Match]) -> None:
    assert formats.matches(_listing(*paths)) == found


def test_image_folders_become_entries_without_reading_a_file() -> None:
    (unit,) = (each for each in FORMAT.units(_listing("b/2.png", "a/1.png")) if not isinstance(each, Problem))
    assert list(FORMAT.records(unit, _unread)) == [
        Entry(path, "train", {IMAGE: Place(path, 1)}, Label(label=path[0])) for path in ("a/1.png", "b/2.png")
    ]


def test_a_unit_ends_by_number_and_by_size() -> None:
    def entries(count: int, size: int) -> list[Entry]:
        return [Entry(str(number), "train", {IMAGE: Place("", size)}, None) for number in range(count)]

    assert [len(unit) for unit in in_units(entries(2 * UNIT_ENTRIES + 1, 1))] == [
        UNIT_ENTRIES,
        UNIT_ENTRIES,
        1,
    ]
    assert [len(unit) for unit in in_units(entries(5, 128 * 2**20))] == [2, 2, 1]


def test_the_formats_need_no_library() -> None:
    """The operator and a client import them."""
    script = (
        "import sys; from modelyard_algorithms import formats; "
        "[formats.load(name) for name in formats.names()]; "
        "print(*{'torch', 'numpy', 'PIL', 'minio'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        == "\n"
    )
