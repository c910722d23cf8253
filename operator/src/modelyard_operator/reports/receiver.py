"""POST /v1/reports: a worker says how far it is.

Only a pod of the object may report on it: its projected token names the pod, and a chain of controllers
leads from the pod to the object; what labels say counts for nothing. Everything is bounded: the body, each
field, the time, what is remembered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from aiohttp import web
from pydantic import ValidationError

from modelyard_algorithms.contract.report import Report
from modelyard_operator import metrics
from modelyard_operator.kube import resources
from modelyard_operator.kube.client import Client
from modelyard_operator.kube.errors import ApiError
from modelyard_operator.kube.queue import Key
from modelyard_operator.kube.store import Store
from modelyard_operator.plan import Ref, parse_time
from modelyard_operator.reports.board import Board
from modelyard_operator.reports.tokens import BusyError, PodIdentity, Tokens

LARGEST_BODY = 64 * 1024
BODY_SECONDS = 10.0
RETRY_SECONDS, OTHER_REPLICA_SECONDS = 5, 1
"""Of Retry-After. The Service has all replicas behind it: the next report may reach the leader at once."""
CLOCKS_DIFFER = timedelta(days=1)
"""A node's clock may be ahead of ours, but by no more."""


class Refusal(Exception):
    """A report that is not taken, with the HTTP status and one sentence."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        """``retry_after``: seconds after which the same report may be sent again; None: it is not welcome."""
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


class Receiver:
    """The HTTP side of the board."""

    def __init__(
        self,
        board: Board,
        client: Client,
        store: Store,
        leading: Callable[[], bool],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board, self._store = board, store
        self._tokens = Tokens(client, lambda pod: self._owner(pod) is not None, clock)
        self._leading, self._now = leading, now

    def application(self) -> web.Application:
        application = web.Application(client_max_size=LARGEST_BODY)
        application.router.add_post("/v1/reports", self.receive)
        return application

    async def receive(self, request: web.Request) -> web.Response:
        """Take one report in, or say in one sentence why not."""
        try:
            await self._take(request)
            response = web.json_response({"status": "ok"}, status=202)
        except Refusal as refusal:
            headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
            response = web.json_response({"error": str(refusal)}, status=refusal.status, headers=headers)
        metrics.REPORTS.labels(str(response.status)).inc()
        return response

    async def _take(self, request: web.Request) -> None:
        if not self._leading():
            raise Refusal(
                503, "another replica of the operator leads: try again", retry_after=OTHER_REPLICA_SECONDS
            )
        pod = await self._identify(request.headers.get("Authorization", ""))
        report = await _read(request)
        self._check(pod, report)
        report = report.model_copy(update={"time": self._believable(report.time)})
        self._board.post(Key(report.kind, report.namespace, report.name), report)

    async def _identify(self, header: str) -> PodIdentity:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal(401, "send the pod's projected token: Authorization: Bearer <token>")
        try:
            pod = await self._tokens.identify(token.strip())
        except BusyError as error:
            raise Refusal(429, str(error), retry_after=RETRY_SECONDS) from error
        except ApiError as error:
            self._board.availability.refused()
            raise Refusal(
                503, "the token cannot be checked now: try again", retry_after=RETRY_SECONDS
            ) from error
        if pod is None:
            raise Refusal(
                401, "the token is not a valid token of a pod that works for an object of Modelyard"
            )
        return pod

    def _check(self, pod: PodIdentity, report: Report) -> None:
        """The pod must be one of the object's own.

        Raises:
            Refusal: it is not.
        """
        owner = self._owner(pod)
        about = (report.kind, report.namespace, report.name, report.uid)
        if owner is None or (owner.kind, owner.namespace, owner.name, owner.uid) != about:
            raise Refusal(
                403,
                f"pod {pod.namespace}/{pod.name} does not work for {report.kind} "
                f"{report.namespace}/{report.name}",
            )

    def _owner(self, pod: PodIdentity) -> Ref | None:
        """The object of ours that a pod works for."""
        ref = Ref(resources.POD.api_version, resources.POD.kind, pod.namespace, pod.name, pod.uid)
        found = self._store.get(ref)
        return self._store.root(found) if found is not None and Ref.of(found) == ref else None

    def _believable(self, text: str) -> str:
        """The report's time in UTC, but none that has not come yet: it would win over all that follow.

        Raises:
            Refusal: no clock is that wrong.
        """
        moment, now = parse_time(text), self._now()
        if moment > now + CLOCKS_DIFFER:
            raise Refusal(400, "not a report: time: more than a day ahead of the operator's clock")
        earlier = min(moment, now).astimezone(UTC)
        return earlier.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _read(request: web.Request) -> Report:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except TimeoutError as error:
        raise Refusal(408, f"the report did not arrive within {BODY_SECONDS:.0f} s") from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise Refusal(400, "the report broke off") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise Refusal(413, f"a report has at most {LARGEST_BODY} bytes") from error
    try:
        return Report.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        where = ".".join(map(str, problems[0]["loc"])) or "the body"
        where = "".join(c if c.isprintable() else "?" for c in where)[:100]
        raise Refusal(400, f"not a report: {where}: {problems[0]['msg']}") from error
