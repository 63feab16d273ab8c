"""The registers that the SunSpec façade shows of one DER, without I/O: measurements, ratings and what is in force.

A control reads back as what the gateway enforces, by the precedence that all decisions share. What is not heard of
the DER reads as not implemented, never as an old number.
"""

from collections.abc import Iterator
from math import ceil, hypot, log10
from typing import Final

from gateway.coordination.book import FINAL
from gateway.coordination.precedence import box, commanded
from gateway.coordination.situation import Situation
from gateway.northbound.sunspec_orders import LIMIT, POINTS, TARGET, Asked, leave_factory
from gateway.northbound.sunspec_words import ShownDer
from protocols.modbus.codec import OutOfRangeError, Rounding
from protocols.modbus.measure import MEASURED
from protocols.modbus.sunspec import BASES, ModelImage
from protocols.points import Phase, Quantity
from protocols.signals import Bounds, LinkState

NOT_HEARD: Final = (LinkState.INIT, LinkState.LOST)
RUNNING, THROTTLED = 3, 4
"""701.InvSt."""
MAX_W, FIXED_W = 1 << 0, 1 << 1
"""701.ThrotSrc and 702.CtrlModes: limited to a highest power, held at a set point."""
MANUFACTURER_ALARM: Final = 1 << 16
"""701.Alrm: see MnAlrmInfo."""
HEARTBEATS: Final = 1_000_000
"""The DER's heartbeat is the second of its newest measurement, and begins anew here."""
_AC_TYPES: Final = {"s1s2": 1, "abc": 2}
_FULL_SCALE: Final = 32_000
_MARGIN: Final = 1.25
"""Powers above the rating must still fit their register."""
_LOWEST_V: Final = 100.0
"""Current at the rating, at the lowest voltage that a DER is connected to, must still fit."""
_TEXT_MAX: Final = 64


def model_ids(der: ShownDer) -> tuple[int, ...]:
    """The models of a DER's map."""
    return (1, 701, 702, 703, 704, *(() if der.energy_wh is None else (713,)), 715)


def image_of(der: ShownDer) -> ModelImage:
    """The map of a DER with everything that does not change."""
    image = ModelImage(model_ids(der), BASES[0])
    for name, exponent in _factors(der).items():
        image.set(name, exponent)
    texts = {"Mn": "Ampacity", "Md": der.kind, "Opt": der.protocol, "Vr": "1", "SN": der.resource.id}
    for name, text in texts.items():
        image.set(f"1.{name}", text.encode()[:30].decode(errors="ignore"))
    for name, value in _ratings(der).items():
        image.set(name, value)
    leave_factory(image, der)
    return image


def show(image: ModelImage, der: ShownDer, asked: Asked, at: Situation) -> None:
    """Bring everything that changes up to date."""
    for name, value in (*_measured(der, at), *_in_force(der, asked, at)):
        try:
            image.set(name, value, Rounding.DOWN if name == "704.WMaxLimPct" else Rounding.NEAREST)
        except OutOfRangeError:
            image.set(name, None)  # a measurement beyond every rating is none


def _factors(der: ShownDer) -> dict[str, float]:
    rating = max(abs(der.p_max_w), abs(der.p_min_w), der.s_max_va or 0.0)
    power = _exponent(_MARGIN * rating, _FULL_SCALE)
    factors = {f"701.{name}": power for name in ("W_SF", "VA_SF", "Var_SF")}
    factors |= {"701.A_SF": _exponent(_MARGIN * rating / _LOWEST_V, _FULL_SCALE), "701.V_SF": 0, "701.Hz_SF": -3}
    factors |= {"702.W_SF": power, "702.VA_SF": power}
    factors |= {"704.WMaxLimPct_SF": -2, "704.WSet_SF": 0, "704.WSetPct_SF": -2}
    if der.energy_wh is not None:
        factors |= {"713.WH_SF": _exponent(der.energy_wh, 2 * _FULL_SCALE), "713.Pct_SF": -1}
    return {name: float(exponent) for name, exponent in factors.items()}


def _ratings(der: ShownDer) -> dict[str, float]:
    apparent = der.s_max_va or max(der.p_max_w, -der.p_min_w)
    values = {"701.ACType": float(_AC_TYPES.get(der.resource.phases, 0)), "715.LocRemCtl": 0.0}
    values |= {"702.WMaxRtg": der.p_max_w, "702.WMax": der.percent_of_w}
    values |= {"702.VAMaxRtg": apparent, "702.VAMax": apparent}
    if der.p_min_w < 0:
        values |= {"702.WChaRteMaxRtg": -der.p_min_w, "702.WChaRteMax": max(-der.resource.floor_w, 0.0)}
    modes = MAX_W | (FIXED_W if der.takes_target else 0)
    values["702.CtrlModes"] = float(modes if der.takes_limit else 0)
    if der.energy_wh is not None:
        values |= {"713.WHRtg": der.energy_wh}
    return {name: max(value, 0.0) for name, value in values.items()}


