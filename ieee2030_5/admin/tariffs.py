"""Tariffs at the operator's desk: made for a group, priced interval by interval, and taken back."""

from ieee2030_5 import tariffs
from ieee2030_5.admin import tariff_words as w
from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.arrangements import Priced
from ieee2030_5.events import Status
from ieee2030_5.tariff import Tariff


def listed(desk: Desk) -> w.TariffList:
    """All tariffs."""
    return w.TariffList(tariffs=[_seen(desk.utility.tariffs[name]) for name in sorted(desk.utility.tariffs)])


def put(desk: Desk, name: str, what: w.TariffIn) -> w.TariffOut:
    """Make a tariff, or change what is said about it."""
    desk.group(what.group)
    desk.arrange(Priced(name, what.group, what.primacy, what.currency, what.power_of_ten, what.description))
    return _seen(_tariff(desk, name))


def remove(desk: Desk, name: str) -> None:
    """Take a tariff out with its prices."""
    _tariff(desk, name)
    desk.end(Priced, name)


def price(desk: Desk, name: str, what: w.PriceIn) -> w.TariffOut:
    """Give an interval a price."""
    tariff = _tariff(desk, name)
    blocks = tuple((block.from_wh, block.price) for block in what.blocks)
    try:
        made = tariffs.priced(
            desk.utility, tariff, tariffs.Price(what.start_s, what.duration_s, blocks, what.tier), desk.now
        )
    except tariffs.PriceError as error:
        raise Refusal(409, str(error), "price", "give an interval that is to come and has no price yet") from error
    for document in made:
        desk.tree.store(document.href or "", document, "", desk.now)
    return _seen(tariff)


def take_back(desk: Desk, name: str, slug: str) -> None:
    """Cancel the price of an interval; it stays listed as cancelled to its end."""
    tariff = _tariff(desk, name)
    if slug not in tariff.intervals:
        raise unknown("price", slug, "GET /v1/tariffs shows all")
    desk.tree.remove(tariff.intervals[slug].href or "", desk.now)


def _tariff(desk: Desk, name: str) -> Tariff:
    tariff = desk.utility.tariffs.get(name)
    if tariff is None:
        raise unknown("tariff", name, "GET /v1/tariffs shows all")
    return tariff


def _seen(tariff: Tariff) -> w.TariffOut:
    ordered = sorted(tariff.intervals, key=lambda slug: (tariff.intervals[slug].interval.start, slug))
    return w.TariffOut(
        name=tariff.slug,
        mrid=tariff.mrid,
        group=tariff.group,
        primacy=tariff.primacy,
        currency=tariff.currency,
        power_of_ten=tariff.power_of_ten,
        description=tariff.description,
        prices=[_price(tariff, slug) for slug in ordered],
    )


def _price(tariff: Tariff, slug: str) -> w.PriceOut:
    held = tariff.intervals[slug]
    return w.PriceOut(
        id=slug,
        mrid=held.mRID,
        status=Status(held.status.currentStatus).name.lower(),
        start_s=held.interval.start,
        duration_s=held.interval.duration,
        blocks=[w.Block(from_wh=block.startValue, price=block.price or 0) for block in tariff.prices[slug].values()],
        tier=held.touTier,
    )
