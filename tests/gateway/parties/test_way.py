"""The platform carries what it may, and is gone round while it takes nothing."""

from dataclasses import dataclass, field, replace

from gateway.coordination.market import Neighbourhood
from gateway.coordination.messages import Body, Header, LimitClear, Message
from gateway.coordination.operation_messages import HostNoObjection
from gateway.coordination.zone import DsoModel, ZoneFacts
from gateway.parties.client import Attempt, Outcome, Reach
from gateway.parties.way import REST_S, Way

URLS = {party: Reach(f"http://{party}") for party in ("AGENT_A", "HOST", "MSP")}
FACTS = ZoneFacts("R1", DsoModel.DUAL_PARTICIPATION, "m1", {}, {}, around=Neighbourhood(platform="MSP"))


@dataclass
class Wire:
    """Stands where the client would, and remembers to whom each message was handed."""

    reaches: dict[str, Reach] = field(default_factory=lambda: dict(URLS))
    answers: dict[str, Outcome] = field(default_factory=dict)
    handed: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    async def send(self, message: Message, to: str = "") -> Attempt:
        self.handed.append(to or message.header.recipient)
        return Attempt(self.answers.get(self.handed[-1], Outcome.DELIVERED), "said so")

    def platform(self, party: str, *, carries: bool, detail: str) -> None:
        self.states.append(f"{party} {carries} {detail}".strip())


def message(recipient: str, body: Body) -> Message:
    return Message(Header("m", "c", "DSO", recipient, 0.0, "R1", "DP"), body)


CARRIED = message("AGENT_A", LimitClear("l", 1, "A"))
POINT_TO_POINT = message("HOST", HostNoObjection("i"))


async def test_only_what_a_platform_hosts_goes_by_it() -> None:
    wire = Wire()
    way = Way(wire, FACTS, lambda: 0.0, wire)
    for one in (CARRIED, POINT_TO_POINT):
        assert (await way.send(one)).outcome is Outcome.DELIVERED
    assert wire.handed == ["MSP", "HOST"]
    assert wire.states == []


async def test_a_platform_that_takes_nothing_is_gone_round_and_asked_again_later() -> None:
    wire, clock = Wire(answers={"MSP": Outcome.FAILED}), [0.0]
    way = Way(wire, FACTS, lambda: clock[0], wire)
    for _ in range(2):
        assert (await way.send(CARRIED)).outcome is Outcome.DELIVERED
    assert wire.handed == ["MSP", "AGENT_A", "AGENT_A"]
    clock[0], wire.answers = REST_S, {}
    await way.send(CARRIED)
    assert wire.handed[3:] == ["MSP"]
    assert wire.states == ["MSP False said so", "MSP True"]


async def test_what_a_platform_refuses_goes_directly_and_the_next_one_by_it() -> None:
    wire = Wire(answers={"MSP": Outcome.REFUSED})
    way = Way(wire, FACTS, lambda: 0.0, wire)
    for _ in range(2):
        await way.send(CARRIED)
    assert wire.handed == ["MSP", "AGENT_A", "MSP", "AGENT_A"]


async def test_without_a_platform_or_its_address_everything_goes_directly() -> None:
    for facts, urls in ((replace(FACTS, around=Neighbourhood()), URLS), (FACTS, {"AGENT_A": URLS["AGENT_A"]})):
        wire = Wire(reaches=dict(urls))
        await Way(wire, facts, lambda: 0.0, wire).send(CARRIED)
        assert wire.handed == ["AGENT_A"]
