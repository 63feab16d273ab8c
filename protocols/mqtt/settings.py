"""What the MQTT adapter must be told about one broker connection."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from protocols.points import Point


@dataclass(frozen=True, slots=True)
class DerTopics:
    """A DER and the prefix of its topics."""

    resource: str
    prefix: str
    """`<prefix>/telemetry`, `/limit`, `/setpoint`, `/ack` and `/state` live below it."""


@dataclass(frozen=True, slots=True)
class MappedTopic:
    """One measured value of a station."""

    point: Point
    topic: str
    """Carries a bare number, or an object with `value` and perhaps `time` and `quality`."""
    scale: float = 1.0
    """Multiplies the topic's value to give the point's unit."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection to one broker, whatever is spoken on it."""

    host: str
    port: int = 1883
    _: KW_ONLY
    version: Literal["5", "3.1.1"] = "5"
    client_id: str = "ampacity"
    """Two connections with the same id throw each other out."""
    timeout_s: float = 2.0
    """Deadline of every exchange with the broker, and how long a control waits for its device's answer."""
    telemetry_s: float = 10.0
    """Longest regular pause between two messages of a device; three of them without one count as a lost link."""
    keep_alive_s: int = 10
    """After one and a half of it without a word from us, the broker publishes our will."""
    reconnect_max_s: float = 10.0
    """Longest pause between two attempts to connect."""
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca_file: str = ""
    """PEM file of the authorities that may vouch for the broker; empty: those of the operating system."""
    certificate_file: str = ""
    """PEM file with our own certificate and its chain, where the broker asks for one."""
    key_file: str = ""

    @property
    def broker(self) -> str:
        """Where it connects to, for people."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class MqttSettings(Connection):
    """A connection on which the documented JSON topics are spoken."""

    ders: tuple[DerTopics, ...] = ()
    points: tuple[MappedTopic, ...] = ()
    state_topic: str = field(default="ampacity/gateway/state", kw_only=True)
    """Where the gateway's own state is retained; its will says `offline` there."""

    def __post_init__(self) -> None:
        topics = [der.prefix for der in self.ders] + [mapped.topic for mapped in self.points]
        if not topics:
            raise ValueError(f"{self.broker}: neither a DER nor a point to read")
        if len(topics) != len(set(topics)) or len(self.ders) != len({der.resource for der in self.ders}):
            raise ValueError(f"{self.broker}: a topic or a DER is named twice")
        for topic in (*topics, self.state_topic):
            if not topic or topic[0] in "/$" or topic[-1] == "/" or set("+#\0") & set(topic):
                raise ValueError(f"{self.broker}: {topic!r} is not the name of a topic")

    @property
    def resources(self) -> frozenset[str]:
        """Everything that this connection speaks for."""
        return frozenset(der.resource for der in self.ders) | frozenset(mapped.point.resource for mapped in self.points)
