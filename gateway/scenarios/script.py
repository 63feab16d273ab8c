"""The scenario file as types: what is given, what happens when, and what has to be true then.

Times are seconds from T, the start of a market interval, and may be negative; powers are MW at the point of
interconnection, positive for injection. Whatever can be set in a zone file can be changed under `zone`,
whatever stands in the network under `network`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from config.section import Identifier, Megawatt, Section

Moment = Annotated[float, Field(ge=-7 * 86_400, le=7 * 86_400, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
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


class Approve(Section):
    """The operator rules about what waits; everything that waits where no id is given."""

    id: Identifier | None = None
    approved: bool = True


class Happening(Section):
    """One thing that happens at one time."""

    at_s: Moment
    dispatch: Dispatch | None = None
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
    available_mw: dict[Identifier, Megawatt] | None = None
    power_mw: dict[Identifier, Megawatt] | None = None
    """Owners' set points."""
    engine_fails: bool | None = None
    computing_s: Annotated[float, Field(ge=0, le=600)] | None = None
    deaf: dict[Identifier, bool] | None = None
    """Parties whose messages to and from the DSO get lost."""
    platform_down: bool | None = None
    restart_gateway: bool | None = None
    """Ends it as `kill -9` would, and starts it from its journal."""
    approve: Approve | None = None

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
    reason: str | None = None
    constraint: str | None = None
    tolerance_mw: Annotated[float, Field(ge=0)] = 0.01


class MessageCheck(Section):
    """Messages between parties."""

    code: str
    sender: Identifier | None = None
    recipient: Identifier | None = None
    resource: str | None = None
    count: Annotated[int, Field(ge=0)] | None = None
    """Exactly so many; at least one where absent."""
    by_s: Moment | None = None
    """The first of them is there by then."""
    fields: dict[str, Any] = Field(default_factory=dict)
    """Of the newest, as on the wire; numbers within `tolerance`."""
    tolerance: Annotated[float, Field(ge=0)] = 0.01


class Check(Section):
    """What is looked at, at one time; everything in it must hold."""

    at_s: Moment
    limit: Limit | None = None
    no_limit: Identifier | None = None
    power_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """True power of devices."""
    ceiling_mw: dict[Identifier, Megawatt | None] = Field(default_factory=dict)
    """Limit at the device itself; null for none."""
    loading_pct: dict[Identifier, Number] = Field(default_factory=dict)
    voltage_pu: dict[Identifier, Number] = Field(default_factory=dict)
    losses_mw: Number | None = None
    taps: dict[Identifier, int] = Field(default_factory=dict)
    switches: dict[Identifier, bool] = Field(default_factory=dict)
    operations: tuple[Identifier, ...] | None = None
    """Devices of the network that were operated so far, in their order."""
    message: MessageCheck | None = None
    no_message: MessageCheck | None = None
    instruction_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """Newest instruction of each resource (total DSO)."""
    curve: Steps | None = None
    """Newest aggregated offer."""
    cost_per_h: Number | None = None
    """Of what was shared out last."""
    order_state: dict[Identifier, str] = Field(default_factory=dict)
    offer_state: dict[Identifier, str] = Field(default_factory=dict)
    need_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """Need at an asset: what the resource that helps most would have to do."""
    alarm: str | None = None
    """Code of an alarm that was raised."""
    no_alarm: str | None = None
    link: dict[Identifier, str] = Field(default_factory=dict)
    outcome: dict[Identifier, str] = Field(default_factory=dict)
    """What became of the newest control of a device, such as `verified`."""
    refused: str | None = None
    """Part of the answer to a message that the gateway refused."""
    tolerance_mw: Annotated[float, Field(ge=0)] = 0.01
    tolerance_pu: Annotated[float, Field(ge=0)] = 0.002
    tolerance_pct: Annotated[float, Field(ge=0)] = 0.5
    tolerance_money: Annotated[float, Field(ge=0)] = 0.01


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
