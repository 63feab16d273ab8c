"""From a control to the registers of a DER without a SunSpec map: what to write, in which order, or why it cannot be.

The fallback and the timer go out before the limit, and switches come last, so that nothing comes into force without
its end behind it. Registers that lie side by side in that order go out in one write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from protocols.modbus.codec import OutOfRangeError, Rounding
from protocols.modbus.plan import Plan, Refusal
from protocols.modbus.settings import SWITCHES, ControlRegister, MappedDer, Term
from protocols.modbus.sunspec import WRITE_MAX, Reading, Write
from protocols.signals import Bounds, Control, GridSwitch

WRITE_ORDER: Final = (
    Term.FALLBACK_CEILING, Term.FALLBACK_FLOOR, Term.LEASE, Term.CEILING, Term.FLOOR, Term.TARGET,
    Term.LIMIT_ENABLED, Term.TARGET_ENABLED, Term.CONNECTED,
)  # fmt: skip
_ROUNDING: Final = {
    Term.CEILING: Rounding.DOWN,
    Term.FALLBACK_CEILING: Rounding.DOWN,
    Term.FLOOR: Rounding.UP,
    Term.FALLBACK_FLOOR: Rounding.UP,
    Term.LEASE: Rounding.UP,
}
"""Power limits are rounded toward safety, and a lease is not cut short."""

Told = dict[Term, float]


@dataclass(frozen=True, slots=True)
class MappedState:
    """What has just been read from the device, and what is known of it."""

    der: MappedDer
    reading: Reading
    """Of the control registers, by term."""
    power_w: float
    """Last measured active power; 0 where unknown."""
    baseline: Mapping[str, float]
    """What the registers held before this gateway wrote them."""
    held: frozenset[str] = frozenset()
    """Terms that the gateway has taken over."""

    def has(self, term: Term) -> bool:
        """Whether the device has a register for it."""
        return term in self.der.controls


@dataclass(slots=True)
class _Draft:
    """A plan in the making."""

    told: Told = field(default_factory=dict)
    taken: set[Term] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def decode(control: ControlRegister, term: Term, words: Sequence[int]) -> float | None:
    """What a control register holds: a number in our unit, 1 or 0 for a switch, `None` where it is neither."""
    value = control.shown.decode(words)
    if term not in SWITCHES or value is None:
        return value
    return {control.on: 1.0, control.off: 0.0}.get(round(value))


def in_force_w(der: MappedDer, side: Term, values: Mapping[str, float | None]) -> float | None:
    """A limit as the device shows it, the nameplate where none is enabled, `None` where it does not tell."""
    if Term.LIMIT_ENABLED in der.controls and (enabled := values.get(Term.LIMIT_ENABLED)) != 1:
        open_w = der.ceiling_w if side is Term.CEILING else der.floor_w
        return None if enabled is None else open_w
    return values.get(side)


def plan_control(control: Control, remaining_s: float, state: MappedState) -> Plan | Refusal:
    """What to write so that `control` holds for `remaining_s` and then its fallback does."""
    der, limit, draft = state.der, control.limit, _Draft()
    shut = state.has(Term.CONNECTED) and _shuts(limit, der)
    kept = [_ceiling(draft, state, limit.ceiling_w), _floor(draft, state, limit.floor_w)]
    target_w = control.target_w
    if not all(kept) and target_w is None and not shut:
        target_w = state.power_w
        draft.notes.append("the limit is kept by a set point inside it")
    if target_w is not None and not (shut and not state.has(Term.TARGET)):
        refusal = _target(draft, state, limit, target_w)
        if refusal is not None:
            return refusal
    theirs = state.reading.values.get(Term.CONNECTED) == 0 and Term.CONNECTED not in state.held
    if shut and not theirs:  # what somebody else took off the grid stays theirs
        draft.told[Term.CONNECTED] = 0.0
        draft.taken.add(Term.CONNECTED)
    elif not shut and control.grid_switch is GridSwitch.CLOSE and state.has(Term.CONNECTED):
        draft.told[Term.CONNECTED] = 1.0
    _give_back(draft, state)
    _lease(draft, state, control.fallback if not control.fallback.is_open else der.fallback, remaining_s)
    return _plan(draft, state)


def plan_release(values: Mapping[str, float], state: MappedState) -> Plan | Refusal:
    """What to write so that the device is as it was; what was never taken over stays as it is."""
    known = values or state.baseline
    terms = [term for term in WRITE_ORDER if term in known and (not state.held or term in state.held)]
    draft = _Draft({term: known[term] for term in terms if state.has(term)})
    return _plan(draft, state)


def tightens(plan: Plan, state: MappedState) -> bool:
    """True where the plan takes power away, or moves a set point: such a plan is carried out whatever it wears."""
    now, wanted = state.reading.values, plan.requested
    ceiling_w, floor_w = (in_force_w(state.der, side, now) for side in (Term.CEILING, Term.FLOOR))
    if Term.CEILING in wanted and (ceiling_w is None or wanted[Term.CEILING] < ceiling_w):
        return True
    if Term.FLOOR in wanted and (floor_w is None or wanted[Term.FLOOR] > floor_w):
        return True
    moved = (Term.TARGET, Term.TARGET_ENABLED, Term.CONNECTED)
    return any(term in wanted and now.get(term) != wanted[term] for term in moved)


def _shuts(limit: Bounds, der: MappedDer) -> bool:
    """True where a limit leaves no power but none."""
    floor_w = der.floor_w if limit.floor_w is None else max(limit.floor_w, der.floor_w)
    return limit.ceiling_w is not None and limit.ceiling_w <= 0 and floor_w >= 0


def _ceiling(draft: _Draft, state: MappedState, ceiling_w: float | None) -> bool:
    """False where the device cannot be told this upper limit."""
    if ceiling_w is None:
        return True
    if not state.has(Term.CEILING):
        return False
    least_w = state.der.quirks.min_percent / 100 * state.der.ceiling_w
    if 0 <= ceiling_w < least_w:
        draft.notes.append(f"the device takes no limit below {state.der.quirks.min_percent:g} %")
        ceiling_w = least_w
    register = state.der.controls[Term.CEILING].register
    if register.nearest(ceiling_w) > ceiling_w:
        return False
    _limit(draft, state, Term.CEILING, ceiling_w)
    return True


def _floor(draft: _Draft, state: MappedState, floor_w: float | None) -> bool:
    """The same for a lower limit; one that is not above the nameplate asks for nothing."""
    if floor_w is None or (floor_w <= state.der.floor_w and not state.has(Term.FLOOR)):
        return True
    if not state.has(Term.FLOOR) or state.der.controls[Term.FLOOR].register.nearest(floor_w) < floor_w:
        return False
    _limit(draft, state, Term.FLOOR, floor_w)
    return True


def _limit(draft: _Draft, state: MappedState, term: Term, value: float) -> None:
    draft.told[term] = value
    draft.taken.add(term)
    if not state.has(Term.LIMIT_ENABLED):
        return
    draft.told[Term.LIMIT_ENABLED] = 1.0
    draft.taken.add(Term.LIMIT_ENABLED)
    other, open_w = (Term.FLOOR, state.der.floor_w) if term is Term.CEILING else (Term.CEILING, state.der.ceiling_w)
    if state.has(other) and other not in draft.told and state.reading.values.get(Term.LIMIT_ENABLED) != 1:
        # The switch is for both sides: what the other register was left with must not come into force with it.
        draft.told[other] = open_w
        draft.taken.add(other)


def _target(draft: _Draft, state: MappedState, limit: Bounds, target_w: float) -> Refusal | None:
    if not state.has(Term.TARGET):
        lacks = f"neither limits {limit.floor_w} W to {limit.ceiling_w} W nor a set point"
        return Refusal(f"{state.der.resource}: its registers take {lacks}")
    if state.has(Term.TARGET_ENABLED):
        draft.told[Term.TARGET_ENABLED] = 1.0
        draft.taken.add(Term.TARGET_ENABLED)
    draft.taken.add(Term.TARGET)
    register = state.der.controls[Term.TARGET].register
    for rounding in (Rounding.NEAREST, Rounding.DOWN, Rounding.UP):
        try:
            value = register.decode(register.encode(limit.clamp(target_w), rounding))
        except OutOfRangeError as error:
            return Refusal(f"{state.der.resource}: {error}")
        if value is not None and limit.clamp(value) == value:
            draft.told[Term.TARGET] = value
            return None
    return Refusal(f"{state.der.resource}: no step of its set point lies inside {limit}")


def _give_back(draft: _Draft, state: MappedState) -> None:
    """What was taken over and is not asked for any more becomes what it was."""
    for term in WRITE_ORDER:
        if term in state.held and term not in draft.told and term in state.baseline:
            draft.told[term] = state.baseline[term]


def _lease(draft: _Draft, state: MappedState, fallback: Bounds, remaining_s: float) -> None:
    """The end of what is taken over, as far as the device has one."""
    if not draft.taken:
        return
    sides = (
        (Term.FALLBACK_CEILING, Term.CEILING, fallback.ceiling_w, state.der.ceiling_w),
        (Term.FALLBACK_FLOOR, Term.FLOOR, fallback.floor_w, state.der.floor_w),
    )
    for term, limit, value_w, open_w in sides:
        if state.has(term) and limit in draft.taken:
            draft.told[term] = open_w if value_w is None else value_w
            draft.taken.add(term)
    if state.has(Term.LEASE):
        draft.told[Term.LEASE] = state.der.controls[Term.LEASE].register.nearest(ceil(remaining_s))
        draft.taken.add(Term.LEASE)
    elif not state.has(Term.HEARTBEAT):
        draft.notes.append("the device has no timer of its own: what it was told stays until it is told otherwise")


def _plan(draft: _Draft, state: MappedState) -> Plan | Refusal:
    requested: dict[str, float] = {}
    stages: list[Write] = []
    try:
        for term in WRITE_ORDER:
            if term not in draft.told:
                continue
            control = state.der.controls[term]
            words = _words(control, term, draft.told[term])
            requested[term] = _value(control, term, words)
            if not _may_stay(term, requested[term], state):
                _append(stages, Write(control.register.address, words, (term.value,)))
    except OutOfRangeError as error:
        return Refusal(f"{state.der.resource}: {error}")
    return Plan(tuple(stages), requested, frozenset(draft.taken), tuple(draft.notes))


def _words(control: ControlRegister, term: Term, value: float) -> tuple[int, ...]:
    if term in SWITCHES:
        return control.register.encode(control.on if value else control.off)
    return control.register.encode(control.register.nearest(value), _ROUNDING.get(term, Rounding.NEAREST))


def _value(control: ControlRegister, term: Term, words: tuple[int, ...]) -> float:
    """What the registers will hold."""
    value = control.register.decode(words)
    if term in SWITCHES:
        return 1.0 if value == control.on else 0.0
    return 0.0 if value is None else value


def _may_stay(term: Term, value: float, state: MappedState) -> bool:
    """True where a register that wears already holds its value, and is ours; never the timer."""
    sparing = state.der.quirks.writes_per_day is not None and term is not Term.LEASE
    return sparing and term in state.held and state.reading.values.get(term) == value


def _append(stages: list[Write], write: Write) -> None:
    """Add a write, to the last one where it follows it side by side."""
    last = stages[-1] if stages else None
    if last is not None and last.address + len(last.registers) == write.address:
        joined = last.registers + write.registers
        if len(joined) <= WRITE_MAX:
            stages[-1] = Write(last.address, joined, (*last.names, *write.names))
            return
    stages.append(write)
