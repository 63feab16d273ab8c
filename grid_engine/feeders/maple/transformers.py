"""Transformers of the zone, from the station's to those of the customers, and the controllers of their taps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid_engine.feeders.maple import catalogue
from grid_engine.feeders.maple.plan import SPLIT, Plan, Service
from grid_engine.model import ABSENT, EARTH, Ratings, Regulators, Transformers
from grid_engine.modelling.tables import rated

At = Callable[[str, str], list[int]]
"""Nodes of a bus: id, and phases or `SPLIT`."""
Coil = tuple[int, int]

STEPS = 16
"""Either side of neutral."""
STEP_PCT = 0.625
_STATION_VA = 10e6
_STATION_REVERSE_W = 6e6
"""Allowed back into the subtransmission: 60 % of the transformer's rating."""
_REGULATOR_A = 200.0
_PHASE_V = catalogue.FEEDER_V / 3**0.5
_NOMINAL_V = 120.0

_CONTROLLERS = (
    # transformer, regulated bus, its phases, set point and whole bandwidth on the 120 V side, delay in s
    ("T1", "B1", "abc", 122.0, 2.5, 30.0),
    ("T2", "B2", "abc", 122.0, 2.5, 30.0),
    ("VR1A", "F1-08R", "a", 122.0, 2.0, 45.0),
    ("VR1B", "F1-08R", "b", 122.0, 2.0, 45.0),
    ("VR1C", "F1-08R", "c", 122.0, 2.0, 45.0),
)
TAP_AT_PEAK = 0
"""Where all of these controllers come to rest in the network as built."""


@dataclass(frozen=True, slots=True)
class Device:
    """One transformer while the table is made."""

    id: str
    coils: tuple[tuple[Coil, ...], ...]
    """By winding, then by phase."""
    rated_v: tuple[float, ...]
    """Across a coil of each winding."""
    rated_va: float
    windings: catalogue.Windings
    reverse_w: float = np.inf
    tap: int | None = None


def transformers(drawn: Plan, at: At) -> tuple[Device, ...]:
    """Every transformer: the station's, the regulators, the customers'."""
    return (*_station(at), *_regulators(at), *(_service(service, at) for service in drawn.services))


def bank(devices: Sequence[Device]) -> Transformers:
    """The table of them."""
    count = len(devices)
    node = np.full((count, 3, 3, 2), ABSENT, dtype=np.int64)
    volts, resistance, reactance = np.zeros((count, 3)), np.zeros((count, 3)), np.zeros((count, 3, 3))
    for n, device in enumerate(devices):
        w = len(device.coils)
        for winding, coils in enumerate(device.coils):
            node[n, winding, : len(coils)] = coils
        volts[n, :w] = device.rated_v
        resistance[n, :w] = np.array(device.windings.resistance_pct) / 100
        for (i, j), pct in zip(((0, 1), (0, 2), (1, 2)), device.windings.reactance_pct, strict=False):
            reactance[n, i, j] = reactance[n, j, i] = pct / 100
    tapped = np.array([device.tap is not None for device in devices])
    return Transformers(
        ids=tuple(device.id for device in devices),
        node=node,
        rated_v=volts,
        rated_va=np.array([device.rated_va for device in devices]),
        resistance_pu=resistance,
        reactance_pu=reactance,
        magnetising_pu=np.array([_core(device.windings) for device in devices]),
        float_va=np.zeros((count, 3, 2)),
        fixed_tap_pu=np.ones((count, 3)),
        tap_winding=np.where(tapped, 1, -1),
        tap=np.array([device.tap or 0 for device in devices], dtype=np.int64),
        tap_neutral=np.zeros(count, dtype=np.int64),
        tap_min=np.where(tapped, -STEPS, 0),
        tap_max=np.where(tapped, STEPS, 0),
        tap_step_pct=np.where(tapped, STEP_PCT, 0.0),
        in_service=np.ones(count, dtype=np.bool_),
        ratings=_ratings(devices),
    )


def regulators(devices: Sequence[Device], at: At) -> Regulators:
    """The controllers; each looks at its first phase and the earth."""
    ids, count = [device.id for device in devices], len(_CONTROLLERS)
    looks_at = [(at(bus, phases)[0], EARTH) for _, bus, phases, *_ in _CONTROLLERS]
    return Regulators(
        ids=tuple(f"{name}-CTRL" for name, *_ in _CONTROLLERS),
        transformer=np.array([ids.index(name) for name, *_ in _CONTROLLERS], dtype=np.int64),
        node=np.array(looks_at, dtype=np.int64),
        winding=np.ones(count, dtype=np.int64),
        set_v=np.array([row[3] for row in _CONTROLLERS]),
        band_v=np.array([row[4] for row in _CONTROLLERS]),
        pt_ratio=np.full(count, _PHASE_V / _NOMINAL_V),
        ct_primary_a=np.full(count, _REGULATOR_A),
        drop_v=np.zeros(count, dtype=np.complex128),
        delay_s=np.array([row[5] for row in _CONTROLLERS]),
        in_service=np.ones(count, dtype=np.bool_),
    )


def _station(at: At) -> list[Device]:
    """Delta on the supply, earthed wye on the feeders, which lag by 30°; taps on the feeders' side."""
    a, b, c = at("HV", "abc")
    delta = ((a, c), (b, a), (c, b))
    volts = (catalogue.SUPPLY_V, _PHASE_V)
    return [
        Device(
            name,
            (delta, tuple((node, EARTH) for node in at(bus, "abc"))),
            volts,
            _STATION_VA,
            catalogue.STATION,
            reverse_w=_STATION_REVERSE_W,
            tap=TAP_AT_PEAK,
        )
        for name, bus in (("T1", "B1"), ("T2", "B2"))
    ]


def _regulators(at: At) -> list[Device]:
    """A step regulator per phase, halfway along the longer feeder."""
    found = []
    for phase, source, load in zip("abc", at("F1-08", "abc"), at("F1-08R", "abc"), strict=True):
        name = f"VR1{phase.upper()}"
        coils = (((source, EARTH),), ((load, EARTH),))
        rated_va = _PHASE_V * _REGULATOR_A
        found.append(Device(name, coils, (_PHASE_V,) * 2, rated_va, catalogue.REGULATOR, tap=TAP_AT_PEAK))
    return found


def _service(service: Service, at: At) -> Device:
    primary = tuple((node, EARTH) for node in at(service.bus, service.phases))
    if len(service.phases) == 1:
        first, second = at(service.secondary, SPLIT)
        coils = (primary, ((first, EARTH),), ((EARTH, second),))
        volts = (catalogue.SERVICE_PRIMARY_V, catalogue.LEG_V, catalogue.LEG_V)
        return Device(service.id, coils, volts, service.rated_va, catalogue.SERVICE)
    secondary = tuple((node, EARTH) for node in at(service.secondary, "abc"))
    volts_ = (_PHASE_V, catalogue.SHOP_V / 3**0.5)
    return Device(service.id, (primary, secondary), volts_, service.rated_va, catalogue.SHOP)


def _core(windings: catalogue.Windings) -> complex:
    return complex(windings.iron_pct, -windings.magnetising_pct) / 100


def _ratings(devices: Sequence[Device]) -> Ratings:
    rated_va = np.array([device.rated_va for device in devices])
    return replace(
        rated(rated_va),
        emergency=rated_va * catalogue.TRANSFORMER_EMERGENCY,
        seasonal=np.tile(np.array(catalogue.TRANSFORMER_SEASONAL), (len(devices), 1)),
        reverse_power_w=np.array([device.reverse_w for device in devices]),
    )
