"""What the admin API takes and gives, in SI units and percent; its OpenAPI document is made from these types."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ieee2030_5.access import Admission
from ieee2030_5.groups import BASE, GroupKind
from ieee2030_5.settings import Edition, Profile

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]
Slug = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Lfdi = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{40}$")]
Text = Annotated[str, Field(max_length=31, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Pin = Annotated[int, Field(ge=0, le=999_999)]
Rate = Annotated[int, Field(ge=1, le=32_767)]
Watts = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
Seconds = Annotated[int, Field(ge=0, le=2**33)]
Hour = Annotated[int, Field(ge=-3_600, le=3_600)]
Limit = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
SignedShare = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
Word16 = Annotated[int, Field(ge=0, le=65_535)]
Word32 = Annotated[int, Field(ge=0, le=2**32 - 1)]
Signed16 = Annotated[int, Field(ge=-32_768, le=32_767)]


class Word(BaseModel):
    """A JSON object of the API: unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Bounds(Word):
    """Limits on active power, W; injection is positive."""

    floor_w: Watts | None = None
    ceiling_w: Watts | None = None


class Client(Word):
    """What is said about any client."""

    lfdi: Lfdi
    """Fingerprint of its certificate."""
    profile: Profile = Profile.CSIP
    edition: Edition = Edition.S1
    pin: Pin | None = None
    """Registration PIN; it is never shown. Left out, a client that is known keeps the one it has."""
    in_band: bool = False
    """It may register itself by POST to /edev and is not seen before that."""
    notify_hosts: frozenset[Annotated[str, Field(min_length=1, max_length=255)]] = frozenset()
    """Hosts that it may have notifications sent to; none: it may not subscribe."""


class DeviceIn(Client):
    """A device as the operator registers it."""

    max_w: Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
    """Greatest injection, W, until the device says so itself (`setMaxW`)."""
    min_w: Annotated[float, Field(ge=-1e12, le=0, allow_inf_nan=False)] = 0
    """Least injection, W: negative where it can consume."""
    default_limit: Bounds = Bounds()
    """What its DefaultDERControl says at first."""
    forward_is_generation: bool = False
    """How it signs its readings: the schema calls forward what is delivered to the customer."""


class NamedDevice(DeviceIn):
    """One of many devices."""

    name: Name
    groups: list[Name] = []
    """That it is put into; left out, it stays where it is."""


class DevicesIn(Word):
    """Devices that are registered together: all of them, or none."""

    devices: Annotated[list[NamedDevice], Field(min_length=1, max_length=500)]


class AggregatorIn(Client):
    """An aggregator as the operator registers it."""

    may_enrol: bool = False
    """It may bring devices that nobody has registered before, by POST to /edev."""
    member_max_w: Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)] = 10_000
    """Greatest injection, W, of a device that it brings, until the device says so itself."""


class ProgramSeen(Word):
    """One program as a device sees it."""

    name: str
    href: str
    group: str
    primacy: int
    description: str
    assignment: str


class DeviceOut(Word):
    """A device or aggregator and what has become of it."""

    name: str
    href: str
    lfdi: str
    sfdi: int
    aggregator: bool
    of_zone: bool
    """It stands in the zone file: the gateway controls it."""
    profile: Profile
    edition: Edition
    has_pin: bool
    in_band: bool
    registered_s: int | None
    max_w: float
    min_w: float
    notify_hosts: list[str]
    groups: list[str]
    members: list[str]
    """Of an aggregator."""
    aggregators: list[str]
    """That speak for it."""
    assignments: list[str]
    programs: list[ProgramSeen]
    subscriptions: int
    category: str | None
    connection_point: str | None


class DeviceList(Word):
    """A page of devices, in the order in which they were registered."""

    all: int
    devices: list[DeviceOut]


class PinIn(Word):
    """A registration PIN; CSIP makes its six digits sum to a multiple of ten, others differ, so any is taken."""

    pin: Pin


class RegistrationIn(Word):
    """Whether a known client is registered; one that is not may register itself again."""

    registered: bool


class GroupsIn(Word):
    """All groups that a device is in."""

    groups: list[Name]


class GroupIn(Word):
    """A group of devices."""

    kind: GroupKind = GroupKind.OTHER
    parent: Name | None = None
    description: Text = ""


class GroupOut(Word):
    """A group and what is in it."""

    name: str
    kind: GroupKind
    parent: str | None
    description: str
    devices: int
    """In the group itself and in those below it."""
    programs: list[str]
    assignments: dict[str, str]
    """Descriptions by name."""


class GroupList(Word):
    """All groups."""

    groups: list[GroupOut]


class AssignmentIn(Word):
    """A FunctionSetAssignments."""

    description: Text = ""


class ProgramIn(Word):
    """A DERProgram of a group, or of one device."""

    group: Name | None = None
    device: Name | None = None
    """Exactly one of `group` and `device`."""
    primacy: Annotated[int, Field(ge=0, le=255)]
    """The lower number wins."""
    description: Text = "Operating envelope"
    assignment: Slug = BASE
    """FunctionSetAssignments that lists it."""


class ProgramOut(Word):
    """A program and its state."""

    name: str
    href: str
    mrid: str
    group: str | None
    device: str | None
    primacy: int
    description: str
    assignment: str
    version: int
    of_gateway: bool
    """The gateway issues its controls; the operator makes a program beside it."""
    controls: int
    active: int


class ProgramList(Word):
    """A page of programs."""

    all: int
    programs: list[ProgramOut]


class PowerFactor(Word):
    """A displacement factor and on which side."""

    displacement: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    excitation: bool


class FixedVar(Word):
    """Reactive power in percent of what `refType` names (1 setMaxW, 2 setMaxVar, 3 statVarAvail)."""

    refType: Annotated[int, Field(ge=1, le=3)]
    value: SignedShare


class FreqDroop(Word):
    """A frequency droop, in the units of the schema."""

    dBOF: Word32
    dBUF: Word32
    kOF: Word16
    kUF: Word16
    openLoopTms: Word16


class Page(Word):
    """Counts of everything that is kept."""

    devices: int
    registered: int
    aggregators: int
    groups: int
    programs: int
    live_controls: int
    subscriptions: int
    meters: int
    refused: int
    """Clients that are denied or whose time is over."""


class Rates(Word):
    """Poll and post rates that the operator has set, by kind of resource, s; what is not here has the default."""

    poll: dict[str, int]
    post: dict[str, int]
    default_poll_s: int
    default_post_s: int


class RateIn(Word):
    """How often."""

    seconds: Rate


class AccessIn(Word):
    """Whether a client may use the server."""

    state: Admission
    until_s: Seconds | None = None
    """Refused from then on, Unix seconds UTC."""


class AccessOut(AccessIn):
    """The same with whom it is about."""

    lfdi: str
    device: str | None


class AccessList(Word):
    """Every client that is not simply admitted."""

    access: list[AccessOut]


class MeterOut(Word):
    """A mirrored meter."""

    href: str
    mrid: str
    owner: str
    device: str | None
    description: str | None
    series: int


class MeterList(Word):
    """All mirrored meters."""

    meters: list[MeterOut]


class Count(Word):
    """How many were affected."""

    count: int


class Fault(Word):
    """Why a request was refused."""

    error: str
    where: str
    what_to_do: str
