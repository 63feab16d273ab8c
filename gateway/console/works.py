"""The network's schedule at the operator's desk: planned work, forced outages, and overrides that end by themselves."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.console.seat import Seat
from gateway.console.words import Act, Because, Id
from gateway.coordination.topology import Work, WorkKind
from gateway.exchange import CannotRecord
from gateway.works import RefusedWork
from grid_engine.results import NetworkState
from ieee2030_5.admin.api import Asked, Endpoint
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.admin.words import Word
from ieee2030_5.records import KeepError

Element = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
Elements = Annotated[list[Element], Field(max_length=1_000)]
Moment = Annotated[float, Field(ge=0, le=2**40, allow_inf_nan=False)]


class WorkIn(Act):
    """When the network is not as its model has it, and how."""

    kind: Literal["planned", "forced", "override"] = "planned"
    """An override goes before what the field reports; the others count for what it does not report, and for later."""
    start_s: Moment | None = None
    """Now where absent."""
    end_s: Moment
    opened: Elements = Field(default_factory=list)
    """Switches."""
    closed: Elements = Field(default_factory=list)
    out_of_service: Elements = Field(default_factory=list)
    """Lines, transformers, capacitors."""
    into_service: Elements = Field(default_factory=list)
    taps: dict[Element, Annotated[int, Field(ge=-1_000, le=1_000)]] = Field(default_factory=dict)
    because: Because


class WorkOut(Word):
    """A work that was taken."""

    id: str
    kind: str
    what: str
    start_s: float
    end_s: float
    going_on: bool
    because: str
    by: str


class WorkTaken(WorkOut):
    """The same, with what it does to resources."""

    cut_off: list[str]
    """Resources without supply while it lasts."""


class WorkList(Word):
    """All of them by start."""

    works: list[WorkOut]


def works(seat: Seat) -> WorkList:
    """What is going on, is to come, or ended lately."""
    at = seat.situation()
    found = sorted(at.book.topology.works.values(), key=lambda work: work.start_s)
    return WorkList(works=[_told(work, at.now_s) for work in found])


async def schedule(seat: Seat, work_id: str, what: WorkIn) -> WorkTaken:
    """Take a work, in place of an earlier one of its id."""
    now_s = seat.situation().now_s
    clash = {*what.opened} & {*what.closed} | {*what.out_of_service} & {*what.into_service}
    if clash:
        name = sorted(clash)[0]
        raise Refusal(400, f"{name} is to be both", "opened", "say of each element one thing")
    switched = dict.fromkeys(what.opened, False) | dict.fromkeys(what.closed, True)
    served = dict.fromkeys(what.out_of_service, False) | dict.fromkeys(what.into_service, True)
    start_s = now_s if what.start_s is None else what.start_s
    state = NetworkState(None, dict(what.taps), switched, served)
    work = Work(work_id, WorkKind(what.kind), start_s, what.end_s, state, what.because, what.by)
    try:
        accepted = await seat.works.schedule(work)
    except RefusedWork as error:
        remedy = "nothing was taken; `ampacity outage list ZONE` shows what is"
        raise Refusal(409, str(error), "work", remedy) from error
    except CannotRecord as error:
        raise KeepError(str(error)) from error
    return WorkTaken(**_told(accepted.work, now_s).model_dump(), cut_off=list(accepted.cut_off))


async def cancel(seat: Seat, work_id: str, what: Act) -> None:
    """Take a work back, or end it before its time."""
    try:
        await seat.works.cancel(work_id, what.by)
    except RefusedWork as error:
        raise unknown("work", work_id, "`ampacity outage list ZONE` shows all") from error
    except CannotRecord as error:
        raise KeepError(str(error)) from error


def _told(work: Work, now_s: float) -> WorkOut:
    return WorkOut(
        id=work.id,
        kind=work.kind.value,
        what=work.described,
        start_s=work.start_s,
        end_s=work.end_s,
        going_on=work.governs(now_s),
        because=work.reason,
        by=work.source,
    )


ENDPOINTS: tuple[Endpoint[Seat], ...] = (
    Endpoint("GET", "/works", "Planned work, outages and overrides", lambda s, _, __: works(s), gives=WorkList),
    Endpoint(
        "PUT",
        "/works/{work}",
        "Let the network differ from its model for a while",
        lambda s, a, b: schedule(s, _named(a), b),
        WorkIn,
        WorkTaken,
    ),
    Endpoint(
        "POST",
        "/works/{work}/cancel",
        "Take a work back, or end it before its time",
        lambda s, a, b: cancel(s, _named(a), b),
        Act,
        status=204,
    ),
)

NAMES = {"work": Id}


def _named(asked: Asked) -> str:
    return asked.names["work"]
