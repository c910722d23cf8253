"""A request's way: read and decode in a thread, run in a batch, answer in the request's form.

Knows no web framework; KServe's paths and the server's own both lead here.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from modelyard_algorithms.inference.predictor import Array, BadItemError, Outputs, Predictor
from modelyard_algorithms.serving import forms
from modelyard_algorithms.serving.batcher import Batcher, FullError, Limits
from modelyard_algorithms.serving.errors import RequestError
from modelyard_algorithms.serving.request import Form, Query, Request, Response

RUN_SECONDS = 60.0
"""A batch's worth of a request's samples has its outputs within this time, or the request is refused."""
RETRY_SECONDS = 1


@dataclass(frozen=True)
class Work:
    """A request that is read."""

    form: Form
    query: Query
    samples: list[Array]


class Pipeline:
    """Answers requests with one predictor."""

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        """
        Args:
            predictor: Its decoder and engine run in threads, as many of each as there are workers.
            limits: Of the batches.
        """
        self._predictor = predictor
        self._batcher = Batcher(predictor.engine, limits)
        self._readers = ThreadPoolExecutor(limits.workers, thread_name_prefix="read")

    async def read(self, request: Request) -> Work:
        """Parse and decode a request, in a thread: both take time for large ones.

        Raises:
            RequestError: 400.
        """
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, request)

    async def run(self, work: Work) -> list[Outputs]:
        """Outputs for each sample. Of a large request one batch at a time: others have their share.

        Raises:
            RequestError: 503, too many others wait.
        """
        outputs: list[Outputs] = []
        size = self._batcher.limits.batch
        try:
            for start in range(0, len(work.samples), size):
                deadline = asyncio.get_running_loop().time() + RUN_SECONDS
                outputs += await self._batcher.submit_all(work.samples[start : start + size], deadline)
        except FullError:
            raise RequestError(
                503,
                f"the server is busy: {self._batcher.limits.waiting} images wait already; try again, or "
                "raise spec.replicas",
                retry_after=RETRY_SECONDS,
            ) from None
        except TimeoutError:
            raise RequestError(
                503,
                f"the server is busy: it could not answer within {RUN_SECONDS:.0f} s; try again, or raise "
                "spec.replicas",
                retry_after=RETRY_SECONDS,
            ) from None
        return outputs

    def respond(self, work: Work, outputs: list[Outputs]) -> Response:
        """The response in the form of the request."""
        options = work.query.options
        return work.form.render([self._predictor.answer(each, 0, options) for each in outputs], work.query)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._batcher.close()
        self._readers.shutdown()

    def _read(self, request: Request) -> Work:
        form = forms.choose(request)
        query = form.parse(request)
        return Work(form, query, decode_all(self._predictor.decode, query))


def decode_all(decode: Callable[[bytes, str], Array], query: Query) -> list[Array]:
    """A sample for each item, in their order.

    Raises:
        RequestError: 400, with the number of the item where there are several.
    """
    samples = []
    for number, item in enumerate(query.items):
        try:
            samples.append(decode(item, query.media_type))
        except BadItemError as error:
            which = f"{error.noun} {number}" if len(query.items) > 1 else f"the {error.noun}"
            raise RequestError(400, f"{which} {error.problem}") from None
    return samples
