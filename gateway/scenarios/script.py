"""The scenario file as types: what is given, what happens when, and what has to be true then.

Times are seconds from T, the start of a market interval, and may be negative; powers are MW at the point of
interconnection, positive for injection. Whatever can be set in a zone file can be changed under `zone`,
whatever stands in the network under `network`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from config.section import Identifier, Megawatt, Percent, Section
from gateway.coordination.lifecycle import OrderState
from gateway.scenarios import foresight, money
from gateway.scenarios.wanted import (
    Code,
    EventCheck,
    LogEvent,
    MessageCheck,
    Moment,
    NeedCheck,
    Number,
    SelectionCheck,
    Span,
    Tolerance,
    ViolationCheck,
)
from grid_engine.results import Reason
from protocols.signals import LinkState, Outcome

Steps = Annotated[tuple[tuple[Megawatt, Number], ...], Field(min_length=1, max_length=21)]
"""Cumulative MW and price per MWh of each block."""


class Given(Section):
    """How the world stands before anything happens."""

    load_scale: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Of every load, in the true network and as the gateway expects it."""
    taps: dict[Identifier, Annotated[int, Field(ge=-100, le=100)]] = Field(default_factory=dict)
    """Position of transformers' tap changers."""
    switches: dict[Identifier, bool] = Field(default_factory=dict)
    """True closes; capacitors are in service when true."""
    power_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """Set point of each device's owner; of a kind that follows the weather, what is available."""
    available_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    state_of_charge_pct: dict[Identifier, Annotated[float, Field(ge=0, le=100)]] = Field(default_factory=dict)
    limits_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """Ceilings that devices hold already, set by somebody else."""
    computing_s: Annotated[float, Field(ge=0, le=600)] = 0
    """Virtual time that every study takes."""
    message_delay_s: Annotated[float, Field(ge=0, le=600)] = 0
    """How long every message between parties is on its way."""


class Dispatch(Section):
    """The system operator dispatches a resource, or the node of a total DSO."""

    resource: Identifier
    power_mw: Megawatt
    start_s: Moment | None = None
    """T's own interval where absent."""
    end_s: Moment | None = None
    version: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """Sends this version whatever came before; the next one where absent."""
    times: Annotated[int, Field(ge=1, le=10)] = 1
    """How often the same message arrives."""


class Schedule(Section):
    """The system operator publishes what it has selected of a resource's bids, ahead of its dispatches."""

    resource: Identifier
    power_mw: Annotated[tuple[Megawatt, ...], Field(min_length=1, max_length=288)]
    """Of one interval after the other."""
    kind: Literal["day_ahead", "pre_dispatch"] = "pre_dispatch"
    start_s: Moment = 0
    step_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Length of each; the market's interval where absent."""
    version: Annotated[int, Field(ge=1, le=1_000)] = 1
    schedule_id: Identifier | None = None
    """By resource and start where absent."""


class Outage(Section):
    """A DER/A loses power on a resource and tells whom the model names."""

    resource: Identifier
    available_mw: Megawatt = 0
    for_s: Annotated[float, Field(gt=0)] = 3_600
    planned: bool = False


class Offer(Section):
    """A DER/A offers."""

    resource: Identifier
    blocks: Steps
    market: Literal["wholesale", "distribution", "both"] = "both"
    start_s: Moment = 0
    end_s: Moment = 3_600
    offer_id: Identifier | None = None
    version: Annotated[int, Field(ge=1)] = 1
    standby: bool = False
    agent: Identifier | None = None
    """Who sends it; the owner where absent."""
    zone: Identifier | None = None
    """Another zone's name in the header."""


class Reference(Section):
    """Something by its id."""

    id: Identifier
    resource: Identifier | None = None


class Order(Section):
    """The DSO's operator orders a part of an offer."""

    offer_id: Identifier
    power_mw: Megawatt


class Habit(Section):
    """How an agent behaves from now on."""

    party: Identifier
    silent: bool | None = None
    commits: bool | None = None
    declines: bool | None = None
    answers_after_s: Annotated[float, Field(ge=0, le=3_600)] | None = None
    offers: dict[Identifier, Steps] | None = None
    """What it offers where a need is posted."""


class HostLimit(Section):
    """The host utility sets a limit at the interface."""

    interface: Identifier
    export_mw: Annotated[float, Field(ge=0)] | None = None
    import_mw: Annotated[float, Field(ge=0)] | None = None
    until_s: Moment = 86_400


class HostHabit(Section):
    """How the host utility behaves from now on."""

    silent: bool | None = None
    answers_after_s: Annotated[float, Field(ge=0)] | None = None
    object_mw: Annotated[float, Field(ge=0)] | None = None
    """It objects with this much export."""


class Emergency(Section):
    """The DSO's operator declares an emergency."""

    level: Literal[1, 2, 3] = 2
    scope: Identifier = "zone"


