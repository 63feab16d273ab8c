"""What a check can ask for beside plain numbers: violations, needs, choices, events, and the words they use."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from config.faults import listed, suggestion
from config.section import Identifier, Megawatt, Percent, Section
from gateway.coordination.lifecycle import NeedState
from gateway.coordination.market_messages import NeedKind
from gateway.coordination.wire import TYPES
from gateway.logs.catalogue import EVENTS
from grid_engine.results import Reason

Moment = Annotated[float, Field(ge=-7 * 86_400, le=7 * 86_400, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Span = tuple[Megawatt | None, Megawatt | None]
"""Lowest and highest power, MW; null for a side that is not looked at."""


def _code(code: str) -> str:
    if code not in TYPES:
        raise ValueError(f"{code!r} is no message; {suggestion(code, TYPES, f'use one of: {listed(TYPES, most=60)}')}")
    return code


def _event(event: str) -> str:
    names = [one.name for one in EVENTS]
    if event not in names:
        raise ValueError(f"{event!r} is no event of the log; {suggestion(event, names, 'see docs/log-events.md')}")
    return event


Code = Annotated[str, AfterValidator(_code), Field(json_schema_extra={"enum": sorted(TYPES)})]
"""Of the message catalogue."""
LogEvent = Annotated[str, AfterValidator(_event), Field(json_schema_extra={"enum": sorted(e.name for e in EVENTS)})]
"""Of the log, as in docs/log-events.md."""


class MessageCheck(Section):
    """Messages between parties."""

    code: Code
    sender: Identifier | None = None
    recipient: Identifier | None = None
    resource: str | None = None
    count: Annotated[int, Field(ge=0)] | None = None
    """Exactly so many; at least one where absent."""
    by_s: Moment | None = None
    """The first of them is there by then."""
    after_s: Moment | None = None
    """Only those from then on are looked at."""
    fields: dict[str, Any] = Field(default_factory=dict)
    """Of the newest, as on the wire; numbers within `tolerance`, times as ISO 8601 or as `T+300`."""
    tolerance: Tolerance = 0.01


class ViolationCheck(Section):
    """What the newest study found broken at the powers that everybody asks for, alarms included."""

    asset: Identifier
    """Line, transformer or bus."""
    reason: Reason | None = None
    case: str | None = None
    """`N-0`, or the contingency."""
    loading_pct: Number | None = None
    """Of its limit after de-rating."""
    value: Number | None = None
    """In the unit of the limit: A, VA, W, pu or %."""
    tolerance_pct: Tolerance = 0.5
    tolerance: Tolerance = 0.002
    """Of `value`."""


class NeedCheck(Section):
    """A need that was posted."""

    asset: Identifier
    """Line, transformer or bus that it is for, or the node of a total DSO."""
    kind: NeedKind | None = None
    required_mw: Megawatt | None = None
    """Of whoever helps most."""
    alone_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """What each of these would have to do alone."""
    state: NeedState | None = None
    tolerance_mw: Tolerance = 0.01


class SelectionCheck(Section):
    """Who was chosen for a need, or how a dispatch was shared out, last."""

    asset: Identifier | None = None
    """Of the need; the newest choice of all where absent."""
    offers: tuple[str, ...] | None = None
    """Ids of what was taken, in any order."""
    count: Annotated[int, Field(ge=0)] | None = None
    """Of what was taken."""
    delivered_mw: Megawatt | None = None
    short_mw: Megawatt | None = None
    cost_per_h: Number | None = None
    certainty_pct: Percent | None = None
    """With which what was taken covers the need."""
    tolerance_mw: Tolerance = 0.01
    tolerance_money: Tolerance = 0.01
    tolerance_pct: Tolerance = 0.05


class EventCheck(Section):
    """A line of the gateway's log."""

    name: LogEvent
    count: Annotated[int, Field(ge=0)] | None = None
    """Exactly so many; at least one where absent."""
    fields: dict[str, Any] = Field(default_factory=dict)
    """Of any one of them; numbers within `tolerance`."""
    tolerance: Tolerance = 0.01
