"""Statuses: as they are read, and as a change to some of their fields."""

from modelyard_operator.api.dataset import DatasetStatus, UploadStatus


def test_a_change_has_the_fields_that_were_set_and_names_those_that_go() -> None:
    change = DatasetStatus(attempt=2, upload=UploadStatus(bucket="b", prefix=None), retry_time=None)
    assert change.as_changes() == {"attempt": 2, "upload": {"bucket": "b"}, "retryTime": None}


def test_changes_come_over_what_was_there() -> None:
    before = DatasetStatus(attempt=1, items=3)
    found = before.changed(DatasetStatus(attempt=None, classes=2))
    assert (found.attempt, found.items, found.classes) == (None, 3, 2)
    assert found.as_changes() == {"attempt": None, "items": 3, "classes": 2}


def test_a_field_that_cannot_be_read_counts_as_absent() -> None:
    found = DatasetStatus.read({"phase": "Unheard", "attempt": "x", "items": 3, "later": 1})
    assert (found.phase, found.attempt, found.items) == (None, None, 3)


def test_no_status_is_an_empty_one() -> None:
    assert DatasetStatus.read(None) == DatasetStatus()


def test_mypy_notices_a_misspelt_field() -> None:
    """It would have nothing to ignore here otherwise, which is an error too."""
    assert DatasetStatus(atempt=1).as_changes() == {}  # type: ignore[call-arg]
