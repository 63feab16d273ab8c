"""Lists: the query parameters `s`, `l` and `a`, and the order that the 2018 edition gives to each list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

from ieee2030_5 import resources as r

CAP = 255
"""Most items in one page; a larger `l` is capped silently."""

T = TypeVar("T")
L = TypeVar("L", bound=r.List | r.SubscribableList)


@dataclass(frozen=True, slots=True)
class Page:
    """What part of a list was asked for."""

    start: int = 0
    limit: int = 1
    """One, unless the client says otherwise."""
    after: int | None = None


class QueryError(ValueError):
    """A paging parameter is not a number in its range."""


def read_query(query: Mapping[str, str]) -> Page:
    """The page asked for; unknown parameters are ignored.

    Raises:
        QueryError: a parameter is not an integer, or negative where it must not be.
    """
    start, limit, after = (_integer(query, name) for name in ("s", "l", "a"))
    if (start is not None and start < 0) or (limit is not None and limit < 0):
        raise QueryError("s and l must not be negative")
    return Page(start or 0, 1 if limit is None else min(limit, CAP), after)


def page_of(query: str) -> Page | QueryError:
    """The page that the query of a URI asks for, or why it cannot be told."""
    return _remembered(query) if len(query) <= _LONGEST else _page_of(query)


def _page_of(query: str) -> Page | QueryError:
    try:
        return read_query(dict(parse_qsl(query, keep_blank_values=True)))
    except QueryError as error:
        return error


_LONGEST = 64
"""The three parameters in full length; longer queries are not remembered."""
_remembered = lru_cache(maxsize=4_096)(_page_of)


def _integer(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    digits = text[1:] if text.startswith("-") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise QueryError(f"{name}={text[:40]!r} is not an integer")
    return int(text)


def _mrid(item: Any) -> int:  # noqa: ANN401  (any identified object)
    return -int(item.mRID, 16)


def _event(item: r.Event) -> tuple[int, int, int]:
    return (item.interval.start, -item.creationTime, _mrid(item))


_ORDER: Mapping[type, tuple[Callable[[Any], Any], Callable[[Any], int] | None]] = {
    r.EndDeviceList: (lambda i: (-i.changedTime, i.sFDI, i.href), lambda i: int(i.changedTime)),
    r.FunctionSetAssignmentsList: (_mrid, None),
    r.DERProgramList: (lambda i: (i.primacy, _mrid(i)), None),
    r.DERControlList: (_event, lambda i: int(i.interval.start)),
    r.FlowReservationRequestList: (
        lambda i: (i.intervalRequested.start, -i.creationTime, _mrid(i)),
        lambda i: int(i.intervalRequested.start),
    ),
    r.FlowReservationResponseList: (_event, lambda i: int(i.interval.start)),
    r.TariffProfileList: (_mrid, None),
    r.RateComponentList: (_mrid, None),
    r.TimeTariffIntervalList: (_event, lambda i: int(i.interval.start)),
    r.ConsumptionTariffIntervalList: (lambda i: i.startValue, None),
    r.DERCurveList: (lambda i: (-i.creationTime, _mrid(i)), lambda i: int(i.creationTime)),
    r.DERList: (lambda i: i.href, None),
    r.SubscriptionList: (lambda i: i.href, None),
    r.ResponseSetList: (_mrid, None),
    r.ResponseList: (lambda i: (-(i.createdDateTime or 0), i.endDeviceLFDI, i.href), lambda i: i.createdDateTime or 0),
    r.LogEventList: (lambda i: (-i.createdDateTime, -i.logEventID, i.href), lambda i: int(i.createdDateTime)),
    r.MirrorUsagePointList: (lambda i: (_mrid(i), i.href), None),
    r.UsagePointList: (lambda i: (_mrid(i), i.href), None),
    r.MeterReadingList: (lambda i: (_mrid(i), i.href), None),
    r.ReadingSetList: (lambda i: (-i.timePeriod.start, _mrid(i)), lambda i: int(i.timePeriod.start)),
    r.ReadingList: (
        lambda i: (int(i.localID or "0", 16), i.consumptionBlock or 0, i.touTier or 0, len(i.href), i.href),
        None,
    ),
}
"""Sort key of each list, and its primary key where that is a time: `a` applies only there."""


def paged(whole: L, items: Sequence[Any], page: Page) -> L:
    """The page of a list: items in the order of the edition, `all` before and `results` after the selection.

    Args:
        whole: the list with its attributes, without items.
        items: everything this client may see, in any order.
        page: what it asked for; `a` first, then `s` and `l`.
    """
    order, time = _ORDER[type(whole)]
    return cut(whole, sorted(items, key=order), page, time, lambda item: item)


def cut(
    whole: L, ordered: Sequence[T], page: Page, time: Callable[[T], int] | None, document: Callable[[T], object]
) -> L:
    """The page of a long list whose order is known already: only what is on it is made into documents.

    Args:
        whole: the list with its attributes, without items.
        ordered: everything this client may see, in the order of the edition.
        page: what it asked for.
        time: the primary key of an item, where that is a time.
        document: makes an item what is listed.
    """
    chosen = ordered
    if page.after is not None and time is not None:
        chosen = [item for item in chosen if time(item) > page.after]
    items = tuple(document(item) for item in chosen[page.start : page.start + page.limit])
    filled: L = replace(cast("Any", whole), items=items, all=len(ordered), results=len(items))
    return filled