def _measured(der: ShownDer, at: Situation) -> Iterator[tuple[str, float | str | None]]:
    """Models 701 and 713, and the DER's heartbeat."""
    snapshot, name = at.snapshot, der.resource.id
    found: dict[str, float] = {}
    for point, how in MEASURED[701].items():
        reading = snapshot.reading(name, how.quantity, how.phase)
        if reading is not None:
            found[point] = reading.value
        yield f"701.{point}", found.get(point)
    if "VA" not in found and "W" in found and "Var" in found:
        yield "701.VA", hypot(found["W"], found["Var"])
    power = snapshot.reading(name, Quantity.ACTIVE_POWER_W)
    if power is not None:
        yield "715.DERHb", float(int(power.source_time_s) % HEARTBEATS)
    if der.energy_wh is not None:
        soc = snapshot.reading(name, Quantity.STATE_OF_CHARGE_PU, Phase.TOTAL)
        yield "713.SoC", None if soc is None else 100 * soc.value
        yield "713.WHAvail", None if soc is None else der.energy_wh * soc.value
    yield from _state(der, at, found.get("W"))


def _state(der: ShownDer, at: Situation, power_w: float | None) -> Iterator[tuple[str, float | str | None]]:
    """How the DER and its link stand; model 701."""
    bounds, target_w = _enforced(der, at)
    heard = at.snapshot.link(der.resource.id) not in NOT_HEARD
    at_limit = bounds.ceiling_w is not None and bounds.ceiling_w < der.percent_of_w
    throttled = at_limit and power_w is not None and power_w >= (bounds.ceiling_w or 0.0) - der.resource.verify_band_w
    yield "701.St", 1.0 if heard else None
    yield "701.ConnSt", 1.0 if heard else None
    yield "701.InvSt", (THROTTLED if throttled else RUNNING) if heard and power_w is not None else None
    yield "701.ThrotSrc", float(MAX_W * at_limit | FIXED_W * (target_w is not None))
    alarm = _alarm(der, at)
    yield "701.Alrm", float(MANUFACTURER_ALARM if alarm else 0)
    yield "701.MnAlrmInfo", alarm.encode()[:_TEXT_MAX].decode(errors="ignore")


def _alarm(der: ShownDer, at: Situation) -> str:
    """What is wrong, in words that fit: the link, or a control that the DER did not follow."""
    link = at.snapshot.links.get(der.resource.id)
    if link is None or link.state in NOT_HEARD:
        return "not heard" if link is None else f"link {link.state.value}"
    held = at.book.controls.get(der.resource.id)
    if held is None or held.outcome not in FINAL:
        return ""
    return f"{held.instruction.control_id} {held.outcome.value}"


def _in_force(der: ShownDer, asked: Asked, at: Situation) -> Iterator[tuple[str, float | None]]:
    """Models 703, 704 and 715: what masters wrote, with what is enforced in place of what they asked for."""
    orders, now_s = asked.orders, at.now_s
    for name in asked.writable:
        yield name, asked.get(name)
    bounds, target_w = _enforced(der, at)
    ceiling_w = bounds.ceiling_w
    if LIMIT not in orders.ends_s:
        yield "704.WMaxLimPctEna", float(ceiling_w is not None and ceiling_w < der.percent_of_w)
    if der.percent_of_w > 0:
        share = 1.0 if ceiling_w is None else min(max(ceiling_w / der.percent_of_w, 0.0), 1.0)
        yield "704.WMaxLimPct", 100 * share
    if target_w is not None and der.takes_target:
        yield "704.WSetEna", 1.0
        yield "704.WSet", target_w
        if der.percent_of_w > 0:
            yield "704.WSetPct", 100 * target_w / der.percent_of_w
    for what, name in ((LIMIT, "704.WMaxLimPctRvrtRem"), (TARGET, "704.WSetRvrtRem")):
        timed = what in orders.ends_s and POINTS[what][-1] in asked.writable and asked.get(POINTS[what][-1])
        if POINTS[what][0] in asked.writable:
            yield name, float(max(ceil(orders.ends_s[what] - now_s), 0)) if timed else 0.0


def _enforced(der: ShownDer, at: Situation) -> tuple[Bounds, float | None]:
    """The limit and the set point that the rules of control make of everything that holds now."""
    held = box(at, der.resource.id, at.now_s)
    bounds = Bounds() if held is None else held.bounds
    if held is None and (lapsed := at.book.lapsed(der.resource.id, at.now_s)) is not None:
        bounds = lapsed.bounds
    wanted = commanded(at, der.resource)
    return bounds, None if wanted is None else bounds.clamp(wanted.power_w)


def _exponent(largest: float, full_scale: int) -> int:
    """The finest scale factor of 0 or above at which `largest` fits."""
    return max(ceil(log10(largest / full_scale)), 0) if largest > 0 else 0
