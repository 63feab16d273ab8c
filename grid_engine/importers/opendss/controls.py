"""Regulators, capacitor controllers and switches of OpenDSS."""

from collections.abc import Mapping, Sequence

import numpy as np

from grid_engine.importers.opendss import columns
from grid_engine.importers.opendss.coils import windings
from grid_engine.importers.opendss.ids import Ids
from grid_engine.importers.opendss.layout import Layout
from grid_engine.importers.opendss.record import Circuit, Place, Record
from grid_engine.importers.opendss.transformers import TapChanger
from grid_engine.model import (
    CapacitorControlKind,
    CapacitorControls,
    FloatArray,
    Regulators,
    Switches,
    SwitchKind,
)

_SWITCHGEAR = ("swtcontrol", "fuse", "recloser", "relay")
_KINDS = {
    "voltage": CapacitorControlKind.VOLTAGE,
    "current": CapacitorControlKind.CURRENT,
    "kvar": CapacitorControlKind.REACTIVE_POWER,
}


def tap_changers(circuit: Circuit) -> Mapping[str, TapChanger]:
    """By transformer, what its regulator works on."""
    return {
        record.text("transformer"): TapChanger(int(record.number("tapwinding")) - 1, _phase(record, "ptphase"))
        for record in _live(circuit, "regcontrol")
    }


def control_faults(circuit: Circuit) -> list[str]:
    """Controllers that the model has no words for."""
    found = [
        f"{record.title}: {why}"
        for record in _live(circuit, "regcontrol", "capcontrol")
        for why in _ODD[record.kind](record, circuit)
    ]
    return [f"{fault}; without it, read with hold=True, its tap or state stays as solved" for fault in found]


def regulators(circuit: Circuit, layout: Layout, transformers: Sequence[Record]) -> Regulators:
    """All regulators of the transformers that were read."""
    position = {record.name: n for n, record in enumerate(transformers) if record.kind == "transformer"}
    records = [record for record in _live(circuit, "regcontrol") if record.text("transformer") in position]
    places = [_regulated(record, transformers[position[record.text("transformer")]]) for record in records]
    ratio = ["remoteptratio" if record.text("bus") else "ptratio" for record in records]
    return Regulators(
        ids=tuple(record.name for record in records),
        transformer=np.array([position[record.text("transformer")] for record in records], dtype=np.int64),
        node=np.array([layout.of(ends) for ends in places], dtype=np.int64).reshape(-1, 2),
        winding=np.array([record.number("winding") - 1 for record in records], dtype=np.int64),
        set_v=_column(records, "vreg"),
        band_v=_column(records, "band"),
        pt_ratio=np.array([record.number(key) for record, key in zip(records, ratio, strict=True)]),
        ct_primary_a=_column(records, "ctprim"),
        drop_v=_column(records, "r") + 1j * _column(records, "x"),
        delay_s=_column(records, "delay"),
        in_service=columns.flags([not _ODD[record.kind](record, circuit) for record in records]),
    )


def capacitor_controls(
    circuit: Circuit, layout: Layout, shunts: Sequence[Record], lines: Sequence[Record]
) -> CapacitorControls:
    """All controllers of the capacitors that were read."""
    bank = {record.name: n for n, record in enumerate(shunts) if record.kind == "capacitor"}
    line = {record.title: n for n, record in enumerate(lines)}
    monitored = {record.title: record for kind in circuit.records.values() for record in kind if record.places}
    records = [record for record in _live(circuit, "capcontrol") if record.text("capacitor") in bank]
    elements = [record.text("element").replace(".", " ", 1) for record in records]
    places = [_measured(record, monitored.get(name)) for record, name in zip(records, elements, strict=True)]
    kinds = np.array([_KINDS.get(record.text("type"), 0) for record in records], dtype=np.int64)
    unit = np.where(kinds == CapacitorControlKind.REACTIVE_POWER, 1e3, 1.0)
    override = np.array([record.flag("voltoverride") for record in records], dtype=np.bool_)
    return CapacitorControls(
        ids=tuple(record.name for record in records),
        shunt=np.array([bank[record.text("capacitor")] for record in records], dtype=np.int64),
        kind=kinds,
        node=np.array([layout.of(ends) for ends in places], dtype=np.int64).reshape(-1, 2),
        line=np.array([line.get(name, -1) for name in elements], dtype=np.int64),
        on_at=_column(records, "onsetting") * unit,
        off_at=_column(records, "offsetting") * unit,
        pt_ratio=_column(records, "ptratio"),
        ct_ratio=_column(records, "ctratio"),
        voltage_min_v=np.where(override, _column(records, "vmin"), -np.inf),
        voltage_max_v=np.where(override, _column(records, "vmax"), np.inf),
        delay_s=_column(records, "delay"),
        delay_off_s=_column(records, "delayoff"),
        dead_time_s=_column(records, "deadtime"),
        in_service=columns.flags([not _ODD[record.kind](record, circuit) for record in records]),
    )


