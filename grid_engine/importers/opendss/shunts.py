"""Capacitors and reactors of OpenDSS that stand at one bus, and what earths the neutrals of transformers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grid_engine.importers.opendss import columns
from grid_engine.importers.opendss.ids import Ids
from grid_engine.importers.opendss.layout import Layout
from grid_engine.importers.opendss.lines import is_series
from grid_engine.importers.opendss.record import Circuit, Place, Record
from grid_engine.model import ComplexArray, Shunts

_MICROFARADS = 1e-6
_SOLID_S = 1e6
"""What OpenDSS takes for a neutral that is earthed without impedance."""


@dataclass(frozen=True, slots=True, eq=False)
class _Bank:
    id: str
    record: Record
    places: tuple[Place, ...]
    admittance_s: ComplexArray
    """Between the places and earth."""
    in_service: bool


def shunts(circuit: Circuit, layout: Layout, ids: Ids) -> tuple[Shunts, tuple[Record, ...]]:
    """Every step of every bank, and the record that each comes from."""
    banks = [
        bank
        for record in circuit.of("capacitor", "reactor", "transformer")
        if layout.knows(record) and not is_series(record)
        for bank in _BANKS[record.kind](record, ids[record.kind, record.name], circuit.frequency_hz)
    ]
    k = max((len(bank.places) for bank in banks), default=3)
    table = Shunts(
        ids=tuple(bank.id for bank in banks),
        node=columns.nodes([layout.of(bank.places) for bank in banks], k),
        admittance_s=columns.squares([bank.admittance_s for bank in banks], k),
        in_service=columns.flags([bank.in_service for bank in banks]),
    )
    return table, tuple(bank.record for bank in banks)


def shunt_faults(circuit: Circuit) -> list[str]:
    """Banks of which nothing says what they would be when switched in."""
    return [
        f"{record.title}: it is given by cmatrix and off"
        for record in circuit.of("capacitor")
        if "cmatrix" in record.given and not record.admittance.any()
    ]


def _capacitor(record: Record, name: str, frequency_hz: float) -> Iterator[_Bank]:
    """One bank per step: `name` where there is but one, else name.step, counted from 1."""
    states = record.numbers("states")
    for step, state in enumerate(states):
        matrix = _step(record, step, 2j * np.pi * frequency_hz * _MICROFARADS)
        in_service = record.enabled and bool(state)
        yield _bank(record, name if len(states) == 1 else f"{name}.{step + 1}", matrix, in_service=in_service)


def _step(record: Record, step: int, per_microfarad: complex) -> ComplexArray:
    """Admittance over the conductors of all terminals; of a bank given by its matrix, as OpenDSS has it."""
    phases = record.phases
    if "cmatrix" in record.given:
        return record.admittance
    charging = record.numbers("cuf")[step] * per_microfarad
    loss = record.numbers("r")[step] + 1j * record.numbers("xl")[step]
    one = charging / (1 + loss * charging)
    if record.text("conn") == "wye":
        return _between(np.eye(phases) * one)
    conductors = len(record.places[0])
    legs = np.zeros((phases, conductors))
    legs[np.arange(phases), np.arange(phases)] = 1
    legs[np.arange(phases), (np.arange(phases) + 1) % conductors] = -1
    return np.asarray(legs.T @ legs * one)


def _between(own: ComplexArray) -> ComplexArray:
    """What stands conductor by conductor between two terminals."""
    return np.block([[own, -own], [-own, own]])


def _reactor(record: Record, name: str, _: float) -> Iterator[_Bank]:
    """As OpenDSS computed it; out of service there is nothing to take it from."""
    if record.enabled:
        yield _bank(record, name, record.admittance, in_service=True)


def _neutrals(record: Record, name: str, _: float) -> Iterator[_Bank]:
    """Star points that are earthed through an impedance."""
    for winding, places in enumerate(record.places):
        neutral = places[-1]
        resistance, reactance = record.numbers("rneut")[winding], record.numbers("xneut")[winding]
        if record.texts("conns")[winding] == "wye" and neutral[1] and resistance >= 0:
            through = complex(resistance, reactance)
            admittance = np.array([[1 / through if through else _SOLID_S]], dtype=np.complex128)
            yield _Bank(f"{name}.neutral{winding + 1}", record, (neutral,), admittance, record.enabled)


_BANKS = {"capacitor": _capacitor, "reactor": _reactor, "transformer": _neutrals}


def _bank(record: Record, name: str, admittance: ComplexArray, *, in_service: bool) -> _Bank:
    """Conductors at one place, or at earth, are brought together."""
    conductors = record.conductors
    places = tuple(dict.fromkeys(place for place in conductors if place[1]))
    to_place = np.array([[place == own for place in places] for own in conductors], dtype=np.float64)
    return _Bank(name, record, places, to_place.T @ admittance @ to_place, in_service)
