"""What lies below the points of interconnection stays here: nothing of it leaves for the system operator.

In total DSO the system operator knows nodes alone; as market facilitator the DSO passes on what resources do at
their points of interconnection, but not whose they are or how they are made. In dual participation the DER/As
speak for themselves.
"""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

from gateway.coordination.messages import LimitInfo, Message
from gateway.coordination.zone import DsoModel, Role, ZoneFacts

BELOW = frozenset({"phase", "phases", "serial", "lfdi", "sfdi", "pin", "customer", "meter", "credential", "endpoint"})
"""Fields that are about what is behind a point of interconnection; empty, they say nothing."""

_LFDI = re.compile(r"\b[0-9A-Fa-f]{40}\b")
_WORD = re.compile(r"[^\s,;:/@|()\[\]\"']+")
_SHORT = 2
"""Ids of so few characters are also words: in free text they are none."""


def above(info: LimitInfo) -> LimitInfo:
    """The same without the conductor."""
    return replace(info, supporting=replace(info.supporting, phase=""))


def refusal(zone: ZoneFacts, message: Message) -> str | None:
    """Why a message would tell the system operator what is below; `None` where it does not."""
    if zone.model is DsoModel.DUAL_PARTICIPATION or message.header.sender != zone.dso:
        return None
    if zone.parties.get(message.header.recipient) is not Role.SYSTEM_OPERATOR:
        return None
    found = leak(zone, message.body)
    return None if found is None else f"MASKED: {message.code} to {message.header.recipient} would tell {found}"


def leak(zone: ZoneFacts, record: object) -> str | None:
    """The first thing in a record for the system operator that is below a point of interconnection."""
    hidden = _hidden(zone)
    for name, value in _values(record, ""):
        last = name.rpartition(".")[2]
        if last in BELOW and value:
            return name
        if isinstance(value, str) and (what := _told(value, last, hidden)):
            return f"{what} in {name}"
    return None


def _hidden(zone: ZoneFacts) -> frozenset[str]:
    """Names that the system operator does not know."""
    if zone.model is not DsoModel.TOTAL_DSO:
        return frozenset()
    owners = {resource.owner for resource in zone.resources.values()}
    return frozenset(zone.resources) | owners - set(zone.market.nodes)


def _told(text: str, name: str, hidden: frozenset[str]) -> str:
    if _LFDI.search(text) and not name.endswith("sha256"):
        return "an LFDI"
    words = [text] if text in hidden else [word for word in _WORD.findall(text) if len(word) > _SHORT]
    return next((word for word in words if word in hidden), "")


def _values(record: object, path: str) -> Iterator[tuple[str, object]]:
    if is_dataclass(record):
        for field in fields(record):
            yield from _values(getattr(record, field.name), f"{path}.{field.name}".lstrip("."))
    elif isinstance(record, tuple | list):
        for item in record:
            yield from _values(item, path)
    else:
        yield path, record
