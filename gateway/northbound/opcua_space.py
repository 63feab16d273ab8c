"""The zone as variables in folders: what is measured, limited, controlled and asked for, and how healthy it all is.

A device's folder begins as docs/opcua.md describes a DER, so that whoever reads one device reads any.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from gateway.coordination.book import Book
from gateway.coordination.book_records import ControlRecord, LimitRecord
from gateway.coordination.operator import OperatorInstruction
from gateway.coordination.zone import Controllable, Resource, ZoneFacts
from gateway.snapshot import Snapshot
from grid_engine.results import Status
from protocols.opcua.model import MEASURED
from protocols.opcua.served import MOST_CHILDREN, Shown, Type, Variable
from protocols.points import Phase, Point, Quantity
from protocols.signals import Control, LinkState, Measurement, Quality

T = TypeVar("T")

TOP: Final = "Ampacity"
DEVICES, GRID, HEALTH = "Devices", "Grid", "Health"
OPERATOR: Final = "Operator"
_WORST_FIRST = (Quality.BAD, Quality.STALE, Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.GOOD)
_UNITS: Final[Mapping[Quantity, str]] = {
    Quantity.ACTIVE_POWER_W: "W, positive for injection",
    Quantity.REACTIVE_POWER_VAR: "var, positive for injection",
    Quantity.APPARENT_POWER_VA: "VA",
    Quantity.CURRENT_A: "A",
    Quantity.VOLTAGE_V: "V",
    Quantity.VOLTAGE_PU: "per unit of nominal",
    Quantity.FREQUENCY_HZ: "Hz",
    Quantity.STATE_OF_CHARGE_PU: "0 to 1 of the usable energy",
    Quantity.AVAILABLE_POWER_W: "W that it could inject now",
    Quantity.RATED_POWER_W: "W, nameplate as the device tells it",
    Quantity.CEILING_W: "W, upper limit that the device says it obeys",
    Quantity.FLOOR_W: "W, lower limit that the device says it obeys",
    Quantity.SWITCH_CLOSED: "1 closed, 0 open",
    Quantity.TAP_POSITION: "tap",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What the gateway knows now."""

    zone: ZoneFacts
    book: Book
    snapshot: Snapshot
    said: Mapping[str, str] = field(default_factory=dict)
    """What operators were last answered, by device."""


@dataclass(frozen=True, slots=True)
class _Device:
    """One resource in the picture."""

    resource: Resource
    snapshot: Snapshot
    limit: LimitRecord | None
    control: ControlRecord | None
    asked: OperatorInstruction | None
    """The newest instruction of an operator, also where it no longer holds."""
    said: str

    @property
    def held(self) -> Control | None:
        """The control that it was last given; None before the first and after a release."""
        instruction = None if self.control is None else self.control.instruction
        return instruction if isinstance(instruction, Control) else None

    @property
    def is_leased(self) -> bool:
        """Whether it is known to hold a control that has not run out."""
        record = self.control
        until_s = None if self.held is None or record is None else record.leased_until_s
        return until_s is not None and self.snapshot.at_s < until_s


@dataclass(frozen=True, slots=True)
class _Row(Generic[T]):
    """One variable of everything of one kind."""

    folder: str
    name: str
    type: Type
    about: str
    show: Callable[[T], Shown]
    is_writable: bool = False


def variables(zone: ZoneFacts, points: Iterable[Point]) -> list[Variable]:
    """Everything that is shown of a zone, `points` being those of its stations."""
    found = [_variable((TOP, row.folder), row.folder, row) for row in _ZONE]
    for group, names in _groups(sorted(zone.resources)):
        for name in names:
            path = (TOP, DEVICES, *group, name)
            for row in _rows_of(zone, name):
                path_of_row = (*path, row.folder) if row.folder else path
                found.append(_variable(path_of_row, f"{DEVICES}/{name}{'/' * bool(row.folder)}{row.folder}", row))
    by_asset: dict[str, list[Point]] = {}
    for point in sorted(set(points)):
        by_asset.setdefault(point.resource, []).append(point)
    for group, names in _groups(list(by_asset)):
        for name in names:
            for point in by_asset[name]:
                path = (TOP, GRID, *group, name, _name_of(point))
                found.append(Variable(path, grid_node(point), Type.NUMBER, _UNITS[point.quantity]))
    return found


