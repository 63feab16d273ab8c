"""What the Sparkplug adapter must be told about one broker connection."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from protocols.mqtt.settings import Connection
from protocols.mqtt.sparkplug.topics import Source, is_id, state_topic
from protocols.points import Point


@dataclass(frozen=True, slots=True)
class SparkplugDer:
    """A DER that is a device behind an edge node, or an edge node itself."""

    resource: str
    source: Source
    names: Mapping[str, str] = field(default_factory=dict)
    """The device's own names of metrics, by ours; what is not listed bears our name."""
    scales: Mapping[str, float] = field(default_factory=dict)
    """Multiplies the device's value to give ours, by our name."""


@dataclass(frozen=True, slots=True)
class MappedMetric:
    """One measured value of a station."""

    point: Point
    source: Source
    name: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class SparkplugSettings(Connection):
    """One host application at one broker.

    Where devices tell by exception, `telemetry_s` is how often we say their last value.
    """

    ders: tuple[SparkplugDer, ...] = ()
    points: tuple[MappedMetric, ...] = ()
    _: KW_ONLY
    host_id: str = "ampacity"
    """The id of our STATE messages; edge nodes that wait for a primary host are told this one."""
    by_exception: bool = True
    """Devices speak only when something changes, and silence is no loss as long as nobody died."""
    reorder_s: float = 2.0
    """How long a missing message is waited for."""
    rebirth_every_s: float = 5.0
    """Shortest pause between two requests for rebirth to one node."""

    def __post_init__(self) -> None:
        if not self.ders and not self.points:
            raise ValueError(f"{self.broker}: neither a DER nor a point to read")
        if len({der.source for der in self.ders}) != len(self.ders):
            raise ValueError(f"{self.broker}: a device is named twice")
        if not is_id(self.host_id):
            raise ValueError(f"{self.broker}: {self.host_id!r} is no Sparkplug id")

    @property
    def state_topic(self) -> str:
        """Where we say that we are there."""
        return state_topic(self.host_id)

    @property
    def sources(self) -> frozenset[Source]:
        """Every device and node that is listened to."""
        return frozenset(der.source for der in self.ders) | frozenset(mapped.source for mapped in self.points)

    @property
    def resources(self) -> frozenset[str]:
        """Everything that this connection speaks for."""
        return frozenset(der.resource for der in self.ders) | frozenset(mapped.point.resource for mapped in self.points)
