"""Writes a network as a pandapower net, where pandapower can say it; the rest is refused by name.

pandapower knows phases a, b and c together, lines and transformers by symmetrical components, and sources
of constant positive-sequence voltage. Ratings but the normal one have no place there and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from grid_engine.elements.primitive import FORTESCUE
from grid_engine.model import (
    ABSENT,
    EARTH,
    BoolArray,
    ComplexArray,
    FloatArray,
    IntArray,
    Network,
    NetworkError,
    Ratings,
    SwitchKind,
)

if TYPE_CHECKING:
    from pandapower import pandapowerNet

_CLOSE = 1e-9
_STIFF = 1e6
"""Short-circuit power of a source's positive sequence over what the network draws, from which on it counts as ideal."""
_SOURCE_VOLTAGE_FACTOR = 1.1
"""What pandapower assumes when it turns short-circuit power into an impedance."""
_SWITCHES = {SwitchKind.LINE: "l", SwitchKind.BUS: "b", SwitchKind.SEQUENCE_TRANSFORMER: "t"}

Row: TypeAlias = dict[str, Any]


class UnfitError(Exception):
    """pandapower cannot say an element; the message says why."""


@dataclass(slots=True)
class _Writing:
    """A net on its way; pandapower's index of every element is its position in our table."""

    network: Network
    net: pandapowerNet
    refused: list[str] = field(default_factory=list)

    def rows(self, table: str, word: str, row: Callable[[int], Row]) -> Iterator[Row]:
        """What `row` makes of every element; those that cannot be said are noted by name."""
        for n, name in enumerate(getattr(self.network, table).ids):
            try:
                yield {"name": name, "index": n, **row(n)}
            except UnfitError as unfit:
                self.refused.append(f"{word} {name}: {unfit}")

    def bus(self, nodes: IntArray) -> int:
        """The bus whose phases a, b, c these are."""
        bus, terminal = self.network.nodes.bus, self.network.nodes.terminal
        if (nodes < 0).any() or np.ptp(bus[nodes]) or terminal[nodes].tolist() != [0, 1, 2]:
            raise UnfitError("does not stand at phases a, b and c of one bus")
        return int(bus[nodes[0]])


def write(network: Network, path: Path | str) -> None:
    """Put `network` into `path` as pandapower's JSON.

    Raises:
        NetworkError: with every element that pandapower cannot say; nothing is written then.
    """
    import pandapower  # noqa: PLC0415 - takes three seconds and a hundred megabytes

    pandapower.to_json(convert(network), str(path))


def convert(network: Network) -> pandapowerNet:
    """The net of `network` in its state as loaded.

    Raises:
        NetworkError: with every element that pandapower cannot say.
    """
    import pandapower as pp  # noqa: PLC0415 - as above

    writing = _Writing(network, pp.create_empty_network(name=network.version, f_hz=network.frequency_hz))
    writing.refused += _without_place(network)
    parts: tuple[tuple[Callable[..., object], str, str, Callable[[_Writing, int], Row]], ...] = (
        (pp.create_bus, "buses", "bus", _bus),
        (pp.create_ext_grid, "sources", "source", _source),
        (pp.create_line_from_parameters, "lines", "line", _line),
        (pp.create_transformer_from_parameters, "sequence_transformers", "transformer", _transformer),
        (pp.create_shunt, "shunts", "shunt", _shunt),
        (pp.create_switch, "switches", "switch", _switch),
    )
    if not writing.refused:
        for create, table, word, row in parts:
            for told in writing.rows(table, word, partial(row, writing)):
                if not writing.refused:
                    create(writing.net, **told)
        _loads(writing, pp)
        _units(writing, pp)
    if writing.refused:
        raise NetworkError(network.version, tuple(writing.refused))
    return writing.net


