"""What a master asks for, and how it asks more narrowly once an answer could not be decoded.

First all classes in one request; then class by class; then group by group, so that one object that we cannot decode
keeps only its own group from us.
"""

from enum import IntEnum

from protocols.dnp3.headers import all_header, class_header
from protocols.dnp3.layouts import EVENT_GROUPS, STATIC_GROUPS, Kind

_KINDS = (
    Kind.BINARY_INPUT,
    Kind.DOUBLE_BIT_INPUT,
    Kind.BINARY_OUTPUT,
    Kind.COUNTER,
    Kind.FROZEN_COUNTER,
    Kind.ANALOG_INPUT,
    Kind.ANALOG_OUTPUT,
    Kind.OCTET_STRING,
)
_EVENT_CLASSES = (1, 2, 3)


class Breadth(IntEnum):
    """How much one request asks for."""

    ALL = 0
    BY_CLASS = 1
    BY_GROUP = 2


def event_requests(breadth: Breadth) -> list[bytes]:
    """Objects of the requests that fetch all events."""
    if breadth is Breadth.BY_GROUP:
        return [all_header(EVENT_GROUPS[kind]) for kind in _KINDS]
    headers = [class_header(number) for number in _EVENT_CLASSES]
    return headers if breadth is Breadth.BY_CLASS else [b"".join(headers)]


def integrity_requests(breadth: Breadth) -> list[bytes]:
    """Objects of the requests that fetch all events, then all values."""
    if breadth is Breadth.BY_GROUP:
        return event_requests(breadth) + [all_header(STATIC_GROUPS[kind]) for kind in _KINDS]
    if breadth is Breadth.BY_CLASS:
        return [*event_requests(breadth), class_header(0)]
    return [event_requests(breadth)[0] + class_header(0)]


def narrower(breadth: Breadth) -> Breadth:
    """The next narrower breadth, or the narrowest."""
    return Breadth(min(breadth + 1, Breadth.BY_GROUP))
