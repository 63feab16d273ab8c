"""Where everything stands: poles, line sections, service transformers and customers, drawn from a seed.

    GRID ─ HV ┬ T1 ─ B1 ─ SW-F1 ─ F1-01 … F1-08 ─ VR1A/B/C ─ F1-08R … F1-14 ┐
       44 kV  └ T2 ─ B2 ─ SW-F2 ─ F2-01 …………………………………………… F2-12 ─ SW-TIE ─ L-TIE  (open)

From most poles of these backbones a single-phase lateral or two go off, `F1-03A1`, `F1-03A2` and so on, with a
service transformer at each pole. Ids tell what a thing is: `L-` and the bus where a section ends, `TX-` and the
bus that a transformer hangs on, whose secondary ends in `S`. Nothing electrical is computed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import cos, pi, sin

import numpy as np

from grid_engine.feeders.maple.catalogue import (
    FEEDER_V,
    LEG_V,
    SERVICE_SIZES_VA,
    SHOP_SIZES_VA,
    SHOP_V,
    SUPPLY_V,
    size_for,
)

_SQRT_3 = 3**0.5
SPLIT = "s"
"""In place of phases: the two legs of a split-phase service."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A bus."""

    id: str
    phases: str
    """Some of `abc`, or `SPLIT`."""
    phase_v: float
    x_m: float
    """East of the station."""
    y_m: float
    """North of it."""


@dataclass(frozen=True, slots=True)
class Section:
    """A line between two poles, or the drop to a customer."""

    id: str
    start: str
    end: str
    phases: str
    construction: str
    """In `catalogue.CONSTRUCTIONS`."""
    length_m: float


@dataclass(frozen=True, slots=True)
class Service:
    """A transformer from the feeder to customers."""

    id: str
    bus: str
    secondary: str
    phases: str
    """One phase for a split-phase service, `abc` for a three-phase one."""
    rated_va: float


@dataclass(frozen=True, slots=True)
class Customer:
    """One meter: what it draws at the feeders' peak, and what stands behind it."""

    id: str
    bus: str
    kind: str
    """`house`, `farm`, `shop` or `store`; a store has three phases."""
    peak_w: float
    left_share: float
    """Of the load, on the first of two legs; the three phases of a store share evenly."""
    pv_w: float = 0.0
    battery_w: float = 0.0
    ev_w: float = 0.0


@dataclass(frozen=True, slots=True)
class Feeder:
    """What one of the two backbones is like."""

    name: str
    poles: int
    spacing_m: float
    north_m: float
    heavy_poles: int
    """Up to here the heavier conductor."""
    villages: tuple[int, ...]
    """Poles around which houses stand closer, and stores are."""
    regulated_after: int | None = None


FEEDERS = (
    Feeder("F1", 14, 1500.0, 900.0, 6, (3, 7), regulated_after=8),
    Feeder("F2", 12, 1500.0, -3900.0, 5, (2, 5)),
)
PRIVATE_SERVICES = (
    ("FARM1", "F1-05", 50e3),
    ("FARM2", "F1-09", 50e3),
    ("FARM3", "F1-12", 50e3),
    ("FARM4", "F2-04", 50e3),
    ("FARM5", "F2-08", 50e3),
    ("FARM6", "F2-10", 50e3),
    ("HUB", "F2-03", 750e3),
)
"""Transformers of resources that the zone controls: a farm's own at the end of a lateral, a charging hub's with
three phases. Of each, the pole of the backbone and the rating."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole zone before it is computed."""

    spots: tuple[Spot, ...]
    sections: tuple[Section, ...]
    services: tuple[Service, ...]
    customers: tuple[Customer, ...]


