"""Goals are judged on every figure, and a figure that is missing has not met its goal."""

from typing import Any

from bench.control_plane.goals import FIGURES, judge


def burst(rate: float | None, done: float | None, requests: float = 9.0) -> dict[str, Any]:
    return {"jobs_per_second": rate, "all_done_seconds": done, "requests": {"per_job": requests}}


def subject(**changes: Any) -> dict[str, Any]:
    spread = {"p99": 0.1}
    probes = [
        {"requests": {"per_job": 10.0}, "costs": {"cpu_ms_per_job": cost}} for cost in (10.0, 11.0, 10.5)
    ]
    found: dict[str, Any] = {
        "title": "Some operator",
        "single": {"requests": {"per_job": 11.0}},
        "bursts": [burst(50.0, 20.0), burst(80.0, 14.0), burst(70.0, 15.0)],
        "steady": {
            "create_to_pods_seconds": spread,
            "end_to_done_seconds": spread,
            "requests": {"per_job": 10.0},
        },
        "neighbour": {"neighbour": {"create_to_pods_seconds": spread}},
        "growth": probes,
        "rest": {"memory": {"rss_mb": 200.0}, "idle_cpu_percent": 0.5},
        "restarts": [{"first_reconcile_seconds": 2.0}, {"first_reconcile_seconds": 4.0}],
    }
    return found | changes


def test_a_subject_that_meets_everything_does_so_beside_a_slow_peer() -> None:
    slow = subject(bursts=[burst(5.0, 70.0, requests=15.0)])
    found = judge({"modelyard": subject(), "training-operator": slow})
    assert {name: each["met"] for name, each in found.items()} == {each.name: True for each in FIGURES}
    assert found["burst_jobs_per_second"]["rival"] == 5.0
    assert found["burst_jobs_per_second"]["times_the_best_peer"] == 14.0


def test_a_burst_whose_pods_never_all_came_counts() -> None:
    lost = subject(bursts=[burst(70.0, 15.0), burst(70.0, 15.0), burst(None, None)])
    found = judge({"modelyard": lost, "training-operator": subject(bursts=[burst(5.0, 70.0)])})
    assert (found["burst_jobs_per_second"]["value"], found["burst_jobs_per_second"]["met"]) == (None, False)
    assert not found["burst_all_done_seconds"]["met"]


def test_a_fast_burst_beside_a_peer_that_is_nearly_as_fast_is_not_enough() -> None:
    found = judge({"modelyard": subject(), "training-operator": subject()})
    assert not found["burst_jobs_per_second"]["met"]


def test_without_a_peer_there_is_no_tenfold() -> None:
    assert not judge({"modelyard": subject()})["burst_jobs_per_second"]["met"]


def test_the_slowest_restart_and_the_dearest_job_count() -> None:
    found = judge({"modelyard": subject()})
    assert found["restart_seconds"]["value"] == 4.0
    assert found["requests_per_job"]["value"] == 11.0


def test_growth_is_measured_from_the_cheapest_probe_before() -> None:
    assert judge({"modelyard": subject()})["growth_cpu"]["value"] == 1.05


def test_a_percentile_that_never_ended_is_not_met() -> None:
    endless = subject()["steady"] | {"create_to_pods_seconds": {"p99": None}}
    found = judge({"modelyard": subject(steady=endless)})
    assert (
        found["steady_create_to_pods_p99_seconds"] | {"met": False}
        == (found["steady_create_to_pods_p99_seconds"])
    )


def test_a_peer_that_could_not_be_measured_is_no_rival() -> None:
    found = judge({"modelyard": subject(), "trainer": {"title": "Trainer", "error": "cannot be built"}})
    assert found["burst_all_done_seconds"]["rival"] is None
    assert found["burst_all_done_seconds"]["met"]
