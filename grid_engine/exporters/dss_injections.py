"""Loads, units, capacitors, reactors and sources in the words of OpenDSS."""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import TypeAlias

import numpy as np

from grid_engine.elements.primitive import FORTESCUE
from grid_engine.exporters.dss_words import Script, UnfitError, mesh, number, numbers
from grid_engine.model import ABSENT, EARTH, ComplexArray, FloatArray, IntArray

_NO_BAND = 1e3
"""Voltage in pu that nothing reaches."""
_CLOSE = 1e-9
_Parts: TypeAlias = tuple[float, ...]
_POWER, _CURRENT, _IMPEDANCE = (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)


class _Edge(Enum):
    """What a load takes at both ends of its band."""

    LAW = "what its law says"
    NOMINAL = "nominal power"
    NOMINAL_IMPEDANCE = "what nominal power at nominal voltage would become there as an impedance"


_MODELS: tuple[tuple[_Parts, _Parts, _Edge, _Edge, int], ...] = (
    (_POWER, _POWER, _Edge.LAW, _Edge.LAW, 1),
    (_IMPEDANCE, _IMPEDANCE, _Edge.LAW, _Edge.LAW, 2),
    (_POWER, _IMPEDANCE, _Edge.NOMINAL, _Edge.NOMINAL, 3),
    (_CURRENT, _CURRENT, _Edge.LAW, _Edge.LAW, 5),
    (_POWER, _POWER, _Edge.NOMINAL, _Edge.NOMINAL_IMPEDANCE, 6),
)
"""Models of OpenDSS by the laws of active and reactive power and their edges."""
_CVR, _ZIP = 4, 8


def loads(script: Script) -> None:
    """Every load: in one piece where its branches are alike and make a wye or delta, else branch by branch."""
    table = script.network.loads

    def write(n: int) -> Iterator[str]:
        law, live = _law(script, n), bool(table.in_service[n])
        pieces = _pieces(script, table.ids[n], table.node[n], table.power_va[n], table.nominal_v[n])
        return (script.add("Load", own, {**connection, **law}, live=live) for own, connection in pieces)

    script.each("loads", "load", write)


def units(script: Script) -> None:
    """Every unit as a generator of constant power; curves of volt-var and volt-watt have no place in one."""
    table = script.network.units

    def write(n: int) -> Iterator[str]:
        if max(table.volt_var[n], table.volt_watt[n]) >= 0:
            raise UnfitError("has a curve, which a generator of constant power does not follow")
        nodes, live = table.node[n], bool(table.in_service[n])
        branches = (nodes != ABSENT).all(axis=1)
        power = np.where(branches, table.power_va[n] / branches.sum(), 0)
        law = {"model": 1, "vminpu": 0, "vmaxpu": number(_NO_BAND), "kva": number(table.rated_va[n] / 1e3)}
        pieces = _pieces(script, table.ids[n], nodes, power, _pair_volts(script, nodes[branches][0]))
        return (script.add("Generator", own, {**connection, **law}, live=live) for own, connection in pieces)

    script.each("units", "unit", write)


def _pair_volts(script: Script, pair: IntArray) -> float:
    """Nominal volts between two nodes: phases are 120° apart, legs 180°."""
    network = script.network
    phase_v = network.buses.phase_v[network.nodes.bus[max(pair)]]
    if EARTH in pair:
        return float(phase_v)
    legs = network.nodes.terminal[pair].min() > 3
    return float(phase_v * (2 if legs else np.sqrt(3)))


def _pieces(
    script: Script, name: str, node: IntArray, power_va: ComplexArray, nominal_v: float
) -> Iterator[tuple[str, dict[str, object]]]:
    """Name and connection of each load that the branches need."""
    there = np.flatnonzero((node != ABSENT).all(axis=1))
    alike = len(there) == 3 and np.ptp(power_va.real) == np.ptp(power_va.imag) == 0
    star = (node[:, 1] == node[0, 1]).all()
    if alike and (star or (node[:, 1] == np.roll(node[:, 0], -1)).all()):
        ends = [*node[:, 0], *([node[0, 1]] if star else [])]
        yield name, _connected(script, ends, nominal_v * (np.sqrt(3) if star else 1), power_va.sum(), delta=not star)
        return
    for branch in there:
        own = name if len(there) == 1 else f"{name}_{branch + 1}"
        yield own, _connected(script, list(node[branch]), nominal_v, power_va[branch])


def _connected(
    script: Script, nodes: list[int], volts: float, power_va: complex, *, delta: bool = False
) -> dict[str, object]:
    return {
        "phases": 1 if len(nodes) == 2 else 3,
        "bus1": script.at(nodes),
        "conn": "delta" if delta else "wye",
        "kv": number(volts / 1e3),
        "kw": number(power_va.real / 1e3),
        "kvar": number(power_va.imag / 1e3),
    }


def _law(script: Script, n: int) -> dict[str, object]:
    """Model, band, and what models need besides.

    Raises:
        UnfitError: no model of OpenDSS has this law.
    """
    table = script.network.loads
    exponent, edge = table.exponent[n], table.edge_pu[n].copy()
    low, high, lowest = table.band_pu[n, 0], min(table.band_pu[n, 1], _NO_BAND), table.low_pu[n]
    if lowest == 0 and low > 0 and np.allclose(edge[:, 0], low**2, rtol=_CLOSE):
        lowest, edge[:, 0] = low, np.nan  # OpenDSS takes nominal impedance below vlowpu
    band = {"vminpu": number(low), "vmaxpu": number(high), "vlowpu": number(lowest)}
    parts = np.stack([table.zip_p[n], table.zip_q[n]])
    edges = _edges(parts, exponent, edge, np.array([low, high]))
    if np.isfinite(exponent).any():
        if np.isnan(exponent).any() or not all(_Edge.NOMINAL in own for own in edges):
            raise UnfitError("has an exponent but goes on beyond its band, or for one of its powers only")
        return {"model": _CVR, "cvrwatts": number(exponent[0]), "cvrvars": number(exponent[1]), **band}
    laws = tuple(tuple(float(part) for part in own) for own in parts)
    for law_p, law_q, edge_p, edge_q, model in _MODELS:
        if laws == (law_p, law_q) and edge_p in edges[0] and edge_q in edges[1]:
            return {"model": model, **band}
    if not all(_Edge.LAW in own for own in edges):
        raise UnfitError("jumps at the ends of its band as no model of OpenDSS does")
    return {"model": _ZIP, "zipv": numbers([*laws[0], *laws[1], 0.0]), **band}


