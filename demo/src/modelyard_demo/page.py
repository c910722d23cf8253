"""report.html: one file that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from modelyard_demo import curves
from modelyard_demo.clock import Figure
from modelyard_demo.predict import Prediction
from modelyard_demo.results import Results, as_json

_PAGE = Template((Path(__file__).parent / "page.html").read_text())


def render(results: Results) -> str:
    """The whole page."""
    facts = as_json(results)
    return _PAGE.substitute(
        accuracy=f"{results.accuracy:.2%}",
        images=len(results.predictions),
        wrong=results.wrong,
        seconds=f"{results.seconds:.0f}",
        start=facts["start"],
        workers=facts["training"]["workers"],
        rate=f"{facts['predictionsPerSecond']:.0f}",
        finished=facts["finished"],
        digest=escape(str(facts["training"]["model"].get("digest", ""))),
        backend=escape(str(facts["backend"])),
        namespace=escape(results.namespace),
        loss=curves.chart(curves.series(results.epochs, "loss"), "Loss"),
        curve=curves.chart(curves.series(results.epochs, "accuracy"), "Accuracy"),
        stages=_stages(facts["stages"]),
        figures=_figures(results.figures),
        grid=_grid(results.predictions),
    )


def _stages(stages: Sequence[dict[str, object]]) -> str:
    longest = max([float(str(stage["seconds"])) for stage in stages], default=1.0) or 1.0
    return "".join(
        f"<tr><td>{escape(str(stage['name']))}</td><td>{float(str(stage['seconds'])):.1f} s</td>"
        f'<td><i style="width:{float(str(stage["seconds"])) / longest:.1%}"></i></td></tr>'
        for stage in stages
    )


def _figures(figures: Sequence[Figure]) -> str:
    rows = []
    for figure in figures:
        goal = "" if figure.goal is None else f"goal {figure.goal:g} s"
        verdict = {None: "", True: '<b class="good">met</b>', False: '<b class="bad">missed</b>'}[figure.met]
        rows.append(
            f"<tr><td>{escape(figure.name)}</td><td>{figure.seconds:.1f} s</td>"
            f"<td>{goal}</td><td>{verdict}</td></tr>"
        )
    return "".join(rows)


def _grid(predictions: Sequence[Prediction]) -> str:
    """The wrong ones first, then the others by label."""
    ordered = sorted(predictions, key=lambda each: (each.right, each.label, each.image.name))
    return "".join(_cell(each) for each in ordered)


def _cell(each: Prediction) -> str:
    data = base64.b64encode(each.image.read_bytes()).decode()
    said = escape(each.predicted) + ("" if each.right else f" <s>{escape(each.label)}</s>")
    title = f"{each.label}/{each.image.name}: the model says {each.predicted}"
    return (
        f'<div class="{"right" if each.right else "wrong"}" title="{escape(title)}">'
        f'<img alt="a handwritten {escape(each.label)}" src="data:image/png;base64,{data}">'
        f"<span>{said}</span></div>"
    )
