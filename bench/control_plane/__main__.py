"""``python -m bench.control_plane``: progress on stderr; the last line of stdout is the result as JSON.

Exits with 0 when the run is complete, even if goals are missed; the figures show that.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import Any

from bench.control_plane import chart, programs, report
from bench.control_plane.campaign import measure
from bench.control_plane.programs import BuildError
from bench.control_plane.settings import Settings, load_settings
from bench.control_plane.stage import say
from bench.control_plane.subjects import OURS, SUBJECTS


async def run(settings: Settings) -> dict[str, Any]:
    """Measure every subject. A peer that cannot be had or run is reported as such; ours must run."""
    found: dict[str, Any] = {}
    for name in filter(None, settings.subjects.split(",")):
        try:
            found[name] = await measure(settings, SUBJECTS[name])
        except Exception as error:
            if name == OURS:
                raise
            kind = "cannot be built" if isinstance(error, BuildError) else "could not be measured"
            say(f"{SUBJECTS[name].title} {kind}: {error}")
            found[name] = {"title": SUBJECTS[name].title, "error": f"{kind}: {error}"}
    return found


def main() -> int:
    """One run."""
    settings = load_settings()
    unknown = set(settings.subjects.split(",")) - set(SUBJECTS)
    if unknown:
        print(f"BENCH_SUBJECTS: unknown {sorted(unknown)}; known are {sorted(SUBJECTS)}", file=sys.stderr)
        return 64
    # Ending by SIGTERM must run the clean-up too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    programs.ensure_ours()
    subjects = asyncio.run(run(settings))
    found = report.assemble(settings, subjects, time.monotonic() - begin)
    path = report.write(settings, found)
    chart.draw(found, path.with_name(chart.FILE))
    for figure in found["goals"].values():
        mark = "met    " if figure["met"] else "NOT MET"
        rival = "" if figure["rival"] is None else f"; {figure['rival_name']}: {figure['rival']:g}"
        say(f"{mark} {figure['title']}: {figure['value']} (goal {figure['goal']}{rival})")
    say(f"{path} and {chart.FILE} beside it, after {found['seconds']} s")
    print(report.summary(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
