"""Forecasts at the operator's desk: issues of others, and which of them counts."""

from typing import Annotated

from pydantic import Field

from gateway.console.seat import Seat
from gateway.console.words import Act, Id
from gateway.console.works import Element, Moment
from gateway.coordination.forecasts import ForecastIssued
from gateway.exchange import CannotRecord
from gateway.forecast_desk import RefusedForecast
from grid_engine.forecasting.words import digest
from ieee2030_5.admin.api import Endpoint
from ieee2030_5.admin.refusal import Refusal
from ieee2030_5.admin.words import Word
from ieee2030_5.records import KeepError

Value = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
Series = Annotated[list[Value], Field(min_length=1, max_length=10_000)]


class ForecastIn(Act):
    """What a source expects."""

    source: Id
    issued_s: Moment
    start_s: Moment
    step_s: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)]
    values: Annotated[dict[Element, Series], Field(min_length=1, max_length=10_000)]
    """W injected by resource, W consumed by load of the network, or the factor `load`."""


class ForecastOut(Word):
    """An issue."""

    source: str
    issue: str
    issued_s: float
    start_s: float
    end_s: float
    targets: list[str]
    in_use: bool
    """Whether it is the newest of its source and not too old."""


class ForecastList(Word):
    """The newest of each source."""

    oldest_s: float
    """An issue older than this says nothing."""
    forecasts: list[ForecastOut]


def forecasts(seat: Seat) -> ForecastList:
    """What each source said last."""
    at = seat.situation()
    newest = at.book.topology.issues.newest.values()
    return ForecastList(oldest_s=at.zone.forecast_oldest_s, forecasts=[_told(seat, issue) for issue in newest])


async def take(seat: Seat, what: ForecastIn) -> ForecastOut:
    """Take an issue."""
    values = {target: tuple(series) for target, series in what.values.items()}
    name = digest(what.source, what.issued_s, what.start_s, what.step_s, sorted(values.items()))
    now_s = seat.situation().now_s
    issue = ForecastIssued(name, what.source, what.issued_s, what.start_s, what.step_s, values, now_s, what.by)
    try:
        await seat.forecasts.take(issue)
    except RefusedForecast as error:
        raise Refusal(409, str(error), "values", "nothing was taken; mend the issue and send it again") from error
    except CannotRecord as error:
        raise KeepError(str(error)) from error
    return _told(seat, issue)


def _told(seat: Seat, issue: ForecastIssued) -> ForecastOut:
    at = seat.situation()
    steps = max(map(len, issue.values.values()), default=0)
    return ForecastOut(
        source=issue.source,
        issue=issue.issue_id,
        issued_s=issue.issued_s,
        start_s=issue.start_s,
        end_s=issue.start_s + issue.step_s * steps,
        targets=list(issue.values),
        in_use=issue in at.book.topology.issues.valid(at.now_s, at.zone.forecast_oldest_s),
    )


ENDPOINTS: tuple[Endpoint[Seat], ...] = (
    Endpoint("GET", "/forecasts", "Forecasts of others", lambda s, _, __: forecasts(s), gives=ForecastList),
    Endpoint("POST", "/forecasts", "Issue a forecast", lambda s, _, b: take(s, b), ForecastIn, ForecastOut, 201),
)