def grid_node(point: Point) -> str:
    """The variable of a station's point."""
    return f"{GRID}/{point.resource}/{_name_of(point)}"


def device_node(resource: str, name: str, folder: str = "") -> str:
    """A variable of a device, by its folder below the device's own."""
    return "/".join((DEVICES, resource, *([folder] if folder else []), name))


def values(picture: Picture, points: Iterable[Point]) -> Iterator[dict[str, Shown]]:
    """What every variable shows, a part at a time: the zone, each device, the grid."""
    yield {f"{row.folder}/{row.name}": row.show(picture) for row in _ZONE}
    at_s = picture.snapshot.at_s
    for name, resource in picture.zone.resources.items():
        device = _Device(
            resource,
            picture.snapshot,
            picture.book.limit_at(name, at_s),
            picture.book.controls.get(name),
            picture.book.operator.get(name),
            picture.said.get(name, ""),
        )
        rows = _rows_of(picture.zone, name)
        yield {device_node(name, row.name, row.folder): row.show(device) for row in rows}
    yield {grid_node(point): measured(picture.snapshot.measurements.get(point)) for point in points}


def measured(found: Measurement | None) -> Shown:
    """A measurement with its quality and the time of its source; never a number for what was not heard."""
    if found is None:
        return Shown(None)
    return Shown(None if found.quality is Quality.BAD else found.value, found.quality, found.source_time_s)


def _groups(names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Sequence[str]]]:
    """Names in folders of at most a hundred, called by their first and last; no folder where one is enough."""
    if len(names) <= MOST_CHILDREN:
        yield (), names
        return
    size = MOST_CHILDREN
    while size * MOST_CHILDREN < len(names):
        size *= MOST_CHILDREN
    for begin in range(0, len(names), size):
        part = names[begin : begin + size]
        for inner, few in _groups(part):
            yield (f"{part[0]} to {part[-1]}", *inner), few


def _name_of(point: Point) -> str:
    tail = "" if point.phase is Phase.TOTAL else f" {point.phase.value}"
    return f"{point.quantity.value}{tail}"


def _variable(folder: tuple[str, ...], node: str, row: "_Row[T]") -> Variable:
    return Variable((*folder, row.name), f"{node}/{row.name}", row.type, row.about, row.is_writable)


def _rows_of(zone: ZoneFacts, name: str) -> tuple["_Row[_Device]", ...]:
    """An operator's folder only where there is something to ask for."""
    return _DEVICE if zone.resources[name].controllable is Controllable.NONE else _CONTROLLABLE


def _measured(quantity: Quantity) -> Callable[[_Device], Shown]:
    return lambda device: measured(device.snapshot.measurements.get(Point(device.resource.id, quantity)))


def _of_limit(
    what: Callable[[LimitRecord], float | str], otherwise: Callable[[Resource], float | str]
) -> Callable[[_Device], Shown]:
    """Of the limit in force, or what holds without one."""

    def show(device: _Device) -> Shown:
        if device.limit is None:
            return Shown(otherwise(device.resource))
        return Shown(what(device.limit), at_s=device.limit.sent_s)

    return show


def _of_control(
    what: Callable[[Control], float | int | None], otherwise: Callable[[Resource], float | int]
) -> Callable[[_Device], Shown]:
    """Of the control last sent, or what holds where it leaves that open or there is none."""

    def show(device: _Device) -> Shown:
        held, record = device.held, device.control
        value = None if held is None else what(held)
        at_s = None if record is None else record.issued_s
        return Shown(otherwise(device.resource) if value is None else value, at_s=at_s)

    return show


def _of_asked(what: Callable[[OperatorInstruction], float | int | bool | str]) -> Callable[[_Device], Shown]:
    """As last asked for; zeros before anybody has asked."""
    nothing = OperatorInstruction("", "", 0, 0.0, 0.0, "")
    return lambda device: Shown(what(device.asked or nothing), at_s=device.asked.at_s if device.asked else None)


def _outcome(device: _Device) -> Shown:
    record = device.control
    if record is None:
        return Shown("")
    return Shown("sent" if record.outcome is None else record.outcome.value, at_s=record.answered_s or record.issued_s)