def _edges(
    parts: FloatArray, exponent: FloatArray, edge: FloatArray, volts: FloatArray
) -> tuple[set[_Edge], set[_Edge]]:
    """For active and reactive power, everything that fits what the load takes at both ends of its band."""
    powers = np.where(np.isnan(exponent)[:, None], 1.0, volts ** exponent[:, None])
    law = np.where(np.isnan(exponent)[:, None], parts[:, :1] * volts**2 + parts[:, 1:2] * volts + parts[:, 2:], powers)
    taken = np.where(np.isnan(edge), law, edge)
    forms = ((_Edge.LAW, law), (_Edge.NOMINAL, np.ones_like(law)), (_Edge.NOMINAL_IMPEDANCE, volts**2 + 0 * law))
    fitting = [{form for form, value in forms if np.allclose(taken[k], value[k], rtol=_CLOSE)} for k in range(2)]
    return fitting[0], fitting[1]


def shunts(script: Script) -> None:
    """Capacitors where all phases have the same to earth, else the branches of the admittance matrix."""
    table = script.network.shunts

    def write(n: int) -> Iterable[str]:
        k = int((table.node[n] != ABSENT).sum())
        nodes, admittance, live = table.node[n, :k], table.admittance_s[n, :k, :k], bool(table.in_service[n])
        one = admittance[0, 0]
        if one.real == 0 and one.imag > 0 and (admittance == one * np.eye(k)).all():
            return (script.add("Capacitor", table.ids[n], _capacitor(script, nodes, one.imag), live=live),)
        return mesh(script, table.ids[n], nodes, admittance, live=live)

    script.each("shunts", "shunt", write)


def _capacitor(script: Script, nodes: IntArray, susceptance_s: float) -> dict[str, object]:
    network = script.network
    phase_v = float(network.buses.phase_v[network.nodes.bus[nodes[0]]])
    k = len(nodes)
    return {
        "phases": k,
        "bus1": script.at(nodes),
        "kv": number(phase_v * (1 if k == 1 else np.sqrt(3)) / 1e3),
        "kvar": number(susceptance_s * phase_v**2 * k / 1e3),
    }


def sources(script: Script) -> None:
    """Sources by their sequences; phase by phase where phases do not couple. The first one makes the circuit."""
    table = script.network.sources

    def write(n: int) -> Iterator[str]:
        there = np.flatnonzero(table.node[n] != ABSENT)
        admittance = table.admittance_s[n][np.ix_(there, there)]
        return (_source(script, table.ids[n], own) for own in _source_pieces(script, n, there, admittance))

    script.each("sources", "source", write)


def _source(script: Script, name: str, properties: dict[str, object]) -> str:
    if any(line.startswith("New Circuit.") for line in script.lines):
        return script.add("Vsource", name, properties)
    script.name("Vsource", "source")
    script.add("Circuit", script.network.version, properties)
    return "vsource.source"


def _source_pieces(script: Script, n: int, there: IntArray, admittance: ComplexArray) -> Iterator[dict[str, object]]:
    network = script.network
    table, nodes = network.sources, network.sources.node[n, there]
    phase_v = float(network.buses.phase_v[network.nodes.bus[nodes[0]]])
    angle = table.angle_deg[n, there]
    sequences = FORTESCUE.conj().T @ admittance @ FORTESCUE if len(there) == 3 else admittance
    own = np.diag(sequences)
    least = _CLOSE * np.abs(own).max()
    turning = np.abs(np.exp(1j * np.deg2rad(angle - angle[0] + 120.0 * np.arange(len(there)))) - 1).max() < _CLOSE
    common = {"pu": number(table.voltage_pu[n])}
    if len(there) == 3 and turning and np.abs(sequences - np.diag(own)).max() < least:
        impedance = {
            f"z{sequence}": numbers([(1 / own[s]).real, (1 / own[s]).imag]) for s, sequence in enumerate("012")
        }
        place = {"bus1": script.at(nodes), "phases": 3, "basekv": number(phase_v * np.sqrt(3) / 1e3)}
        # With a negative sequence of its own OpenDSS goes through an operator of 120° known to 8 digits only.
        order = ("z1", "z0") if abs(own[2] - own[1]) <= _CLOSE * abs(own[1]) else ("z1", "z0", "z2")
        yield {**place, **common, "angle": number(angle[0]), **{key: impedance[key] for key in order}}
        return
    if np.abs(admittance - np.diag(np.diag(admittance))).max() > least:
        raise UnfitError("its impedance is neither that of sequences nor that of phases")
    for phase, node in enumerate(nodes):
        one = 1 / admittance[phase, phase]
        both = {key: numbers([one.real, one.imag]) for key in ("z1", "z0")}
        place = {"bus1": script.at([node]), "phases": 1, "basekv": number(phase_v / 1e3)}
        yield {**place, **common, "angle": number(angle[phase]), **both}