class Fault(Section):
    """Something is wrong with a device or station, or right again."""

    resource: Identifier
    fault: Literal["drop_link", "freeze_value", "lie", "delay", "refuse", "not_a_number"]
    on: bool = True
    delay_s: Annotated[float, Field(ge=0, le=3_600)] | None = None
    points: tuple[str, ...] = ()
    """Of a station, with `freeze_value` and `not_a_number`: only these, as `B3` or `B3.voltage_pu`; all where none."""


class Plant(Section):
    """The true network changes by itself."""

    switches: dict[Identifier, bool] = Field(default_factory=dict)
    taps: dict[Identifier, int] = Field(default_factory=dict)
    load_scale: Annotated[float, Field(ge=0, le=10)] | None = None


class Work(Section):
    """The outage management system plans work on the network, or an operator overrides its state."""

    id: Identifier
    kind: Literal["planned", "forced", "override"] = "planned"
    start_s: Moment
    end_s: Moment
    switches: dict[Identifier, bool] = Field(default_factory=dict)
    """True closes."""
    in_service: dict[Identifier, bool] = Field(default_factory=dict)
    taps: dict[Identifier, int] = Field(default_factory=dict)


class Say(Section):
    """Any message from any party, right or wrong, as it would come on the wire."""

    sender: Identifier
    code: Code
    recipient: Identifier = "DSO"
    fields: dict[str, Any] = Field(default_factory=dict)
    """Of its body; times as ISO 8601 or as `T+300`."""
    msg_id: Identifier | None = None
    """One of its own where absent; the same again makes a repeat."""
    corr_id: Identifier | None = None
    zone: Identifier | None = None
    model: Literal["DP", "T", "MF"] | None = None
    times: Annotated[int, Field(ge=1, le=100)] = 1


class Approve(Section):
    """The operator rules about what waits; everything that waits where no id is given."""

    id: Identifier | None = None
    approved: bool = True


class Happening(Section):
    """One thing that happens at one time."""

    at_s: Moment
    dispatch: Dispatch | None = None
    schedule: Schedule | None = None
    outage: Outage | None = None
    offer: Offer | None = None
    revoke_offer: Reference | None = None
    order: Order | None = None
    revoke_order: Reference | None = None
    habit: Habit | None = None
    host_limit: HostLimit | None = None
    host: HostHabit | None = None
    emergency: Emergency | None = None
    end_emergency: bool | None = None
    fault: Fault | None = None
    plant: Plant | None = None
    work: Work | None = None
    cancel_work: Identifier | None = None
    forecast: foresight.Forecast | None = None
    available_mw: dict[Identifier, Megawatt] | None = None
    power_mw: dict[Identifier, Megawatt] | None = None
    """Owners' set points."""
    engine_fails: bool | None = None
    computing_s: Annotated[float, Field(ge=0, le=600)] | None = None
    message_delay_s: Annotated[float, Field(ge=0, le=600)] | None = None
    """How long every message is on its way from now on."""
    delay_of_s: dict[Identifier, Annotated[float, Field(ge=0, le=3_600)]] | None = None
    """The same for all that a party sends, beside that."""
    clock_ahead_s: dict[Identifier, Annotated[float, Field(ge=-3_600, le=3_600)]] | None = None
    """How far the clock of a device is ahead of ours, by which it times what it measures."""
    copies_of: dict[Identifier, Annotated[int, Field(ge=1, le=10)]] | None = None
    """How often each message of a party arrives."""
    say: Say | None = None
    deaf: dict[Identifier, bool] | None = None
    """Parties whose messages to and from the DSO get lost."""
    platform_down: bool | None = None
    restart_gateway: bool | None = None
    """Ends it as `kill -9` would, and starts it from its journal."""
    approve: Approve | None = None
    meter_import: money.MeterImport | None = None
    dispute: money.Dispute | None = None
    resolve_dispute: money.ResolveDispute | None = None
    charge: money.Charge | None = None

    @model_validator(mode="after")
    def _one(self) -> "Happening":
        told = [name for name in type(self).model_fields if name != "at_s" and getattr(self, name) is not None]
        if len(told) != 1:
            raise ValueError(f"name exactly one thing that happens, not {', '.join(told) or 'nothing'}")
        return self


class Limit(Section):
    """The limit of a resource as the DSO has it in force."""

    resource: Identifier
    max_mw: Megawatt | None = None
    min_mw: Megawatt | None = None
    reason: Reason | None = None
    constraint: str | None = None
    """Line, transformer or bus behind it; `HOST:` and the interface for a host's limit."""
    tolerance_mw: Tolerance = 0.01