def _link(device: _Device) -> Shown:
    change = device.snapshot.links.get(device.resource.id)
    return Shown(LinkState.INIT.value) if change is None else Shown(change.state.value, at_s=change.at_s)


def _in_force(device: _Device) -> Shown:
    return Shown(value=device.asked is not None and device.asked.holds(device.snapshot.at_s))


def _power(picture: Picture) -> Shown:
    """Sum over the devices, as good as the worst of them; missing ones make it no number."""
    shares = [picture.snapshot.measurements.get(Point(n, Quantity.ACTIVE_POWER_W)) for n in picture.zone.resources]
    heard = [share for share in shares if share is not None and share.quality is not Quality.BAD]
    if not heard or len(heard) < len(shares):
        return Shown(None)
    worst = next(quality for quality in _WORST_FIRST if any(share.quality is quality for share in heard))
    return Shown(sum(share.value for share in heard), worst, min(share.source_time_s for share in heard))


def _links(state: LinkState) -> Callable[[Picture], Shown]:
    return lambda picture: Shown(sum(picture.snapshot.link(name) is state for name in picture.zone.resources))


def _coverage(picture: Picture) -> Shown:
    wanted = frozenset(Point(name, Quantity.ACTIVE_POWER_W) for name in picture.zone.resources)
    return Shown(picture.snapshot.coverage_pct(wanted) / 100)


def _last_solved(picture: Picture) -> Shown:
    at_s = picture.book.last_solved_s
    return Shown(0.0 if at_s is None else at_s)


def _solved(picture: Picture) -> Shown:
    last = picture.book.last_answer
    return Shown(value=False) if last is None else Shown(last.answer.status is Status.SOLVED, at_s=last.at_s)


def _violations(picture: Picture) -> Shown:
    last = picture.book.last_answer
    if last is None:
        return Shown(0)
    return Shown(sum(violation.interval == 0 for violation in last.answer.violations), at_s=last.at_s)


def _network(picture: Picture) -> Shown:
    last = picture.book.last_answer
    return Shown(picture.zone.model_version if last is None else last.answer.model_version)


def _last_alarm(picture: Picture) -> Shown:
    if not picture.book.alarms:
        return Shown("")
    (code, subject), at_s = max(picture.book.alarms.items(), key=lambda one: one[1])
    return Shown(f"{code} {subject}", at_s=at_s)


def _ceiling(resource: Resource) -> float:
    return resource.ceiling_w


def _floor(resource: Resource) -> float:
    return resource.floor_w


def _zero(_: Resource) -> int:
    return 0


def _no(_: Resource) -> bool:
    return False


def _no_text(_: Resource) -> str:
    return ""


def _has_target(control: Control) -> bool:
    return control.target_w is not None


_ZONE: Final[tuple[_Row[Picture], ...]] = (
    _Row(HEALTH, "Time", Type.TIME, "When this was brought up to date: a heartbeat", lambda p: Shown(p.snapshot.at_s)),
    _Row(HEALTH, "Zone", Type.TEXT, "Id of the zone", lambda p: Shown(p.zone.id)),
    _Row(HEALTH, "Model", Type.TEXT, "DP, T or MF", lambda p: Shown(p.zone.model.value)),
    _Row(HEALTH, "NetworkVersion", Type.TEXT, "Network model that limits are computed on", _network),
    _Row(HEALTH, "LastSolved", Type.TIME, "When limits were last computed", _last_solved),
    _Row(HEALTH, "Solved", Type.FLAG, "Whether the newest study came to an end", _solved),
    _Row(HEALTH, "Violations", Type.COUNT, "Of the newest study, now, at the powers asked for", _violations),
    _Row(HEALTH, "DevicesOnline", Type.COUNT, "Devices whose link is up", _links(LinkState.ONLINE)),
    _Row(HEALTH, "DevicesDegraded", Type.COUNT, "Devices that missed a poll or two", _links(LinkState.DEGRADED)),
    _Row(HEALTH, "DevicesLost", Type.COUNT, "Devices on their own timers", _links(LinkState.LOST)),
    _Row(HEALTH, "Coverage", Type.NUMBER, "Share of the devices with a usable power, 0 to 1", _coverage),
    _Row(HEALTH, "ActivePower", Type.NUMBER, "W, sum over the devices, positive for injection", _power),
    _Row(HEALTH, "Alarms", Type.COUNT, "Alarms raised so far", lambda p: Shown(len(p.book.alarms))),
    _Row(HEALTH, "LastAlarm", Type.TEXT, "Code and subject of the newest alarm", _last_alarm),
)