@dataclass(slots=True)
class _Draft:
    """The plan while it is drawn."""

    rng: np.random.Generator
    spots: list[Spot] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    load_w: dict[tuple[str, str], float] = field(default_factory=dict)
    """Peak by feeder and phase, for laterals to be spread by."""
    ends: dict[str, Spot] = field(default_factory=dict)
    """Last pole of the first lateral of each pole of the backbones."""

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def spot(self, name: str, phases: str, phase_v: float, x_m: float, y_m: float) -> Spot:
        self.spots.append(Spot(name, phases, phase_v, round(x_m, 1), round(y_m, 1)))
        return self.spots[-1]

    def section(self, start: Spot, end: Spot, construction: str) -> None:
        length_m = round(((end.x_m - start.x_m) ** 2 + (end.y_m - start.y_m) ** 2) ** 0.5, 1)
        self.sections.append(Section(f"L-{end.id}", start.id, end.id, end.phases, construction, length_m))

    def service(self, pole: Spot, name: str, phases: str, rated_va: float) -> Spot:
        """A transformer on `pole`, and its secondary."""
        split = len(phases) == 1
        volts = LEG_V if split else SHOP_V / _SQRT_3
        secondary = self.spot(f"{name}S", SPLIT if split else "abc", volts, pole.x_m + 3, pole.y_m + 2)
        self.services.append(Service(f"TX-{name}", pole.id, secondary.id, phases, rated_va))
        return secondary


def plan(seed: int) -> Plan:
    """The same plan for the same seed."""
    draft = _Draft(np.random.default_rng(seed))
    draft.spot("HV", "abc", SUPPLY_V / _SQRT_3, -40.0, 0.0)
    ends = [_feeder(draft, feeder) for feeder in FEEDERS]
    last, first = ends[1], ends[0]
    length_m = round(((first.x_m - last.x_m) ** 2 + (first.y_m - last.y_m) ** 2) ** 0.5, 1)
    draft.sections.append(Section("L-TIE", first.id, last.id, "abc", "rural", length_m))
    for name, pole, rated_va in PRIVATE_SERVICES:
        at = draft.ends[pole] if name.startswith("FARM") else _named(draft.spots, pole)
        draft.service(at, name, at.phases, rated_va)
    return Plan(tuple(draft.spots), tuple(draft.sections), tuple(draft.services), tuple(draft.customers))


def _named(spots: Sequence[Spot], name: str) -> Spot:
    return next(spot for spot in spots if spot.id == name)


def _feeder(draft: _Draft, feeder: Feeder) -> Spot:
    """Draw a backbone and all that hangs on it; its last pole."""
    phase_v = FEEDER_V / _SQRT_3
    before = draft.spot(f"B{feeder.name[1:]}", "abc", phase_v, 0.0, feeder.north_m / 30)
    for number in range(1, feeder.poles + 1):
        x_m = before.x_m + feeder.spacing_m * draft.uniform(0.75, 1.25)
        y_m = feeder.north_m + draft.uniform(-120, 120)
        pole = draft.spot(f"{feeder.name}-{number:02}", "abc", phase_v, x_m, y_m)
        draft.section(before, pole, "main" if number <= feeder.heavy_poles else "rural")
        if number in feeder.villages:
            _stores(draft, pole, 3)
        before = pole
        if number == feeder.regulated_after:
            before = draft.spot(f"{pole.id}R", "abc", phase_v, pole.x_m + 20, pole.y_m)
        if number > 1:
            _laterals(draft, feeder, pole, before, village=number in feeder.villages)
    return before


def _laterals(draft: _Draft, feeder: Feeder, pole: Spot, start: Spot, *, village: bool) -> None:
    """One or two laterals, each on the phase that has the least to carry so far."""
    count = 2 if village else 1 + int(draft.rng.random() < 0.45)
    for letter, side in zip("AB"[:count], (1, -1), strict=False):
        phase = min("abc", key=lambda p: draft.load_w.get((feeder.name, p), 0.0))
        last = _lateral(draft, f"{pole.id}{letter}", start, phase, side, village=village)
        draft.ends.setdefault(pole.id, last)
        drawn = sum(c.peak_w for c in draft.customers if c.bus.startswith(f"{pole.id}{letter}"))
        draft.load_w[feeder.name, phase] = draft.load_w.get((feeder.name, phase), 0.0) + drawn


