"""Run a coroutine in virtual time, on sockets that exist only inside its event loop."""

import asyncio
import warnings
from collections.abc import Coroutine
from typing import Any

import async_solipsism


def run(main: Coroutine[Any, Any, None]) -> None:
    with warnings.catch_warnings(), asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        warnings.filterwarnings("ignore", message="Ignoring socket option")
        runner.run(main)
