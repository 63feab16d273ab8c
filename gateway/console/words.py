"""What the operator's API takes and gives, in W and Unix seconds UTC; its OpenAPI document is made from these types."""

from typing import Annotated

from pydantic import Field

from ieee2030_5.admin.words import Watts, Word

Id = Annotated[str, Field(min_length=1, max_length=160, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@-]*$")]
"""Of a resource, an order or anything else that is there already."""
By = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
Because = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]


class Act(Word):
    """What every action of an operator says."""

    by: By
    """Who acts; it goes into the journal."""


# --- what waits


class RulingIn(Act):
    """What is to become of an action that waits."""

    approved: bool


class Step(Word):
    """One thing that an action would do."""

    who: str
    what: str


class Waiting(Word):
    """An action that waits for an operator."""

    id: str
    steps: list[Step]
    why: str
    """The constraint, the need or the dispatch behind it."""
    cause: str
    """Cycle that proposed it, where there is one; its decision stands under it in the journal."""
    since_s: float
    deadline_s: float
    """It lapses then; what it answers to may make the gateway propose it again."""


class WaitingList(Word):
    """Everything that waits, the most urgent first."""

    mode: str
    """`auto`, `semi` or `manual`."""
    waiting: list[Waiting]


# --- emergencies


class EmergencyIn(Act):
    """An emergency as it is declared."""

    level: Annotated[int, Field(ge=1, le=3)]
    """1 halves the power, 2 stops injection, 3 stops injection and consumption."""
    scope: Id = "zone"
    """`zone`, a bus or a resource."""
    because: Because


class EmergencyOut(Word):
    """An emergency."""

    id: str
    level: int
    scope: str
    because: str
    since_s: float
    cleared_s: float | None
    resources: list[str]
    """Those that were told to keep off."""


class EmergencyList(Word):
    """All of them, the newest first."""

    state: str
    emergencies: list[EmergencyOut]


# --- orders by hand


class OrderIn(Act):
    """A part of an offer that is ordered."""

    offer: Id
    power_w: Watts


class RevocationIn(Act):
    """An order that is taken back."""

    because: Because


class OfferOut(Word):
    """An offer."""

    id: str
    resource: str
    market: str
    owner: str
    state: str
    start_s: float
    end_s: float
    most_w: float
    blocks: list[list[float]]
    """Cumulative power, W, and price per MWh up to there."""
    standby: bool
    need: str


class InstanceOut(Word):
    """An order, an instruction or a relayed dispatch."""

    id: str
    kind: str
    resource: str
    state: str
    version: int
    power_w: float
    """Asked for."""
    effective_w: float
    """The same within the limits in force."""
    committed_w: float | None
    price_per_mwh: float
    start_s: float
    end_s: float
    offer: str
    need: str
    excused: bool


class OrderBook(Word):
    """Offers that stand and orders that are not over."""

    offers: list[OfferOut]
    orders: list[InstanceOut]


# --- instructions by hand


class InstructionIn(Act):
    """The whole of what is asked of a resource; whatever was asked before is replaced."""

    floor_w: Watts | None = None
    ceiling_w: Watts | None = None
    target_w: Watts | None = None
    lasts_s: Annotated[float, Field(gt=0, le=30 * 86_400, allow_inf_nan=False)]


class InstructionOut(Word):
    """What an operator asks of a resource."""

    id: str
    resource: str
    version: int
    floor_w: float | None
    ceiling_w: float | None
    target_w: float | None
    since_s: float
    until_s: float
    source: str


# --- what is there


class Link(Word):
    """The link to a device."""

    state: str
    since_s: float | None
    detail: str
    protocol: str


class Reading(Word):
    """The newest reading of a point."""

    point: str
    value: float | None
    """Nothing where the reading is bad."""
    quality: str
    source_s: float
    age_s: float


class LimitOut(Word):
    """A limit of the DSO."""

    id: str
    version: int
    floor_w: float
    ceiling_w: float
    reason: str
    constraint: str
    loading_before_pct: float
    start_s: float
    end_s: float
    expires_s: float
    in_force: bool
    status: str
    """What the owner has answered; empty before that."""
    committed_w: float | None


class ControlOut(Word):
    """The newest instruction to a device."""

    id: str
    version: int
    release: bool
    """Whether it gives the device back."""
    floor_w: float | None
    ceiling_w: float | None
    target_w: float | None
    urgent: bool
    off_grid: bool
    """Taken off the grid by an emergency, where the device has a switch for it."""
    outcome: str
    """`sent` before the device has answered."""
    issued_s: float
    answered_s: float | None
    leased_until_s: float | None
    because: str
    """Limit, emergency or order behind it."""
    requested: dict[str, float]
    read_back: dict[str, float]


class Effective(Word):
    """What the device has to keep to now, all taken together."""

    floor_w: float | None
    ceiling_w: float | None
    target_w: float | None
    because: str
    """Of the highest precedence."""
    urgent: bool
    conflict: bool


class DerOut(Word):
    """One resource in a line."""

    id: str
    owner: str
    link: str
    measured_w: float | None
    quality: str
    age_s: float | None
    asked_w: float | None
    """By a dispatch, an order, an instruction or an operator: the target of highest precedence."""
    floor_w: float | None
    ceiling_w: float | None
    because: str
    constraint: str
    control: str
    outcome: str


class DispatchOut(Word):
    """A wholesale dispatch or schedule of a resource, or of its node."""

    id: str
    version: int
    of: str
    power_w: float
    start_s: float
    end_s: float
    in_force: bool
    answered: str
    answered_w: float | None


class OutageOut(Word):
    """A reduced capability that its owner has told."""

    id: str
    available_w: float
    start_s: float
    end_s: float
    planned: bool


class Wholesale(Word):
    """The system operator's market."""

    dispatches: list[DispatchOut]
    instructions: list[InstanceOut]
    """What the DSO made of them (total DSO), or passed on (market facilitator)."""
    offers: list[OfferOut]


class NeedOut(Word):
    """A need of the network that the resource was asked to meet."""

    id: str
    kind: str
    constraint: str
    required_w: float
    effect: float
    """Worth of a watt of this resource there."""
    state: str
    start_s: float
    end_s: float
    closes_s: float


class Local(Word):
    """The distribution market."""

    needs: list[NeedOut]
    offers: list[OfferOut]
    orders: list[InstanceOut]


class DerView(Word):
    """Everything about one resource."""

    id: str
    zone: str
    model: str
    at_s: float
    owner: str
    bus: str
    phases: str
    controllable: str
    floor_w: float
    """Of nameplate and connection."""
    ceiling_w: float
    link: Link
    readings: list[Reading]
    effective: Effective | None
    limits: list[LimitOut]
    control: ControlOut | None
    operator: InstructionOut | None
    emergency: EmergencyOut | None
    outage: OutageOut | None
    wholesale: Wholesale
    local: Local


class Told(Word):
    """A line of the journal."""

    at_s: float
    kind: str
    who: str
    what: str


class StatusOut(Word):
    """The zone now."""

    zone: str
    model: str
    at_s: float
    network: str
    """Version of the network model."""
    solved_s: float | None
    solved: bool
    violations: list[str]
    alert: str
    approval: str
    waiting: int
    coverage_pct: float
    ders: list[DerOut]
    decisions: list[Told]
    """The newest of everything that was decided, by the gateway or by an operator."""
    messages: list[Told]
    """Of this market interval."""
