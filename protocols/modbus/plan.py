"""What is to be written to a DER and must read back, and what became of it; without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocols.modbus.sunspec import Reading, Write
from protocols.signals import Outcome

LEASE: Final = "lease_s"
"""The timer of a device without a SunSpec map."""
TIMER_SLACK_S: Final = 2.0
"""Device timers count whole seconds and are read a moment later."""

Wanted = Mapping[str, float]
"""Scaled values by point name."""


def is_timer(name: str) -> bool:
    """True for a register whose value may run down by itself."""
    return name == LEASE or name.endswith("RvrtTms")


def remaining(timer: str) -> str:
    """The name under which a timer tells what is left of it."""
    return timer if timer == LEASE else f"{timer[:-3]}Rem"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write, in order, and what has to read back."""

    writes: tuple[Write, ...]
    requested: Mapping[str, float]
    """Scaled, by point name, as the registers will hold it."""
    held: frozenset[str]
    """Functions taken over once this is carried out."""
    notes: tuple[str, ...] = ()
    """What the device cannot express, for people."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The device has no way to do it."""

    detail: str


class WriteAnswer(Enum):
    """What the device said to the writes of a plan."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    SILENCE = "silence"


def differences(plan: Plan, reading: Reading) -> dict[str, float | None]:
    """Points that do not hold what was requested, with what they hold; half a step of the register is no difference."""
    return {
        name: reading.values.get(name)
        for name, wanted in plan.requested.items()
        if not _same(name, wanted, reading.values.get(name), reading.exponents.get(name, 0))
    }


def is_untouched(plan: Plan, before: Reading, after: Reading) -> bool:
    """True where whatever differs from the plan holds what it held before: a write of it has not arrived."""
    wrong = differences(plan, after)
    return bool(wrong) and all(value == before.values.get(name) for name, value in wrong.items())


def judge(
    plan: Plan, said: WriteAnswer, before: Reading, after: Reading | None, settle_s: float
) -> tuple[Outcome, str]:
    """What became of a plan, from what the device said to the writes and what it held before and after.

    `after` is `None` where reading back got no answer.
    """
    if said is WriteAnswer.REFUSED:
        return Outcome.REJECTED, ""
    if after is None:
        return Outcome.UNKNOWN, "reading back got no answer"
    if differences(plan, after):
        return _not_as_asked(plan, said, before, after, settle_s)
    if said is WriteAnswer.SILENCE and not _shows(plan, before, after, settle_s + TIMER_SLACK_S):
        return Outcome.UNKNOWN, "reading back cannot tell, it held the same before"
    return Outcome.WRITTEN, ""


def _not_as_asked(
    plan: Plan, said: WriteAnswer, before: Reading, after: Reading, settle_s: float
) -> tuple[Outcome, str]:
    holds = ", ".join(f"{name} is {value}" for name, value in differences(plan, after).items())
    if said is WriteAnswer.SILENCE and is_untouched(plan, before, after):
        return Outcome.UNDELIVERED, f"it has not arrived: {holds}, as before"
    outcome = Outcome.UNKNOWN if said is WriteAnswer.SILENCE else Outcome.REJECTED
    return outcome, f"{settle_s:g} s later {holds}"


def _shows(plan: Plan, before: Reading, after: Reading, slack_s: float) -> bool:
    """True where a reading that agrees with the plan shows that an unanswered write was carried out.

    If the registers held the same values before, as when a lease is renewed, only timers that have
    started anew within `slack_s` show it.
    """
    if differences(plan, before):
        return True
    timers = {name: wanted for name, wanted in plan.requested.items() if is_timer(name) and wanted > 0}
    left = {name: after.values.get(remaining(name)) for name in timers}
    return bool(timers) and all((left[name] or 0.0) >= wanted - slack_s for name, wanted in timers.items())


def _same(name: str, wanted: float, found: float | None, exponent: int) -> bool:
    if found is None:
        return False
    if is_timer(name):
        # Some devices let the timer register itself run down.
        return found == wanted or 0 < found < wanted
    return abs(found - wanted) <= 0.5 * 10.0**exponent
