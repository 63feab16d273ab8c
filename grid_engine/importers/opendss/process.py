"""The only door to OpenDSS (dss-python): compiles a circuit in a context of its own, solves it and reads all of it."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from grid_engine.importers.opendss.record import Bus, Circuit, Place, Record, holds_voltage
from grid_engine.model import BoolArray, ComplexArray, IntArray, NetworkError

if TYPE_CHECKING:
    from dss.IBus import IBus
    from dss.IDSS import IDSS

ELEMENTS = (
    "vsource",
    "line",
    "reactor",
    "capacitor",
    "transformer",
    "autotrans",
    "load",
    "generator",
    "pvsystem",
    "storage",
)
CONTROLLERS = (
    "regcontrol",
    "capcontrol",
    "swtcontrol",
    "fuse",
    "recloser",
    "relay",
    "invcontrol",
    "expcontrol",
    "espvlcontrol",
)
CONSUMERS = ("load", "generator", "pvsystem", "storage")
LIBRARY = ("xycurve",)
WITHOUT_EFFECT = ("monitor", "energymeter", "sensor", "gendispatcher", "storagecontroller")
"""Meters, and dispatchers whose orders the powers of the solution contain."""

_STATED, _FULL = 0, 1
"""Flags of its JSON: properties that the files state, and all of them."""
_NOT_A_NUMBER = re.compile(r"(?<=[:,\[])\s*[+-]?(?:nan|inf)\b", re.IGNORECASE)
_UNSETTLED = (485,)
"""Errors of a solve whose controllers want more rounds than the files allow."""
_TOLERANCES = (1e-10, 1e-8, 1e-6, 1e-4)
"""Of voltages, per unit; where parts of a circuit float, rounding stands in the way of the finer ones."""
_MOST_CONTROL_ROUNDS = 200


def read(path: Path, *, solve: bool) -> Circuit:
    """The circuit of a master file, solved as `solved` does it."""
    with solved(path, controllers=solve) as engine:
        return _circuit(engine, path.name)


@contextmanager
def solved(path: Path, *, controllers: bool) -> "Iterator[IDSS]":
    """An OpenDSS of our own with the circuit of a master file in it, solved as a snapshot.

    Args:
        path: The file; what it redirects to is found relative to it, the working directory stays. Reports that it
            writes are thrown away.
        controllers: Let them act until they are content; otherwise taps and capacitors stay as the files leave them.

    Raises:
        NetworkError: dss-python is not installed, OpenDSS refuses the file or what is asked of it, or it finds no
            solution.
    """
    try:
        from dss import DSS, DSSException  # noqa: PLC0415 - an extra, and ninety megabytes
    except ImportError as error:
        reason = "reading OpenDSS files needs dss-python, the extra 'opendss' of this project"
        raise NetworkError(path.name, (reason,)) from error
    engine = DSS.NewContext()
    engine.AllowForms = False
    engine.AllowEditor = False
    engine.AllowChangeDir = False
    try:
        with TemporaryDirectory() as reports:
            _compile(engine, path, reports)
            _solve(engine, path.name, controllers=controllers)
            yield engine
    except DSSException as error:
        raise NetworkError(path.name, (f"OpenDSS: {error}",)) from error


def place(name: str) -> Place:
    """Of bus.node."""
    bus, number = name.lower().rsplit(".", 1)
    return bus, int(number)


def _compile(engine: "IDSS", path: Path, reports: str) -> None:
    """What the files write goes to `reports`. A solve that they ask for may fail; the one that counts comes later."""
    from dss import DSSException  # noqa: PLC0415 - as above

    for stop_at_first_error in (True, False):
        engine.Error.EarlyAbort = stop_at_first_error
        engine.Text.Commands(f'clearall\nset datapath="{reports}"')
        try:
            engine.Text.Command = f'redirect "{path.resolve()}"'
            break
        except DSSException as error:
            if error.args[0] not in _UNSETTLED:
                raise
    engine.Error.EarlyAbort = True


def _solve(engine: "IDSS", source: str, *, controllers: bool) -> None:
    from dss import DSSException  # noqa: PLC0415 - as above

    if not engine.NumCircuits:
        raise NetworkError(source, ("no circuit in it",))
    if any(not bus.kVBase for bus in engine.ActiveCircuit.ActiveBus):
        engine.Text.Command = f"set voltagebases=[{' '.join(_voltage_bases(engine))}]"
        engine.Text.Command = "calcvoltagebases"
    solution = engine.ActiveCircuit.Solution
    engine.Text.Commands(
        f"set mode=snapshot\nset maxiterations=200\nset maxcontroliter={_MOST_CONTROL_ROUNDS}\n"
        f"set controlmode={'static' if controllers else 'off'}"
    )
    try:
        engine.Text.Command = "solve"
    except DSSException as error:
        if error.args[0] not in _UNSETTLED:
            raise
        reason = f"its controllers do not settle in {_MOST_CONTROL_ROUNDS} rounds; read it without solve"
        raise NetworkError(source, (reason,)) from error
    engine.Text.Command = "set controlmode=off"
    for tolerance in _TOLERANCES:
        engine.Text.Command = f"set tolerance={tolerance}"
        engine.Text.Command = "solve"
        if solution.Converged:
            return
    raise NetworkError(source, ("OpenDSS finds no solution",))


def _voltage_bases(engine: "IDSS") -> tuple[str, ...]:
    """Line-to-line kilovolts of everything that has a rating, for files that name no voltage bases."""
    found = {record["basekv"] * (1 if record["phases"] > 1 else np.sqrt(3)) for record in _values(engine, "vsource")}
    for record in _values(engine, "transformer"):
        for kv, connection in zip(record["kvs"], record["conns"], strict=True):
            to_earth = record["phases"] == 1 and connection.lower() == "wye"
            found.add(kv * (np.sqrt(3) if to_earth else 1))
    return tuple(f"{kv:.6g}" for kv in sorted(found))


def _circuit(engine: "IDSS", source: str) -> Circuit:
    active = engine.ActiveCircuit
    kinds = {name.split(".")[0].lower() for name in active.AllElementNames}
    foreign = sorted(kinds - {*ELEMENTS, *CONTROLLERS, *WITHOUT_EFFECT})
    faults = [
        f"{kind} {value['name']}: not modelled"
        for kind in foreign
        for value in _values(engine, kind)
        if value.get("enabled", True)
    ]
    if faults:
        raise NetworkError(source, tuple(faults))
    records = {kind: tuple(_element(engine, plain) for plain in _records(engine, kind)) for kind in ELEMENTS}
    records["generator"] = _balanced(records)
    records |= {kind: _records(engine, kind) for kind in CONTROLLERS + LIBRARY}
    volts = np.asarray(active.YNodeVarray).view(np.complex128)
    return Circuit(
        source=source,
        frequency_hz=float(active.Solution.Frequency),
        load_multiplier=float(active.Solution.LoadMult),
        buses=tuple(_bus(bus) for bus in active.ActiveBus),
        records=records,
        voltage={place(name): complex(v) for name, v in zip(active.YNodeOrder, volts, strict=True)},
    )


def _values(engine: "IDSS", kind: str, flags: int = _FULL) -> list[dict[str, Any]]:
    """Properties of all elements of a class. What was never set may be any bit pattern, so also not a number."""
    if not engine.SetActiveClass(kind) or not engine.ActiveClass.Count:
        return []
    found = json.loads(_NOT_A_NUMBER.sub("NaN", engine.ActiveClass.ToJSON(flags)))
    return [{key.lower(): value for key, value in values.items()} for values in found]


def _records(engine: "IDSS", kind: str) -> tuple[Record, ...]:
    """Elements of a class, yet without anything electrical."""
    nothing = np.empty(0, dtype=np.complex128)
    return tuple(
        Record(
            kind=kind,
            name=values["name"].lower(),
            values=values,
            given=frozenset(stated),
            enabled=bool(values.get("enabled", True)),
            phases=0,
            places=(),
            opened=np.zeros(0, dtype=np.bool_),
            admittance=nothing.reshape(0, 0),
            current=nothing,
        )
        for values, stated in zip(_values(engine, kind), _values(engine, kind, _STATED), strict=True)
    )


def _element(engine: "IDSS", plain: Record) -> Record:
    engine.ActiveCircuit.SetActiveElement(f"{plain.kind}.{plain.name}")
    element = engine.ActiveCircuit.ActiveCktElement
    n_conductor, phases = int(element.NumConductors), int(element.NumPhases)
    if not plain.enabled:
        stated = tuple(_stated(text, phases, n_conductor) for text in element.BusNames)
        return replace(plain, phases=phases, places=stated, opened=np.zeros(len(stated), dtype=np.bool_))
    numbers = np.array(element.NodeOrder, dtype=np.int64).reshape(-1, n_conductor)
    opened = np.array([[element.IsOpen(t + 1, p + 1) for p in range(phases)] for t in range(len(numbers))])
    terminals = [text.split(".")[0].lower() for text in element.BusNames]
    entries: ComplexArray = np.array(element.Yprim, dtype=np.float64).view(np.complex128)
    return replace(
        plain,
        phases=phases,
        places=_places(plain.name, terminals, numbers, opened),
        opened=np.all(opened, axis=1),
        admittance=entries.reshape(numbers.size, numbers.size, order="F"),
        current=np.array(element.Currents, dtype=np.float64).view(np.complex128),
    )


def _balanced(records: Mapping[str, tuple[Record, ...]]) -> tuple[Record, ...]:
    """Generators; those that hold voltage get the currents that balance their nodes.

    What OpenDSS reports of them is the next step of a search; what it solved with follows from all other currents.
    """
    rest: dict[Place, complex] = defaultdict(complex)
    for kind in records.values():
        for record in kind:
            if record.enabled:
                for place, current in zip(record.conductors, record.current, strict=True):
                    rest[place] += current
    return tuple(
        replace(record, current=record.current - np.array([rest[place] for place in record.conductors]))
        if record.enabled and holds_voltage(record)
        else record
        for record in records["generator"]
    )


def _places(name: str, terminals: list[str], numbers: IntArray, opened: BoolArray) -> tuple[tuple[Place, ...], ...]:
    """A single open phase hangs free at a bus of its own; a terminal that is open as a whole is left to a switch."""
    alone = np.zeros(numbers.shape, dtype=np.bool_)
    alone[:, : opened.shape[1]] = opened & ~opened.all(axis=1, keepdims=True)
    return tuple(
        tuple((f"{bus}.{name}" if free else bus, int(number)) for number, free in zip(row, lone, strict=True))
        for bus, row, lone in zip(terminals, numbers, alone, strict=True)
    )


def _stated(text: str, phases: int, n_conductor: int) -> tuple[Place, ...]:
    """What a bus specification says of an element out of service: nodes left out count up, neutrals are earth."""
    bus, *numbers = text.lower().split(".")
    usual = [*range(1, phases + 1), *[0] * n_conductor]
    said = [int(number) for number in numbers]
    return tuple((bus, number) for number in (said + usual[len(said) :])[:n_conductor])


def _bus(bus: "IBus") -> Bus:
    position = (float(bus.x), float(bus.y)) if bus.Coorddefined else (float("nan"), float("nan"))
    return Bus(bus.Name.lower(), float(bus.kVBase) * 1e3, position)
