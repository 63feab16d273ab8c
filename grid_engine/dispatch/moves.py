"""What each device of a network may do now, and what the network then is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from grid_engine.dispatch.operation_words import Act, CapacitorSwitch, Controls, Duty, Operation, TapChanger
from grid_engine.dispatch.topology import pairs
from grid_engine.model import Network
from grid_engine.results import NetworkState, Study, Violation
from grid_engine.studies.problem import pose

IMPASSABLE = "no power flow solution while a switch that will open is still closed"
_SAME = 1e-5
"""Of a limit: further beyond by less is no worse."""


@dataclass(frozen=True, slots=True)
class Move:
    """One device, or one pair of switches, somewhere else; no operations where it stays."""

    operations: tuple[Operation, ...] = ()
    cost: float = 0.0
    changes: NetworkState = field(default_factory=NetworkState)
    transit: NetworkState | None = None
    """What holds in between, where that is another state."""


@dataclass(frozen=True, slots=True)
class _Tap:
    """Where one tap changer stands and may go."""

    position: int
    lowest: int
    highest: int


def moves(network: Network, state: NetworkState, controls: Controls) -> list[list[Move]]:
    """Per device, then for all switches together, what can be done, staying first and the cheaper before the dearer."""
    choices = [
        *(list(_tap_moves(network, state, control)) for control in controls.tap_changers),
        *(list(_capacitor_moves(network, state, control)) for control in controls.capacitors),
        list(_switch_moves(network, state, controls)),
    ]
    return [[Move(), *sorted(choice, key=lambda move: move.cost)] for choice in choices]


def outcome(state: NetworkState, chosen: Sequence[Move]) -> NetworkState:
    """The network after `chosen` moves."""
    changes = [move.changes for move in chosen]
    return replace(
        state,
        taps={**state.taps, **dict(chain(*(c.taps.items() for c in changes)))},
        switches_closed={**state.switches_closed, **dict(chain(*(c.switches_closed.items() for c in changes)))},
        in_service={**state.in_service, **dict(chain(*(c.in_service.items() for c in changes)))},
    )


def passable(network: Network, study: Study, chosen: Sequence[Move]) -> bool:
    """Whether the network has a solution at the requested powers while a switch that will open is still closed."""
    if all(move.transit is None for move in chosen):
        return True
    between = outcome(study.state, [replace(move, changes=move.transit or move.changes) for move in chosen])
    problem = pose(network, replace(study, state=between, contingencies=()))
    return bool(problem.solve(problem.requested_w, slice(None)).converged.all())


def worsened(now: Sequence[Violation], before: Sequence[Violation]) -> str:
    """The first violation that is new, or further beyond than before, for people; nothing where there is none."""
    known = {_place(violation): abs(violation.value - violation.limit) for violation in before}
    for violation in now:
        beyond = abs(violation.value - violation.limit)
        if beyond > known.get(_place(violation), 0.0) + _SAME * abs(violation.limit):
            said = f"{violation.value:.6g} {violation.unit} of {violation.limit:.6g} in interval {violation.interval}"
            return f"{violation.asset_id}, {violation.case}: {violation.reason.value}, {said}"
    return ""


def _place(violation: Violation) -> tuple[str, str, str, int]:
    return violation.asset_id, violation.reason.value, violation.case, violation.interval


def control_faults(network: Network, controls: Controls) -> Iterator[str]:
    """Every fault of `controls`, for people."""
    known = (
        ("transformer", _taps(network, NetworkState()), [n for c in controls.tap_changers for n in c.transformers]),
        ("capacitor", network.shunts.ids, [c.shunt for c in controls.capacitors]),
        ("switch", network.switches.ids, [c.switch for c in controls.switches]),
    )
    for what, names, used in known:
        yield from (f"control of {what} {name}: not in the network" for name in used if name not in names)
        yield from (f"control of {what} {name}: given twice" for name in sorted({n for n in used if used.count(n) > 1}))
    for control in controls.tap_changers:
        if not control.transformers or control.reach < 0:
            yield f"control {control.control_id}: of no transformer, or of negative reach"
    duties = [
        *(control.duty for control in controls.tap_changers),
        *(control.duty for control in controls.capacitors),
        *(control.duty for control in controls.switches),
    ]
    if any(not duty.cost >= 0 for duty in duties):
        yield "control: negative cost"


def _tap_moves(network: Network, state: NetworkState, control: TapChanger) -> Iterator[Move]:
    taps = _taps(network, state)
    own = {name: taps[name] for name in control.transformers}
    reach = int(min(control.reach, control.duty.ops_left))
    for step in range(-reach, reach + 1):
        to = {name: tap.position + step for name, tap in own.items()}
        if step and all(tap.lowest <= to[name] <= tap.highest for name, tap in own.items()):
            position = to[control.transformers[0]]
            operation = Operation(Act.TAP, control.control_id, position, abs(step))
            yield Move((operation,), abs(step) * control.duty.cost, NetworkState(taps=to))


def _capacitor_moves(network: Network, state: NetworkState, control: CapacitorSwitch) -> Iterator[Move]:
    if control.duty.ops_left < 1:
        return
    at = network.shunts.ids.index(control.shunt)
    now = state.in_service.get(control.shunt, bool(network.shunts.in_service[at]))
    operation = Operation(Act.SWITCH_OUT if now else Act.SWITCH_IN, control.shunt)
    yield Move((operation,), control.duty.cost, NetworkState(in_service={control.shunt: not now}))


def _switch_moves(network: Network, state: NetworkState, controls: Controls) -> Iterator[Move]:
    duty: dict[str, Duty] = {control.switch: control.duty for control in controls.switches}
    usable = [name for name, own in duty.items() if own.ops_left >= 1]
    checked = [control.switch for control in controls.switches if control.sync_checked]
    for pair in pairs(network, state, usable, checked):
        operations = (Operation(Act.CLOSE, pair.close), Operation(Act.OPEN, pair.open))
        after = NetworkState(switches_closed={pair.close: True, pair.open: False})
        between = NetworkState(switches_closed={pair.close: True})
        yield Move(operations, duty[pair.close].cost + duty[pair.open].cost, after, between)


def _taps(network: Network, state: NetworkState) -> dict[str, _Tap]:
    """Tap changers by the transformer that they are on."""
    tables = (network.transformers, network.sequence_transformers)
    return {
        name: _Tap(state.taps.get(name, int(table.tap[n])), int(table.tap_min[n]), int(table.tap_max[n]))
        for table in tables
        for n, name in enumerate(table.ids)
    }
