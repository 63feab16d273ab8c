"""Parties and a battery without sockets; the exchange is the published trace of a limited dispatch."""

from dataclasses import replace

import pytest

from gateway.coordination.messages import (
    AckCommit,
    AckStatus,
    Body,
    CapabilityNotice,
    Dispatch,
    DispatchCopy,
    Header,
    LimitAck,
    LimitClear,
    LimitIssue,
    Message,
    OutageNotice,
    Supporting,
)
from gateway.testbed.agent import DerAgent
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.mailbox import Identity
from gateway.testbed.parties import Parties
from gateway.testbed.system_operator import SystemOperator
from grid_engine.results import Reason
from protocols.signals import Bounds

LIMIT = LimitIssue("l1", 1, "A", 0, 300, 1.2e6, -2.5e6, Reason.THERMAL, "L12", 900, Supporting(120.8, 100.0, "m", "c"))
COMMITTED = CapabilityNotice("A", 1.2e6, 0, 300, "DISTRIBUTION_LIMIT", "l1", -2.5e6)


class Market:
    """The system operator, the agent of battery A, and the battery."""

    def __init__(self, model: str = "DP") -> None:
        self.battery = SimulatedDevice(DeviceSpec("A", p_max_w=2.5e6, p_min_w=-2.5e6), 0)
        operator = SystemOperator(Identity("IESO", "R1", model), {"A": "AGENT_A"})
        agent = DerAgent(Identity("AGENT_A", "R1", model), {"A": self.battery}, "IESO")
        self.model = model
        self.parties = Parties([operator, agent])
        self.heard = operator.heard

    def tick(self, now_s: float) -> list[Message]:
        """What reaches the DSO."""
        return self.parties.deliver(self.parties.due(now_s), now_s)

    def tell(self, body: Body, now_s: float, msg_id: str = "") -> list[Message]:
        header = Header(msg_id or f"DSO-{now_s}-{body}", "l1", "DSO", "AGENT_A", now_s, "R1", self.model)
        return self.parties.deliver(self.parties.handle(Message(header, body), now_s), now_s)


def _bodies(messages: list[Message]) -> list[Body]:
    return [message.body for message in messages]


def test_a_limited_dispatch_follows_the_published_trace() -> None:
    market = Market()
    market.parties.system_operator.schedule("A", 2e6, 0, 300)
    assert _bodies(market.tick(0)) == [DispatchCopy("IESO-A-0", 1, "A", 2e6, 0, 300)]
    assert [receipt.ref for receipt in market.heard.receipts] == ["IESO-A-0"]

    market.battery.set_limit(Bounds(ceiling_w=1.2e6), 36, 900, Bounds(ceiling_w=0.5e6))
    assert _bodies(market.tell(LIMIT, 36)) == [LimitAck("l1", 1, "A", AckStatus.ACCEPT, 1.2e6), COMMITTED]
    assert market.heard.capabilities == [COMMITTED]
    assert market.heard.commits == [AckCommit("IESO-A-0", 1, "A", AckStatus.PARTIAL, 1.2e6)]

    assert market.tick(60) == []
    market.battery.advance(90)
    assert market.battery.power_w == pytest.approx(0.6e6)
    market.battery.advance(300)
    assert market.battery.power_w == pytest.approx(1.2e6)


def test_a_dispatch_that_nothing_limits_is_committed_in_full() -> None:
    market = Market()
    market.parties.system_operator.schedule("A", 1e6, 0, 300)
    market.tick(0)
    market.tick(49)
    assert market.heard.commits == []
    market.tick(51)
    market.tick(52)
    assert market.heard.commits == [AckCommit("IESO-A-0", 1, "A", AckStatus.ACCEPT, 1e6)]
    market.battery.advance(150)
    assert market.battery.power_w == pytest.approx(0.5e6)


def test_a_dispatch_above_a_known_limit_is_committed_in_part_at_once() -> None:
    market = Market()
    market.tell(LIMIT, 0)
    market.parties.system_operator.schedule("A", 2e6, 300, 600)
    market.tick(300)
    assert market.heard.commits == [AckCommit("IESO-A-300", 1, "A", AckStatus.PARTIAL, 1.2e6)]
    assert market.heard.capabilities[-1] == replace(COMMITTED, start_s=300, end_s=600)


