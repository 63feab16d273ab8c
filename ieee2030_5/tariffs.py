"""Pricing: what energy costs the devices of a group, interval by interval, as the operator says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ieee2030_5 import resources as r
from ieee2030_5.call import Absent, Call, Params
from ieee2030_5.events import Status
from ieee2030_5.grants import cancelled, is_live
from ieee2030_5.identity import short_id
from ieee2030_5.paging import paged
from ieee2030_5.settings import Edition
from ieee2030_5.tariff import Tariff
from ieee2030_5.utility import Utility, mrid

_ELECTRICITY = 0
"""ServiceCategoryKind."""
_ROLE = "0000"
"""RoleFlags: none of the roles of a mirrored meter."""
_ENERGY = r.ReadingType(flowDirection=1, powerOfTenMultiplier=0, uom=72)
"""What a price is for: Wh delivered to the customer."""


class PriceError(ValueError):
    """The operator's price cannot stand; the message says why."""


@dataclass(frozen=True, slots=True)
class Price:
    """What energy costs in an interval."""

    start_s: int
    duration_s: int
    blocks: Sequence[tuple[int, int]]
    """From how many Wh on, and the price per Wh before the tariff's power of ten; the first from 0."""
    tier: int = 0


def own_tariff(call: Call) -> Tariff:
    """The tariff named in the URI, if it applies to one of the client's devices."""
    if call.params["t"] not in call.principal.tariffs:
        raise Absent(call.path)
    return call.utility.tariffs[call.params["t"]]


def revision(call: Call) -> tuple[int, int]:
    """Of the tariff named in the URI, and of what shows in all documents."""
    return own_tariff(call).revision, call.utility.layout


def get_list(call: Call) -> r.TariffProfileList:
    """The tariffs of this client."""
    found = [call.utility.tariffs[slug] for slug in call.principal.tariffs]
    whole = r.TariffProfileList(href="/tp", subscribable=call.utility.notifies, pollRate=call.utility.poll_s("tp"))
    return paged(whole, [_profile(tariff) for tariff in found], call.page)


def get(call: Call) -> r.TariffProfile:
    """One tariff."""
    return _profile(own_tariff(call))


def _profile(tariff: Tariff) -> r.TariffProfile:
    return r.TariffProfile(
        href=tariff.href,
        mRID=tariff.mrid,
        description=tariff.description,
        version=tariff.version,
        currency=tariff.currency,
        pricePowerOfTenMultiplier=tariff.power_of_ten,
        primacy=tariff.primacy,
        RateComponentListLink=r.ListLink(href=f"{tariff.href}/rc", all=1),
        serviceCategoryKind=_ELECTRICITY,
    )


def components(call: Call) -> r.RateComponentList:
    """The one component of a tariff."""
    return paged(r.RateComponentList(href=call.path), [_component(call, own_tariff(call))], call.page)


def component(call: Call) -> r.RateComponent:
    """The price of energy."""
    return _component(call, own_tariff(call))


def _component(call: Call, tariff: Tariff) -> r.RateComponent:
    href, shown = f"{tariff.href}/rc/1", _shown(call, tariff)
    return r.RateComponent(
        href=href,
        mRID=tariff.component_mrid,
        description="Energy",
        ActiveTimeTariffIntervalListLink=r.ListLink(href=f"{href}/acttti", all=len(_active(shown))),
        ReadingTypeLink=r.Link(href=f"{href}/rt"),
        roleFlags=_ROLE,
        TimeTariffIntervalListLink=r.ListLink(href=f"{href}/tti", all=len(shown)),
    )


def reading_type(call: Call) -> r.ReadingType:
    """What the prices are for."""
    own_tariff(call)
    return replace(_ENERGY, href=call.path)


def intervals(call: Call) -> r.TimeTariffIntervalList:
    """All intervals that have not ended; in the 2023 edition also what has just ended."""
    whole = r.TimeTariffIntervalList(href=call.path, subscribable=call.utility.notifies)
    return paged(whole, _shown(call, own_tariff(call)), call.page)


def active_intervals(call: Call) -> r.TimeTariffIntervalList:
    """The interval in force."""
    whole = r.TimeTariffIntervalList(href=call.path, subscribable=call.utility.notifies)
    return paged(whole, _active(_shown(call, own_tariff(call))), call.page)


def interval(call: Call) -> r.TimeTariffInterval:
    """One interval."""
    for found in _shown(call, own_tariff(call)):
        if found.href == f"{own_tariff(call).href}/rc/1/tti/{call.params['i']}":
            return found
    raise Absent(call.path)


def _shown(call: Call, tariff: Tariff) -> list[r.TimeTariffInterval]:
    all_of_them = [*tariff.intervals.values()]
    if call.principal.edition is Edition.S2:
        return [replace(item, status=replace(item.status, potentiallySuperseded=True)) for item in all_of_them]
    return [item for item in all_of_them if item.status.currentStatus != Status.COMPLETED]


