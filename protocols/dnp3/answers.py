"""What an outstation answers to a READ: the objects that its headers name, cut into fragments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from protocols.dnp3.database import POINT_KINDS, Database, Point, Value
from protocols.dnp3.fragment import Iin
from protocols.dnp3.headers import ALL, FREE_FORMAT, Header, count_header
from protocols.dnp3.layouts import (
    ATTRIBUTES,
    AUTHENTICATION,
    CLASSES,
    EVENT_GROUPS,
    LAYOUTS,
    STATIC_GROUPS,
    STRING_GROUPS,
    Kind,
)
from protocols.dnp3.packing import Packed, Packer

_STATIC_KINDS = {STATIC_GROUPS[kind]: kind for kind in POINT_KINDS}
_EVENT_KINDS = {EVENT_GROUPS[kind]: kind for kind in POINT_KINDS}
_DEADBANDS = STATIC_GROUPS[Kind.ANALOG_DEADBAND]
_ALL_ATTRIBUTES = 254
_VISIBLE_STRING = 1


@dataclass
class _Answer:
    """An answer being built; the same header twice adds nothing, nor does an event twice."""

    database: Database
    attributes: Mapping[int, str]
    now_ms: int
    packer: Packer
    iin: Iin = Iin.NONE
    seen: set[tuple[int, int, object]] = field(default_factory=set)
    events: set[int] = field(default_factory=set)

    def add(self, header: Header) -> None:
        key = (header.group, header.variation, header.selection)
        if header.qualifier == FREE_FORMAT:
            self.iin |= Iin.PARAM_ERROR
        elif header.group in _EVENT_KINDS or (header.group == CLASSES and header.variation > 1):
            self._events(header)
        elif key not in self.seen:
            self.seen.add(key)
            self._add_static(header)

    def _add_static(self, header: Header) -> None:
        if header.group == CLASSES:
            self._class_0(header)
        elif header.group in _STATIC_KINDS:
            self._static(header)
        elif header.group == _DEADBANDS:
            self._deadbands(header)
        elif header.group == ATTRIBUTES:
            self._attributes(header)
        elif (header.group, header.variation) == (50, 1):
            self.packer.whole(count_header(50, 1, 1) + self.now_ms.to_bytes(6, "little"))
        elif header.group == AUTHENTICATION:
            self.iin |= Iin.NO_FUNC_CODE_SUPPORT
        else:
            self.iin |= Iin.OBJECT_UNKNOWN

    def _class_0(self, header: Header) -> None:
        if header.variation != 1:
            self.iin |= Iin.OBJECT_UNKNOWN
        if header.qualifier != ALL or self.iin & Iin.OBJECT_UNKNOWN:
            self.iin |= Iin.PARAM_ERROR
            return
        for kind in POINT_KINDS:
            self._points(kind, 0, (p for p in self.database.points(kind) if p.config.in_class_0))

    def _static(self, header: Header) -> None:
        if not _is_known(header):
            self.iin |= Iin.OBJECT_UNKNOWN
            return
        if header.selection is None and header.count is not None:
            self.iin |= Iin.PARAM_ERROR
            return
        kind = _STATIC_KINDS[header.group]
        points, is_complete = self.database.select(kind, header.selection)
        if not is_complete:
            self.iin |= Iin.PARAM_ERROR
        self._points(kind, header.variation, points)

    def _points(self, kind: Kind, variation: int, points: Iterable[Point]) -> None:
        group = STATIC_GROUPS[kind]
        for point in points:
            if isinstance(point.value, bytes):
                self.packer.static(group, len(point.value) or 1, point, point.value)
            else:
                self.packer.static(group, variation or point.config.variations[0], point, point.value)

    def _deadbands(self, header: Header) -> None:
        variation = header.variation or 3
        if (_DEADBANDS, variation) not in LAYOUTS:
            self.iin |= Iin.OBJECT_UNKNOWN
            return
        points, is_complete = self.database.select(Kind.ANALOG_INPUT, header.selection)
        if not is_complete:
            self.iin |= Iin.PARAM_ERROR
        for point in points:
            value: Value = point.deadband
            self.packer.static(_DEADBANDS, variation, point, value)

    def _attributes(self, header: Header) -> None:
        wanted = sorted(self.attributes) if header.variation == _ALL_ATTRIBUTES else [header.variation]
        for variation in wanted:
            text = self.attributes.get(variation)
            if text is None:
                self.iin |= Iin.OBJECT_UNKNOWN
                continue
            value = text.encode("ascii", "replace")[:255]
            self.packer.whole(bytes((ATTRIBUTES, variation, 0, 0, 0, _VISIBLE_STRING, len(value))) + value)

    def _events(self, header: Header) -> None:
        if header.selection is not None:
            self.iin |= Iin.PARAM_ERROR
            return
        if not _is_known(header):
            self.iin |= Iin.OBJECT_UNKNOWN
            return
        event_class = header.variation - 1 if header.group == CLASSES else None
        left = len(self.database.events) if header.count is None else header.count
        for event in self.database.events.held():
            if left <= 0:
                break
            is_wanted = event.event_class == event_class or event.kind is _EVENT_KINDS.get(header.group)
            if is_wanted and event.number not in self.events:
                self.events.add(event.number)
                self.packer.event(event, 0 if event_class is not None else header.variation)
                left -= 1


def _is_known(header: Header) -> bool:
    if header.group == CLASSES:
        return 1 <= header.variation <= 4
    return header.variation == 0 or header.group in STRING_GROUPS or (header.group, header.variation) in LAYOUTS


def answer_read(
    headers: Iterable[Header], database: Database, attributes: Mapping[int, str], *, now_ms: int, limit: int
) -> tuple[list[Packed], Iin]:
    """Fragments of objects, at most `limit` octets each, and the indications that go with them."""
    answer = _Answer(database, attributes, now_ms, Packer(limit))
    for header in headers:
        answer.add(header)
    return answer.packer.finish(), answer.iin


def answer_unsolicited(database: Database, classes: frozenset[int], limit: int) -> Packed:
    """The oldest events of these classes that fit one fragment."""
    packer = Packer(limit)
    for event in database.events.held():
        if event.event_class in classes:
            packer.event(event, 0)
    return packer.finish()[0]
