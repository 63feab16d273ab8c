"""Requests that make the simulated parties say and do things: each names a party, or a resource and so its owner."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field

from gateway.coordination import wire
from gateway.coordination.market_messages import Block, MarketSide, OfferRevoke
from gateway.coordination.messages import Message
from gateway.coordination.settlement_messages import DisputeOpen
from gateway.testbed.agent import DerAgent
from gateway.testbed.host_utility import HostUtility, Objection
from gateway.testbed.mailbox import Identity
from gateway.testbed.parties import Parties
from gateway.testbed.post import Carrier
from gateway.testbed.requests import Door, Identifier, Megawatt, MistakeError, Request, Seconds, door, iso
from protocols.port import Now
from protocols.signals import Bounds

MW: Final = 1e6
Steps = Annotated[tuple[tuple[Megawatt, Annotated[float, Field(allow_inf_nan=False)]], ...], Field(min_length=1)]
"""Cumulative MW and price per MWh of each block."""
Text = Annotated[str, Field(max_length=256)]


class Dispatch(Request):
    """The system operator dispatches a resource, or the node of a total DSO; it is sent at `start`."""

    resource: Identifier
    power_mw: Megawatt
    start: AwareDatetime | None = None
    """Now where absent."""
    end: AwareDatetime | None = None
    """One interval after the start where absent."""


class Outage(Request):
    """A DER/A loses power on a resource and tells whom its model names; `end` is one interval from now if absent."""

    resource: Identifier
    available_mw: Megawatt = 0.0
    end: AwareDatetime | None = None
    planned: bool = False


class Offer(Request):
    """The owner of a resource offers it to the DSO: blocks of cumulative MW and price per MWh."""

    resource: Identifier
    blocks: Steps
    start: AwareDatetime | None = None
    """The next interval where absent: offers are due before they begin."""
    end: AwareDatetime | None = None
    """An hour after the start where absent."""
    market: Literal["wholesale", "distribution", "both"] = "both"
    standby: bool = False
    offer_id: Annotated[str, Field(max_length=64)] = ""
    """Made up where empty."""
    version: Annotated[int, Field(ge=1)] = 1
    need_id: Annotated[str, Field(max_length=64)] = ""


class RevokeOffer(Request):
    """The owner of a resource takes an offer back."""

    resource: Identifier
    offer_id: Identifier


class Habits(Request):
    """How a DER/A behaves from now on: silent, without commitments, declining; what it offers where a need is posted.

    What is absent stays as it is.
    """

    party: Identifier
    silent: bool | None = None
    commits: bool | None = None
    declines: bool | None = None
    offers: dict[Identifier, Steps] | None = None
    """By resource."""


class HostLimit(Request):
    """The host limits the flow at an interface until `end`, one interval from now if absent.

    A side that is not named is open.
    """

    interface: Identifier
    export_mw: Annotated[float, Field(ge=0, le=10_000)] | None = None
    import_mw: Annotated[float, Field(ge=0, le=10_000)] | None = None
    end: AwareDatetime | None = None
    party: Annotated[str, Field(max_length=64)] = ""
    """The only host where empty."""


class HostHabits(Request):
    """How the host answers drafts from now on: never, late, or with an objection; what is absent stays as it is."""

    silent: bool | None = None
    answers_after_s: Seconds | None = None
    objects: bool | None = None
    """To everything, with `export_mw`; false lets everything go ahead again."""
    export_mw: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    party: Annotated[str, Field(max_length=64)] = ""


class HostAnswer(Request):
    """A silent host answers the drafts that wait: no objection, or an objection where `export_mw` is given."""

    include_id: Annotated[str, Field(max_length=256)] = ""
    """All that wait where empty."""
    export_mw: Annotated[float, Field(ge=0, le=10_000)] | None = None
    party: Annotated[str, Field(max_length=64)] = ""


class Dispute(Request):
    """A DER/A contests a statement."""

    party: Identifier
    statement_id: Identifier
    version: Annotated[int, Field(ge=1)] = 1
    claim: Text
    evidence: Text = ""


class PlatformHabits(Request):
    """The platform takes nothing while it is down: everybody goes point to point."""

    down: bool


class Say(Request):
    """A party says anything, right or wrong: a `type` of the catalogue and its `body` as they go over the wire."""

    sender: Identifier
    recipient: Identifier = "DSO"
    type: Identifier
    body: dict[str, object]
    corr_id: Annotated[str, Field(max_length=64)] = ""
    """Its own id where empty."""
    msg_id: Annotated[str, Field(max_length=64)] = ""
    """Made up where empty; the same one again is a repeat."""


@dataclass(frozen=True, slots=True)
class Cast:
    """The simulated parties, and what their requests need to know."""

    parties: Parties
    identity: Identity
    """Zone, model and DSO that the parties play in; its party is nobody."""
    carrier: Carrier
    """Carries what they say of their own accord."""
    owners: Mapping[str, str]
    """Party of every resource."""
    interval_s: float
    now: Now


def doors(cast: Cast) -> tuple[Door, ...]:
    """Where the parties can be told what to do."""
    desk = _Desk(cast)
    return (
        door("dispatch", Dispatch, desk.dispatch),
        door("outage", Outage, desk.outage),
        door("offer", Offer, desk.offer),
        door("revoke_offer", RevokeOffer, desk.revoke_offer),
        door("habits", Habits, desk.habits),
        door("host_limit", HostLimit, desk.host_limit),
        door("host_habits", HostHabits, desk.host_habits),
        door("host_answer", HostAnswer, desk.host_answer),
        door("dispute", Dispute, desk.dispute),
        door("platform", PlatformHabits, desk.platform),
        door("say", Say, desk.say),
    )


class _Desk:
    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._counted = count(1)

    def dispatch(self, asked: Dispatch) -> None:
        parties, now_s = self._cast.parties, self._cast.now()
        start_s = now_s if asked.start is None else asked.start.timestamp()
        end_s = start_s + self._cast.interval_s if asked.end is None else asked.end.timestamp()
        try:
            parties.system_operator.schedule(asked.resource, asked.power_mw * MW, start_s, end_s)
        except (LookupError, ValueError) as error:
            raise MistakeError(".", str(error), "correct the dispatch or the zone file") from error
        self._cast.carrier.send(parties.due(now_s))

    def outage(self, asked: Outage) -> None:
        now_s, agent = self._cast.now(), self._owner(asked.resource)
        told = agent.outage(
            asked.resource, asked.available_mw * MW, now_s, self._end_s(asked.end), now_s, planned=asked.planned
        )
        self._say(*told)

    def offer(self, asked: Offer) -> None:
        now_s, interval_s = self._cast.now(), self._cast.interval_s
        start_s = now_s - now_s % interval_s + interval_s if asked.start is None else asked.start.timestamp()
        end_s = start_s + 3_600.0 if asked.end is None else asked.end.timestamp()
        message = self._owner(asked.resource).offer(
            asked.resource,
            _blocks(asked.blocks),
            start_s,
            end_s,
            now_s=now_s,
            market=MarketSide(asked.market),
            standby=asked.standby,
            offer_id=asked.offer_id,
            version=asked.version,
            need_id=asked.need_id,
        )
        self._say(message)

    def revoke_offer(self, asked: RevokeOffer) -> None:
        body = OfferRevoke(asked.offer_id, asked.resource)
        self._say(self._owner(asked.resource).say(asked.offer_id, body, self._cast.now()))

    def habits(self, asked: Habits) -> None:
        habits = self._agent(asked.party).habits
        habits.silent = habits.silent if asked.silent is None else asked.silent
        habits.commits = habits.commits if asked.commits is None else asked.commits
        habits.declines = habits.declines if asked.declines is None else asked.declines
        if asked.offers is not None:
            habits.offers = {name: _blocks(steps) for name, steps in asked.offers.items()}

    def host_limit(self, asked: HostLimit) -> None:
        now_s, host = self._cast.now(), self._host(asked.party)
        floor_w = None if asked.import_mw is None else -asked.import_mw * MW
        ceiling_w = None if asked.export_mw is None else asked.export_mw * MW
        self._say(host.limit(asked.interface, Bounds(floor_w, ceiling_w), now_s, self._end_s(asked.end), now_s))

    def host_habits(self, asked: HostHabits) -> None:
        host = self._host(asked.party)
        host.silent = host.silent if asked.silent is None else asked.silent
        host.answers_after_s = host.answers_after_s if asked.answers_after_s is None else asked.answers_after_s
        if asked.objects is not None:
            host.objection = Objection.beyond(asked.export_mw * MW) if asked.objects else None

    def host_answer(self, asked: HostAnswer) -> None:
        host, now_s = self._host(asked.party), self._cast.now()
        waiting = host.waiting
        if asked.include_id and asked.include_id not in waiting:
            known = ", ".join(waiting) or "nothing"
            raise MistakeError("include_id", f"{asked.include_id!r} does not wait for an answer", f"waiting: {known}")
        objection = None if asked.export_mw is None else Objection.beyond(asked.export_mw * MW)
        chosen = (asked.include_id,) if asked.include_id else waiting
        self._say(*(host.answer(include_id, objection, now_s) for include_id in chosen))

    def dispute(self, asked: Dispute) -> None:
        dispute_id = f"{asked.party}-{asked.statement_id}-{asked.version}"
        body = DisputeOpen(dispute_id, asked.statement_id, asked.version, asked.claim, asked.evidence)
        self._say(self._agent(asked.party).say(dispute_id, body, self._cast.now()))

    def platform(self, asked: PlatformHabits) -> None:
        platform = self._cast.parties.platform
        if platform is None:
            raise MistakeError(".", "no platform is simulated in this zone", "add `platform: MSP` to the zone file")
        platform.down = asked.down

    def say(self, asked: Say) -> None:
        cast, now_s = self._cast, self._cast.now()
        if asked.sender not in cast.parties.members:
            known = ", ".join(cast.parties.members)
            raise MistakeError("sender", f"{asked.sender!r} is not simulated here", f"send one of {known}")
        me, msg_id = cast.identity, asked.msg_id or f"{asked.sender}-{round(now_s * 1000)}-said-{next(self._counted)}"
        document = {
            "msg_id": msg_id,
            "corr_id": asked.corr_id or msg_id,
            "sender": asked.sender,
            "recipient": asked.recipient,
            "created_at": iso(now_s),
            "zone": me.zone,
            "model": me.model,
            "type": asked.type,
            "body": asked.body,
        }
        try:
            self._say(wire.from_json(document))
        except wire.WireError as error:
            raise MistakeError(error.field, error.problem, error.remedy) from error

    def _say(self, *messages: Message) -> None:
        self._cast.carrier.send(self._cast.parties.note(list(messages), self._cast.now()))

    def _end_s(self, end: AwareDatetime | None) -> float:
        return self._cast.now() + self._cast.interval_s if end is None else end.timestamp()

    def _owner(self, resource: str) -> DerAgent:
        owners = self._cast.owners
        if resource not in owners:
            raise MistakeError("resource", f"{resource!r} is not a device", f"send one of {', '.join(sorted(owners))}")
        agent = self._agent(owners[resource], "resource", "mark its owner as simulated")
        if resource not in agent.resources:
            raise MistakeError("resource", f"{resource!r} is not simulated", "mark it as simulated in the zone file")
        return agent

    def _agent(self, party: str, field: str = "party", remedy: str = "send a simulated DER/A") -> DerAgent:
        try:
            return self._cast.parties.agent(party)
        except LookupError as error:
            raise MistakeError(field, str(error), remedy) from error

    def _host(self, party: str) -> HostUtility:
        try:
            return self._cast.parties.host(party)
        except LookupError as error:
            raise MistakeError("party", str(error), "add a party with the role host to the zone file") from error


def _blocks(steps: Steps) -> tuple[Block, ...]:
    return tuple(Block(power_mw * MW, price) for power_mw, price in steps)