def _without_place(network: Network) -> Iterator[str]:
    """Tables that pandapower has nothing for, and buses without the three phases."""
    for word, ids in (
        ("transformer", network.transformers.ids),
        ("regulator", network.regulators.ids),
        ("capacitor control", network.capacitor_controls.ids),
    ):
        yield from (f"{word} {name}: pandapower has none like it" for name in ids)
    counts = np.bincount(network.nodes.bus, minlength=len(network.buses.ids))
    phases = np.bincount(network.nodes.bus, network.nodes.terminal < 3, minlength=len(network.buses.ids))
    for n in np.flatnonzero((counts != 3) | (phases != 3)):
        yield f"bus {network.buses.ids[n]}: has other nodes than phases a, b and c"


def _bus(writing: _Writing, n: int) -> Row:
    buses = writing.network.buses
    place = buses.position[n]
    return {
        "vn_kv": buses.phase_v[n] * np.sqrt(3) / 1e3,
        "min_vm_pu": buses.voltage_min_pu[n],
        "max_vm_pu": buses.voltage_max_pu[n],
        "geodata": tuple(place.tolist()) if np.isfinite(place).all() else None,
    }


def _source(writing: _Writing, n: int) -> Row:
    network = writing.network
    sources = network.sources
    bus = writing.bus(sources.node[n])
    own = np.diag(_sequences(sources.admittance_s[n]))
    volts = network.buses.phase_v[bus] * np.sqrt(3)
    angle = sources.angle_deg[n]
    if np.abs(np.exp(1j * np.deg2rad(angle - angle[0] + 120.0 * np.arange(3))) - 1).max() > _CLOSE:
        raise UnfitError("its phases are not 120° apart")
    if abs(own[1]) * volts**2 < _STIFF * _drawn_va(network):
        raise UnfitError("its voltage gives way under load, which that of an ext_grid does not")
    row = {"bus": bus, "vm_pu": sources.voltage_pu[n], "va_degree": angle[0]}
    zero, _, negative = 1 / own
    if min(abs(own[0]), abs(own[2])) * volts**2 < _STIFF * _drawn_va(network):
        slope = negative.real / negative.imag
        short_circuit_va = _SOURCE_VOLTAGE_FACTOR * volts**2 / abs(negative)
        row |= {"s_sc_max_mva": short_circuit_va / 1e6, "rx_max": slope}
        row |= {"x0x_max": zero.imag / negative.imag, "r0x0_max": zero.real / zero.imag}
    return row


def _drawn_va(network: Network) -> float:
    return max(1e6, float(np.abs(network.loads.power_va).sum()), float(network.sequence_transformers.rated_va.sum()))


def _sequences(matrix: ComplexArray) -> ComplexArray:
    """A phase matrix in symmetrical components.

    Raises:
        UnfitError: it couples them.
    """
    found = np.asarray(FORTESCUE.conj().T @ matrix @ FORTESCUE)
    if np.abs(found - np.diag(np.diag(found))).max() > _CLOSE * np.abs(found).max():
        raise UnfitError("its phases are not alike, so that symmetrical components are coupled")
    return found


def _line(writing: _Writing, n: int) -> Row:
    lines, omega = writing.network.lines, 2 * np.pi * writing.network.frequency_hz
    if (lines.from_node[n] != ABSENT).sum() != 3:
        raise UnfitError("does not have three conductors")
    zero, positive, _ = np.diag(_sequences(lines.impedance_ohm[n, :3, :3]))
    shunt_zero, shunt, _ = np.diag(_sequences(lines.shunt_s[n, :3, :3]))
    return {
        "from_bus": writing.bus(lines.from_node[n, :3]),
        "to_bus": writing.bus(lines.to_node[n, :3]),
        "length_km": 1.0,
        "r_ohm_per_km": positive.real,
        "x_ohm_per_km": positive.imag,
        "c_nf_per_km": shunt.imag / omega * 1e9,
        "g_us_per_km": shunt.real * 1e6,
        "r0_ohm_per_km": zero.real,
        "x0_ohm_per_km": zero.imag,
        "c0_nf_per_km": shunt_zero.imag / omega * 1e9,
        "g0_us_per_km": shunt_zero.real * 1e6,
        "max_i_ka": lines.ratings.normal[n] / 1e3,
        "in_service": bool(lines.in_service[n]),
    }


