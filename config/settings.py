"""The zone file as types: every setting with its unit, range and default.

Files speak the units of the trade (MW, MVA, A); the composition root converts to SI.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from config.endpoints import (
    Endpoint,
    LinkAddress,
)
from config.market import Adms, Approval, Interface, Market, Settlement
from config.opcua_server import OpcUaServer
from config.parties import Listen, Party, PartyKeys, Webhook
from config.registers import RegisterForm
from config.section import Identifier, Megawatt, Percent, Seconds, Section, TcpPort
from config.sunspec_facade import SunSpecFacade


class DsoModel(StrEnum):
    """Who computes, who re-dispatches and who tells the system operator."""

    DUAL_PARTICIPATION = "DP"
    TOTAL_DSO = "T"
    MARKET_FACILITATOR = "MF"


class Zone(Section):
    """What the zone is and under which model it runs."""

    id: Identifier
    name: str = ""
    dso_model: DsoModel = DsoModel.DUAL_PARTICIPATION
    latitude_deg: Annotated[float, Field(ge=-90, le=90)] = 43.65
    """Where the sun is seen from; Toronto's where absent."""
    longitude_deg: Annotated[float, Field(ge=-180, le=180)] = -79.38
    """East positive."""
    utc_offset_h: Annotated[float, Field(ge=-12, le=14)] = -5
    """Of the market's clock, the same all year."""


class Day(Section):
    """A day of the network's customers, the same every day: their expected powers, and what the testbed plays."""

    source: str
    """Path relative to the zone file."""
    utc_offset_h: Annotated[float, Field(ge=-14, le=14)] = -5
    """Hours that the clock of the day is ahead of UTC."""
    from_h: Annotated[float, Field(ge=0, lt=24)] = 0
    """First hour of the part of the day that is played, over and over."""
    to_h: Annotated[float, Field(gt=0, le=24)] = 24
    """Hour at which that part ends and begins anew."""
    speed: Annotated[float, Field(gt=0, le=3_600)] = 1
    """How much faster than the clock the day passes; multiplied by `clocks.shorten_by`."""


class Network(Section):
    """Where the network model comes from."""

    source: str = ""
    """Path relative to the zone file, in Ampacity's own or in pandapower's JSON format; or `feeders`."""
    feeders: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")], str] = Field(default_factory=dict)
    """In place of `source`: one path per feeder. Every id of its elements is then `feeder:element`."""
    version: Identifier
    """Cited by every decision."""
    contingencies: tuple[Identifier, ...] = ()
    """Lines and transformers whose loss the limits have to survive, at emergency ratings."""
    load_scale: Annotated[tuple[Annotated[float, Field(ge=0, le=10)], ...], Field(min_length=1)] = (1.0,)
    """Expected factor on the loads of the source per interval ahead; the last value holds on."""
    forecast_valid_s: Seconds = 21_600
    """An issue of a forecast from outside (`ampacity forecast import`) that is older says nothing any more."""
    day: Day | None = None
    """What loads and units of the source are expected to draw and inject through the day, in place of `load_scale`."""

    @property
    def sources(self) -> dict[str, str]:
        """Path by feeder; the only one of a zone with one network has no name."""
        return self.feeders or {"": self.source}


class Engine(Section):
    """Where the grid engine computes."""

    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes on this machine; more than one only helps a zone of several feeders."""
    cluster: Annotated[str, Field(pattern=r"^$|^(tcp|tls|ws|wss|ucx)://")] = ""
    """Scheduler of a Dask cluster that computes instead, such as `tcp://10.0.0.5:8786`."""
    deadline_s: Seconds | None = None
    """Longest that one study may take; as long as `clocks.impact_check_s` where absent."""


class Clocks(Section):
    """The market's clock and the deadlines counted from the start of an interval, in seconds."""

    interval_s: Seconds = 300
    tick_s: Seconds = 10
    look_ahead_intervals: Annotated[int, Field(ge=1, le=288)] = 12
    receipt_s: Seconds = 2
    impact_check_s: Seconds = 30
    limit_issue_s: Seconds = 35
    commit_s: Seconds = 60
    notice_s: Seconds = 60
    """When the DER/A's capability notice is due."""
    limit_expiry_s: Seconds = 900
    """How long a limit stays valid without a new cycle."""
    shorten_by: Annotated[float, Field(ge=1, le=60)] = 1
    """Divides every time above and every lease, and multiplies every ramp: a shorter market for demonstrations."""


