"""Settings of the utility server, as plain values."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ieee2030_5.identity import PenEncoding
from protocols.signals import Bounds

MOST_RETAINED_S = 30 * 86_400


class Profile(StrEnum):
    """Which dialect a client speaks."""

    CSIP = "csip"
    """IEEE 2030.5-2018 as CSIP uses it: limits in percent of `setMaxW`, nothing outside the schema."""
    CSIP_AUS = "csip_aus"
    """With the Australian extensions: limits in watts at the connection point."""
    CSIP_AUS_STORAGE = "csip_aus_storage"
    """The same in version 1.3, which adds a target for storage."""


class Edition(StrEnum):
    """Which edition of the standard a client was made for, by its level."""

    S1 = "S1"
    """IEEE 2030.5-2018."""
    S2 = "S2"
    """IEEE 2030.5-2023."""


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """One client: a DER that this server controls, or an aggregator of such, known by its certificate."""

    resource: str
    """Id of the DER in the zone."""
    lfdi: str
    """40 hex digits."""
    max_w: float
    """Greatest injection; replaced by `setMaxW` once the device has reported it."""
    min_w: float = 0
    """Least injection: negative where the device can consume."""
    pin: int | None = None
    """Registration PIN; `None` serves no Registration."""
    profile: Profile = Profile.CSIP
    edition: Edition = Edition.S1
    members: frozenset[str] = frozenset()
    """Not empty: this client is an aggregator. It is no DER itself, but speaks for these resources."""
    aggregator: bool = False
    """An aggregator also while it has no members."""
    may_enrol: bool = False
    """An aggregator that may bring devices which nobody has registered before, by POST /edev."""
    default_limit: Bounds = field(default_factory=Bounds)
    """DefaultDERControl until the first control brings its own fallback."""
    in_band: bool = False
    """True: the device appears only once it has registered itself by POST /edev."""
    notify_hosts: frozenset[str] = frozenset()
    """Hosts that its client may have notifications sent to; none: it may not subscribe."""
    forward_is_generation: bool = False
    """Sign of its readings: the schema calls 1 (forward) delivered to the customer, some DER clients generation."""

    @property
    def is_aggregator(self) -> bool:
        """It speaks for others and is controlled through them."""
        return self.aggregator or bool(self.members)


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """The operator's own way in."""

    token: str = field(repr=False)
    """Who has it may do everything."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 picks a free port."""
    announce: Path | None = None
    """File to write the URL into once it is known, for the command line to find."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The whole server."""

    certificate: Path
    key: Path
    authorities: Path
    """PEM file of the roots and intermediates that may have issued a client's certificate."""
    devices: tuple[DeviceSettings, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8443
    """0 picks a free port; `UtilityServer.port` tells which."""
    denied: frozenset[str] = frozenset()
    """LFDIs that get 403 for everything but DeviceCapability."""
    poll_rate_s: int = 300
    post_rate_s: int = 300
    primacy: int = 65
    """Of the program that each device has of its own; lower wins, 65 upward is free for a deployment."""
    pen: int = 0
    """IANA Private Enterprise Number of the operator, the tail of every mRID."""
    pen_encoding: PenEncoding = PenEncoding.HEX
    timezone: str = "UTC"
    """Service territory, an IANA name; for the offsets of the Time resource."""
    time_quality: int = 3
    """3: this host's clock is disciplined by an external source; 7: intentionally uncoordinated."""
    retention_s: int = MOST_RETAINED_S
    """How long a Response to an event that has ended is still accepted."""
    body_limit: int = 65_536
    """Octets of a request body."""
    body_timeout_s: float = 10
    """A request that has begun must have arrived by then."""
    requests_per_s: float = 100
    """What one client may ask in the long run, for each device that it speaks for."""
    requests_at_once: float = 2_000
    """What it may ask in a row, for each device."""
    lag_limit_s: float = 2
    """While everything is later than that, clients are asked to come back later."""
    connections: int = 20_000
    """Kept at the same time; one more takes the place of the one that was idle for longest."""
    log_events: int = 100
    """Kept per device; the oldest is dropped."""
    meters: int = 32
    """MirrorUsagePoints accepted per device."""
    series: int = 64
    """MirrorMeterReadings accepted per MirrorUsagePoint."""
    responses: int = 1_000
    """Kept per program; the oldest is dropped."""
    subscriptions: int = 32
    """Accepted per device."""
    discovery: str = ""
    """Network interface on which DNS service discovery tells of the server; none where empty."""
    members: int = 10_000
    """Devices that an aggregator may have when it brings one more by itself."""
    admin: AdminSettings | None = None
    """`None`: nobody operates it while it runs."""
