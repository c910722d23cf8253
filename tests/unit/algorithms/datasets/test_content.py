"""The content digest and the drawn split follow what the pictures show, not how they are kept."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass

import pytest
from PIL import Image

from modelyard_algorithms.contract.manifest import DatasetSummary, from_lines
from modelyard_algorithms.contract.record import IMAGE, Record
from tests.support import pictures
from tests.unit.algorithms.memory import MemoryStore, build, dataset_task

FILES = pictures.folder([0, 1, 2], 6)


@dataclass(frozen=True)
class Version:
    """What a job wrote."""

    summary: DatasetSummary
    records: list[Record]


def _version(files: dict[str, bytes], seed: int = 0, fraction: float = 0.34) -> Version:
    store = MemoryStore()
    for path, data in files.items():
        store.data["source", f"in/{path}"] = data
    summary, document = build(dataset_task(validation_fraction=fraction, split_seed=seed), store)
    lines = store.data["platform", document.key.replace("dataset.json", "items.jsonl")]
    return Version(summary, list(from_lines(io.BytesIO(lines))))


def _saved_as(data: bytes, encoding: str) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).save(buffer, encoding)
    return buffer.getvalue()


def _held_out(version: Version) -> set[str]:
    return {record.payload for record in version.records if record.split == "validation"}


@pytest.mark.parametrize("encoding", ["BMP", "TIFF", "GIF"])
def test_another_lossless_encoding_is_the_same_content_and_the_same_split(encoding: str) -> None:
    there = _version(FILES)
    saved = {
        path.replace(".png", f".{encoding.lower()}"): _saved_as(data, encoding)
        for path, data in FILES.items()
    }
    here = _version(saved)
    assert here.summary.content == there.summary.content
    assert here.summary.version != there.summary.version, "the names differ"
    assert _held_out(here) == _held_out(there)
    assert [len(_held_out(here)), here.summary.splits] == [6, {"train": 12, "validation": 6}]


def test_a_jpeg_counts_by_its_bytes() -> None:
    saved = {path.replace(".png", ".jpg"): _saved_as(data, "JPEG") for path, data in FILES.items()}
    again = {path.replace(".png", ".jpeg"): _saved_as(data, "JPEG") for path, data in FILES.items()}
    version = _version(saved)
    assert version.summary.content == _version(again).summary.content != _version(FILES).summary.content
    assert {record.parts[IMAGE].pixels for record in version.records} == {None}


def test_other_names_are_the_same_content_and_the_same_split() -> None:
    renamed = {f"{path[:2]}x{number}.png": data for number, (path, data) in enumerate(FILES.items())}
    there, here = _version(FILES), _version(renamed)
    assert here.summary.content == there.summary.content
    assert _held_out(here) == _held_out(there)


def test_another_split_is_another_content() -> None:
    assert _version(FILES, seed=1).summary.content != _version(FILES).summary.content


def test_a_label_that_changes_is_another_content() -> None:
    moved = {
        ("1" + path[1:] if path.startswith("0/") else path).replace("/", "/x", path[0] == "0"): data
        for path, data in FILES.items()
    }
    assert _version(moved, fraction=0).summary.content != _version(FILES, fraction=0).summary.content


@pytest.mark.parametrize("seed", range(6))
def test_exact_duplicates_do_not_straddle_the_split(seed: int) -> None:
    copies = {path.replace("/", "/copy-"): _saved_as(data, "BMP") for path, data in list(FILES.items())[::2]}
    bitmaps = {path.replace(".png", ".bmp"): data for path, data in copies.items()}
    version = _version({**FILES, **bitmaps}, seed=seed)
    sides: dict[str, set[str]] = defaultdict(set)
    for record in version.records:
        sides[record.payload].add(record.split)
    assert {len(side) for side in sides.values()} == {1}
    assert len(sides) == len(FILES)
    assert all(version.summary.splits[side] > 0 for side in ("train", "validation"))
