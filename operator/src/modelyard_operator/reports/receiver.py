"""POST /v1/reports: a worker says how far it is.

Only a pod that the operator made for the object may report on it: its projected token names the pod,
and the pod's labels name the object. Everything is bounded: the body, the time, what is remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web
from pydantic import ValidationError

from modelyard_algorithms.contract.report import Report
from modelyard_operator import metrics, naming
from modelyard_operator.kube import resources
from modelyard_operator.kube.errors import ApiError
from modelyard_operator.kube.queue import Key
from modelyard_operator.kube.store import Store
from modelyard_operator.plan import Ref
from modelyard_operator.reports.board import Board
from modelyard_operator.reports.tokens import BusyError, PodIdentity, Tokens

LARGEST_BODY = 64 * 1024
BODY_SECONDS = 10.0
MOST_METRICS = 100
RETRY_AFTER = "5"


class Refusal(Exception):
    """A report that is not taken, with the HTTP status and one sentence."""

    def __init__(self, status: int, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.status, self.retry = status, retry


class Receiver:
    """The HTTP side of the board."""

    def __init__(self, board: Board, tokens: Tokens, store: Store, leading: Callable[[], bool]) -> None:
        self._board, self._tokens, self._store, self._leading = board, tokens, store, leading

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
            headers = {"Retry-After": RETRY_AFTER} if refusal.retry else {}
            response = web.json_response({"error": str(refusal)}, status=refusal.status, headers=headers)
        metrics.REPORTS.labels(str(response.status)).inc()
        return response

    async def _take(self, request: web.Request) -> None:
        if not self._leading():
            raise Refusal(503, "another replica of the operator leads: try again", retry=True)
        pod = await self._identify(request.headers.get("Authorization", ""))
        report = await _read(request)
        self._check(pod, report)
        self._board.post(Key(report.kind, report.namespace, report.name), report)

    async def _identify(self, header: str) -> PodIdentity:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal(401, "send the pod's projected token: Authorization: Bearer <token>")
        try:
            pod = await self._tokens.identify(token.strip())
        except BusyError as error:
            raise Refusal(429, str(error), retry=True) from error
        except ApiError as error:
            raise Refusal(503, "the token cannot be checked now: try again", retry=True) from error
        if pod is None:
            raise Refusal(401, "the token is not a valid pod token for this audience")
        return pod

    def _check(self, pod: PodIdentity, report: Report) -> None:
        """The pod must be one of the object's own.

        Raises:
            Refusal: it is not.
        """
        found = self._store.get(Ref(resources.POD.api_version, resources.POD.kind, pod.namespace, pod.name))
        labels = (found or {}).get("metadata", {}).get("labels", {})
        expected = (report.kind, report.name, report.uid, report.namespace)
        actual = (
            labels.get(naming.KIND_LABEL),
            labels.get(naming.NAME_LABEL),
            labels.get(naming.UID_LABEL),
            pod.namespace,
        )
        if found is None or found["metadata"]["uid"] != pod.uid or actual != expected:
            raise Refusal(
                403,
                f"pod {pod.namespace}/{pod.name} does not work for {report.kind} "
                f"{report.namespace}/{report.name}",
            )


async def _read(request: web.Request) -> Report:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except TimeoutError as error:
        raise Refusal(408, f"the report did not arrive within {BODY_SECONDS:.0f} s") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise Refusal(413, f"a report has at most {LARGEST_BODY} bytes") from error
    try:
        report = Report.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        where = ".".join(map(str, problems[0]["loc"])) or "the body"
        raise Refusal(400, f"not a report: {where}: {problems[0]['msg']}") from error
    if len(report.metrics) > MOST_METRICS:
        raise Refusal(400, f"a report has at most {MOST_METRICS} metrics")
    return report
