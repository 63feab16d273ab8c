"""The zone file's market, control room, neighbours and approvals."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from config.section import Identifier, Megawatt, Percent, Seconds, Section

Price = Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]


class Program(Section):
    """A distribution service that the DSO buys."""

    service: Literal[
        "capacity_reduction", "constraint_mgmt_pre", "constraint_mgmt_post", "restore", "voltage", "reserve"
    ] = "constraint_mgmt_pre"
    notice_s: Seconds = 900
    """An order may be withdrawn without pay until so long before its start."""
    stackable: bool = False
    """May be paid beside a wholesale schedule for the same energy."""
    payment: Literal["pay_as_bid", "uniform"] = "pay_as_bid"
    utilisation_per_mwh: Price = 0
    """Paid for what is delivered where the order names no price."""
    availability_per_mwh: Price = 0
    penalty_per_mwh: Price = 0
    emergency_per_mwh: Price = 0
    curtailment_per_mwh: Price = 0
    """For what a limit takes from a firm connection."""
    grace_pct: Percent = 0
    """Shortfall up to this part of what was expected counts as none."""
    ramp_profile: bool = False
    """Expect power to follow a ramp from where the resource stood, instead of the order at once."""
    ramp_mw_per_min: Annotated[float, Field(gt=0)] | None = None
    """That ramp; the resource's own where absent."""
    payment_scale: Annotated[tuple[tuple[float, float], ...], Field(min_length=1)] = ((0.0, 1.0),)
    """Rising pairs of delivery ratio reached and share of the payment earned; below the first nothing is paid."""
    control_group: tuple[Identifier, ...] = ()
    """Devices without an order that `baseline: control_group` looks at."""
    baseline: Literal[
        "meter_before_after",
        "high_x_of_y",
        "mid_x_of_y",
        "nomination",
        "control_group",
        "regression",
        "zero",
        "forecast_potential",
    ] = "zero"


class Market(Section):
    """The zone's own market, and how it meets the system operator's."""

    nodes: tuple[Identifier, ...] = ()
    """Interfaces to the transmission grid as the system operator calls them; a total DSO has one."""
    programs: dict[Identifier, Program] = Field(default_factory=dict)
    program: Identifier = "DSO"
    """The one that needs are bought under where nothing else is said."""
    wholesale_gate_s: Annotated[float, Field(ge=0, le=366 * 86_400)] = 7_200
    """Wholesale offers must be in so long before they begin."""
    local_gate_s: Annotated[float, Field(ge=0, le=366 * 86_400)] = 3_600
    standby_s: Seconds = 30
    """How long a need of now waits for offers."""
    standby_ahead_s: Seconds = 900
    """The same where an hour of the node's schedule falls short ahead of it (total DSO)."""
    shortfall_s: Seconds = 120
    """The system operator must know of a shortfall so long after the start of an interval."""
    minimum_mw: Annotated[float, Field(ge=0)] = 0.1
    """Smallest offer."""
    registration: Literal["zone_file", "required"] = "zone_file"
    """Who may offer: every device of this file, or only those whose owners have registered them since."""
    procure: bool = False
    """Buy services for needs that no limit can meet."""
    selection: Literal["merit", "opf"] = "merit"
    """`opf`: choose among offers within every limit of the network, not by their effect on the need alone."""
    certainty_pct: Annotated[float, Field(gt=0, lt=100)] = 95
    """With which a need is to be met, whatever part of the sellers does not deliver."""
    least_effect_pct: Percent = 5
    """Whoever relieves a need by less, against the most effective, is no help."""


class Settlement(Section):
    """When is measured and stated, and what wholesale energy is worth where we calculate it for others."""

    verify_after_s: Seconds = 30
    """So long after the end of what was asked its telemetry is taken as complete."""
    period_s: Seconds = 86_400
    """A statement covers so much; whole days begin at the market's midnight."""
    statement_after_s: Annotated[float, Field(ge=0, le=366 * 86_400)] = 86_400
    """So long after the end of a period its statements are made and sent."""
    dispute_window_s: Seconds = 2_419_200
    """How long after its period a statement may be contested."""
    tolerance_pct: Percent = 2
    """Two meters of one connection that disagree by more raise an alarm."""
    wholesale_per_mwh: Price = 0
    """A market facilitator's statements value delivered wholesale energy at this…"""
    imbalance_per_mwh: Price = 0
    """…and what is short of it at this."""
    holidays: tuple[date, ...] = ()
    """Days that no baseline stands on."""
    temperatures_c: dict[date, Annotated[float, Field(ge=-90, le=70)]] = Field(default_factory=dict)
    """Mean of the day, for `baseline: regression`."""


class Operable(Section):
    """What any device of the network may still do, and what it costs."""

    cost: Annotated[float, Field(ge=0)] = 10
    """Dollars per operation; of a tap changer per step."""
    max_ops_per_hour: Annotated[int, Field(ge=0)] | None = None
    min_dwell_s: Annotated[float, Field(ge=0)] = 0
    locked: bool = False
    """In local control: it is looked at, never moved."""


class TapChanger(Operable):
    """Transformers whose taps move together."""

    transformers: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    cost: Annotated[float, Field(ge=0)] = 1
    reach: Annotated[int, Field(ge=1, le=32)] = 2
    """Steps from where it stands that are looked at."""


class Capacitor(Operable):
    """A capacitor that can be switched."""

    cost: Annotated[float, Field(ge=0)] = 3


class Switch(Operable):
    """A switch of the network."""

    sync_checked: bool = False
    """It may also close between networks that are not connected otherwise."""


class Adms(Section):
    """What of the network may be operated; each device's state is a point of some station that takes commands."""

    tap_changers: dict[Identifier, TapChanger] = Field(default_factory=dict)
    capacitors: dict[Identifier, Capacitor] = Field(default_factory=dict)
    switches: dict[Identifier, Switch] = Field(default_factory=dict)
    confirm_s: Seconds = 10
    """How long a command waits for the field to show it."""
    guard_s: Seconds = 30
    """So long before a ramp reaches what the network bears, a limit takes over from a pending operation."""
    curtailment_per_mwh: Annotated[float, Field(ge=0)] = 1_000
    """What it counts in the choice of operations to curtail."""
    loss_per_mwh: Annotated[float, Field(ge=0)] = 30


class Interface(Section):
    """Where this utility meets another distribution utility."""

    party: Identifier
    """The other utility."""
    branch: Identifier
    """Line or transformer that all power between the two goes through."""
    devices: tuple[Identifier, ...] = ()
    """Those behind it, on the embedded side."""
    side: Literal["embedded", "host"] = "embedded"
    """Which of the two we are."""
    export_mw: Annotated[float, Field(ge=0, le=10_000)] | None = None
    """What may flow into the host's network without a newer limit; unlimited where absent."""
    import_mw: Annotated[float, Field(ge=0, le=10_000)] | None = None
    notify_mw: Annotated[float, Field(ge=0)] = 0.1
    """A planned change beyond this waits until the host does not object."""
    patience_s: Seconds = 30


class Approval(Section):
    """What waits for an operator (`ampacity approve`)."""

    mode: Literal["auto", "semi", "manual"] = "auto"
    threshold_mw: Megawatt = 0
    """In `semi`: what moves less than this does not wait."""
    patience_s: Seconds = 300
    operation_patience_s: Seconds = 60
    """For operations of the network."""
