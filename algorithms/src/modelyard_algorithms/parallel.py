"""Doing the same thing to many items with a bounded number of threads and of items in flight."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_unordered(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Results as they come; at most twice ``threads`` items are in flight, so memory is bounded.

    Raises:
        Exception: the first error of ``function``; items not yet begun are dropped.
    """
    source = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        pending: set[Future[R]] = {pool.submit(function, item) for item in islice(source, 2 * threads)}
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                pending |= {pool.submit(function, item) for item in islice(source, len(done))}
                for future in done:
                    yield future.result()
        finally:
            for future in pending:
                future.cancel()
