"""Topics of Sparkplug B and the STATE message of a host application (Sparkplug 3.0, topics)."""

from dataclasses import dataclass
from enum import StrEnum

import orjson

NAMESPACE = "spBv1.0"
STATE = "STATE"
BD_SEQ = "bdSeq"
REBIRTH = "Node Control/Rebirth"
MAX_STATE_BYTES = 1_000


class MessageType(StrEnum):
    """Third level of a topic."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    NDATA = "NDATA"
    NCMD = "NCMD"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    DDATA = "DDATA"
    DCMD = "DCMD"

    @property
    def is_of_device(self) -> bool:
        """A fifth level names the device."""
        return self.value[0] == "D"


@dataclass(frozen=True, slots=True)
class Message:
    """One publication."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """An edge node, or a device behind one."""

    group: str
    node: str
    device: str = ""

    def __post_init__(self) -> None:
        for name in (self.group, self.node, *([self.device] if self.device else [])):
            if not is_id(name):
                raise ValueError(f"{name!r} is no Sparkplug id: it must not be empty or hold +, #, / or NUL")

    @property
    def parent(self) -> "Source":
        """The edge node."""
        return Source(self.group, self.node)

    def topic(self, kind: MessageType) -> str:
        """Where a message of this type about it goes."""
        tail = f"/{self.device}" if kind.is_of_device else ""
        return f"{NAMESPACE}/{self.group}/{kind.value}/{self.node}{tail}"

    def __str__(self) -> str:
        """For people: `group/node/device`."""
        return "/".join(filter(None, (self.group, self.node, self.device)))


@dataclass(frozen=True, slots=True)
class HostState:
    """What a STATE message says."""

    online: bool
    timestamp_ms: int


def is_id(name: str) -> bool:
    """Fit for one level of a topic."""
    return bool(name) and not set("+#/\0") & set(name)


def parsed(topic: str) -> tuple[MessageType, Source] | None:
    """Type and source by a topic; `None` where it is not one of Sparkplug's."""
    parts = topic.split("/")
    if len(parts) not in (4, 5) or parts[0] != NAMESPACE or parts[2] not in MessageType.__members__:
        return None
    kind = MessageType(parts[2])
    if kind.is_of_device is not (len(parts) == 5) or not all(is_id(part) for part in parts):
        return None
    return kind, Source(parts[1], *parts[3:])


def state_topic(host: str) -> str:
    """Where a host application says that it is there."""
    return f"{NAMESPACE}/{STATE}/{host}"


def state_message(host: str, *, online: bool, timestamp_ms: int) -> Message:
    """Birth or death of a host application."""
    payload = orjson.dumps({"online": online, "timestamp": timestamp_ms})
    return Message(state_topic(host), payload, qos=1, retain=True)


def read_state(payload: bytes) -> HostState | None:
    """What a STATE message says; `None` where it is none."""
    if len(payload) > MAX_STATE_BYTES:
        return None
    try:
        read = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    match read:
        case {"online": bool(online), "timestamp": int(timestamp_ms)} if not isinstance(timestamp_ms, bool):
            return HostState(online, timestamp_ms)
    return None
