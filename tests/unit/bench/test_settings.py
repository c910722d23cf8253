"""Settings come from the environment, and only the default load is published."""

import pytest

from bench.control_plane import report
from bench.control_plane.settings import Settings, load_settings


def test_variables_set_the_load() -> None:
    found = load_settings({"BENCH_BURST": "20", "BENCH_RATE": "2.5", "BENCH_SUBJECTS": "modelyard"})
    assert (found.burst, found.rate, found.subjects) == (20, 2.5, "modelyard")
    assert found.finished == Settings().finished


def test_a_wrong_value_is_named() -> None:
    with pytest.raises(ValueError, match=r"BENCH_BURST must be of type int, not 'many'"):
        load_settings({"BENCH_BURST": "many"})


def test_only_the_default_load_is_published() -> None:
    assert report._published(Settings())
    assert report._published(Settings(results="elsewhere"))
    assert not report._published(Settings(burst=20))


def test_curves_stay_on_one_line() -> None:
    text = report._pretty({"curve": [[0.1, 1], [0.2, 2]], "names": ["a", "b"]})
    assert '"curve": [[0.1, 1], [0.2, 2]]' in text
    assert '"names": [\n' in text
