"""What an operator writes to a device's folder, as an instruction at the operator's desk.

The folder is written as docs/opcua.md describes a control: values first, `Version` last, which takes them over as
a whole. `Version` is one more than what is shown, so that nobody overwrites an instruction he has not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.desk import Desk, RefusedInstruction, UnrecordedInstruction
from protocols.opcua.served import Value
from protocols.signals import Bounds

NAMES = ("LimitMax", "LimitMaxEnabled", "LimitMin", "LimitMinEnabled", "Target", "TargetEnabled", "ValidUntil")
"""Variables of a folder that are taken over together."""
LONGEST_S = 7 * 86_400.0
"""An instruction by hand that should outlive a week belongs into the zone file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the variables of one folder ask for."""

    limit: Bounds
    target_w: float | None
    lasts_s: float

    @property
    def is_nothing(self) -> bool:
        """True where every switch is off."""
        return self.limit.is_open and self.target_w is None


def wanted(values: Mapping[str, Value], now_s: float) -> Wanted | str:
    """What is asked for, or why it cannot be asked."""

    def side(name: str) -> float | None:
        return float(values[name]) if values[f"{name}Enabled"] else None

    floor_w, ceiling_w, target_w = side("LimitMin"), side("LimitMax"), side("Target")
    if floor_w is not None and ceiling_w is not None and floor_w > ceiling_w:
        return f"LimitMin {floor_w:g} W is above LimitMax {ceiling_w:g} W"
    found = Wanted(Bounds(floor_w, ceiling_w), target_w, float(values["ValidUntil"]) - now_s)
    if not found.is_nothing and not 0.0 < found.lasts_s <= LONGEST_S:
        return f"ValidUntil must lie ahead, and by at most {LONGEST_S / 86_400:g} days"
    return found


async def instruct(desk: Desk, resource: str, values: Mapping[str, Value], who: str, now_s: float) -> tuple[str, str]:
    """Take an operator's folder over; gives the StatusCode for `Version`, empty where taken, and what to say."""
    asked = wanted(values, now_s)
    if isinstance(asked, str):
        return "BadOutOfRange", asked
    source = f"{who} over OPC UA"
    try:
        if not asked.is_nothing:
            await desk.instruct(resource, asked.limit, asked.target_w, asked.lasts_s, source)
        elif desk.standing(resource) is None:
            return "BadNothingToDo", "every switch is off, and nothing was asked before"
        else:
            await desk.withdraw(resource, source)
    except RefusedInstruction as error:
        return "BadInvalidArgument", str(error)
    except UnrecordedInstruction as error:
        return "BadResourceUnavailable", str(error)
    return "", "withdrawn" if asked.is_nothing else "taken"
