"""What the demo leaves behind: report.json, report.html and the last lines."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from modelyard_demo import curves, page, telling
from modelyard_demo.clock import Clock, Figure, Stage
from modelyard_demo.predict import Endpoint, Prediction
from modelyard_demo.results import BringUp, Results, as_json, write_json


@pytest.fixture
def results(tmp_path: Path) -> Results:
    predictions = []
    for number, (label, predicted) in enumerate([("3", "3"), ("8", "3"), ("<7>", "<7>"), ("1", "1")]):
        image = tmp_path / label / f"{number}.png"
        image.parent.mkdir()
        Image.new("L", (8, 8), number * 20).save(image)
        predictions.append(Prediction(image, label, predicted))
    return Results(
        bring_up=BringUp(1000.0, cold=True, cluster_was_up=False, stages={"cluster": 600.0, "venv": 90.5}),
        finished=1800.0,
        namespace="demo",
        stages=[Stage("Dataset", 4.2)],
        figures=[
            Figure("Dataset: sealed to Ready", 4.0, 5.0),
            Figure("Deployment", 12.0, 10.0),
            Figure("x", 1.0),
        ],
        predictions=predictions,
        predicting_seconds=2.0,
        job={"spec": {"workers": 2}, "status": {"attempt": 1, "model": {"digest": "sha256:00"}}},
        deployment={"status": {"backend": "Kubernetes"}},
        epochs=[
            {
                "epoch": e,
                "step": e,
                "metrics": {"train/loss": 1 / e, "validation/loss": 2 / e, "train/accuracy": 0.9},
            }
            for e in range(1, 6)
        ],
        url="http://127.0.0.1:30010/predict",
    )


def test_the_json_tells_stages_accuracy_images_and_whether_it_was_cold(
    results: Results, tmp_path: Path
) -> None:
    write_json(results, tmp_path / "report.json")
    found: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    assert found["accuracy"] == 0.75
    assert found["imagesPredicted"] == 4
    assert found["imagesWrong"] == [{"image": "8/1.png", "label": "8", "predicted": "3"}]
    assert found["start"] == "cold"
    assert found["clusterWasUp"] is False
    assert found["seconds"] == 800.0
    assert found["stages"][:2] == [
        {"name": "make cluster", "seconds": 600.0},
        {"name": "make venv", "seconds": 90.5},
    ]
    assert [figure["met"] for figure in found["figures"]] == [True, False, None]
    assert found == as_json(results)


def test_the_page_needs_no_network_and_marks_the_wrong_predictions(results: Results) -> None:
    text = page.render(results)
    assert not re.search(r"(?:src|href)=\"(?!data:)|url\(|@import|<script", text)
    assert "75.00%" in text
    assert text.count('class="wrong"') == 1
    assert text.count('class="right"') == 3
    assert text.index('class="wrong"') < text.index('class="right"')
    assert text.count("<polyline") == 3
    assert "<7>" not in text


def test_a_run_without_metrics_still_has_a_page(results: Results) -> None:
    assert "There are no figures for Loss." in page.render(Results(**{**vars(results), "epochs": []}))


def test_curves_stay_inside_their_figure_even_where_nothing_changes() -> None:
    epochs = [{"epoch": 1, "metrics": {"train/loss": 0.5}}]
    drawn = curves.chart(curves.series(epochs, "loss"), "Loss")
    (points,) = re.findall(r'points="([^"]+)"', drawn)
    x, y = (float(part) for part in points.split(","))
    assert 0 <= x <= curves.WIDTH
    assert 0 <= y <= curves.HEIGHT


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0007, 1.41, [0, 0.5, 1.0, 1.5]),
        (0.63, 1.0, [0.6, 0.7, 0.8, 0.9, 1.0]),
        (0.5, 0.5, [0.48, 0.5, 0.52, 0.54, 0.56, 0.58, 0.6]),
    ],
)
def test_ticks_are_round_and_hold_all_values(low: float, high: float, ticks: list[float]) -> None:
    found = curves.round_ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert len(found) <= curves.TICKS + 2
    assert found == pytest.approx(ticks) or low == high


def test_the_last_lines_hold_one_curl_the_goals_and_the_way_down(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/state/kubeconfig")
    lines: list[str] = []
    telling.conclude(results, Endpoint(results.url, "secret"), lines.append)
    text = "\n".join(lines)
    assert "75.00% of 4 held-out images are read right, 1 wrong." in text
    assert [line for line in lines if "curl" in line] == [
        f"  curl --noproxy '*' -H 'token: secret' -F input=@{results.predictions[0].image} {results.url}"
    ]
    assert "(goal 5 s: met)" in text
    assert "(goal 10 s: MISSED)" in text
    assert "port-forward" not in text
    assert lines[-1].endswith("make cluster-down")


def test_where_the_node_port_is_out_of_reach_the_curl_comes_with_a_port_forward(results: Results) -> None:
    lines: list[str] = []
    telling.curl(results, Endpoint("http://127.0.0.1:4567/predict", "t", forwarded=True), lines.append)
    assert "  kubectl port-forward -n demo service/digits-server 4567:80 &" in lines


def test_the_clock_counts_stages_and_does_not_repeat_itself() -> None:
    lines: list[str] = []
    moments = iter([10.0, 11.0, 12.5, 13.0, 13.0])
    clock = Clock(write=lines.append, now=lambda: next(moments), number=1)
    with clock.stage("Dataset"):
        clock.say("Processing")
        clock.say("Processing")
        clock.say("Ready")
    assert lines == ["\n[2] Dataset", "     1.0s  Processing", "     2.5s  Ready", "     3.0s  done"]
    assert clock.stages == [Stage("Dataset", 3.0)]


def test_a_busy_machine_is_said_to_be_one(results: Results) -> None:
    quiet: list[str] = []
    telling.times(results, quiet.append)
    assert not [line for line in quiet if "busy" in line]
    lines: list[str] = []
    busy = BringUp(results.bring_up.started, load=1000.0)
    telling.times(Results(**{**vars(results), "bring_up": busy}), lines.append)
    assert len([line for line in lines if "load 1000.0" in line]) == 1


def test_a_run_of_its_own_counts_as_warm() -> None:
    assert BringUp.from_json("", 5.0) == BringUp(5.0, cold=False, cluster_was_up=True, stages={})