class LimitPolicy(Section):
    """How limits are computed, rounded, published and released."""

    policy: Literal["incremental", "pro_rata", "max_min", "lifo", "merit", "rotational"] = "incremental"
    look_ahead: bool = False
    """Publish envelopes for all intervals ahead, not only when a violation is seen."""
    envelope_mode: Literal["joint", "residual"] = "joint"
    """Of envelopes ahead: safe whatever everybody does within theirs, or with the others at their forecast."""
    sharing: Literal["equal", "maximum", "proportional", "max_min", "pro_rata", "lifo", "merit", "rotational"] = (
        "pro_rata"
    )
    """How joint envelopes divide what the network can take."""
    utilisation_pct: Percent = 0
    """Part of its joint envelope that everybody is sure to use; 0 holds whoever uses it and whoever does not."""
    margin_pct: Percent = 2
    estimated_margin_pct: Percent = 10
    """Added while an input on the constraint's path is estimated."""
    unbalance_alarm_pct: Annotated[float, Field(gt=0, le=100)] = 2
    """Voltage unbalance (negative over positive sequence) of a bus that raises an alarm."""
    unbalance_max_pct: Annotated[float, Field(gt=0, le=100)] | None = None
    """Voltage unbalance that limits the DERs behind it; nobody where absent."""
    step_mw: Annotated[float, Field(gt=0, le=10)] = 0.01
    voltage_min_pu: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    voltage_max_pu: Annotated[float, Field(gt=1, lt=1.5)] = 1.05
    release_mw: Annotated[float, Field(ge=0)] = 0.05
    release_s: Seconds = 60
    preexisting: Literal["hard", "do_not_worsen", "ignore"] = "do_not_worsen"
    failure_shrink_pct: Percent = 10
    """Taken off the last envelope while the engine fails."""


class Asset(Section):
    """Ratings of one line, transformer or bus; the id is its name in the network source."""

    ampacity_a: Annotated[float, Field(gt=0, le=100_000)] | None = None
    emergency_a: Annotated[float, Field(gt=0, le=100_000)] | None = None
    rating_mva: Annotated[float, Field(gt=0, le=10_000)] | None = None
    emergency_mva: Annotated[float, Field(gt=0, le=10_000)] | None = None
    reverse_power_mw: Annotated[float, Field(ge=0, le=10_000)] | None = None
    forward_power_mw: Annotated[float, Field(ge=0, le=10_000)] | None = None
    derate_pct: Annotated[float, Field(ge=0, lt=100)] = 0
    condition_score: Percent = 100
    short_circuit_ka: Annotated[float, Field(gt=0, le=1_000)] | None = None


class Connection(Section):
    """The point of interconnection."""

    bus: Identifier
    phases: Literal["abc", "a", "b", "c", "ab", "bc", "ca", "s1s2"] = "abc"
    """Conductors, sharing the power equally; `s1s2`: both legs of a split-phase service."""
    wiring: Literal["wye", "delta"] = "wye"
    """Between each of them and the neutral, or between one and the next."""
    export_mw: Annotated[float, Field(ge=0, le=10_000)]
    import_mw: Annotated[float, Field(ge=0, le=10_000)] = 0
    date: date
    firm: bool = False


class Nameplate(Section):
    """What the device can do; power is positive for injection."""

    p_max_mw: Megawatt
    p_min_mw: Megawatt = 0
    s_max_mva: Annotated[float, Field(gt=0, le=10_000)] | None = None
    energy_mwh: Annotated[float, Field(gt=0, le=100_000)] | None = None
    charge_efficiency: Annotated[float, Field(gt=0, le=1)] = 1
    discharge_efficiency: Annotated[float, Field(gt=0, le=1)] = 1
    soc_min_pct: Percent = 0
    ramp_mw_per_min: Annotated[float, Field(gt=0)] | None = None
    """`None`: as fast as the device follows, at once."""