_DEVICE: Final[tuple[_Row[_Device], ...]] = (
    *(_Row("", name, Type.NUMBER, _UNITS[quantity], _measured(quantity)) for name, quantity in MEASURED.items()),
    _Row("", "Link", Type.TEXT, "init, online, degraded or lost", _link),
    _Row("Limit", "InForce", Type.FLAG, "Whether the DSO limits it now", lambda d: Shown(d.limit is not None)),
    _Row("Limit", "Max", Type.NUMBER, "W that the DSO allows", _of_limit(lambda r: r.limit.ceiling_w, _ceiling)),
    _Row("Limit", "Min", Type.NUMBER, "W that the DSO allows", _of_limit(lambda r: r.limit.floor_w, _floor)),
    _Row("Limit", "Reason", Type.TEXT, "Why there is a limit", _of_limit(lambda r: r.limit.reason.value, _no_text)),
    _Row("Limit", "Constraint", Type.TEXT, "What binds", _of_limit(lambda r: r.limit.constraint_id, _no_text)),
    _Row("Limit", "Id", Type.TEXT, "As in messages and log", _of_limit(lambda r: r.limit.limit_id, _no_text)),
    _Row("Limit", "Expires", Type.TIME, "End, if not renewed", _of_limit(lambda r: r.limit.expires_s, _zero)),
    _Row("Control", "InForce", Type.FLAG, "Whether it holds a lease", lambda d: Shown(d.is_leased)),
    _Row("Control", "Version", Type.COUNT, "Of the control last sent", _of_control(lambda c: c.version, _zero)),
    _Row("Control", "Max", Type.NUMBER, "W sent", _of_control(lambda c: c.limit.ceiling_w, _ceiling)),
    _Row("Control", "Min", Type.NUMBER, "W sent", _of_control(lambda c: c.limit.floor_w, _floor)),
    _Row("Control", "HasTarget", Type.FLAG, "Whether a set point was sent", _of_control(_has_target, _no)),
    _Row("Control", "Target", Type.NUMBER, "W, set point sent", _of_control(lambda c: c.target_w, _zero)),
    _Row("Control", "LeaseUntil", Type.TIME, "When it falls back", _of_control(lambda c: c.expiry_s, _zero)),
    _Row("Control", "Outcome", Type.TEXT, "verified, unverified, rejected, unknown, …", _outcome),
)


def _asking(
    name: str, type_: Type, about: str, what: Callable[[OperatorInstruction], float | int | bool]
) -> _Row[_Device]:
    return _Row(OPERATOR, name, type_, about, _of_asked(what), is_writable=True)


_CONTROLLABLE: Final[tuple[_Row[_Device], ...]] = (
    *_DEVICE,
    _asking("LimitMax", Type.NUMBER, "W asked for at most", lambda a: a.limit.ceiling_w or 0.0),
    _asking("LimitMaxEnabled", Type.FLAG, "Switch of LimitMax", lambda a: a.limit.ceiling_w is not None),
    _asking("LimitMin", Type.NUMBER, "W asked for at least", lambda a: a.limit.floor_w or 0.0),
    _asking("LimitMinEnabled", Type.FLAG, "Switch of LimitMin", lambda a: a.limit.floor_w is not None),
    _asking("Target", Type.NUMBER, "W, set point asked for", lambda a: a.target_w or 0.0),
    _asking("TargetEnabled", Type.FLAG, "Switch of Target", lambda a: a.target_w is not None),
    _asking("ValidUntil", Type.TIME, "When it ends by itself; must be given", lambda a: a.expires_s),
    _asking("Version", Type.COUNT, "Number of the instruction: write one more, last", lambda a: a.version),
    _Row(OPERATOR, "InForce", Type.FLAG, "Whether the instruction holds now", _in_force),
    _Row(OPERATOR, "Result", Type.TEXT, "What became of the last write of Version", lambda d: Shown(d.said)),
    _Row(OPERATOR, "Source", Type.TEXT, "Who asked, and through which door", _of_asked(lambda a: a.source)),
)
