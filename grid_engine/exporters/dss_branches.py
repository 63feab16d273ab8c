"""Lines, transformers and their open switches in the words of OpenDSS."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from grid_engine.elements.primitive import open_ends
from grid_engine.elements.sequences import sequence_primitives
from grid_engine.exporters.dss_words import (
    Script,
    UnfitError,
    is_symmetric,
    listed,
    mesh,
    number,
    numbers,
    triangle,
)
from grid_engine.model import ABSENT, EARTH, BoolArray, ComplexArray, FloatArray, IntArray, Ratings, SwitchKind

_NANO = 1e-9
_FLOAT = 0.5e-6
"""Part of the rating of a coil that OpenDSS pins either end of it with, at 1 ppm."""
_USUAL_TAPS = (0.9, 1.1)
"""Range of taps that OpenDSS takes for granted."""
_ENOUGH = 1e-9


def lines(script: Script) -> None:
    """Every line with its matrices; as the branches of its admittance matrix where one end stands at several buses."""
    table = script.network.lines

    def write(n: int) -> Iterator[str]:
        k = int((table.from_node[n] != ABSENT).sum())
        impedance, shunt, live = table.impedance_ohm[n, :k, :k], table.shunt_s[n, :k, :k], bool(table.in_service[n])
        ends = table.from_node[n, :k], table.to_node[n, :k]
        if not all(script.at_one_bus(nodes) for nodes in ends):
            yield from mesh(script, table.ids[n], np.concatenate(ends), _pi(impedance, shunt), live=live)
            return
        properties = _line(script, ends, impedance, shunt) | _amps(table.ratings, n)
        yield script.add("Line", table.ids[n], properties, live=live)
        for end, nodes in enumerate(ends, 1):
            yield from mesh(script, f"{table.ids[n]}_g{end}", nodes, shunt.real / 2 + 0j, live=live)

    script.each("lines", "line", write)


def _pi(impedance: ComplexArray, shunt: ComplexArray) -> ComplexArray:
    series = np.linalg.inv(impedance)
    own = series + shunt / 2
    return np.block([[own, -series], [-series, own]])


def _line(
    script: Script, ends: tuple[IntArray, IntArray], impedance: ComplexArray, shunt: ComplexArray
) -> dict[str, object]:
    if not is_symmetric(impedance) or not is_symmetric(shunt):
        raise UnfitError("its matrices are not symmetric")
    omega = 2 * np.pi * script.network.frequency_hz
    return {
        "phases": len(impedance),
        "bus1": script.at(ends[0]),
        "bus2": script.at(ends[1]),
        "units": "none",
        "length": 1,
        "rmatrix": triangle(impedance.real),
        "xmatrix": triangle(impedance.imag),
        "cmatrix": triangle(shunt.imag / omega / _NANO),
    }


def _amps(ratings: Ratings, n: int) -> dict[str, object]:
    limits = (("normamps", ratings.normal[n]), ("emergamps", ratings.emergency[n]))
    return {key: number(limit) for key, limit in limits if np.isfinite(limit)}


@dataclass(frozen=True, slots=True)
class _Form:
    """One transformer of OpenDSS: its coils, and how each winding is connected."""

    coils: tuple[int, ...]
    """In the order of OpenDSS's phases."""
    wye: tuple[bool, ...]
    """By winding."""
    nodes: tuple[tuple[int, ...], ...]
    """By winding: where its conductors stand."""
    leads: bool = False


def transformers(script: Script) -> None:
    """Every transformer: in one piece where its coils make wyes and deltas, else coil by coil."""
    table = script.network.transformers

    def write(n: int) -> Iterator[str]:
        forms = _forms(table.node[n], table.rated_v[n])
        if len(forms) > 1 and table.tap_winding[n] >= 0:
            raise UnfitError("has a tap changer on coils that make neither a wye nor a delta")
        for form in forms:
            own = table.ids[n] if len(forms) == 1 else f"{table.ids[n]}_{form.coils[0] + 1}"
            yield from _transformer(script, n, own, form)

    script.each("transformers", "transformer", write)