class Device(Section):
    """One DER."""

    kind: Literal["pv", "bess", "chp", "load", "ev", "wind", "aggregation"]
    name: str = ""
    connection: Connection
    nameplate: Nameplate
    controllable: Literal["none", "limit", "setpoint"] = "limit"
    owner: Identifier
    """Party that acts for the device in the market."""
    endpoint: Endpoint
    simulated: bool = False
    """True: the testbed plays this device. Set it to false and point `endpoint` at real equipment."""
    forecast_mw: tuple[Megawatt, ...] = ()
    """Expected power per interval ahead; the last value holds on. Empty: the measured power persists."""
    static_p_max_mw: Megawatt | None = None
    """The envelope of last resort; also what the device falls back to when its lease runs out."""
    static_p_min_mw: Megawatt | None = None
    lease_s: Seconds = 900
    """Native reversion time written with every control; refreshed at half of it."""
    availability_pct: Annotated[float, Field(gt=0, le=100)] = 100
    """Share of its orders that it delivers, as far as is known."""
    verify_band_mw: Annotated[float, Field(gt=0)] = 0.05
    """How close measured power must come to count as obeyed."""


class MappedPoint(RegisterForm):
    """Where one measured value lives in a station; how its registers hold it matters to Modbus alone."""

    point: Annotated[str, Field(pattern=r"^[^.]+\.[a-z_]+(\.(a|b|c|n))?$")]
    """For example `L12.current_a` or `B4.voltage_pu`."""
    address: str | int
    """Register or point of a SunSpec model such as `203.W` (Modbus), NodeId (OPC UA), topic below the prefix (MQTT),
    or kind and index of a DNP3 point: `AI7` analog input, `BI` binary, `DBI` double-bit, `CTR` counter, `AO` and `BO`
    status of an output."""
    command: str = ""
    """NodeId (OPC UA) that a tap position or the state of a switch is told to; nothing can be operated where empty."""


class Station(Section):
    """A SCADA or ADMS source of measurements of the grid's own assets."""

    endpoint: Endpoint
    simulated: bool = False
    points: tuple[MappedPoint, ...]


class Ieee20305Server(Section):
    """Our own IEEE 2030.5 server; it runs where a device is a client of it, or `always` says so."""

    always: bool = False
    """Run it without such a device too, for those that the operator registers while it runs."""
    certificates: str = "certs"
    """Directory with `root.pem`, `server.pem` and `server.key.pem`, as `ampacity certs` makes it; relative to
    the working directory."""
    timezone: str = "UTC"
    """Service territory, an IANA name."""
    pen: Annotated[int, Field(ge=0, le=99_999_999)] = 0
    """IANA Private Enterprise Number of the operator, the tail of every mRID."""
    pen_encoding: Literal["hex", "decimal"] = "hex"
    """How the number is written there: IEEE 2030.5 as eight hex digits, CSIP-AUS as eight decimal ones."""
    discovery_interface: str = ""
    """Network interface, such as `eth0`, on which clients find the server by DNS service discovery (mDNS and
    xmDNS, UDP port 5353); empty: they are told its address otherwise, as CSIP has it."""
    admin_host: str = "127.0.0.1"
    """Where `ampacity der` and the like reach the server; whoever has the token in `admin.token` of the storage
    directory may do everything there, so keep it on this machine."""
    admin_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """0 takes a free one; `admin.url` in the storage directory tells which."""


class ToldPoint(Section):
    """One value for the system operator."""

    point: Annotated[str, Field(pattern=r"^[^.]+\.[a-z_]+(\.(a|b|c|n))?$")]
    """A device's or a station's, such as `TD1.active_power_w`; the zone's own id stands for the sum of its devices."""
    address: Annotated[str, Field(pattern=r"^(AI|BI)[0-9]{1,4}$")]
    """Analog or binary input, as `AI0`."""
    of: tuple[Identifier, ...] = ()
    """Devices whose sum it is; what stands before the quantity in `point` is then only a name."""
    scale: Annotated[float, Field(gt=0)] = 1
    """The outstation holds the value divided by it: 1000000 tells MW."""
    deadband: Annotated[float, Field(ge=0)] = 0
    """Smallest change that makes an event, as the outstation holds it."""
    event_class: Annotated[int, Field(ge=0, le=3)] = 2


