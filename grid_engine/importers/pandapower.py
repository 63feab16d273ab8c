"""Reads a network from a pandapower JSON file; element names become the ids.

Conventions are those of pandapower's documentation: voltages line to line in kV, loads positive when
consuming, `tap_side` naming the winding whose rated voltage the tap changes, sequence impedances per km.
Every bus gets phases a, b and c. What stands at a bus out of service is out of service too.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grid_engine.checks import faults
from grid_engine.model import (
    ABSENT,
    EARTH,
    BoolArray,
    Buses,
    ComplexArray,
    FloatArray,
    IntArray,
    Lines,
    Loads,
    Network,
    NetworkError,
    Nodes,
    SequenceTransformers,
    Shunts,
    Sources,
    Switches,
    SwitchKind,
)
from grid_engine.tables import empty_network, rated

if TYPE_CHECKING:
    from pandapower import pandapowerNet
    from pandas import DataFrame

_READ = ("bus", "line", "trafo", "shunt", "load", "asymmetric_load", "switch", "ext_grid")
_DERS = ("sgen", "asymmetric_sgen", "storage")
_REFUSED = (
    *("gen", "motor", "ward", "xward", "trafo3w", "impedance", "dcline"),
    *("tcsc", "svc", "ssc", "vsc", "b2b_vsc", "line_dc", "bus_dc", "load_dc", "source_dc"),
)
_ZERO_SEQUENCE = {
    "line": ("r0_ohm_per_km", "x0_ohm_per_km", "c0_nf_per_km"),
    "trafo": ("vector_group", "vk0_percent", "vkr0_percent", "mag0_percent", "mag0_rx", "si0_hv_partial"),
}
_SWITCH_KIND = {"l": SwitchKind.LINE, "t": SwitchKind.SEQUENCE_TRANSFORMER, "b": SwitchKind.BUS}
_SWITCHED = {"l": "line", "t": "trafo", "b": "bus"}
_VECTOR_GROUPS = ("ynyn", "dyn")
_TAP_CHANGERS = ("", "Ratio", "Symmetrical")
_TRAFO_EXTRAS = ("tap_step_degree", "tap_dependency_table", "tap2_pos", "tap_at_star_point", "xn_ohm", "rn_ohm")
"""Columns that must be zero or empty."""
_SOURCE_VOLTAGE_FACTOR = 1.1
"""What pandapower assumes when it turns short-circuit power into an impedance."""
_STIFFNESS = 2e9
"""Short-circuit power of an ideal source over the power that the network may draw: 5e-10 pu of voltage drop."""
_PHASES = np.arange(3)
_NEXT = (_PHASES + 1) % 3


def load(path: Path | str, version: str = "") -> Network:
    """The network in `path`; `version` defaults to a digest of the file.

    Raises:
        NetworkError: with every fault found, among them elements that this engine does not model.
    """
    import pandapower  # noqa: PLC0415 - takes three seconds and a hundred megabytes

    source = Path(path)
    content = source.read_bytes()
    net = pandapower.from_json_string(content.decode())
    return convert(net, version or hashlib.sha256(content).hexdigest()[:12], source.name)


def convert(net: pandapowerNet, version: str, source: str = "network") -> Network:
    """The same from a pandapower network in memory; `source` names it in the error."""
    refused = _refusals(net)
    if refused:
        raise NetworkError(source, refused)
    index = {table: {key: n for n, key in enumerate(net[table].index)} for table in _READ}
    buses = _buses(net)
    network = replace(
        empty_network(version, float(net.f_hz)),
        buses=buses,
        nodes=Nodes(bus=np.repeat(np.arange(len(buses.ids)), 3), terminal=np.tile(_PHASES, len(buses.ids))),
        lines=_lines(net, index["bus"]),
        sequence_transformers=_transformers(net, index["bus"]),
        shunts=_shunts(net, index["bus"]),
        loads=_loads(net, index["bus"]),
        switches=_switches(net, index),
        sources=_sources(net, index["bus"]),
    )
    found = faults(network)
    if found:
        raise NetworkError(source, tuple(str(fault) for fault in found))
    return network


def _refusals(net: pandapowerNet) -> tuple[str, ...]:
    found = [
        f"{table} {', '.join(_ids(net[table]))}: "
        + ("a DER belongs to the zone's devices" if table in _DERS else "not modelled")
        for table in (*_DERS, *_REFUSED)
        if table in net and len(net[table])
    ]
    for table in _READ:
        found += [f"{table} {name!r}: {n} of that name" for name, n in Counter(_ids(net[table])).items() if n > 1]
    found += [
        f"{table}: no column {column}, so no zero sequence"
        for table, columns in _ZERO_SEQUENCE.items()
        for column in columns
        if len(net[table]) and column not in net[table]
    ]
    if "vector_group" in net.trafo:
        odd = [str(g) for g in net.trafo.vector_group if str(g).lower() not in _VECTOR_GROUPS]
        found += [f"trafo: vector group {group} not modelled" for group in odd]
    return (*found, *_load_refusals(net), *_switch_refusals(net), *_tap_refusals(net))


def _load_refusals(net: pandapowerNet) -> list[str]:
    """Loads with a law of voltage where pandapower itself has none."""
    frame = net.asymmetric_load
    return [
        f"asymmetric_load {name}: {column} is not 0, only constant power is modelled"
        for column in frame.columns
        if column.startswith("const_")
        for name, share in zip(_ids(frame), frame[column], strict=True)
        if share
    ]


def _tap_refusals(net: pandapowerNet) -> list[str]:
    """Tap changers that turn the phase or follow a table, second ones, and star points behind an impedance."""
    frame = net.trafo
    odd = [f"tap changer {kind}" if kind not in _TAP_CHANGERS else "" for kind in _kinds(frame)]
    found = [f"trafo {name}: {what} not modelled" for name, what in zip(_ids(frame), odd, strict=True) if what]
    for column in _TRAFO_EXTRAS:
        rows = zip(_ids(frame), _column(frame, column, 0.0), strict=True)
        found += [f"trafo {name}: {column} {value:g} not modelled" for name, value in rows if value]
    return found


def _kinds(frame: DataFrame) -> list[str]:
    """Kind of tap changer per transformer; empty where there is none and a position has no effect."""
    if "tap_changer_type" not in frame:
        return ["Ratio"] * len(frame)
    return [kind if isinstance(kind, str) else "" for kind in frame["tap_changer_type"]]


def _switch_refusals(net: pandapowerNet) -> list[str]:
    rows = zip(_ids(net.switch), net.switch.et, _column(net.switch, "z_ohm", 0.0), strict=True)
    return [f"switch {name}: kind {kind} or impedance {z} not modelled" for name, kind, z in rows if kind == "t3" or z]


def _ids(frame: DataFrame) -> tuple[str, ...]:
    """Names, or table position where there is none."""
    return tuple(str(name) if name else f"#{key}" for key, name in zip(frame.index, frame["name"], strict=True))


def _column(frame: DataFrame, name: str, default: float | None = None) -> FloatArray:
    """One column as floats; the default also replaces missing entries."""
    if name not in frame:
        return np.full(len(frame), np.nan if default is None else default)
    values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return values if default is None else np.where(np.isnan(values), default, values)


def _whole(frame: DataFrame, name: str) -> IntArray:
    return _column(frame, name, 0.0).astype(np.int64)


def _flag(frame: DataFrame, name: str) -> BoolArray:
    return np.asarray(frame[name], dtype=np.bool_)


def _position(frame: DataFrame, name: str, index: dict[Any, int]) -> IntArray:
    return np.array([index.get(key, -1) for key in frame[name]], dtype=np.int64)


def _buses(net: pandapowerNet) -> Buses:
    frame = net.bus
    return Buses(
        ids=_ids(frame),
        phase_v=_column(frame, "vn_kv") * 1e3 / np.sqrt(3),
        voltage_min_pu=_column(frame, "min_vm_pu"),
        voltage_max_pu=_column(frame, "max_vm_pu"),
        position=np.array([_place(text) for text in frame.get("geo", [None] * len(frame))]).reshape(-1, 2),
    )


def _place(text: object) -> tuple[float, float]:
    """Coordinates of a GeoJSON point; not numbers where there are none."""
    try:
        x, y = json.loads(text)["coordinates"][:2] if isinstance(text, str) else (np.nan, np.nan)
        return float(x), float(y)
    except (KeyError, TypeError, ValueError):
        return np.nan, np.nan


def _live(net: pandapowerNet, frame: DataFrame, *ends: str) -> BoolArray:
    """In service, and so is the bus at every one of its `ends`."""
    alive = {key for key, up in net.bus.in_service.items() if up}
    dark = [np.array([key in net.bus.index and key not in alive for key in frame[end]], dtype=np.bool_) for end in ends]
    return np.asarray(_flag(frame, "in_service") & ~np.any(dark, axis=0))


def _nodes(bus: IntArray) -> IntArray:
    """Shape (n, 3): phases a, b and c of each bus; `ABSENT` of one that does not exist."""
    return np.where(bus[:, None] < 0, ABSENT, 3 * bus[:, None] + _PHASES)


def _lines(net: pandapowerNet, bus: dict[Any, int]) -> Lines:
    frame = net.line
    parallel = _column(frame, "parallel", 1.0)
    km = _column(frame, "length_km")
    omega = 2 * np.pi * float(net.f_hz)

    def impedance(suffix: str) -> ComplexArray:
        per_km = _column(frame, f"r{suffix}_ohm_per_km") + 1j * _column(frame, f"x{suffix}_ohm_per_km")
        return np.asarray(per_km * km / parallel, dtype=np.complex128)

    def shunt(suffix: str) -> ComplexArray:
        conductance = _column(frame, f"g{suffix}_us_per_km", 0.0) * 1e-6
        susceptance = omega * _column(frame, f"c{suffix}_nf_per_km") * 1e-9
        return np.asarray((conductance + 1j * susceptance) * km * parallel, dtype=np.complex128)

    return Lines(
        ids=_ids(frame),
        from_node=_nodes(_position(frame, "from_bus", bus)),
        to_node=_nodes(_position(frame, "to_bus", bus)),
        impedance_ohm=_from_sequences(impedance("0"), impedance("")),
        shunt_s=_from_sequences(shunt("0"), shunt("")),
        in_service=_live(net, frame, "from_bus", "to_bus"),
        ratings=rated(_column(frame, "max_i_ka") * 1e3 * _column(frame, "df", 1.0) * parallel),
    )


def _from_sequences(zero: ComplexArray, positive: ComplexArray) -> ComplexArray:
    """Phase matrices (n, 3, 3) of sequence values (n,) without coupling; the negative is as the positive."""
    mutual = (zero - positive) / 3
    return np.asarray(positive[:, None, None] * np.eye(3) + mutual[:, None, None])


def _transformers(net: pandapowerNet, bus: dict[Any, int]) -> SequenceTransformers:
    frame = net.trafo
    rated_mva = _column(frame, "sn_mva")
    iron_pu = _column(frame, "pfe_kw") / 1e3 / rated_mva
    idle_pu = _column(frame, "i0_percent") / 100
    reactive_pu = np.sqrt(np.maximum(idle_pu**2 - iron_pu**2, 0.0))
    magnetising_zero = _column(frame, "vk0_percent") / 100 * _column(frame, "mag0_percent") / 100
    slope = _column(frame, "mag0_rx")
    tap_side = frame["tap_side"] if "tap_side" in frame else np.array(["hv"] * len(frame))
    changes = np.array([bool(kind) for kind in _kinds(frame)], dtype=np.bool_)
    neutral = _whole(frame, "tap_neutral")
    rated_va = rated_mva * 1e6 * _column(frame, "parallel", 1.0)
    return SequenceTransformers(
        ids=_ids(frame),
        hv_node=_nodes(_position(frame, "hv_bus", bus)),
        lv_node=_nodes(_position(frame, "lv_bus", bus)),
        rated_va=rated_va,
        rated_hv_v=_column(frame, "vn_hv_kv") * 1e3,
        rated_lv_v=_column(frame, "vn_lv_kv") * 1e3,
        delta_hv=np.array([str(g).lower() == "dyn" for g in frame.get("vector_group", ())], dtype=np.bool_),
        shift_deg=_column(frame, "shift_degree", 0.0),
        impedance_pu=_short_circuit(_column(frame, "vk_percent"), _column(frame, "vkr_percent")),
        magnetising_pu=iron_pu - 1j * reactive_pu,
        impedance_zero_pu=_short_circuit(_column(frame, "vk0_percent"), _column(frame, "vkr0_percent")),
        magnetising_zero_pu=np.asarray(magnetising_zero * (slope + 1j) / np.sqrt(slope**2 + 1), dtype=np.complex128),
        zero_hv_share=_column(frame, "si0_hv_partial"),
        tap_on_hv=np.array([side != "lv" for side in tap_side], dtype=np.bool_),
        tap_neutral=neutral,
        tap_min=np.where(changes, _whole(frame, "tap_min"), neutral),
        tap_max=np.where(changes, _whole(frame, "tap_max"), neutral),
        tap=np.where(changes & ~np.isnan(_column(frame, "tap_pos")), _whole(frame, "tap_pos"), neutral),
        tap_step_pct=_column(frame, "tap_step_percent", 0.0),
        in_service=_live(net, frame, "hv_bus", "lv_bus"),
        ratings=rated(rated_va * _column(frame, "df", 1.0)),
    )


def _short_circuit(total_percent: FloatArray, real_percent: FloatArray) -> ComplexArray:
    reactance_percent = np.sqrt(np.maximum(total_percent**2 - real_percent**2, 0.0))
    return np.asarray((real_percent + 1j * reactance_percent) / 100, dtype=np.complex128)


def _shunts(net: pandapowerNet, bus: dict[Any, int]) -> Shunts:
    frame = net.shunt
    nominal = [float(net.bus.vn_kv.get(key, np.nan)) for key in frame["bus"]]
    kilovolts = np.where(np.isnan(_column(frame, "vn_kv")), nominal, _column(frame, "vn_kv"))
    power_mva = (_column(frame, "p_mw") - 1j * _column(frame, "q_mvar")) * _column(frame, "step", 1.0)
    return Shunts(
        ids=_ids(frame),
        node=_nodes(_position(frame, "bus", bus)),
        admittance_s=(power_mva / kilovolts**2)[:, None, None] * np.eye(3),
        in_service=_live(net, frame, "bus"),
    )


def _loads(net: pandapowerNet, bus: dict[Any, int]) -> Loads:
    frames = (net.load, net.asymmetric_load)
    at = np.concatenate([_position(frame, "bus", bus) for frame in frames])
    delta = np.array([kind == "delta" for frame in frames for kind in _types(frame)], dtype=np.bool_)
    phase_v = np.append(_column(net.bus, "vn_kv") * 1e3 / np.sqrt(3), np.nan)[at]
    n = len(at)
    return Loads(
        ids=(*_ids(net.load), *_ids(net.asymmetric_load)),
        node=_branches(_nodes(at), delta),
        power_va=np.concatenate([_powers(frame) for frame in frames]),
        nominal_v=phase_v * np.where(delta, np.sqrt(3), 1.0),
        zip_p=np.concatenate([_zip(frame, "p") for frame in frames]),
        zip_q=np.concatenate([_zip(frame, "q") for frame in frames]),
        exponent=np.full((n, 2), np.nan),
        band_pu=np.tile([0.0, np.inf], (n, 1)),
        edge_pu=np.full((n, 2, 2), np.nan),
        low_pu=np.zeros(n),
        in_service=np.concatenate([_live(net, frame, "bus") for frame in frames]),
    )


def _types(frame: DataFrame) -> list[object]:
    return list(frame["type"]) if "type" in frame else [None] * len(frame)


def _powers(frame: DataFrame) -> ComplexArray:
    """Shape (n, 3): what each phase, or each branch of a delta, consumes."""
    own = "p_a_mw" in frame
    parts = [(f"p_{x}_mw", f"q_{x}_mvar") for x in "abc"] if own else [("p_mw", "q_mvar")] * 3
    power = np.stack([_column(frame, p) + 1j * _column(frame, q) for p, q in parts], axis=1)
    scale = _column(frame, "scaling", 1.0) * 1e6 / (1 if own else 3)
    return np.asarray(power * scale[:, None], dtype=np.complex128)


def _zip(frame: DataFrame, power: str) -> FloatArray:
    """Shape (n, 3): parts of constant impedance, current and power."""
    impedance, current = (_column(frame, f"const_{law}_{power}_percent", 0.0) / 100 for law in "zi")
    return np.stack([impedance, current, 1 - impedance - current], axis=1)


def _branches(nodes: IntArray, delta: BoolArray) -> IntArray:
    """Shape (n, 3, 2): from each phase to earth, or from each phase to the next."""
    other = np.where(delta[:, None], nodes[:, _NEXT], np.where(nodes == ABSENT, ABSENT, EARTH))
    return np.stack([nodes, other], axis=2)


def _switches(net: pandapowerNet, index: dict[str, dict[Any, int]]) -> Switches:
    frame = net.switch
    rows = list(zip(frame.et, frame.element, strict=True))
    dark = {key for key, up in net.bus.in_service.items() if not up}
    cut = [kind == "b" and (bus in dark or key in dark) for (kind, key), bus in zip(rows, frame.bus, strict=True)]
    return Switches(
        ids=_ids(frame),
        kind=np.array([_SWITCH_KIND[kind] for kind in frame.et], dtype=np.int64),
        bus=_position(frame, "bus", index["bus"]),
        element=np.array([index[_SWITCHED[kind]].get(key, -1) for kind, key in rows], dtype=np.int64),
        closed=_flag(frame, "closed") & ~np.array(cut, dtype=np.bool_),
    )


def _sources(net: pandapowerNet, bus: dict[Any, int]) -> Sources:
    frame = net.ext_grid[_live(net, net.ext_grid, "bus")]
    at = _position(frame, "bus", bus)
    volts = np.append(_column(net.bus, "vn_kv") * 1e3, np.nan)[at]
    ideal = (_STIFFNESS * _drawn_va(net) / volts**2).astype(np.complex128)
    power_va, slope = _column(frame, "s_sc_max_mva") * 1e6, _column(frame, "rx_max")
    known = np.isfinite(power_va) & np.isfinite(slope)
    power_va, slope = np.where(known, power_va, 1.0), np.where(known, slope, 0.0)
    reactance = _SOURCE_VOLTAGE_FACTOR * volts**2 / power_va / np.sqrt(slope**2 + 1)
    zero = 1 / (reactance * _column(frame, "x0x_max", 1.0) * (_column(frame, "r0x0_max", 0.1) + 1j))
    negative = 1 / (reactance * (slope + 1j))
    return Sources(
        ids=_ids(frame),
        node=_nodes(at),
        voltage_pu=_column(frame, "vm_pu"),
        angle_deg=_column(frame, "va_degree", 0.0)[:, None] - 120.0 * _PHASES,
        admittance_s=_of_sequences(np.where(known, zero, ideal), ideal, np.where(known, negative, ideal)),
    )


def _of_sequences(zero: ComplexArray, positive: ComplexArray, negative: ComplexArray) -> ComplexArray:
    """Phase matrices (n, 3, 3) of three sequence values (n,); circulant, not symmetric."""
    turn = np.exp(2j * np.pi / 3)
    entry = [(zero + positive * turn**k + negative * turn ** (2 * k)) / 3 for k in range(3)]
    return np.stack([np.stack([entry[(j - i) % 3] for j in range(3)], axis=-1) for i in range(3)], axis=-2)


def _drawn_va(net: pandapowerNet) -> float:
    """More power than the network draws in ordinary operation: the larger of its loads and its transformers."""
    loads = sum(float(np.nansum(np.abs(_powers(frame)))) for frame in (net.load, net.asymmetric_load))
    return max(1e6, loads, float(np.nansum(_column(net.trafo, "sn_mva") * _column(net.trafo, "parallel", 1.0))) * 1e6)
