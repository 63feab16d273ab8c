"""The operator's API as a part of a running gateway: it comes up beside the control, which goes on without it."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import structlog

from config.settings import ZoneFile
from gateway.accounting import Accounting
from gateway.console.endpoints import OPERATOR
from gateway.console.seat import Latest, Seat
from gateway.desk import Desk
from gateway.forecast_desk import ForecastDesk
from gateway.journal.entries import Entry, Kind
from gateway.journal.store import JournalReader
from gateway.model_desk import ModelDesk
from gateway.works import Works
from ieee2030_5.admin import token
from ieee2030_5.admin.server import Service
from ieee2030_5.settings import AdminSettings

URL_FILE: Final = "console.url"
"""In the storage directory while the gateway runs; the token lies beside it."""

Served = tuple[str, Callable[[], Coroutine[None, None, None]], Callable[[str, float], None]]


def served(zone: ZoneFile, books: Accounting, desk: Desk, works: Works, models: ModelDesk) -> list[Served]:
    """What to run, under which name, and who hears that it ended."""
    directory = Path(zone.storage.directory)
    protocols = {name: device.endpoint.protocol for name, device in zone.devices.items()}
    forecasts = ForecastDesk(works.ground, works.engine)
    seat = Seat(books.exchange, desk, works, models, forecasts, latest(directory / "journal.sqlite"), protocols, books)

    async def run() -> None:
        settings = AdminSettings(
            token=token.make(directory, os.environ),
            host=zone.listen.console_host,
            port=zone.listen.console_port,
            announce=directory / URL_FILE,
        )
        service = Service(OPERATOR, lambda: seat, settings, _acted)
        try:
            await service.start()
            await asyncio.Event().wait()
        finally:
            await service.stop()

    def failed(why: str, restart_s: float) -> None:
        structlog.get_logger().error("console.failed", detail=why, restart_s=restart_s)

    return [("console", run, failed)]


def latest(journal: Path) -> Latest:
    """Reads a journal in a thread of its own, on a connection of its own."""

    def read(kinds: Sequence[Kind], count: int) -> list[Entry]:
        with closing(JournalReader.open(journal)) as reader:
            return [entry for kind in kinds for entry in reader.latest(kind, count)]

    async def found(kinds: Sequence[Kind], count: int) -> list[Entry]:
        return await asyncio.to_thread(read, kinds, count)

    return found


def _acted(detail: str) -> None:
    structlog.get_logger().info("operator.acted", detail=detail)
