"""Apply a manifest and follow its object until it is done, has failed, or takes too long."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelyard_demo import kubectl
from modelyard_demo.clock import Clock
from modelyard_demo.errors import DemoError
from modelyard_demo.kubectl import Manifest

STALLED_SECONDS = 20.0
"""An object that is stalled for this long needs a manual fix."""


class ObjectError(DemoError):
    """An object did not reach the expected state; ``explain`` prints what is known about it."""

    def __init__(self, sentence: str, resource: str, name: str, namespace: str) -> None:
        super().__init__(sentence)
        self.resource, self.name, self.namespace = resource, name, namespace


@dataclass(frozen=True)
class Journey:
    """One object from apply to its end."""

    clock: Clock
    resource: str
    name: str
    namespace: str
    limit: float
    """Seconds until the demo gives up on it."""

    def run(
        self,
        manifest: Path,
        *,
        until: str,
        describe: Callable[[Manifest], str],
        watch: Callable[[Manifest, float], None] = lambda _found, _seconds: None,
    ) -> tuple[Manifest, float]:
        """The object when its phase is ``until``, and the seconds that it took from apply.

        Args:
            manifest: File that kubectl applies.
            until: Phase that ends the journey.
            describe: One line about the object, printed when it changes.
            watch: Called with each state of the object, and the seconds since apply.

        Raises:
            ObjectError: it failed, or took too long.
            DemoError: the API server refuses it.
        """

        def apply() -> None:
            self.clock.say(kubectl.run("apply", "-n", self.namespace, "-f", str(manifest)).strip())

        return self.follow(apply, until=until, describe=describe, watch=watch)

    def follow(
        self,
        begin: Callable[[], None],
        *,
        until: str,
        describe: Callable[[Manifest], str],
        watch: Callable[[Manifest, float], None] = lambda _found, _seconds: None,
    ) -> tuple[Manifest, float]:
        """As ``run``, for an object that goes on when ``begin`` has been called: seconds count from there.

        Raises:
            ObjectError: it failed, or took too long.
        """
        started = time.monotonic()
        stalled_since: float | None = None
        begin()
        for found in kubectl.follow(self.resource, self.name, self.namespace, self.limit, STALLED_SECONDS):
            seconds = time.monotonic() - started
            watch(found, seconds)
            phase = current_phase(found)
            if phase:
                self.clock.say(describe(found))
            if phase == until:
                return found, seconds
            if phase in ("Failed", "Invalid"):
                raise self._error(f"{self._kind} {self.name} is {phase}: {message(found)}")
            if kubectl.condition(found, "Stalled").get("status") != "True":
                stalled_since = None
                continue
            stalled_since = seconds if stalled_since is None else stalled_since
            if seconds - stalled_since >= STALLED_SECONDS:
                raise self._error(f"{self._kind} {self.name} is stalled: {message(found)}")
        raise self._error(f"{self._kind} {self.name} is not {until} after {self.limit:.0f} s")

    @property
    def _kind(self) -> str:
        """As kubectl's users say it."""
        return self.resource.partition(".")[0].removesuffix("s")

    def _error(self, sentence: str) -> ObjectError:
        return ObjectError(sentence, self.resource, self.name, self.namespace)


def current_phase(found: Manifest) -> str:
    """The phase, if the status speaks of the spec as it is now."""
    status = found.get("status", {})
    if status.get("observedGeneration") != found["metadata"].get("generation"):
        return ""
    return str(status.get("phase", ""))


def message(found: Manifest) -> str:
    """What the object says about itself."""
    status = found.get("status", {})
    return str(status.get("message") or kubectl.condition(found, "Ready").get("message") or "it says nothing")


def explain(error: ObjectError) -> str:
    """Everything that helps to understand why an object did not get where it should."""
    place = ("-n", error.namespace)
    return "\n".join(
        [
            "Conditions:",
            _quiet(
                "get",
                error.resource,
                error.name,
                *place,
                "-o",
                r'jsonpath={range .status.conditions[*]}  {.type}={.status} {.reason}: {.message}{"\n"}{end}'
                r'{"  last log lines: "}{.status.failure.logTail}',
            ),
            "Pods:",
            _quiet("get", "pods", *place, "-l", f"modelyard.dev/name={error.name}"),
            "Events:",
            "\n".join(
                _quiet("get", "events", *place, "--sort-by=.metadata.creationTimestamp").splitlines()[-12:]
            ),
            "What to do: read the lines above; for more,",
            f"  kubectl describe {error.resource} {error.name} -n {error.namespace}",
            "  kubectl logs -n modelyard-system deployment/modelyard-operator",
            "then run `make demo` again: it begins with fresh objects.",
        ]
    )


def _quiet(*arguments: str) -> str:
    """What kubectl says, also where it fails: an explanation must not fail itself."""
    try:
        return kubectl.run(*arguments).rstrip() or "  none"
    except DemoError as error:
        return f"  {error}"
