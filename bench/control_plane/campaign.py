"""The phases of one subject: single jobs, a burst, a steady stream; and for ours the growth to 5,000 jobs."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

from bench.control_plane import audit, nodes
from bench.control_plane.figures import curve, spread
from bench.control_plane.loads import CUT_OFF_SECONDS
from bench.control_plane.settings import Settings
from bench.control_plane.stage import LOAD, NOISY, Stage, prepared, say
from bench.control_plane.subjects import OURS
from bench.control_plane.subjects.base import Subject
from bench.control_plane.timeline import PODS, Job

SINGLE = 3
PATIENCE = 300.0
SETTLE_SECONDS = 12.0
"""After the last job is done, until all that there is to tidy up has been: it counts too."""
NEIGHBOUR_RATE = 2.0
"""Jobs a second of a namespace that has a noisy neighbour."""
RESTART_SIGNALS = signal.SIGTERM, signal.SIGKILL

Found = dict[str, Any]


async def measure(settings: Settings, kind: type[Subject]) -> Found:
    """All figures of one subject."""
    say(f"{kind.title}: bringing up a control plane")
    async with prepared(settings, kind) as stage:
        found: Found = {"title": kind.title, "versions": kind.versions(), "client_limits": kind.limits}
        found["single"] = await single(stage)
        await stage.warm_up()
        ours = kind.name == OURS
        if ours:
            found["growth"] = [await probe(stage)]
        times = settings.bursts if ours else settings.peer_bursts
        found["bursts"] = [await burst(stage, number) for number in range(times)]
        found["burst"] = middle(found["bursts"])
        found["steady"] = await steady(
            stage, settings.steady_seconds if ours else settings.peer_steady_seconds
        )
        found["memory"] = stage.subject.memory()
        if ours:
            found["neighbour"] = await neighbour(stage)
            await grow(stage, found["growth"])
            found["rest"] = await rest(stage)
            found["restarts"] = await restarts(stage)
        return found


async def single(stage: Stage) -> Found:
    """One job after the other, alone: what a job's life costs in requests where nothing is shared."""
    say("  single jobs")
    await stage.audit.skip()
    sent = await stage.load.one_by_one("single", LOAD, SINGLE, PATIENCE)
    await asyncio.sleep(SETTLE_SECONDS)
    jobs = stage.timeline.of(sent.names)
    found = {"requests": await stage.requests(SINGLE), **_times(jobs)}
    say(f"    {found['requests']['per_job']} requests a job: {found['requests']['by_request']}")
    return found