def _active(shown: Sequence[r.TimeTariffInterval]) -> list[r.TimeTariffInterval]:
    return [item for item in shown if item.status.currentStatus == Status.ACTIVE]


def blocks(call: Call) -> r.ConsumptionTariffIntervalList:
    """What energy costs in an interval, by how much has been consumed."""
    interval(call)
    held = own_tariff(call).prices.get(call.params["i"], {})
    return paged(r.ConsumptionTariffIntervalList(href=call.path), [*held.values()], call.page)


def block(call: Call) -> r.ConsumptionTariffInterval:
    """One block."""
    interval(call)
    found = own_tariff(call).prices.get(call.params["i"], {}).get(call.params["n"])
    if found is None:
        raise Absent(call.path)
    return found


def priced(utility: Utility, tariff: Tariff, price: Price, now: int) -> list[r.Resource]:
    """The blocks and the interval of a price, to be stored at their hrefs in this order.

    Raises:
        PriceError: it is over, meets a live interval of the tariff, or its blocks do not rise from 0.
    """
    end = price.start_s + price.duration_s
    if end <= now or price.duration_s <= 0:
        raise PriceError(f"the interval ends at {end}, which is over at {now}")
    for held in tariff.intervals.values():
        if is_live(held) and held.interval.start < end and price.start_s < held.interval.start + held.interval.duration:
            raise PriceError(f"interval {held.mRID} has a price for {held.interval.start} already; take it back first")
    starts = [start for start, _ in price.blocks]
    if not starts or starts[0] != 0 or starts != sorted(set(starts)):
        raise PriceError(f"the blocks have to rise from 0, not {starts}")
    name = short_id("tti", tariff.mrid, price.start_s, price.duration_s, now, len(tariff.intervals))
    href = f"{tariff.href}/rc/1/tti/{name}"
    made: list[r.Resource] = [
        r.ConsumptionTariffInterval(href=f"{href}/cti/{n}", consumptionBlock=n, price=cost, startValue=start)
        for n, (start, cost) in enumerate(price.blocks)
    ]
    status = r.EventStatus(currentStatus=Status.SCHEDULED, dateTime=now, potentiallySuperseded=False)
    made.append(
        r.TimeTariffInterval(
            href=href,
            mRID=mrid(utility.settings, "tti", tariff.mrid, name),
            version=0,
            creationTime=now,
            status=status,
            interval=r.DateTimeInterval(duration=price.duration_s, start=price.start_s),
            ConsumptionTariffIntervalListLink=r.ListLink(href=f"{href}/cti", all=len(price.blocks)),
            touTier=price.tier,
        )
    )
    return made


def keep(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold an interval; one that is there stays as it is."""
    tariff = utility.tariffs.get(params["t"])
    if tariff is not None and isinstance(document, r.TimeTariffInterval) and params["i"] not in tariff.intervals:
        tariff.intervals[params["i"]] = document
        utility.settle_tariff(tariff, at_s)


def drop(utility: Utility, params: Params, at_s: int) -> None:
    """Fold a cancellation: the interval stays listed to its end."""
    tariff = utility.tariffs.get(params["t"])
    if tariff is not None and params["i"] in tariff.intervals:
        tariff.intervals[params["i"]] = cancelled(tariff.intervals[params["i"]], at_s)
        utility.settle_tariff(tariff, at_s)


def keep_block(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold a block; it is stored before its interval, so nobody sees an interval without a price."""
    tariff = utility.tariffs.get(params["t"])
    if tariff is not None and isinstance(document, r.ConsumptionTariffInterval):
        tariff.prices.setdefault(params["i"], {})[params["n"]] = document


def new(utility: Utility, value: Mapping[str, Any], at_s: int) -> Tariff:
    """A tariff without prices, as the operator describes it; nobody sees it yet."""
    name = value["name"]
    return Tariff(
        slug=name,
        mrid=mrid(utility.settings, "tp", name, at_s),
        component_mrid=mrid(utility.settings, "rc", name, at_s),
        group=value["group"],
        primacy=value["primacy"],
        currency=value["currency"],
        power_of_ten=value["power_of_ten"],
        description=value["description"],
    )


def put(utility: Utility, name: str, tariff: Tariff | None) -> None:
    """Make a tariff, change what is said about one, or take it out."""
    known = utility.tariffs.get(name)
    if tariff is None:
        utility.tariffs.pop(name, None)
    elif known is None:
        utility.tariffs[name] = tariff
    else:
        known.group, known.primacy, known.currency = tariff.group, tariff.primacy, tariff.currency
        known.power_of_ten, known.description = tariff.power_of_ten, tariff.description
        known.version = (known.version + 1) % 65_536
        known.revision += 1
    utility.people += 1
    utility.layout += 1
