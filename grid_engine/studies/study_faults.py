"""Every fault of a study, before anything is computed from it; nothing here raises."""

from collections.abc import Iterator
from itertools import chain
from math import isfinite

from grid_engine.model import Network
from grid_engine.results import Contingency, NetworkState, Participant, Rating, Study
from grid_engine.studies import connections


def faults(network: Network, study: Study) -> tuple[str, ...]:
    """What is wrong with `study`, for people."""
    return tuple(
        chain(
            _shape_faults(study),
            connections.faults(network, study.participants),
            _name_faults(network, study),
            _number_faults(study),
        )
    )


def _shape_faults(study: Study) -> Iterator[str]:
    n = study.intervals
    if n < 1:
        yield f"{n} intervals"
    for what, count in (("load_scale", len(study.load_scale)), ("states", len(study.states))):
        if count not in (0, n):
            yield f"{what} has {count} entries for {n} intervals"
    for what, table in (("load", study.load_w), ("unit", study.unit_w), ("unit", study.unit_var)):
        for name, series in table.items():
            if len(series) != n:
                yield f"{what} {name}: {len(series)} values for {n} intervals"
    yield from _member_faults(study)


def _member_faults(study: Study) -> Iterator[str]:
    n = study.intervals
    seen: set[str] = set()
    for p in study.participants:
        if p.resource in seen:
            yield f"{p.resource}: named twice"
        seen.add(p.resource)
        if len(p.held_w) != n or len(p.requested_w) != n:
            yield f"{p.resource}: {len(p.held_w)} held and {len(p.requested_w)} requested powers for {n} intervals"
        if p.floor_w > p.ceiling_w:
            yield f"{p.resource}: floor {p.floor_w} W above ceiling {p.ceiling_w} W"


def _name_faults(network: Network, study: Study) -> Iterator[str]:
    branches = set(network.branch_ids)
    buses = set(network.buses.ids)
    known: tuple[tuple[str, set[str], set[str]], ...] = (
        ("bus", buses, {p.bus for p in study.participants}),
        ("bus", buses, set(study.estimated)),
        ("load", set(network.loads.ids), set(study.load_w)),
        ("unit", set(network.units.ids), {*study.unit_w, *study.unit_var}),
        ("rating of", branches | buses, set(study.ratings)),
        ("contingency", _losable(network), {c for c in study.contingencies if isinstance(c, str)}),
    )
    for what, names, used in known:
        yield from (f"{what} {name}: not in the network" for name in sorted(used - names))
    yield from dict.fromkeys(f for state in (study.state, *study.states) for f in _state_faults(network, state))
    for contingency in study.contingencies:
        if isinstance(contingency, Contingency):
            yield from (f"contingency {contingency.id}: {f}" for f in _state_faults(network, contingency.changes))


def _losable(network: Network) -> set[str]:
    """What a contingency may name by itself."""
    controls = (*network.regulators.ids, *network.capacitor_controls.ids)
    return {*network.branch_ids, *network.shunts.ids, *network.switches.ids, *controls}


def _state_faults(network: Network, state: NetworkState) -> Iterator[str]:
    windings, sequences = network.transformers, network.sequence_transformers
    known: tuple[tuple[str, set[str], set[str]], ...] = (
        ("tap of", {*windings.ids, *sequences.ids}, set(state.taps)),
        ("switch", set(network.switches.ids), set(state.switches_closed)),
        ("service of", _losable(network) - set(network.switches.ids), set(state.in_service)),
    )
    for what, names, used in known:
        yield from (f"{what} {name}: not in the network" for name in sorted(used - names))
    for table in (windings, sequences):
        for n, name in enumerate(table.ids):
            tap = state.taps.get(name, int(table.tap[n]))
            if not table.tap_min[n] <= tap <= table.tap_max[n]:
                yield f"tap of {name}: {tap} is outside {table.tap_min[n]} to {table.tap_max[n]}"


def _number_faults(study: Study) -> Iterator[str]:
    source = study.state.source_voltage_pu
    emergency = tuple(x for x in (study.emergency_min_pu, study.emergency_max_pu) if x is not None)
    unbalance = () if study.unbalance_max_pct is None else (study.unbalance_max_pct,)
    checked: list[tuple[str, tuple[float, ...]]] = [
        ("load_scale", study.load_scale),
        ("source voltage", () if source is None else (source,)),
        ("voltage band", (study.voltage_min_pu, study.voltage_max_pu, *emergency)),
        ("unbalance", (study.unbalance_alarm_pct, *unbalance)),
        ("margin and step", (study.margin_pct, study.limit_step_w)),
        *((f"load {name}", series) for name, series in study.load_w.items()),
        *((f"unit {name}", series) for name, series in (*study.unit_w.items(), *study.unit_var.items())),
        *((p.resource, _numbers(p)) for p in study.participants),
        *((f"rating of {name}", _rated(rating)) for name, rating in study.ratings.items()),
    ]
    yield from (f"{what}: not a number" for what, values in checked if not all(isfinite(x) for x in values))
    for name, rating in study.ratings.items():
        if any(x < 0 for x in _rated(rating)) or not 0 <= rating.derate_pct < 100:
            yield f"rating of {name}: negative, or nothing left of it"
    if not study.voltage_min_pu < study.voltage_max_pu:
        yield f"voltage band from {study.voltage_min_pu} to {study.voltage_max_pu} pu"
    if not 0 <= study.margin_pct < 50 or not study.limit_step_w > 0:
        yield f"margin {study.margin_pct} %, step {study.limit_step_w} W"


def _numbers(participant: Participant) -> tuple[float, ...]:
    p = participant
    return (*p.held_w, *p.requested_w, p.floor_w, p.ceiling_w, p.price_per_mwh, p.fault_current_pu)


def _rated(rating: Rating) -> tuple[float, ...]:
    limits = (
        *(rating.ampacity_a, rating.emergency_a, rating.apparent_power_va, rating.emergency_va),
        *(rating.reverse_power_w, rating.forward_power_w, rating.short_circuit_a, rating.neutral_a),
        *(rating.voltage_min_pu, rating.voltage_max_pu),
    )
    return (*(x for x in limits if x is not None), rating.derate_pct, rating.condition_score)