def middle(found: list[Found]) -> Found:
    """The burst that stands for all: the one in the middle by its jobs/s."""
    return sorted(found, key=lambda each: each["jobs_per_second"] or 0.0)[len(found) // 2]


async def burst(stage: Stage, number: int) -> Found:
    """All jobs at once: how fast their pods come, and when all are done and say so."""
    count = stage.settings.burst
    say(f"  burst of {count} jobs")
    await stage.quiet()
    meter = stage.meter()
    sent = await stage.load.burst(f"burst-{number}", LOAD, count)
    await stage.settle(sent, PATIENCE)
    memory = stage.subject.memory()
    jobs = stage.timeline.of(sent.names)
    with_pods = [job.has_pods for job in jobs]
    done = [job.done for job in jobs]
    await asyncio.sleep(SETTLE_SECONDS)
    costs = meter.read(count)
    taken = await stage.audit.take()
    made = audit.pods_made(taken, LOAD)
    # A watch reports the last pod some time after its creation: the busier the API server, the later.
    pods_seconds = round(made[-1] - sent.begin, 3) if len(made) == PODS * count else None
    found = {
        "jobs": count,
        "accepted_seconds": round(sent.end - sent.begin, 3),
        "pods_seconds": pods_seconds,
        "pods_seen_seconds": _last(with_pods, sent.begin),
        "jobs_per_second": None if pods_seconds is None else round(count / pods_seconds, 1),
        "bound_seconds": _last([max(job.bound.values(), default=None) for job in jobs], sent.begin),
        "pods_ended_seconds": _last([job.pods_ended for job in jobs], sent.begin),
        "all_done_seconds": _last(done, sent.begin),
        **_times(jobs),
        "costs": costs,
        "requests": stage.share(taken, count),
        "memory": memory,
        "curves": {
            "pods": curve(with_pods, sent.begin),
            "done": curve(done, sent.begin),
        },
    }
    say(
        f"    pods of {found['jobs_per_second']} jobs/s; all done after {found['all_done_seconds']} s; "
        f"CPU {costs['cpu_seconds']} s, {found['memory']['rss_mb']} MB; "
        f"others used {costs['machine']['foreign_percent_of_a_core']} % of a core"
    )
    return found


async def steady(stage: Stage, seconds: float) -> Found:
    """So many jobs a second for minutes."""
    rate = stage.settings.rate
    count = round(rate * seconds)
    say(f"  {rate:g} jobs/s for {seconds:.0f} s")
    await stage.quiet()
    meter = stage.meter()
    sent = await stage.load.stream("steady", LOAD, count, rate)
    await stage.settle(sent, CUT_OFF_SECONDS)
    costs = meter.read(count)
    jobs = stage.timeline.of(sent.names)
    found = {
        "jobs": count,
        "rate": rate,
        **_times(jobs),
        "costs": costs,
        "requests": await _after(stage, count),
        "create_to_pods": [job.create_to_pods and round(job.create_to_pods, 4) for job in jobs],
    }
    say(f"    create to pods {found['create_to_pods_seconds']}")
    say(f"    last pod done to status {found['end_to_done_seconds']}")
    return found


async def neighbour(stage: Stage) -> Found:
    """One namespace sends very many jobs at once; another's few jobs should not notice."""
    count = stage.settings.noisy
    say(f"  {count} jobs of one namespace at once, beside {NEIGHBOUR_RATE:g} jobs/s of another")
    await stage.quiet()
    meter = stage.meter()
    flood = asyncio.create_task(stage.load.burst("flood", NOISY, count))
    few: list[str] = []
    while not flood.done() or not all(job.has_pods for job in stage.timeline.of(flood.result().names)):
        sent = await stage.load.stream(f"neighbour-{len(few)}", LOAD, 1, NEIGHBOUR_RATE)
        few += sent.names
        await asyncio.sleep(1 / NEIGHBOUR_RATE)
        if len(few) > PATIENCE * NEIGHBOUR_RATE:
            break
    noisy = await flood
    costs = meter.read()
    await stage.settle(noisy, PATIENCE)
    await stage.timeline.until_done(few, PATIENCE)
    found: Found = {
        "noisy_jobs": count,
        "noisy": _times(stage.timeline.of(noisy.names)),
        "neighbour_jobs": len(few),
        "neighbour": _times(stage.timeline.of(few)),
        "costs": costs,
    }
    say(f"    noisy namespace, create to pods {found['noisy']['create_to_pods_seconds']}")
    say(f"    its neighbour, create to pods {found['neighbour']['create_to_pods_seconds']}")
    return found


async def probe(stage: Stage) -> Found:
    """The same small load at different numbers of existing jobs: what one more job costs."""
    count, rate, before = stage.settings.probe, stage.settings.probe_rate, stage.load.sent
    await stage.quiet()
    meter = stage.meter()
    sent = await stage.load.stream(f"probe-{before}", LOAD, count, rate)
    await stage.settle(sent, PATIENCE)
    await asyncio.sleep(SETTLE_SECONDS)
    costs = meter.read(count)
    found = {
        "jobs_before": before,
        "jobs": before + count,
        **_times(stage.timeline.of(sent.names)),
        "costs": costs,
        "requests": await stage.requests(count),
        "footprint": stage.footprint(),
    }
    say(
        f"  probe at {before} jobs: {found['requests']['per_job']} requests and "
        f"{costs['cpu_ms_per_job']} ms of CPU a job; {found['footprint']['subject']} MB"
    )
    return found


async def grow(stage: Stage, probes: list[Found]) -> None:
    """On to the full number of finished jobs, with a probe on the way and one at the end."""
    settings = stage.settings
    for goal in (stage.load.sent + settings.probe, settings.finished // 2, settings.finished):
        missing = goal - settings.probe - stage.load.sent
        if missing > 0:
            say(f"  {missing} jobs more, {settings.fill_rate:g} a second")
            sent = await stage.load.stream(f"fill-{goal}", LOAD, missing, settings.fill_rate)
            await stage.settle(sent, PATIENCE)
        probes.append(await probe(stage))


async def rest(stage: Stage) -> Found:
    """Running jobs beside the finished ones, and nothing happens: memory and idle CPU."""
    settings, finished = stage.settings, stage.load.sent
    say(f"  {settings.running} running jobs beside {finished} finished ones")
    sent = await stage.load.stream("endless", nodes.ENDLESS, settings.running, settings.fill_rate)
    jobs = stage.timeline.of(sent.names)
    await stage.timeline.until(
        lambda: all(job.runs is not None for job in stage.timeline.of(sent.names)), PATIENCE
    )
    await stage.quiet()
    say(f"  idle for {settings.idle_seconds:.0f} s")
    meter = stage.meter()
    await asyncio.sleep(settings.idle_seconds)
    costs = meter.read()
    found = {
        "finished_jobs": finished,
        "running_jobs": sum(job.runs is not None for job in jobs),
        "memory": stage.subject.memory(),
        "idle_cpu_percent": round(100 * costs["cpu_seconds"] / costs["seconds"], 2),
        "costs": costs,
        "requests": await stage.requests(1),
        "footprint": stage.footprint(),
        "object_bytes": await stage.object_bytes(sent.names[0]),
    }
    say(f"    {found['memory']} {found['idle_cpu_percent']} % of a core")
    return found


async def restarts(stage: Stage) -> list[Found]:
    """Stop or kill the operator, send a job, start it: how long until that job has its pods."""
    found = []
    for index in range(stage.settings.restarts):
        number = RESTART_SIGNALS[index % len(RESTART_SIGNALS)]
        stopping = time.monotonic()
        for process in stage.subject.processes:
            process.stop(number)
        stopped = time.monotonic() - stopping
        sent = await stage.load.burst(f"restart-{index}", LOAD, 1)
        await stage.audit.skip()
        begin = time.monotonic()
        stage.subject.start()
        ready = time.monotonic() - begin
        await stage.settle(sent, PATIENCE)
        job = stage.timeline.of(sent.names)[0]
        meter = stage.meter()
        await asyncio.sleep(SETTLE_SECONDS)
        restart = {
            "signal": number.name,
            "stop_seconds": round(stopped, 2),
            "ready_seconds": round(ready, 2),
            "first_reconcile_seconds": _last([min(job.pods.values(), default=None)], begin),
            "cpu_seconds": round(stage.subject.cpu_seconds(), 2),
            "memory": stage.subject.memory(),
            "requests": await stage.requests(1),
            "after": meter.read(),
        }
        say(
            f"  restart after {restart['signal']}: ready after {restart['ready_seconds']} s, "
            f"first reconcile after {restart['first_reconcile_seconds']} s"
        )
        found.append(restart)
    return found


async def _after(stage: Stage, count: int) -> Found:
    """Requests once everything about these jobs has been said."""
    await asyncio.sleep(SETTLE_SECONDS)
    return await stage.requests(count)


def _times(jobs: list[Job]) -> Found:
    return {
        "failed": sum(job.failed for job in jobs),
        "create_to_pods_seconds": spread(job.create_to_pods for job in jobs),
        "end_to_done_seconds": spread(job.end_to_done for job in jobs),
    }


def _last(moments: list[float | None], begin: float) -> float | None:
    """Seconds from ``begin`` to the last of them; None if one is missing."""
    known = [moment for moment in moments if moment is not None]
    return None if len(known) < len(moments) or not known else round(max(known) - begin, 3)