class Check(Section):
    """What is looked at, at one time; everything in it must hold."""

    at_s: Moment
    limit: Limit | None = None
    no_limit: Identifier | None = None
    power_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """True power of devices."""
    ceiling_mw: dict[Identifier, Megawatt | None] = Field(default_factory=dict)
    """Limit at the device itself; null for none."""
    envelope_mw: dict[Identifier, Span] = Field(default_factory=dict)
    """Lowest and highest power that each resource is allowed, nameplate and limits together; null is not looked at."""
    envelope_of_s: Moment | None = None
    """When these envelopes hold; now where absent. Later ones are published with `limits.look_ahead`."""
    assumed_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """Where the newest study took each resource to be."""
    schedule_mw: dict[Identifier, tuple[Megawatt, ...]] = Field(default_factory=dict)
    """Where it took each resource to go: now, then one entry per interval ahead, as many as are wanted."""
    state_of_charge_pct: dict[Identifier, Percent] = Field(default_factory=dict)
    violation: ViolationCheck | None = None
    no_violation: Identifier | None = None
    """Asset that the newest study found nothing wrong with."""
    loading_pct: dict[Identifier, Number] = Field(default_factory=dict)
    current_a: dict[Identifier, Number] = Field(default_factory=dict)
    """True current: `L11` of the conductor that carries most, `L11.a` of one, where the network has phases."""
    voltage_pu: dict[Identifier, Number] = Field(default_factory=dict)
    """True voltage of a bus, or of one of its phases, as `B2.a`."""
    losses_mw: Number | None = None
    taps: dict[Identifier, int] = Field(default_factory=dict)
    switches: dict[Identifier, bool] = Field(default_factory=dict)
    operations: tuple[Identifier, ...] | None = None
    """Devices of the network that were operated so far, in their order."""
    message: MessageCheck | None = None
    messages: tuple[MessageCheck, ...] = ()
    no_message: MessageCheck | None = None
    no_messages: tuple[MessageCheck, ...] = ()
    instruction_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """Newest instruction of each resource (total DSO)."""
    curve: Steps | None = None
    """Newest aggregated offer."""
    cost_per_h: Number | None = None
    """Of what was shared out last."""
    price: dict[Identifier, Number] = Field(default_factory=dict)
    """Dollars per MWh where each resource is connected, as of what was shared out last."""
    congestion: dict[Identifier, Number] = Field(default_factory=dict)
    """What limits of the network add to that price."""
    selection: SelectionCheck | None = None
    order_state: dict[Identifier, OrderState] = Field(default_factory=dict)
    offer_state: dict[Identifier, OrderState] = Field(default_factory=dict)
    need: NeedCheck | None = None
    no_need: Identifier | None = None
    """Asset that no need was posted for."""
    need_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """Need at an asset: what the resource that helps most would have to do."""
    alarm: str | None = None
    """Code of an alarm that was raised."""
    no_alarm: str | None = None
    event: EventCheck | None = None
    no_event: LogEvent | None = None
    jain: Number | None = None
    """Fairness index of what the newest study allows against what was asked for."""
    coverage_pct: Percent | None = None
    """Share of the measurements of the network that have a value."""
    link: dict[Identifier, LinkState] = Field(default_factory=dict)
    outcome: dict[Identifier, Outcome] = Field(default_factory=dict)
    """What became of the newest control of a device, such as `verified`."""
    settlement: money.Settlement | None = None
    statement: money.StatementCheck | None = None
    refused: str | None = None
    """Part of the answer to a message that the gateway refused."""
    tolerance_mw: Tolerance = 0.01
    tolerance_pu: Tolerance = 0.002
    tolerance_pct: Tolerance = 0.5
    tolerance_money: Tolerance = 0.01
    tolerance_a: Tolerance = 1.0
    tolerance_index: Tolerance = 0.002
    """Of `jain`."""


class Script(Section):
    """One scenario."""

    scenario: Identifier
    title: str = ""
    extends: str = ""
    """Zone file that it is played on, relative to this one; reference zone R1 where absent."""
    zone: dict[str, Any] = Field(default_factory=dict)
    """Parts of the zone file that differ, as in a zone file that extends another."""
    network: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    """Cells of the network's tables that differ: table, name, column, value; `line: {L12: {length_km: 6}}`."""
    given: Given = Given()
    when: tuple[Happening, ...] = ()
    then: Annotated[tuple[Check, ...], Field(min_length=1)]
    same_as: Identifier | None = None
    """Another scenario of the same run that must end with the same set points and settlement."""
    until_s: Moment | None = None
    """When it ends; after the last event and check where absent."""

    @property
    def ends_s(self) -> float:
        """When everything has happened and been looked at."""
        times = [*(one.at_s for one in self.when), *(one.at_s for one in self.then)]
        return max(times) if self.until_s is None else max(self.until_s, *times)

    @property
    def begins_s(self) -> float:
        """The first thing that happens, or T."""
        return min([0.0, *(one.at_s for one in self.when), *(one.at_s for one in self.then)])


def schema() -> Mapping[str, Any]:
    """The scenario file as a JSON schema (draft 2020-12)."""
    found = Script.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