def switches(
    circuit: Circuit, layout: Layout, lines: Sequence[Record], transformers: Sequence[Record], ids: Ids
) -> Switches:
    """Every terminal of a branch that is a switch, has one, or stands open.

    The id is that of the branch, with .2 behind it at its second terminal, and so on.
    """
    geared = {
        (record.text("switchedobj").replace(".", " ", 1), int(record.number("switchedterm")) - 1)
        for record in _live(circuit, *_SWITCHGEAR)
    }
    rows = [
        (_switch_id(ids[record.kind, record.name], terminal), kind, bus, n, not record.opened[terminal])
        for kind, records in ((SwitchKind.LINE, lines), (SwitchKind.TRANSFORMER, transformers))
        for n, record in enumerate(records)
        for terminal, places in enumerate(record.places)
        if record.opened[terminal] or (record.title, terminal) in geared or (terminal == 0 and _is_switch(record))
        for bus in sorted({layout.nodes.bus[node] for node in layout.of(places) if node >= 0})
    ]
    return Switches(
        ids=tuple(row[0] for row in rows),
        kind=np.array([row[1] for row in rows], dtype=np.int64),
        bus=np.array([row[2] for row in rows], dtype=np.int64),
        element=np.array([row[3] for row in rows], dtype=np.int64),
        closed=columns.flags([bool(row[4]) for row in rows]),
    )


def _live(circuit: Circuit, *kinds: str) -> list[Record]:
    return [record for record in circuit.of(*kinds) if record.enabled]


def _column(records: Sequence[Record], key: str) -> FloatArray:
    return np.array([record.number(key) for record in records], dtype=np.float64)


def _phase(record: Record, key: str) -> int:
    """Counted from 0; the first where it looks at several."""
    return int(record.text(key)) - 1 if record.text(key).isdigit() else 0


def _odd_regulator(record: Record, circuit: Circuit) -> list[str]:
    """What of a regulator's settings the model has no words for."""
    odd = [f"{key} is set" for key in ("reversible", "cogen", "inversetime") if record.flag(key)]
    odd += [f"{key} is set" for key in ("ldc_z", "vlimit") if record.number(key)]
    if not record.text("ptphase").isdigit():
        odd.append(f"it looks at the {record.text('ptphase')} of the phases")
    if sum(other.text("transformer") == record.text("transformer") for other in _live(circuit, "regcontrol")) > 1:
        odd.append("it is not the only one of its transformer")
    return odd


def _odd_capacitor_control(record: Record, circuit: Circuit) -> list[str]:
    kind, odd = record.text("type"), []
    if kind not in _KINDS:
        return [f"control by {kind}"]
    if not record.text("ptphase").isdigit() or not record.text("ctphase").isdigit():
        odd.append("it looks at more than one phase")
    if kind != "voltage" and (record.number("terminal") != 1 or not _is_branch(record.text("element"))):
        odd.append(f"it measures at terminal {record.number('terminal'):.0f} of {record.text('element')}")
    if kind == "voltage" and not record.text("element"):
        odd.append("no element is told to it")
    if record.text("vbus"):
        odd.append("vbus is set")
    banks = [bank for bank in circuit.of("capacitor") if bank.name == record.text("capacitor")]
    if any(len(bank.numbers("states")) > 1 for bank in banks):
        odd.append("its capacitor has several steps")
    return odd


_ODD = {"regcontrol": _odd_regulator, "capcontrol": _odd_capacitor_control}


def _is_branch(title: str) -> bool:
    return title.split(".", maxsplit=1)[0] in ("line", "reactor", "capacitor")


def _regulated(record: Record, transformer: Record) -> tuple[Place, Place]:
    """Where a regulator measures: across the coil of its phase, or between a phase of a remote bus and earth."""
    phase = _phase(record, "ptphase")
    if not record.text("bus"):
        return windings(transformer).coils[int(record.number("winding")) - 1][phase]
    bus, *numbers = record.text("bus").split(".")
    usual = list(range(1, transformer.phases + 1))
    said = [int(number) for number in numbers]
    return (bus, (said + usual[len(said) :])[phase]), (bus, 0)


def _measured(record: Record, element: Record | None) -> tuple[Place, Place]:
    """Where a capacitor's controller measures voltage: between a phase of the monitored terminal and earth."""
    if element is None:
        return ("", 0), ("", 0)
    place = element.places[int(record.number("terminal")) - 1][_phase(record, "ptphase")]
    return place, (place[0], 0)


def _is_switch(record: Record) -> bool:
    return record.kind == "line" and record.flag("switch")


def _switch_id(name: str, terminal: int) -> str:
    return name if terminal == 0 else f"{name}.{terminal + 1}"
