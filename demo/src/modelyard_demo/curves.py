"""Learning curves as inline SVG: no script, no font, no network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, HEIGHT = 460.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 12.0, 12.0, 34.0
TICKS = 4
Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line: its name in the legend, the CSS class that colours it, and its points."""

    name: str
    style: str
    points: Sequence[Point]


def series(epochs: Sequence[Mapping[str, Any]], metric: str) -> list[Series]:
    """The train and validation lines of a metric over the epochs."""
    found = []
    for split, style in (("train", "train"), ("validation", "held")):
        key = f"{split}/{metric}"
        points = [
            (float(line["epoch"]), float(line["metrics"][key])) for line in epochs if key in line["metrics"]
        ]
        if points:
            found.append(Series(split, style, points))
    return found


def chart(lines: Sequence[Series], title: str) -> str:
    """An SVG figure of the lines; a sentence where there are none."""
    if not lines:
        return f"<p>There are no figures for {escape(title)}.</p>"
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    ticks = round_ticks(min(ys), max(ys))
    low, high = ticks[0], ticks[-1]
    first, last = min(xs), max(*xs, min(xs) + 1)

    def place(point: Point) -> str:
        x = LEFT + (point[0] - first) / (last - first) * (WIDTH - LEFT - RIGHT)
        y = TOP + (high - point[1]) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f},{y:.1f}"

    parts = [_grid(ticks), _epochs(first, last)]
    for line in lines:
        points = " ".join(place(point) for point in line.points)
        parts.append(f'<polyline class="{line.style}" points="{points}"/>')
        x, y = place(line.points[-1]).split(",")
        parts.append(f'<circle class="{line.style}" cx="{x}" cy="{y}" r="3"/>')
    legend = " ".join(
        f'<span class="key {line.style}">{escape(line.name)} {line.points[-1][1]:.4g}</span>'
        for line in lines
    )
    return (
        f'<figure><figcaption>{escape(title)} {legend}</figcaption><svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" '
        f'role="img" aria-label="{escape(title)} by epoch">{"".join(parts)}</svg></figure>'
    )


def round_ticks(low: float, high: float) -> list[float]:
    """Round values from at or below ``low`` to at or above ``high``, a few of them."""
    room = (high - low) or max(abs(high), 1.0) * 0.1
    power = 10.0 ** math.floor(math.log10(room / TICKS))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * TICKS >= room)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * number for number in range(first, max(last, first + 1) + 1)]


def _grid(ticks: Sequence[float]) -> str:
    parts = []
    for number, value in enumerate(reversed(ticks)):
        y = TOP + number / (len(ticks) - 1) * (HEIGHT - TOP - BOTTOM)
        parts.append(f'<line class="grid" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6:g}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    return "".join(parts)


def _epochs(first: float, last: float) -> str:
    y = HEIGHT - BOTTOM + 16
    return (
        f'<text x="{LEFT:g}" y="{y:g}">{first:g}</text>'
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{y + 12:g}" text-anchor="middle">epoch</text>'
        f'<text x="{WIDTH - RIGHT:g}" y="{y:g}" text-anchor="end">{last:g}</text>'
    )
