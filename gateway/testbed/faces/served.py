"""What every protocol's face comes down to: a server or client that plays simulated things until cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Served:
    """One server, or one client of somebody else's, of simulated things."""

    where: str
    """For people: protocol, address and whom it speaks for."""
    run: Callable[[], Awaitable[None]]
    """Plays until cancelled; raises `OSError` where the address cannot be had."""
    listening: asyncio.Event
    """Set once it does its part."""
