"""A worker's report as status fields, with the words that ``kubectl get`` shows."""

from collections.abc import Mapping

from modelyard_algorithms.contract.report import Report
from modelyard_operator.api.dataset import DatasetProgress
from modelyard_operator.api.training_status import Progress

HEADLINES = (("validation/accuracy", "val acc"), ("train/accuracy", "acc"), ("loss", "loss"))


def training(report: Report) -> Progress:
    """status.progress of a TrainingJob."""
    return Progress(
        stage=report.stage,
        summary=_summary(report),
        headline=headline(report.metrics),
        time_left=duration(report.seconds_left) if report.seconds_left is not None else None,
        epoch=report.epoch,
        epochs=report.epochs,
        step=report.step,
        steps=report.steps,
        percent=_rounded(report.percent, 1),
        seconds_left=_rounded(report.seconds_left, 1),
        samples_per_second=_rounded(report.samples_per_second, 1),
        time=report.time,
    )


def metrics(found: Mapping[str, float]) -> dict[str, float]:
    """status.metrics: six digits say all that a person compares."""
    return {name: float(f"{value:.6g}") for name, value in found.items()}


def at_rest(progress: Progress) -> Progress:
    """status.progress without the time left: an estimate is of use only while something moves."""
    return progress.changed(Progress(time_left=None, seconds_left=None))


def dataset(report: Report) -> DatasetProgress:
    """status.progress of a Dataset."""
    left = f", {duration(report.seconds_left)} left" if report.seconds_left is not None else ""
    percent = f" {report.percent:.0f} %" if report.percent is not None else ""
    return DatasetProgress(
        summary=f"{report.stage}{percent}{left}",
        stage=report.stage,
        percent=_rounded(report.percent, 1),
        seconds_left=_rounded(report.seconds_left, 1),
    )


def headline(metrics: dict[str, float]) -> str | None:
    """The metric that matters most of those that there are."""
    for name, words in HEADLINES:
        if name in metrics:
            return f"{words} {metrics[name]:.4g}"
    return None


def duration(seconds: float) -> str:
    """12s, 2m10s, 3h05m."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def _summary(report: Report) -> str:
    percent = f", {report.percent:.0f} %" if report.percent is not None else ""
    if report.epoch is None or report.epochs is None:
        return f"{report.stage}{percent}"
    return f"epoch {report.epoch}/{report.epochs}{percent}"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
