"""Small values for tests of coordination: a zone of A (battery) and B (solar), and what happens to them."""

from dataclasses import replace
from typing import Any

from gateway.coordination.book import Book
from gateway.coordination.events import Answered, Decided, Event, Issued, Received, Sent
from gateway.coordination.messages import (
    AckStatus,
    Body,
    DispatchCopy,
    Header,
    LimitAck,
    LimitClear,
    LimitIssue,
    Message,
    OutageNotice,
    Supporting,
)
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Clocks, Controllable, DsoModel, LimitRules, Resource, Role, ZoneFacts
from gateway.snapshot import Image
from grid_engine.results import Answer, Binding, Envelope, Purpose, Reason, Status, Study
from protocols.points import Point, Quantity
from protocols.signals import (
    Ack,
    Bounds,
    Control,
    Instruction,
    LinkChanged,
    LinkState,
    Measurement,
    Outcome,
    Quality,
    Release,
)

T = 1_800_000_000.0
"""A multiple of the market interval."""
MW = 1e6
A = Resource(
    id="A",
    bus="B3",
    phases="abc",
    floor_w=-2.5 * MW,
    ceiling_w=2.5 * MW,
    controllable=Controllable.SETPOINT,
    owner="AGENT_A",
    connected_on="2021-01-01",
    lease_s=900.0,
    static=Bounds(None, 0.5 * MW),
    ramp_w_per_s=10_000.0,
)
B = replace(A, id="B", bus="B4", floor_w=0.0, ceiling_w=6 * MW, owner="AGENT_B", controllable=Controllable.LIMIT)
PARTIES = {"IESO": Role.SYSTEM_OPERATOR, "AGENT_A": Role.DERA, "AGENT_B": Role.DERA}
BINDING = Binding("L12", Reason.THERMAL, "b", "N-0", 186.3, 154.2, 154.2, "A")


def zone(a: Resource = A, model: DsoModel = DsoModel.DUAL_PARTICIPATION, **rules: Any) -> ZoneFacts:
    clocks = Clocks(look_ahead_intervals=3)
    return ZoneFacts("R1", model, "r1-1", {"A": a, "B": B}, PARTIES, clocks=clocks, limits=LimitRules(**rules))


def folded(*events: Event) -> Book:
    book = Book()
    for event in events:
        book.fold(event)
    return book


def measured(
    resource: str, value: float, at_s: float, quantity: Quantity = Quantity.ACTIVE_POWER_W, **other: Any
) -> Measurement:
    found = Measurement(Point(resource, quantity), value, Quality.GOOD, at_s, at_s)
    return replace(found, **other)


def linked(resource: str, state: LinkState, at_s: float = T) -> LinkChanged:
    return LinkChanged(resource, state, at_s, "told by the test")


def situation(
    book: Book,
    now_s: float,
    *signals: Measurement | LinkChanged,
    facts: ZoneFacts | None = None,
    online: bool = True,
    confirmed: frozenset[str] = frozenset(),
) -> Situation:
    """Both links up, unless told otherwise; each signal folded in order."""
    image = Image({"A": 1.0, "B": 1.0})
    for resource in ("A", "B") if online else ():
        image.fold(linked(resource, LinkState.ONLINE))
    for signal in signals:
        image.fold(signal)
    return Situation(facts or zone(), book, image.freeze(now_s), "k1", confirmed)


def message(sender: str, recipient: str, body: Body, msg_id: str = "m") -> Message:
    return Message(Header(msg_id, "corr", sender, recipient, T, "R1", "DP"), body)


def dispatched(power_w: float, start_s: float, at_s: float, version: int = 1, dispatch_id: str = "") -> Received:
    body = DispatchCopy(dispatch_id or f"d{start_s:.0f}", version, "A", power_w, start_s, start_s + 300)
    return Received(message("IESO", "DSO", body, f"{dispatch_id}{start_s}-{version}"), at_s)


def limit(ceiling_w: float, version: int = 1, start_s: float = T, **other: Any) -> LimitIssue:
    found = LimitIssue(
        limit_id=f"R1-A-{version}",
        version=version,
        resource="A",
        start_s=start_s,
        end_s=start_s + 300,
        ceiling_w=ceiling_w,
        floor_w=-2.5 * MW,
        reason=Reason.THERMAL,
        constraint_id="L12",
        expires_s=start_s + 900,
        supporting=Supporting(120.8, 100.0, "r1-1", "k0"),
    )
    return replace(found, **other)


def sent(body: LimitIssue | LimitClear, at_s: float) -> Sent:
    return Sent(message("DSO", "AGENT_A", body), at_s)


def cleared(of: LimitIssue, at_s: float) -> Sent:
    return sent(LimitClear(of.limit_id, of.version, of.resource), at_s)


def acked(of: LimitIssue, at_s: float, sender: str = "AGENT_A") -> Received:
    body = LimitAck(of.limit_id, of.version, of.resource, AckStatus.ACCEPT, of.ceiling_w)
    return Received(message(sender, "DSO", body, f"ack-{of.limit_id}"), at_s)


def outage(resource: str, start_s: float, available_w: float = 0.0) -> Received:
    body = OutageNotice("o1", resource, available_w, start_s, start_s + 3600, planned=False)
    return Received(message("AGENT_B", "DSO", body, "o1"), start_s)


def control(ceiling_w: float | None, start_s: float = T, version: int = 1, **other: Any) -> Control:
    box = Bounds(None, ceiling_w)
    found = Control(f"A-c{version}", "A", version, start_s, start_s + 900, box, fallback=A.static)
    return replace(found, **other)


def release(version: int = 2) -> Release:
    return Release(f"A-c{version}", "A", version, {})


def issued(instruction: Instruction, at_s: float, power_w: float = 0.0) -> Issued:
    return Issued(instruction, at_s, "k0", "R1-A-1", power_w)


def answered(of: Instruction, outcome: Outcome, at_s: float, **other: Any) -> Answered:
    return Answered(Ack(of.control_id, of.resource, of.version, outcome, at_s, **other))


def envelope(ceiling_w: float, floor_w: float = -2.5 * MW, interval: int = 0) -> Envelope:
    return Envelope("A", interval, floor_w, ceiling_w, BINDING)


def solved(*envelopes: Envelope) -> Answer:
    return Answer("s", Status.SOLVED, "r1-1", envelopes=envelopes)


def decided(at_s: float, status: Status = Status.SOLVED, **other: Any) -> Decided:
    study = Study("s", Purpose.IMPACT, 1, ())
    return Decided("k", at_s, study, Answer("s", status, "r1-1"), **other)