def _transformer(writing: _Writing, n: int) -> Row:
    table = writing.network.sequence_transformers
    iron, zero = table.magnetising_pu[n], table.magnetising_zero_pu[n]
    vk_zero = np.abs(table.impedance_zero_pu[n])
    rated_mva = table.rated_va[n] / 1e6
    if min(table.impedance_pu[n].imag, table.impedance_zero_pu[n].imag, -iron.imag) < 0:
        raise UnfitError("has a negative reactance")
    return {
        "hv_bus": writing.bus(table.hv_node[n]),
        "lv_bus": writing.bus(table.lv_node[n]),
        "sn_mva": rated_mva,
        "vn_hv_kv": table.rated_hv_v[n] / 1e3,
        "vn_lv_kv": table.rated_lv_v[n] / 1e3,
        "vk_percent": np.abs(table.impedance_pu[n]) * 100,
        "vkr_percent": table.impedance_pu[n].real * 100,
        "pfe_kw": iron.real * rated_mva * 1e3,
        "i0_percent": np.abs(iron) * 100,
        "shift_degree": table.shift_deg[n],
        "vector_group": "Dyn" if table.delta_hv[n] else "YNyn",
        "vk0_percent": vk_zero * 100,
        "vkr0_percent": table.impedance_zero_pu[n].real * 100,
        "mag0_percent": np.abs(zero) / vk_zero * 100,
        "mag0_rx": zero.real / zero.imag,
        "si0_hv_partial": table.zero_hv_share[n],
        "df": _derating(table.ratings, n, table.rated_va[n]),
        "in_service": bool(table.in_service[n]),
        "tap_changer_type": "Ratio",
        "tap_side": "hv" if table.tap_on_hv[n] else "lv",
        "tap_step_percent": table.tap_step_pct[n],
        "tap_step_degree": 0.0,
        **{f"tap_{key}": int(getattr(table, f"tap_{key}")[n]) for key in ("neutral", "min", "max")},
        "tap_pos": int(table.tap[n]),
    }


def _derating(ratings: Ratings, n: int, rated_va: float) -> float:
    return float(ratings.normal[n] / rated_va)


def _shunt(writing: _Writing, n: int) -> Row:
    network = writing.network
    shunts = network.shunts
    if (shunts.node[n] != ABSENT).sum() != 3:
        raise UnfitError("does not have three phases")
    bus, matrix = writing.bus(shunts.node[n, :3]), shunts.admittance_s[n, :3, :3]
    if (matrix != matrix[0, 0] * np.eye(3)).any():
        raise UnfitError("is not alike in all phases to earth")
    volts = network.buses.phase_v[bus] * np.sqrt(3)
    power_va = volts**2 * matrix[0, 0].conj()
    return {
        "bus": bus,
        "p_mw": power_va.real / 1e6,
        "q_mvar": power_va.imag / 1e6,
        "vn_kv": volts / 1e3,
        "in_service": bool(shunts.in_service[n]),
    }


def _switch(writing: _Writing, n: int) -> Row:
    switches = writing.network.switches
    kind = _SWITCHES.get(SwitchKind(int(switches.kind[n])))
    if kind is None:
        raise UnfitError("its transformer is none of pandapower's")
    return {
        "bus": int(switches.bus[n]),
        "element": int(switches.element[n]),
        "et": kind,
        "closed": bool(switches.closed[n]),
    }


def _loads(writing: _Writing, pp: Any) -> None:  # noqa: ANN401 - pandapower itself
    loads = writing.network.loads

    def row(n: int) -> Row:
        bus, connection, power_mva = _branches(writing, loads.node[n], loads.power_va[n])
        law = _law(writing, n, connection, bus)
        even = bool((power_mva == power_mva[0]).all())
        if not even and any(law.values()):
            raise UnfitError("is uneven and depends on voltage")
        common = {"bus": bus, "type": connection, "in_service": bool(loads.in_service[n])}
        return {**common, **(law if even else {}), "power": power_mva if not even else power_mva[:1] * 3}

    _create(writing.rows("loads", "load", row), writing.net, pp.create_load, pp.create_asymmetric_load)