def _lateral(draft: _Draft, name: str, start: Spot, phase: str, side: int, *, village: bool) -> Spot:
    before = start
    for number in range(1, int(draft.rng.integers(3, 7)) + 1):
        step_m = draft.uniform(90, 180) if village else draft.uniform(300, 700)
        x_m, y_m = start.x_m + draft.uniform(-60, 60), before.y_m + side * step_m
        pole = draft.spot(f"{name}{number}", phase, start.phase_v, x_m, y_m)
        draft.section(before, pole, "lateral")
        _households(draft, pole, int(draft.rng.integers(3, 7) if village else draft.rng.integers(1, 5)))
        before = pole
    return before


def _households(draft: _Draft, pole: Spot, count: int) -> None:
    """A service transformer and its customers, each behind a drop of its own."""
    members = [_household(draft, f"{pole.id}C{n}") for n in range(1, count + 1)]
    alone = 1.4 + 1.1 / count**0.5  # the fewer share a transformer, the less their peaks even out
    charging_w = max((c.ev_w for c in members), default=0.0) + 0.5 * sum(c.ev_w for c in members)
    exported_w = sum(c.pv_w + c.battery_w for c in members)
    rated_va = size_for(max(alone * sum(c.peak_w for c in members) + charging_w, 1.1 * exported_w), SERVICE_SIZES_VA)
    secondary = draft.service(pole, pole.id, pole.phases, rated_va)
    for customer in members:
        angle, length_m = draft.uniform(0, 2 * pi), draft.uniform(15, 45)
        x_m, y_m = secondary.x_m + length_m * cos(angle), secondary.y_m + length_m * sin(angle)
        heavy = max(2 * customer.peak_w + customer.ev_w, customer.pv_w) > 15e3
        draft.section(secondary, draft.spot(customer.bus, SPLIT, LEG_V, x_m, y_m), "heavy_drop" if heavy else "drop")
    draft.customers += members


_KINDS = (
    # kind, how many, peak in W, its spread, photovoltaics: how many, least, most, charging: how many
    ("house", 0.78, 2_400.0, 0.25, 0.30, 4_000.0, 10_000.0, 0.20),
    ("farm", 0.14, 6_500.0, 0.30, 0.35, 8_000.0, 10_000.0, 0.15),
    ("shop", 0.08, 7_000.0, 0.30, 0.20, 6_000.0, 15_000.0, 0.10),
)


def _household(draft: _Draft, name: str) -> Customer:
    rng = draft.rng
    kind, _, peak_w, spread, solar, least_w, most_w, charging = _KINDS[rng.choice(3, p=[k[1] for k in _KINDS])]
    pv_w = round(draft.uniform(least_w, most_w), -2) if rng.random() < solar else 0.0
    return Customer(
        id=name,
        bus=name,
        kind=kind,
        peak_w=round(peak_w * float(rng.lognormal(0.0, spread)), -1),
        left_share=round(draft.uniform(0.4, 0.6), 3),
        pv_w=pv_w,
        battery_w=5_000.0 if rng.random() < (0.35 if pv_w else 0.02) else 0.0,
        ev_w=7_200.0 if rng.random() < charging else 0.0,
    )


def _stores(draft: _Draft, pole: Spot, count: int) -> None:
    """Three-phase customers along the main street."""
    for n in range(1, count + 1):
        peak_w = round(float(draft.rng.uniform(50e3, 190e3)), -3)
        name = f"{pole.id}M{n}"
        secondary = draft.service(pole, name, "abc", size_for(1.3 * peak_w, SHOP_SIZES_VA))
        pv_w = round(0.4 * peak_w, -3) if draft.rng.random() < 0.4 else 0.0
        draft.customers.append(Customer(name, secondary.id, "store", peak_w, 0.5, pv_w=pv_w))
