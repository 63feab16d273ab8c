"""Where one zone's operator sits: what he looks at, and the ways through which he acts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.accounting import Accounting
from gateway.coordination.situation import Situation
from gateway.desk import Desk
from gateway.exchange import Exchange
from gateway.forecast_desk import ForecastDesk
from gateway.journal.entries import Entry, Kind
from gateway.model_desk import ModelDesk
from gateway.snapshot import Snapshot
from gateway.works import Works

Latest = Callable[[Sequence[Kind], int], Awaitable[Sequence[Entry]]]
"""The last entries of each of some kinds in the journal."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One zone."""

    exchange: Exchange
    desk: Desk
    works: Works
    models: ModelDesk
    forecasts: ForecastDesk
    latest: Latest
    protocols: Mapping[str, str] = field(default_factory=dict)
    """What each resource speaks."""
    accounting: Accounting | None = None
    """Nothing where a zone settles without imported meter data."""

    def situation(self) -> Situation:
        """Everything that is known and agreed now."""
        return self.exchange.ground.situation()

    def snapshot(self) -> Snapshot:
        """What is measured now."""
        return self.situation().snapshot
