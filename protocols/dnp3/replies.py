"""An outstation's responses: those that wait to be confirmed, and the indications that all of them carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocols.dnp3.database import EventBuffer
from protocols.dnp3.fragment import Iin
from protocols.dnp3.packing import Packed

_CLASS_BITS = {1: Iin.CLASS_1_EVENTS, 2: Iin.CLASS_2_EVENTS, 3: Iin.CLASS_3_EVENTS}


@dataclass(slots=True)
class Waiting:
    """A response that waits for its confirmation."""

    sequence: int
    events: list[int]
    until_s: float
    rest: list[Packed] = field(default_factory=list)
    iin: Iin = Iin.NONE


@dataclass(slots=True)
class Reply:
    """What a request is answered with."""

    objects: bytes = b""
    iin: Iin = Iin.NONE


def indications(events: EventBuffer, sent: Sequence[int], flags: Mapping[Iin, bool]) -> Iin:
    """Indications of a response that carries the events `sent`; class bits tell of those that remain."""
    counts = events.counts.copy()
    included = set(sent)
    if included:
        for event in events.held():
            if event.number in included:
                counts[event.event_class] -= 1
    iin = Iin.EVENT_BUFFER_OVERFLOW if events.overflowed else Iin.NONE
    for event_class, bit in _CLASS_BITS.items():
        if counts[event_class]:
            iin |= bit
    for bit, is_set in flags.items():
        if is_set:
            iin |= bit
    return iin
