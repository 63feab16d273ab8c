"""Needs at the operator's desk: what can be procured and what years to come will need, beside the needs of the day."""

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field

from gateway.console.seat import Seat
from gateway.console.words import Act, By, Id
from gateway.console.works import Element
from gateway.coordination.long_term import (
    Direction,
    LongTermNeed,
    NeedFault,
    NeedsImported,
    ServiceDefinition,
    faults,
)
from gateway.coordination.market import Service
from gateway.coordination.trade_records import NeedRecord
from grid_engine.forecasting.words import digest
from ieee2030_5.admin.api import Endpoint
from ieee2030_5.admin.words import Share, Watts, Word
from ieee2030_5.records import KeepError

Price = Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]
Span = Annotated[float, Field(ge=0, le=366 * 86_400, allow_inf_nan=False)]
Day = Annotated[float, Field(ge=0, le=2**37, allow_inf_nan=False)]
"""Unix seconds within the years that calendars count."""
Hours = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class ServiceWord(Word):
    """A service that can be procured."""

    id: Id
    kind: Service
    direction: Direction = Direction.BOTH
    """`up` is more injection or less consumption."""
    response_s: Span = 0.0
    notice_s: Span = 900.0
    min_duration_s: Span = 0.0
    payment: Literal["pay_as_bid", "uniform"] = "pay_as_bid"
    availability_per_mwh: Price = 0.0
    utilisation_per_mwh: Price = 0.0
    penalty_per_mwh: Price = 0.0
    grace_pct: Share = 0.0
    stackable: bool = False
    baseline: By = "zero"


class LongTermNeedWord(Word):
    """Power that the network will lack at a place."""

    id: Id
    service: Id
    """Defined beside it, or a program of the zone file."""
    place: Element
    """Bus, line, transformer or switch of the network, resource, or interface to the transmission grid."""
    power_w: Watts
    """Positive for more injection."""
    start_s: Day
    end_s: Day
    hours: Hours
    """Of use that are expected from start to end."""
    price_cap_per_mwh: Price | None = None
    horizon: Literal["long_term"] = "long_term"


class NeedsIn(Act):
    """All that is known of years to come, in place of what was imported before."""

    services: Annotated[list[ServiceWord], Field(max_length=500)]
    needs: Annotated[list[LongTermNeedWord], Field(max_length=2_000)]


class FaultOfNeed(Word):
    """Why an import is not taken."""

    record: str
    """`service` or `need`."""
    id: str
    problem: str


class NeedsJudged(Word):
    """What became of an import: taken as a whole, or not at all."""

    taken: bool
    faults: list[FaultOfNeed]


class NeedOfDay(Word):
    """A need that the zone has found itself and posted."""

    id: str
    kind: str
    constraint: str
    required_w: float
    state: str
    start_s: float
    end_s: float
    closes_s: float


class NeedList(Word):
    """Both horizons."""

    imported_s: float | None
    by: str
    programs: list[str]
    """Of the zone file: what is bought under today."""
    services: list[ServiceWord]
    long_term: list[LongTermNeedWord]
    of_day: list[NeedOfDay]


def needs(seat: Seat) -> NeedList:
    """What is needed now and in years to come."""
    at = seat.situation()
    told, trade = at.book.topology.long_term, at.book.trade
    return NeedList(
        imported_s=None if told is None else told.at_s,
        by="" if told is None else told.by,
        programs=list(at.zone.market.programs),
        services=[] if told is None else [_service_told(one) for one in told.services],
        long_term=[] if told is None else [_need_told(one) for one in told.needs],
        of_day=[_of_day(record) for record in trade.needs.values() if record.need.end_s > at.now_s],
    )


async def take(seat: Seat, what: NeedsIn) -> NeedsJudged:
    """Take an import in place of the one before; not at all where something in it is wrong."""
    at, ground = seat.situation(), seat.exchange.ground
    services, wanted = tuple(map(_service, what.services)), tuple(map(_need, what.needs))
    told = NeedsImported(digest(services, wanted, at.now_s), services, wanted, at.now_s, what.by)
    found = list(faults(told, at.zone.market.programs, await _places(seat)))
    if found:
        return NeedsJudged(taken=False, faults=[_fault(one) for one in found])
    if not await ground.ledger.commit([told]):
        raise KeepError("the journal cannot be written; nothing was taken")
    ground.say.needs(told)
    return NeedsJudged(taken=True, faults=[])


async def _places(seat: Seat) -> frozenset[str]:
    zone = seat.situation().zone
    try:
        network = await seat.models.engine.places()
    except OSError as error:
        raise KeepError(f"{error}; nothing was taken") from error
    return network | {*zone.resources, *zone.market.nodes, *zone.around.interfaces}


def _service(told: ServiceWord) -> ServiceDefinition:
    members = told.model_dump(exclude={"payment"})
    return ServiceDefinition(**members, uniform_price=told.payment == "uniform")


def _service_told(service: ServiceDefinition) -> ServiceWord:
    members = asdict(service)
    uniform = members.pop("uniform_price")
    return ServiceWord(**members, payment="uniform" if uniform else "pay_as_bid")


def _need(told: LongTermNeedWord) -> LongTermNeed:
    return LongTermNeed(**told.model_dump(exclude={"horizon"}))


def _need_told(need: LongTermNeed) -> LongTermNeedWord:
    return LongTermNeedWord(**asdict(need))


def _fault(found: NeedFault) -> FaultOfNeed:
    return FaultOfNeed(record=found.record, id=found.id, problem=found.problem)


def _of_day(record: NeedRecord) -> NeedOfDay:
    need = record.need
    return NeedOfDay(
        id=need.need_id,
        kind=need.kind.value,
        constraint=need.constraint_id,
        required_w=need.required_w,
        state=record.state.value,
        start_s=need.start_s,
        end_s=need.end_s,
        closes_s=need.closes_s,
    )


ENDPOINTS: tuple[Endpoint[Seat], ...] = (
    Endpoint("GET", "/needs", "Needs of the day and of years to come", lambda s, _, __: needs(s), gives=NeedList),
    Endpoint(
        "PUT",
        "/needs",
        "Import what can be procured and what years to come will need, in place of the import before",
        lambda s, _, b: take(s, b),
        NeedsIn,
        NeedsJudged,
    ),
)
