"""One control as a journal tells it: A is dispatched to 2 MW, limited to 1.2 MW, obeys, and is released."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gateway import record
from gateway.coordination.events import Alarmed, Answered, Decided, Issued, Kept, Received, Sent
from gateway.coordination.messages import (
    AckStatus,
    CapabilityNotice,
    DispatchCopy,
    Header,
    LimitAck,
    LimitClear,
    LimitIssue,
    Message,
    Supporting,
)
from gateway.journal.store import Journal
from gateway.record import Fact
from grid_engine.results import (
    Answer,
    Binding,
    Envelope,
    NetworkState,
    Participant,
    Purpose,
    Reason,
    Status,
    Study,
    Violation,
)
from protocols.signals import Ack, Baseline, Bounds, Control, LinkChanged, LinkState, Outcome, Release

T = 1_790_000_100.0  # 14:15:00 UTC

BINDING = Binding("L12", Reason.THERMAL, "b", "N-0", 186.3, 154.2, 154.2, "A", 24_900.0)
ANSWER = Answer(
    "k1-impact",
    Status.SOLVED,
    "r1-1",
    violations=(
        Violation("L12", Reason.THERMAL, 0, 186.3, 154.2, "A", "b"),
        Violation("L12", Reason.THERMAL, 1, 186.3, 154.2, "A", "b"),
        Violation("B4", Reason.VOLT_HI, 0, 1.0566, 1.05, "pu"),
    ),
    envelopes=(Envelope("A", 0, -2.5e6, 1.2e6, BINDING),),
    power_flows=14,
    duration_s=0.31,
)
STUDY = Study(
    "k1-impact",
    Purpose.IMPACT,
    2,
    participants=(
        Participant("A", "B3", (0.0, 0.0), (2e6, 2e6), -2.5e6, 2.5e6),
        Participant("B", "B4", (4e6, 4e6), (4e6, 4e6), 0.0, 6e6, adjustable=False),
    ),
    load_scale=(1.0, 0.98),
    state=NetworkState(taps={"T1": -3}, switches_closed={"SWT": False}),
)
DECIDED = Decided("k1", T + 30, STUDY, ANSWER, {"A": 0.0, "B": 3.98e6})
CONTROL = Control("A-c1", "A", 1, T + 36, T + 936, Bounds(None, 1.2e6), None, Bounds(None, 0.5e6))
LIMIT = LimitIssue(
    "R1-A-1",
    1,
    "A",
    T,
    T + 300,
    1.2e6,
    -2.5e6,
    Reason.THERMAL,
    "L12",
    T + 900,
    Supporting(120.8, 100.0, "r1-1", "k1", "N-0", "b"),
)
REGISTERS = {"WMaxLimPct": 4800.0, "WMaxLimPctEna": 1.0}


def message(sender: str, recipient: str, corr_id: str, body) -> Message:
    return Message(Header(f"{sender}:{corr_id}", corr_id, sender, recipient, T, "R1", "DP"), body)


DISPATCH = message("IESO", "DSO", "d1", DispatchCopy("d1", 1, "A", 2e6, T, T + 300))

FACTS: tuple[Fact, ...] = (
    Kept(Baseline("A", {"WMaxLimPct": 10000.0, "WMaxLimPctEna": 0.0}, T - 50)),
    Received(DISPATCH, T + 0.2),
    DECIDED,
    Sent(message("DSO", "AGENT_A", "R1-A-1", LIMIT), T + 35, "k1"),
    Issued(CONTROL, T + 36, "k1", "R1-A-1", 150_000.0),
    Answered(Ack("A-c1", "A", 1, Outcome.WRITTEN, T + 36.4, "", REGISTERS, REGISTERS)),
    Received(message("AGENT_A", "DSO", "R1-A-1", LimitAck("R1-A-1", 1, "A", AckStatus.ACCEPT, 1.2e6)), T + 40),
    Received(
        message("AGENT_A", "DSO", "cap-7", CapabilityNotice("A", 1.2e6, T, T + 300, "DISTRIBUTION_LIMIT", "R1-A-1")),
        T + 41,
    ),
    Alarmed("CAP_NOTICE_LATE", "R1-A-1", T + 42, "an alarm about the limit"),
    Answered(
        Ack("A-c1", "A", 1, Outcome.VERIFIED, T + 60, "measured 1.200 MW where at most 1.200 MW is allowed", {}, {})
    ),
    LinkChanged("A", LinkState.DEGRADED, T + 100, "one poll missed"),
    Issued(replace(CONTROL, expiry_s=T + 1386), T + 486, "k1", "R1-A-1", 1.2e6),
    Answered(Ack("A-c1", "A", 1, Outcome.WRITTEN, T + 486.4, "", REGISTERS, REGISTERS)),
    Sent(message("DSO", "AGENT_A", "R1-A-1", LimitClear("R1-A-1", 1, "A")), T + 700, "k9"),
    Issued(Release("A-c2", "A", 2, {"WMaxLimPct": 10000.0, "WMaxLimPctEna": 0.0}), T + 701, "", "", 1.2e6),
    Answered(Ack("A-c2", "A", 2, Outcome.WRITTEN, T + 701.3)),
)


async def told_to(path: Path, facts: Sequence[Fact] = FACTS) -> Journal:
    """A journal that holds the facts; still open for writing."""
    journal = Journal.open(path)
    await journal.append([record.entry(one) for one in facts])
    return journal
