"""A recorded session with a Sparkplug B edge node, written by hand: births, data, deaths, a refused command."""

import json
from base64 import b64encode
from copy import deepcopy
from pathlib import Path
from typing import Any

from gateway.tape.words import Recording, read
from protocols.mqtt.sparkplug.messages import Metric, Payload, PropertySet, PropertyValue
from protocols.mqtt.sparkplug.topics import BD_SEQ, REBIRTH, MessageType, Source
from protocols.mqtt.sparkplug.values import DataType, Value, metric_of, write_payload

NODE, DEVICE = Source("site", "gw"), Source("site", "gw", "bess")
START_S = 1_700_000_000.0
HEADER: dict[str, Any] = {
    "tape": 1,
    "software": "0",
    "zone": "R1",
    "protocol": "sparkplug",
    "start_s": START_S,
    "stations": {},
    "devices": {
        "A": {
            "kind": "bess",
            "owner": "AGENT_A",
            "connection": {"bus": "B3", "export_mw": 1.0, "import_mw": 1.0, "date": "2021-01-01"},
            "nameplate": {"p_max_mw": 1.0, "p_min_mw": -1.0, "energy_mwh": 2.0},
            "endpoint": {
                "protocol": "sparkplug",
                "host": "192.0.2.1",
                "group": "site",
                "node": "gw",
                "device": "bess",
                "timeout_s": 1,
                "telemetry_s": 60,
            },
        }
    },
}
UNIT = PropertySet(("engUnit",), (PropertyValue(type=DataType.STRING, string_value="W"),))
METRICS: list[tuple[str, DataType, Value]] = [
    ("active_power_w", DataType.DOUBLE, 100.0),
    ("Control/ceiling_w", DataType.DOUBLE, 9e5),
    ("Control/valid_until", DataType.DATE_TIME, None),
    ("Control/version", DataType.INT64, 0),
    ("Control/control_id", DataType.STRING, ""),
    ("Answer/control_id", DataType.STRING, ""),
    ("Answer/version", DataType.INT64, 0),
    ("Answer/status", DataType.STRING, ""),
    ("Answer/detail", DataType.STRING, ""),
]
ALIASES = {name: 40 + at for at, (name, _, _) in enumerate(METRICS)}
TYPES = {name: datatype for name, datatype, _ in METRICS}
ORDER = ["NBIRTH", "DBIRTH", "DDATA", "DDATA", "DDEATH", "DBIRTH", "NDEATH", "NBIRTH", "DBIRTH", "DDATA", "DDATA"]
"""What the node said, but for what nobody may follow."""
POWERS = [100.0, 200.0, 300.0, 400.0, 500.0, 600.0]


class Session:
    """Lines as they were recorded."""

    def __init__(self, *, is_typed: bool = False) -> None:
        """`is_typed`: data say their datatypes, as devices made with Eclipse Tahu do."""
        self.is_typed = is_typed
        self.header = deepcopy(HEADER)
        self.lines: list[dict[str, object]] = [{"t": 0.0, "kind": "fault", "what": "connected"}]

    def say(
        self, at_s: float, kind: MessageType, metrics: list[Metric], seq: int | None = None, *, retained: bool = False
    ) -> None:
        """A message as the host heard it."""
        payload = write_payload(Payload(ms(at_s), tuple(metrics), seq))
        topic = (DEVICE if kind.is_of_device else NODE).topic(kind)
        written = "base64:" + b64encode(payload).decode()
        self.lines.append({"t": at_s, "kind": "event", "topic": topic, "payload": written, "retained": retained})

    def born(self, at_s: float, bd_seq: int, power_w: float) -> None:
        """The node and its device."""
        rebirth = metric_of(REBIRTH, DataType.BOOLEAN, value=False, alias=7, timestamp_ms=ms(at_s))
        self.say(at_s, MessageType.NBIRTH, [bd_seq_of(bd_seq, at_s), rebirth], 0)
        self.device_born(at_s + 0.01, power_w, 1)

    def device_born(self, at_s: float, power_w: float, seq: int) -> None:
        """The device alone."""
        power, *others = (
            metric_of(name, datatype, value, alias=ALIASES[name], timestamp_ms=ms(at_s))
            for name, datatype, value in METRICS
        )
        described = Metric(power.name, power.alias, power.timestamp, power.datatype, properties=UNIT)
        told = Metric(**{**fields(described), "double_value": power_w})
        self.say(at_s, MessageType.DBIRTH, [told, *others], seq)

    def data(self, at_s: float, values: dict[str, Value], seq: int) -> None:
        """By alias alone, as the specification wants it."""
        self.say(at_s, MessageType.DDATA, by_alias(values, at_s, is_typed=self.is_typed), seq)

    def recording(self, path: Path) -> Recording:
        """As read from a file."""
        rows = [self.header, *self.lines, {"t": 1.2, "kind": "end", "why": "the session ended"}]
        path.write_text("\n".join(map(json.dumps, rows)))
        return read(path)


def ms(at_s: float) -> int:
    return round((START_S + at_s) * 1000)


def fields(metric: Metric) -> dict[str, object]:
    return {name: getattr(metric, name) for name in Metric.__slots__}


def bd_seq_of(number: int, at_s: float) -> Metric:
    return metric_of(BD_SEQ, DataType.INT64, number, timestamp_ms=ms(at_s))


def by_alias(values: dict[str, Value], at_s: float, *, is_typed: bool = False) -> list[Metric]:
    return [
        metric_of(None, TYPES[name], value, alias=ALIASES[name], timestamp_ms=ms(at_s), is_typed=is_typed)
        for name, value in values.items()
    ]


def whole(*, is_typed: bool = False) -> Session:
    """Everything in a second, with what a host makes nothing of."""
    session = Session(is_typed=is_typed)
    session.data(0.005, {"active_power_w": 1.0}, 200)  # before any birth
    session.born(0.02, 7, 100.0)
    session.say(0.04, MessageType.DDATA, [metric_of("nobody", DataType.DOUBLE, 2.0)], 2)  # never declared
    session.data(0.1, {"active_power_w": 200.0}, 3)
    session.say(0.15, MessageType.NDEATH, [bd_seq_of(6, 0.15)])  # of an older connection
    session.data(0.2, {"active_power_w": 300.0}, 4)
    session.say(0.3, MessageType.DDEATH, [], 5)
    session.device_born(0.4, 400.0, 6)
    session.say(0.5, MessageType.NDEATH, [bd_seq_of(7, 0.5)])
    session.born(0.6, 8, 500.0)
    asked: dict[str, Value] = {"Control/ceiling_w": 4e5, "Control/version": 3, "Control/control_id": "c3"}
    session.say(0.7, MessageType.DCMD, by_alias(asked, 0.7))
    refused: dict[str, Value] = {
        "Answer/control_id": "c3",
        "Answer/version": 3,
        "Answer/status": "rejected",
        "Answer/detail": "not today",
    }
    session.data(0.75, refused, 2)
    session.data(0.9, {"active_power_w": 600.0}, 3)
    return session
