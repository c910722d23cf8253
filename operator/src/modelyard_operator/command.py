"""The operator as a command: settings from the environment, logs, exit codes."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Coroutine, Mapping
from typing import Any

from pydantic import ValidationError

from modelyard_operator import logs
from modelyard_operator.kube import credentials
from modelyard_operator.kube.credentials import LoginError
from modelyard_operator.main import Operator
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.registry import CONTROLLERS
from modelyard_operator.settings import Settings

log = logging.getLogger("modelyard_operator")


async def operate(settings: Settings, controllers: Mapping[str, Controller]) -> None:
    """Run the operator until it is told to stop."""
    await Operator(settings, credentials.load(), controllers).run()


def main(controllers: Mapping[str, Controller] = CONTROLLERS) -> int:
    """The command; returns its exit code."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = "MODELYARD_" + "_".join(map(str, problem["loc"])).upper()
            sys.stderr.write(f"{name}: {problem['msg']}\n")
        return 64
    logs.set_up(settings.log_level, settings.log_format)
    # Parsed JSON is thousands of dicts without a cycle among them: looking for one that often is in vain.
    gc.set_threshold(50_000, 20, 20)
    # The parser takes 1,024 levels of nesting, and what walks through an object takes some frames for each.
    sys.setrecursionlimit(10_000)
    return _run(operate(settings, controllers))


def _run(work: Coroutine[Any, Any, None]) -> int:
    try:
        # Not uvloop: it keeps what is written until the end of a turn of the loop, and a process that is
        # frozen in between sends it when it wakes, long after the fence was asked.
        asyncio.run(work)
    except LoginError as error:
        log.critical("%s", error)
        return 77
    except Exception:
        log.critical("the operator has failed", exc_info=True)
        return 1
    log.info("stopped")
    return 0