def test_repeats_and_older_versions_change_nothing() -> None:
    market = Market()
    operator = market.parties.system_operator
    operator.schedule("A", 2e6, 0, 300)
    operator.schedule("A", 1e6, 0, 300)
    first, _, second, _ = operator.due(0)
    assert (first.body.version, second.body.version) == (1, 2)
    answers = [market.parties.handle(message, 0) for message in (second, first, second, second)]
    assert answers[0] == answers[2] == answers[3]
    market.battery.advance(300)
    assert market.battery.power_w == pytest.approx(1e6)


def test_a_repeated_limit_gets_the_same_answers() -> None:
    market = Market()
    assert market.tell(LIMIT, 36, "m") == market.tell(LIMIT, 36, "m") == market.tell(LIMIT, 40, "m")
    assert len(market.heard.capabilities) == 1


def test_a_reminder_of_the_same_limit_is_acknowledged_again() -> None:
    market = Market()
    assert _bodies(market.tell(LIMIT, 36)) == _bodies(market.tell(LIMIT, 60))


def test_an_older_limit_of_the_same_interval_is_ignored() -> None:
    market = Market()
    market.tell(replace(LIMIT, limit_id="l2", version=2, ceiling_w=1e6), 36)
    assert market.tell(LIMIT, 37) == []
    market.parties.system_operator.schedule("A", 2e6, 40, 300)
    market.tick(40)
    assert market.heard.commits[-1].power_w == 1e6


def test_a_cleared_limit_lets_the_agent_declare_its_capability_again() -> None:
    market = Market()
    market.tell(LIMIT, 36)
    (notice,) = _bodies(market.tell(LimitClear("l1", 1, "A"), 100))
    assert notice == CapabilityNotice("A", 2.5e6, 100, 300, "DISTRIBUTION_LIMIT", "l1")
    assert market.tell(LimitClear("l1", 1, "A"), 101) == []


def test_a_floor_above_what_is_available_is_accepted_in_part() -> None:
    market = Market()
    market.battery.set_available(0.5e6, 0)
    (ack, _) = _bodies(market.tell(replace(LIMIT, floor_w=1e6), 36))
    assert ack == LimitAck("l1", 1, "A", AckStatus.PARTIAL, 0.5e6)


def test_an_outage_ends_by_itself_unless_something_else_has_changed_since() -> None:
    market = Market()
    agent = market.parties.agent("AGENT_A")
    agent.outage("A", 0, 10, 300, 10)
    agent.due(299)
    assert market.battery.available_w == 0
    agent.due(300)
    assert market.battery.available_w == 2.5e6
    agent.outage("A", 0, 310, 400, 310)
    market.battery.set_available(1e6, 350)
    agent.due(400)
    assert market.battery.available_w == 1e6


@pytest.mark.parametrize(("model", "told"), [("DP", ["IESO", "DSO"]), ("T", ["DSO"]), ("MF", ["DSO"])])
def test_an_outage_is_told_to_whom_the_model_names(model: str, told: list[str]) -> None:
    market = Market(model)
    messages = market.parties.agent("AGENT_A").outage("A", 0, 10, 300, 10)
    assert [message.header.recipient for message in messages] == told
    assert messages[0].body == OutageNotice("AGENT_A-A-10", "A", 0, 10, 300, False)
    assert market.battery.available_w == 0


@pytest.mark.parametrize("model", ["T", "MF"])
def test_without_dual_participation_only_the_dso_is_dispatched(model: str) -> None:
    market = Market(model)
    market.parties.system_operator.schedule("A", 1e6, 0, 300)
    (message,) = market.tick(0)
    assert (message.header.recipient, type(message.body)) == ("DSO", Dispatch)


def test_what_parties_say_is_logged_in_order() -> None:
    market = Market()
    market.parties.system_operator.schedule("A", 1e6, 0, 300)
    market.tick(0)
    told = [(entry.message.code, entry.sent) for entry in market.parties.log]
    assert told == [
        ("DISPATCH.RT", True),
        ("DISPATCH.Copy", True),
        ("DISPATCH.RT", False),
        ("ACK.Receipt", True),
        ("ACK.Receipt", False),
    ]


def test_an_unknown_resource_cannot_be_dispatched() -> None:
    with pytest.raises(ValueError, match="known are A"):
        Market().parties.system_operator.schedule("Z", 1e6, 0, 300)
