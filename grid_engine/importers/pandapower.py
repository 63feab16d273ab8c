"""Reads a network from a pandapower JSON file; element names become the ids.

Conventions are those of pandapower's documentation: voltages line to line in kV, loads positive when
consuming, `tap_side` naming the winding whose rated voltage the tap changes, sequence impedances per km.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grid_engine.checks import faults
from grid_engine.elements import from_sequences
from grid_engine.model import (
    BoolArray,
    Buses,
    ComplexArray,
    FloatArray,
    IntArray,
    Lines,
    Loads,
    Network,
    NetworkError,
    Shunts,
    Source,
    Switches,
    SwitchKind,
    Transformers,
)

if TYPE_CHECKING:
    from pandapower import pandapowerNet
    from pandas import DataFrame

_READ = ("bus", "line", "trafo", "shunt", "load", "asymmetric_load", "switch", "ext_grid")
_REFUSED = (
    *("sgen", "asymmetric_sgen", "gen", "storage", "motor", "ward", "xward"),
    *("trafo3w", "impedance", "dcline", "tcsc", "svc", "ssc", "vsc", "line_dc", "bus_dc"),
)
_ZERO_SEQUENCE = {
    "line": ("r0_ohm_per_km", "x0_ohm_per_km", "c0_nf_per_km"),
    "trafo": ("vector_group", "vk0_percent", "vkr0_percent", "mag0_percent", "mag0_rx", "si0_hv_partial"),
}
_SWITCH_KIND = {"l": SwitchKind.LINE, "t": SwitchKind.TRANSFORMER, "b": SwitchKind.BUS}
_VECTOR_GROUPS = ("ynyn", "dyn")
_SOURCE_VOLTAGE_FACTOR = 1.1
"""What pandapower assumes when it turns short-circuit power into an impedance."""


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
    network = Network(
        version=version,
        buses=Buses(ids=_ids(net.bus), nominal_v=_column(net.bus, "vn_kv") * 1e3),
        lines=_lines(net, index["bus"]),
        transformers=_transformers(net, index["bus"]),
        shunts=_shunts(net, index["bus"]),
        loads=_loads(net, index["bus"]),
        switches=_switches(net, index),
        source=_source(net, index["bus"]),
    )
    found = faults(network)
    if found:
        raise NetworkError(source, tuple(str(fault) for fault in found))
    return network


def _refusals(net: pandapowerNet) -> tuple[str, ...]:
    found = [
        f"{table} {', '.join(_ids(net[table]))}: "
        + ("a DER belongs to the zone's devices" if "sgen" in table else "not modelled")
        for table in _REFUSED
        if table in net and len(net[table])
    ]
    for table in ("bus", "line", "trafo", "shunt", "load", "asymmetric_load", "switch"):
        if table in net:
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
    if len(net.ext_grid) != 1:
        found.append(f"ext_grid: exactly one source is needed, there are {len(net.ext_grid)}")
    return (*found, *_load_refusals(net), *_switch_refusals(net))


def _load_refusals(net: pandapowerNet) -> list[str]:
    found = []
    for table in ("load", "asymmetric_load"):
        frame = net[table]
        for column in [c for c in frame.columns if c.startswith("const_")]:
            odd = [name for name, share in zip(_ids(frame), frame[column], strict=True) if share]
            found += [f"{table} {name}: {column} is not 0, only constant power is modelled" for name in odd]
        if "type" in frame:
            odd = [name for name, kind in zip(_ids(frame), frame["type"], strict=True) if kind == "delta"]
            found += [f"{table} {name}: delta connection not modelled" for name in odd]
    return found


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
        from_bus=_position(frame, "from_bus", bus),
        to_bus=_position(frame, "to_bus", bus),
        phases=np.ones((len(frame), 3), dtype=np.bool_),
        impedance_ohm=from_sequences(impedance("0"), impedance(""), impedance("")),
        shunt_s=from_sequences(shunt("0"), shunt(""), shunt("")),
        ampacity_a=_column(frame, "max_i_ka") * 1e3 * _column(frame, "df", 1.0) * parallel,
        in_service=_flag(frame, "in_service"),
    )


def _transformers(net: pandapowerNet, bus: dict[Any, int]) -> Transformers:
    frame = net.trafo
    rated_mva = _column(frame, "sn_mva")
    iron_pu = _column(frame, "pfe_kw") / 1e3 / rated_mva
    idle_pu = _column(frame, "i0_percent") / 100
    reactive_pu = np.sqrt(np.maximum(idle_pu**2 - iron_pu**2, 0.0))
    magnetising_zero = _column(frame, "vk0_percent") / 100 * _column(frame, "mag0_percent") / 100
    slope = _column(frame, "mag0_rx")
    tap_side = frame["tap_side"] if "tap_side" in frame else np.array(["hv"] * len(frame))
    return Transformers(
        ids=_ids(frame),
        hv_bus=_position(frame, "hv_bus", bus),
        lv_bus=_position(frame, "lv_bus", bus),
        rated_va=rated_mva * 1e6 * _column(frame, "parallel", 1.0) * _column(frame, "df", 1.0),
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
        tap_neutral=_whole(frame, "tap_neutral"),
        tap_min=_whole(frame, "tap_min"),
        tap_max=_whole(frame, "tap_max"),
        tap=_whole(frame, "tap_pos"),
        tap_step_pct=_column(frame, "tap_step_percent", 0.0),
        in_service=_flag(frame, "in_service"),
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
        bus=_position(frame, "bus", bus),
        admittance_s=power_mva / kilovolts**2,
        in_service=_flag(frame, "in_service"),
    )


def _loads(net: pandapowerNet, bus: dict[Any, int]) -> Loads:
    balanced, uneven = net.load, net.asymmetric_load

    def power(frame: DataFrame, phase: str) -> ComplexArray:
        scale = _column(frame, "scaling", 1.0) * _flag(frame, "in_service") * 1e6
        consumed = _column(frame, f"p{phase}_mw") + 1j * _column(frame, f"q{phase}_mvar")
        return np.asarray(consumed * scale, dtype=np.complex128)

    equal = np.repeat(power(balanced, "")[:, None] / 3, 3, axis=1)
    own = np.stack([power(uneven, f"_{phase}") for phase in "abc"], axis=1)
    return Loads(
        ids=(*_ids(balanced), *_ids(uneven)),
        bus=np.concatenate([_position(balanced, "bus", bus), _position(uneven, "bus", bus)]),
        power_va=np.concatenate([equal, own]),
    )


def _switches(net: pandapowerNet, index: dict[str, dict[Any, int]]) -> Switches:
    frame = net.switch
    tables = {"l": "line", "t": "trafo", "b": "bus"}
    element = [index[tables[kind]].get(key, -1) for kind, key in zip(frame.et, frame.element, strict=True)]
    return Switches(
        ids=_ids(frame),
        kind=np.array([_SWITCH_KIND[kind] for kind in frame.et], dtype=np.int64),
        bus=_position(frame, "bus", index["bus"]),
        element=np.array(element, dtype=np.int64),
        closed=_flag(frame, "closed"),
    )


def _source(net: pandapowerNet, bus: dict[Any, int]) -> Source:
    row = net.ext_grid.iloc[0]
    negative = zero = None
    power_mva, slope = float(row.get("s_sc_max_mva", np.nan)), float(row.get("rx_max", np.nan))
    if np.isfinite(power_mva) and np.isfinite(slope):
        kilovolts = float(net.bus.vn_kv.at[row["bus"]])
        reactance = _SOURCE_VOLTAGE_FACTOR * kilovolts**2 / power_mva / np.sqrt(slope**2 + 1)
        negative = 1 / (reactance * (slope + 1j))
        zero_reactance = reactance * float(row.get("x0x_max", 1.0))
        zero = 1 / (zero_reactance * (float(row.get("r0x0_max", 0.1)) + 1j))
    return Source(
        id=_ids(net.ext_grid)[0],
        bus=bus[row["bus"]],
        voltage_pu=float(row["vm_pu"]),
        angle_deg=float(row.get("va_degree", 0.0)),
        negative_s=negative,
        zero_s=zero,
    )