class Telemetry(Section):
    """The gateway as a DNP3 outstation, read by the system operator's master; nothing can be operated."""

    host: str = "127.0.0.1"
    port: TcpPort = 20_000
    outstation: LinkAddress = 10
    """Link address of the gateway."""
    master: LinkAddress = 1
    """Link address of the system operator."""
    unsolicited: bool = True
    """Let the master enable events that come by themselves."""
    step_s: Annotated[float, Field(gt=0, le=60)] = 2
    """How often every value is brought up to date."""
    tls: bool = False
    ca_file: str = ""
    """PEM file of the authority that vouches for the master; as certificate and key, required with `tls`."""
    certificate_file: str = ""
    key_file: str = ""
    points: Annotated[tuple[ToldPoint, ...], Field(min_length=1)]


class Storage(Section):
    """Where the gateway keeps its journal and its telemetry."""

    directory: str = "run"
    """Relative to the working directory."""
    telemetry_days: Annotated[float, Field(gt=0)] = 30
    """Older telemetry is pruned; the journal never is."""


class Testbed(Section):
    """The simulated world, used only by `ampacity testbed`."""

    step_s: Annotated[float, Field(gt=0, le=10)] = 0.2
    """Time between two solutions of the true network."""
    initial_mw: dict[Identifier, Megawatt] = Field(default_factory=dict)
    """Power of each simulated device at the start; absent means 0."""
    physics: dict[Identifier, Literal["opender"]] = Field(default_factory=dict)
    """Simulated devices whose physics is OpenDER's (extra `sim`): IEEE 1547-2018 with reactive power and trips."""
    follows: dict[Identifier, str] = Field(default_factory=dict)
    """Kind in `network.day` that what a simulated device could inject follows, times its nameplate."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 1
    """Of how the day turns out, where the network has one."""
    broker: Literal["embedded", "running"] = "embedded"
    """Where simulated MQTT devices meet the gateway: a broker of the testbed's own, or one that runs already."""
    control_port: TcpPort = 18_099
    """HTTP control of the simulated world: faults by name, schedules, the truth."""
    gateway_url: Annotated[str, Field(pattern=r"^$|^https?://")] = ""
    """Base of the gateway's interface as simulated parties reach it; empty: as `listen` says."""
    parties: dict[Identifier, PartyKeys] = Field(default_factory=dict)
    """By which token and certificate simulated parties prove who they are; who is not named shows nothing."""


class ZoneFile(Section):
    """A whole zone."""

    zone: Zone
    network: Network
    engine: Engine = Engine()
    clocks: Clocks = Clocks()
    limits: LimitPolicy = LimitPolicy()
    market: Market = Market()
    settlement: Settlement = Settlement()
    adms: Adms | None = None
    interfaces: dict[Identifier, Interface] = Field(default_factory=dict)
    """To other distribution utilities."""
    platform: Identifier | None = None
    """Party that carries market messages while it is reachable."""
    approval: Approval = Approval()
    assets: dict[Identifier, Asset] = Field(default_factory=dict)
    devices: dict[Identifier, Device]
    stations: dict[Identifier, Station] = Field(default_factory=dict)
    parties: dict[Identifier, Party] = Field(default_factory=dict)
    listen: Listen = Listen()
    webhooks: dict[Identifier, Webhook] = Field(default_factory=dict)
    """Systems of the enterprise that get copies of the messages."""
    ieee2030_5: Ieee20305Server = Ieee20305Server()
    telemetry: Telemetry | None = None
    sunspec: SunSpecFacade | None = None
    opcua_server: OpcUaServer | None = None
    storage: Storage = Storage()
    testbed: Testbed = Testbed()
