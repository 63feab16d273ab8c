"""Has a running gateway read its network model again whenever somebody wants it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gateway.models import Adopts, Model, Verdict

TOLD = 10
"""Changes or faults of a network model that are told in one line of the log; how many there are is told too."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """How a running gateway comes to another network model."""

    wanted: asyncio.Event
    """Set by whoever wants the model to be read again."""
    read: Callable[[], Model | Verdict]
    """Reads it anew, or says why it cannot be; takes its time."""


async def renew(models: Adopts, renewal: Renewal) -> None:
    """Take over a new network model whenever one is wanted and valid, until cancelled."""
    log = structlog.get_logger()
    while True:
        await renewal.wanted.wait()
        renewal.wanted.clear()
        began = time.perf_counter()
        found = await asyncio.to_thread(renewal.read)
        verdict = found if isinstance(found, Verdict) else await models.adopt(found)
        took_ms = round(1e3 * (time.perf_counter() - began), 1)
        told = verdict.faults or verdict.changes
        which, count, detail = verdict.version, len(told), "; ".join(told[:TOLD])
        if verdict.faults:
            log.error("model.rejected", model_version=which, count=count, detail=detail)
        elif told:
            log.info("model.adopted", model_version=which, count=count, detail=detail, duration_ms=took_ms)
        else:
            log.info("model.unchanged", model_version=which)