def _forms(node: IntArray, rated_v: FloatArray) -> tuple[_Form, ...]:
    windings = int((node != ABSENT).any(axis=(1, 2)).sum())
    there = (node[:windings] != ABSENT).all(axis=2)
    coils = tuple(np.flatnonzero(there.any(axis=0)).tolist())
    if not there[:, coils].all():
        raise UnfitError("its windings do not have the same coils")
    if len(coils) > 1:
        orders = [coils] if len(coils) == 2 else [coils, (0, 2, 1)]
        for form in (_joint(node[:windings], rated_v, order, leads) for order in orders for leads in (False, True)):
            if form is not None:
                return (form,)
    return tuple(_Form((c,), (True,) * windings, tuple(tuple(node[w, c]) for w in range(windings))) for c in coils)


def _joint(node: IntArray, rated_v: FloatArray, order: Sequence[int], leads: bool) -> _Form | None:  # noqa: FBT001
    """All coils in one transformer, if every winding is a wye with one star point or a delta in OpenDSS's direction."""
    ends = node[:, list(order)]
    wye = [bool((own[:, 1] == own[0, 1]).all() and own[0, 1] not in own[:, 0]) for own in ends]
    volts = rated_v[: len(ends)] * np.where(wye, np.sqrt(3), 1.0)
    high = 0 if volts[0] >= volts[1] else 1
    step = 1 if wye[0] == wye[1] or (not wye[high]) == leads else -1
    nodes = []
    for own, star in zip(ends, wye, strict=True):
        if star:
            nodes.append((*own[:, 0].tolist(), int(own[0, 1])))
        elif len(order) == 3 and (own[:, 1] == np.roll(own[:, 0], -step)).all():
            nodes.append(tuple(own[:, 0].tolist()))
        else:
            return None
    return _Form(tuple(order), tuple(wye), tuple(nodes), leads)


def _transformer(script: Script, n: int, own: str, form: _Form) -> Iterator[str]:
    table = script.network.transformers
    phases, windings = len(form.coils), len(form.wye)
    share = phases / int((table.node[n] != ABSENT).all(axis=2).any(axis=0).sum())
    kva = table.rated_va[n] * share / 1e3
    star = np.where(np.array(form.wye) & (phases > 1), np.sqrt(3), 1.0)
    leakages = [table.reactance_pu[n, i, j] * 100 for i, j in combinations(range(windings), 2)]
    form, ppm = _pinned(form, table.float_va[n, :windings], kva / phases * 1e3 * _FLOAT)
    properties = {
        "phases": phases,
        "windings": windings,
        "buses": listed([script.at(nodes) for nodes in form.nodes]),
        "conns": listed(["wye" if wye else "delta" for wye in form.wye]),
        "kvs": numbers(table.rated_v[n, :windings] * star / 1e3),
        "kvas": numbers([kva] * windings),
        "%rs": numbers(table.resistance_pu[n, :windings] * 100),
        "xscarray": numbers(leakages),
        "%noloadloss": number(table.magnetising_pu[n].real * 100),
        "%imag": number(-table.magnetising_pu[n].imag * 100),
        "leadlag": "lead" if form.leads else "lag",
        "ppm_antifloat": number(ppm or 0.0),
        **_limits_kva(table.ratings, n, share),
    }
    more = _taps(script, n, windings)
    yield script.add("Transformer", own, properties, more, live=bool(table.in_service[n]))
    if ppm is None:
        yield from _pins(script, n, own, form)


def _limits_kva(ratings: Ratings, n: int, share: float) -> dict[str, object]:
    limits = (("normhkva", ratings.normal[n]), ("emerghkva", ratings.emergency[n]))
    return {key: number(limit * share / 1e3) for key, limit in limits if np.isfinite(limit)}


def _pinned(form: _Form, float_va: FloatArray, one_ppm_va: float) -> tuple[_Form, float | None]:
    """The form, connected so that OpenDSS pins its coils as the model does, and the ppm of it; None where it cannot."""
    coil = float_va[:, 0]
    phases = len(form.coils)
    free = np.array([own[-1] != EARTH for own in form.nodes])
    wye = np.array(form.wye)
    if phases == 1:
        wye = ~free | (float_va[:, 1] > 1.5 * coil)
    far = coil * (1 + wye / phases)
    same = np.isclose(coil, coil[0], rtol=_ENOUGH) & (np.isclose(float_va[:, 1], far, rtol=_ENOUGH) | (wye & ~free))
    if not same.all():
        return form, None
    return _Form(form.coils, tuple(wye.tolist()), form.nodes, form.leads), float(coil[0] / one_ppm_va)


