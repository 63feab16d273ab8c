"""Reads a network from a pandapower JSON file; element names become the ids.

Conventions are those of pandapower's documentation: voltages line to line in kV, loads positive when
consuming, `tap_side` naming the winding whose rated voltage the tap changes, sequence impedances per km.
Every bus gets phases a, b and c. What stands at a bus out of service is out of service too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grid_engine.importers.frames import column, flag, ids, position, tap_changers, types, whole
from grid_engine.importers.pandapower_refusals import READ, refusals
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
from grid_engine.modelling.checks import faults
from grid_engine.modelling.tables import empty_network, rated

if TYPE_CHECKING:
    from pandapower import pandapowerNet
    from pandas import DataFrame

_SWITCH_KIND = {"l": SwitchKind.LINE, "t": SwitchKind.SEQUENCE_TRANSFORMER, "b": SwitchKind.BUS}
_SWITCHED = {"l": "line", "t": "trafo", "b": "bus"}
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
    source = Path(path)
    try:
        content = source.read_bytes()
        net = _parsed(content.decode())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, UserWarning) as error:
        reason = f"pandapower cannot read it: {type(error).__name__}: {error}"
        raise NetworkError(source.name, (reason,)) from error
    return convert(net, version or hashlib.sha256(content).hexdigest()[:12], source.name)


def _parsed(text: str) -> pandapowerNet:
    import pandapower  # noqa: PLC0415 - takes three seconds and a hundred megabytes

    net = pandapower.from_json_string(text)
    if not isinstance(net, pandapower.pandapowerNet):
        raise TypeError(f"{type(net).__name__} instead of a net")
    return net


def convert(net: pandapowerNet, version: str, source: str = "network") -> Network:
    """The same from a pandapower network in memory; `source` names it in the error."""
    refused = refusals(net)
    if refused:
        raise NetworkError(source, refused)
    index = {table: {key: n for n, key in enumerate(net[table].index)} for table in READ}
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


def _buses(net: pandapowerNet) -> Buses:
    frame = net.bus
    return Buses(
        ids=ids(frame),
        phase_v=column(frame, "vn_kv") * 1e3 / np.sqrt(3),
        voltage_min_pu=column(frame, "min_vm_pu"),
        voltage_max_pu=column(frame, "max_vm_pu"),
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
    return np.asarray(flag(frame, "in_service") & ~np.any(dark, axis=0))


def _nodes(bus: IntArray) -> IntArray:
    """Shape (n, 3): phases a, b and c of each bus; `ABSENT` of one that does not exist."""
    return np.where(bus[:, None] < 0, ABSENT, 3 * bus[:, None] + _PHASES)


def _lines(net: pandapowerNet, bus: dict[Any, int]) -> Lines:
    frame = net.line
    parallel = column(frame, "parallel", 1.0)
    km = column(frame, "length_km")
    omega = 2 * np.pi * float(net.f_hz)

    def impedance(suffix: str) -> ComplexArray:
        per_km = column(frame, f"r{suffix}_ohm_per_km") + 1j * column(frame, f"x{suffix}_ohm_per_km")
        return np.asarray(per_km * km / parallel, dtype=np.complex128)

    def shunt(suffix: str) -> ComplexArray:
        conductance = column(frame, f"g{suffix}_us_per_km", 0.0) * 1e-6
        susceptance = omega * column(frame, f"c{suffix}_nf_per_km") * 1e-9
        return np.asarray((conductance + 1j * susceptance) * km * parallel, dtype=np.complex128)

    return Lines(
        ids=ids(frame),
        from_node=_nodes(position(frame, "from_bus", bus)),
        to_node=_nodes(position(frame, "to_bus", bus)),
        impedance_ohm=_from_sequences(impedance("0"), impedance("")),
        shunt_s=_from_sequences(shunt("0"), shunt("")),
        in_service=_live(net, frame, "from_bus", "to_bus"),
        ratings=rated(column(frame, "max_i_ka") * 1e3 * column(frame, "df", 1.0) * parallel),
    )


def _from_sequences(zero: ComplexArray, positive: ComplexArray) -> ComplexArray:
    """Phase matrices (n, 3, 3) of sequence values (n,) without coupling; the negative is as the positive."""
    mutual = (zero - positive) / 3
    return np.asarray(positive[:, None, None] * np.eye(3) + mutual[:, None, None])


def _transformers(net: pandapowerNet, bus: dict[Any, int]) -> SequenceTransformers:
    frame = net.trafo
    rated_mva = column(frame, "sn_mva")
    iron_pu = column(frame, "pfe_kw") / 1e3 / rated_mva
    idle_pu = column(frame, "i0_percent") / 100
    reactive_pu = np.sqrt(np.maximum(idle_pu**2 - iron_pu**2, 0.0))
    magnetising_zero = column(frame, "vk0_percent") / 100 * column(frame, "mag0_percent") / 100
    slope = column(frame, "mag0_rx")
    tap_side = frame["tap_side"] if "tap_side" in frame else np.array(["hv"] * len(frame))
    changes = np.array([bool(kind) for kind in tap_changers(frame)], dtype=np.bool_)
    neutral = whole(frame, "tap_neutral")
    rated_va = rated_mva * 1e6 * column(frame, "parallel", 1.0)
    return SequenceTransformers(
        ids=ids(frame),
        hv_node=_nodes(position(frame, "hv_bus", bus)),
        lv_node=_nodes(position(frame, "lv_bus", bus)),
        rated_va=rated_va,
        rated_hv_v=column(frame, "vn_hv_kv") * 1e3,
        rated_lv_v=column(frame, "vn_lv_kv") * 1e3,
        delta_hv=np.array([str(g).lower() == "dyn" for g in frame.get("vector_group", ())], dtype=np.bool_),
        shift_deg=column(frame, "shift_degree", 0.0),
        impedance_pu=_short_circuit(column(frame, "vk_percent"), column(frame, "vkr_percent")),
        magnetising_pu=iron_pu - 1j * reactive_pu,
        impedance_zero_pu=_short_circuit(column(frame, "vk0_percent"), column(frame, "vkr0_percent")),
        magnetising_zero_pu=np.asarray(magnetising_zero * (slope + 1j) / np.sqrt(slope**2 + 1), dtype=np.complex128),
        zero_hv_share=column(frame, "si0_hv_partial"),
        tap_on_hv=np.array([side != "lv" for side in tap_side], dtype=np.bool_),
        tap_neutral=neutral,
        tap_min=np.where(changes, whole(frame, "tap_min"), neutral),
        tap_max=np.where(changes, whole(frame, "tap_max"), neutral),
        tap=np.where(changes & ~np.isnan(column(frame, "tap_pos")), whole(frame, "tap_pos"), neutral),
        tap_step_pct=column(frame, "tap_step_percent", 0.0),
        in_service=_live(net, frame, "hv_bus", "lv_bus"),
        ratings=rated(rated_va * column(frame, "df", 1.0)),
    )


def _short_circuit(total_percent: FloatArray, real_percent: FloatArray) -> ComplexArray:
    reactance_percent = np.sqrt(np.maximum(total_percent**2 - real_percent**2, 0.0))
    return np.asarray((real_percent + 1j * reactance_percent) / 100, dtype=np.complex128)


def _shunts(net: pandapowerNet, bus: dict[Any, int]) -> Shunts:
    frame = net.shunt
    nominal = [float(net.bus.vn_kv.get(key, np.nan)) for key in frame["bus"]]
    kilovolts = np.where(np.isnan(column(frame, "vn_kv")), nominal, column(frame, "vn_kv"))
    power_mva = (column(frame, "p_mw") - 1j * column(frame, "q_mvar")) * column(frame, "step", 1.0)
    return Shunts(
        ids=ids(frame),
        node=_nodes(position(frame, "bus", bus)),
        admittance_s=(power_mva / kilovolts**2)[:, None, None] * np.eye(3),
        in_service=_live(net, frame, "bus"),
    )


def _loads(net: pandapowerNet, bus: dict[Any, int]) -> Loads:
    frames = (net.load, net.asymmetric_load)
    at = np.concatenate([position(frame, "bus", bus) for frame in frames])
    delta = np.array([kind == "delta" for frame in frames for kind in types(frame)], dtype=np.bool_)
    phase_v = np.append(column(net.bus, "vn_kv") * 1e3 / np.sqrt(3), np.nan)[at]
    n = len(at)
    return Loads(
        ids=(*ids(net.load), *ids(net.asymmetric_load)),
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


def _powers(frame: DataFrame) -> ComplexArray:
    """Shape (n, 3): what each phase, or each branch of a delta, consumes."""
    own = "p_a_mw" in frame
    parts = [(f"p_{x}_mw", f"q_{x}_mvar") for x in "abc"] if own else [("p_mw", "q_mvar")] * 3
    power = np.stack([column(frame, p) + 1j * column(frame, q) for p, q in parts], axis=1)
    scale = column(frame, "scaling", 1.0) * 1e6 / (1 if own else 3)
    return np.asarray(power * scale[:, None], dtype=np.complex128)


def _zip(frame: DataFrame, power: str) -> FloatArray:
    """Shape (n, 3): parts of constant impedance, current and power."""
    impedance, current = (column(frame, f"const_{law}_{power}_percent", 0.0) / 100 for law in "zi")
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
        ids=ids(frame),
        kind=np.array([_SWITCH_KIND[kind] for kind in frame.et], dtype=np.int64),
        bus=position(frame, "bus", index["bus"]),
        element=np.array([index[_SWITCHED[kind]].get(key, -1) for kind, key in rows], dtype=np.int64),
        closed=flag(frame, "closed") & ~np.array(cut, dtype=np.bool_),
    )


def _sources(net: pandapowerNet, bus: dict[Any, int]) -> Sources:
    frame = net.ext_grid[_live(net, net.ext_grid, "bus")]
    at = position(frame, "bus", bus)
    volts = np.append(column(net.bus, "vn_kv") * 1e3, np.nan)[at]
    ideal = (_STIFFNESS * _drawn_va(net) / volts**2).astype(np.complex128)
    power_va, slope = column(frame, "s_sc_max_mva") * 1e6, column(frame, "rx_max")
    known = np.isfinite(power_va) & np.isfinite(slope)
    power_va, slope = np.where(known, power_va, 1.0), np.where(known, slope, 0.0)
    reactance = _SOURCE_VOLTAGE_FACTOR * volts**2 / power_va / np.sqrt(slope**2 + 1)
    zero = 1 / (reactance * column(frame, "x0x_max", 1.0) * (column(frame, "r0x0_max", 0.1) + 1j))
    negative = 1 / (reactance * (slope + 1j))
    return Sources(
        ids=ids(frame),
        node=_nodes(at),
        voltage_pu=column(frame, "vm_pu"),
        angle_deg=column(frame, "va_degree", 0.0)[:, None] - 120.0 * _PHASES,
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
    return max(1e6, loads, float(np.nansum(column(net.trafo, "sn_mva") * column(net.trafo, "parallel", 1.0))) * 1e6)