def _units(writing: _Writing, pp: Any) -> None:  # noqa: ANN401 - as above
    units = writing.network.units

    def row(n: int) -> Row:
        if max(units.volt_var[n], units.volt_watt[n]) >= 0 or units.energy_wh[n] > 0:
            raise UnfitError("stores energy or follows a curve")
        there = (units.node[n] != ABSENT).all(axis=1)
        power = np.where(there, units.power_va[n] / there.sum(), 0)
        bus, connection, power_mva = _branches(writing, units.node[n], power)
        even = bool(there.all())
        common = {"bus": bus, "type": connection, "in_service": bool(units.in_service[n])}
        return {**common, "sn_mva": units.rated_va[n] / 1e6, "power": power_mva if not even else power_mva[:1] * 3}

    _create(writing.rows("units", "unit", row), writing.net, pp.create_sgen, pp.create_asymmetric_sgen)


def _create(
    rows: Iterator[Row], net: pandapowerNet, even: Callable[..., object], uneven: Callable[..., object]
) -> None:
    """One element per row, by one power or by three, each in a table of its own."""
    for told in rows:
        power = told.pop("power")
        told.pop("index")
        if len(power) == 1:
            even(net, p_mw=power[0].real, q_mvar=power[0].imag, **told)
        else:
            parts = {f"{of}_{x}_{unit}": v for x, p in zip("abc", power, strict=True) for of, unit, v in _parts(p)}
            uneven(net, **parts, **told)


def _parts(power: complex) -> tuple[tuple[str, str, float], ...]:
    return (("p", "mw", power.real), ("q", "mvar", power.imag))


def _branches(writing: _Writing, node: IntArray, power_va: ComplexArray) -> tuple[int, str, ComplexArray]:
    """Bus, connection, and the power per phase (or per branch of a delta) in MVA."""
    there = np.flatnonzero((node != ABSENT).all(axis=1))
    bus = int(writing.network.nodes.bus[node[there[0], 0]])
    phases = np.flatnonzero(writing.network.nodes.bus == bus)
    power = np.zeros(3, dtype=np.complex128)
    for connection, other in (("wye", np.full(3, EARTH)), ("delta", np.roll(phases, -1))):
        places = {(int(a), int(b)): n for n, (a, b) in enumerate(zip(phases, other, strict=True))}
        ends = [(int(a), int(b)) for a, b in node[there]]
        if all(pair in places for pair in ends):
            for pair, own in zip(ends, power_va[there], strict=True):
                power[places[pair]] += own / 1e6
            return bus, connection, power
    raise UnfitError("is neither a wye to earth nor a delta")


def _law(writing: _Writing, n: int, connection: str, bus: int) -> Row:
    """Parts of constant impedance and current, per cent."""
    loads, buses = writing.network.loads, writing.network.buses
    bounded: BoolArray = np.isfinite(loads.band_pu[n]) & (loads.band_pu[n] > 0)
    if np.isfinite(loads.exponent[n]).any() or bounded.any():
        raise UnfitError("has an exponent or a band of voltage")
    parts: dict[str, FloatArray] = {"p": loads.zip_p[n], "q": loads.zip_q[n]}
    law = {f"const_{law}_{power}_percent": part[k] * 100 for power, part in parts.items() for k, law in enumerate("zi")}
    nominal = buses.phase_v[bus] * (np.sqrt(3) if connection == "delta" else 1.0)
    if any(law.values()) and abs(loads.nominal_v[n] / nominal - 1) > _CLOSE:
        raise UnfitError("its law of voltage is about another voltage than its bus's")
    return law