def _pins(script: Script, n: int, own: str, form: _Form) -> Iterator[str]:
    """The small shunts at coil ends, one by one."""
    table = script.network.transformers
    for w, c in ((w, c) for w in range(len(form.wye)) for c in form.coils):
        for end in (0, 1):
            pin = -1j * table.float_va[n, w, end] / table.rated_v[n, w] ** 2
            node = table.node[n, w, c, end : end + 1]
            yield from mesh(script, f"{own}_pin{w + 1}{c + 1}{end + 1}", node, np.array([[pin]]))


def _taps(script: Script, n: int, windings: int) -> str:
    """Ranges before positions, for OpenDSS keeps positions within ranges."""
    table = script.network.transformers
    ratio = table.fixed_tap_pu[n, :windings].copy()
    low, high = np.minimum(_USUAL_TAPS[0], ratio), np.maximum(_USUAL_TAPS[1], ratio)
    tapped, step = int(table.tap_winding[n]), table.tap_step_pct[n] / 100
    if tapped >= 0:
        away = np.array([table.tap_min[n], table.tap_max[n], table.tap[n]]) - table.tap_neutral[n]
        low[tapped], high[tapped], ratio[tapped] = ratio[tapped] + away * step
    told = [f"wdg={w + 1} mintap={number(low[w])} maxtap={number(high[w])}" for w in range(windings)]
    if tapped >= 0:
        told.append(f"wdg={tapped + 1} numtaps={max(1, int(table.tap_max[n] - table.tap_min[n]))}")
    return " ".join([*told, f"taps={numbers(ratio)}"])


def sequence_transformers(script: Script) -> None:
    """Each as the branches of its admittance matrix: OpenDSS has no T-equivalent per sequence."""
    network = script.network
    table = network.sequence_transformers
    primitives = sequence_primitives(table, table.tap, network.buses, network.nodes)
    opened = np.repeat(_open(script, SwitchKind.SEQUENCE_TRANSFORMER, _sequence_buses(script)), 3, axis=1)
    primitives = open_ends(primitives, opened)

    def write(n: int) -> Iterable[str]:
        live = bool(table.in_service[n])
        return mesh(script, table.ids[n], primitives.node[n], primitives.admittance_s[n], live=live)

    script.each("sequence_transformers", "transformer", write)


def _sequence_buses(script: Script) -> IntArray:
    table, bus = script.network.sequence_transformers, script.network.nodes.bus
    return np.stack([bus[table.hv_node[:, 0]], bus[table.lv_node[:, 0]]], axis=1)


def _open(script: Script, kind: SwitchKind, buses: IntArray) -> BoolArray:
    """Shape as `buses` (n, ends): which ends of elements open switches leave open."""
    switches = script.network.switches
    opened = np.zeros(buses.shape, dtype=np.bool_)
    for n in np.flatnonzero((switches.kind == kind) & ~switches.closed):
        opened[switches.element[n]] |= buses[switches.element[n]] == switches.bus[n]
    return opened


def open_switches(script: Script) -> None:
    """Commands that open the ends of lines and transformers at which a switch is open."""
    network = script.network
    bus = np.append(network.nodes.bus, [-1, -1])
    line_buses = np.stack([_first(bus, network.lines.from_node), _first(bus, network.lines.to_node)], axis=1)
    tables = (
        ("lines", network.lines.ids, SwitchKind.LINE, line_buses),
        (
            *("transformers", network.transformers.ids, SwitchKind.TRANSFORMER),
            _first(bus, network.transformers.node.reshape(*network.transformers.node.shape[:2], 6)),
        ),
    )
    for table, ids, kind, buses in tables:
        for n, end in zip(*np.nonzero(_open(script, kind, buses)), strict=True):
            made = script.elements.get((table, ids[n]), ())
            if table == "lines" and len(made) > 1:
                script.refused.append(f"line {ids[n]}: has shunt conductance and an open end")
            script.lines += [f"Open {name} {end + 1}" for name in made]


def _first(bus: IntArray, nodes: IntArray) -> IntArray:
    """The bus of the first node in the last axis that is one; -1 where there is none."""
    return np.asarray(bus[nodes].max(axis=-1, initial=-1))
