"""Sparkplug face of the simulated world: an edge node with DERs and stations behind it, as a client of a broker."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import floor
from typing import Final, Literal

from gateway.testbed.device import Faults, SimulatedDevice
from protocols.mqtt.client import MqttClient, MqttError
from protocols.mqtt.sparkplug.edge import Command, EdgeNode
from protocols.mqtt.sparkplug.topics import Message
from protocols.mqtt.sparkplug.values import DataType, Value
from protocols.points import Point
from protocols.signals import Bounds

DOUBLE, TEXT = DataType.DOUBLE, DataType.STRING
AGAIN_S: Final = 0.2
DER_METRICS: Final[Mapping[str, DataType]] = {
    "active_power_w": DOUBLE,
    "available_power_w": DOUBLE,
    "state_of_charge_pu": DOUBLE,
    "ceiling_w": DOUBLE,
    "floor_w": DOUBLE,
    "Control/ceiling_w": DOUBLE,
    "Control/floor_w": DOUBLE,
    "Control/fallback_ceiling_w": DOUBLE,
    "Control/fallback_floor_w": DOUBLE,
    "Control/valid_until": DataType.DATE_TIME,
    "Control/target_w": DOUBLE,
    "Control/disconnect": DataType.BOOLEAN,
    "Control/version": DataType.INT64,
    "Control/control_id": TEXT,
    "Answer/control_id": TEXT,
    "Answer/version": DataType.INT64,
    "Answer/status": TEXT,
    "Answer/detail": TEXT,
}


@dataclass(frozen=True, slots=True)
class StationMetrics:
    """The points of a station that are metrics of one device, or of the node."""

    points: Mapping[str, tuple[Point, float]]
    """Point and scale by name of the metric, which holds the point's value divided by the scale."""
    measure: Callable[[Point], float]
    faults: Faults


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the edge node connects to, and as whom."""

    host: str
    port: int
    client_id: str
    state_topic: str
    """Where its will goes: the topic of its death."""
    version: Literal["5", "3.1.1"] = "5"
    timeout_s: float = 5.0
    keep_alive_s: int = 5
    username: str = ""
    password: str = ""
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""

    @property
    def broker(self) -> str:
        """For people."""
        return f"{self.host}:{self.port}"


@dataclass(slots=True)
class _Der:
    """What a device keeps besides its physics."""

    device: SimulatedDevice
    version: int = 0
    valid_until_s: float | None = None
    target_w: float | None = None
    control_id: str = ""


class SimulatedSparkplugNode:
    """Devices keep their leases by themselves, obey the newest version, and tell what they obey."""

    def __init__(
        self,
        host: str,
        port: int,
        group: str,
        node: str,
        now: Callable[[], float],
        *,
        devices: Mapping[str, SimulatedDevice],
        stations: Mapping[str, StationMetrics] | None = None,
        version: Literal["5", "3.1.1"] = "5",
        step_s: float = 0.5,
        primary_host: str = "",
    ) -> None:
        """Devices and stations stand by the id of their Sparkplug device; an empty id is the node itself."""
        self.started = asyncio.Event()
        """Set once it has subscribed."""
        self._ders = {name: _Der(device) for name, device in devices.items()}
        self._stations = stations or {}
        metrics: dict[str, dict[str, DataType]] = {name: dict(DER_METRICS) for name in devices}
        for name, station in self._stations.items():
            metrics.setdefault(name, {}).update(dict.fromkeys(station.points, DOUBLE))
        self._edge = EdgeNode(group, node, metrics, primary_host=primary_host)
        self._address = BrokerAddress(host, port, f"edge-{group}-{node}", "", version)
        self._now, self._step_s = now, step_s
        self._client: MqttClient | None = None
        self._leaves = False

    async def run(self) -> None:
        """Live until cancelled."""
        while True:
            self._advance()
            if not self._is_cut:
                with suppress(MqttError):
                    await self._session()
            await asyncio.sleep(AGAIN_S)

    @property
    def _faults(self) -> list[Faults]:
        return [der.device.faults for der in self._ders.values()] + [s.faults for s in self._stations.values()]

    @property
    def _is_cut(self) -> bool:
        return all(faults.drop_link for faults in self._faults)

    async def _session(self) -> None:
        will = self._edge.connect(self._now())
        address = BrokerAddress(
            self._address.host, self._address.port, self._address.client_id, will.topic, self._address.version
        )
        client = MqttClient(address, will.payload, self._hear, retain_will=False)
        farewell = b""
        try:
            await client.open()
            self._client, self._leaves = client, False
            await client.subscribe([topic for topic, _ in self._edge.subscriptions])
            self._publish(self._edge.connected(self._now()))
            self.started.set()
            while not self._leaves:
                self._step()
                await client.idle(self._step_s)
                if self._is_cut:
                    client.cut()
        except asyncio.CancelledError:
            farewell = self._edge.disconnect(self._now())[0].payload
            raise
        finally:
            self._client = None
            self._edge.lost()
            client.close(farewell)

    def _advance(self) -> None:
        for der in self._ders.values():
            der.device.advance(self._now())
            if der.target_w is not None and der.device.reverted:
                der.target_w = None
                der.device.set_order(None, self._now())

    def _step(self) -> None:
        self._advance()
        for name, der in self._ders.items():
            faults = der.device.faults
            if faults.drop_link and name:
                self._publish(self._edge.device_lost(name, self._now()))
            elif not faults.delay:
                if name:
                    self._publish(self._edge.device_found(name, self._now()))
                values = self._telemetry(der) | self._in_force(der)
                self._publish(self._edge.update(name, values, self._now(), every=True))
        for name, station in self._stations.items():
            if not station.faults.delay and not station.faults.drop_link:
                told: dict[str, Value] = {
                    metric: station.measure(point) / scale for metric, (point, scale) in station.points.items()
                }
                self._publish(self._edge.update(name, told, self._now(), every=True))

    def _telemetry(self, der: _Der) -> dict[str, Value]:
        reading, limit, spec = der.device.reading, der.device.limit, der.device.spec
        return {
            "active_power_w": reading.power_w,
            "available_power_w": reading.available_w,
            "state_of_charge_pu": reading.state_of_charge_pu,
            "ceiling_w": spec.p_max_w if limit.ceiling_w is None else limit.ceiling_w,
            "floor_w": spec.p_min_w if limit.floor_w is None else limit.floor_w,
        }

    def _in_force(self, der: _Der) -> dict[str, Value]:
        limit, fallback = der.device.limit, der.device.fallback
        leased = der.device.reversion_remaining_s > 0 and der.valid_until_s is not None
        return {
            "Control/ceiling_w": limit.ceiling_w,
            "Control/floor_w": limit.floor_w,
            "Control/fallback_ceiling_w": fallback.ceiling_w if leased else None,
            "Control/fallback_floor_w": fallback.floor_w if leased else None,
            "Control/valid_until": floor((der.valid_until_s or 0.0) * 1000 + 0.5) if leased else None,
            "Control/target_w": der.device.order_w,
            "Control/disconnect": not der.device.is_connected,
            "Control/version": der.version,
            "Control/control_id": der.control_id,
        }

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: ARG002, FBT001 - as MQTT has it
        self._advance()
        for name, der in self._ders.items():  # so that a birth tells the present state
            if not der.device.faults.delay:
                self._publish(self._edge.update(name, self._in_force(der), self._now()))
        heard = self._edge.receive(topic, payload, self._now())
        self._publish(heard.messages)
        self._leaves = self._leaves or heard.leave
        for command in heard.commands:
            obeys = self._ders.get(command.device)
            if obeys is not None and not obeys.device.faults.drop_link:
                self._obey(command, obeys)

    def _obey(self, command: Command, der: _Der) -> None:
        order = {name.removeprefix("Control/"): value for name, value in command.values.items()}
        status, detail = self._verdict(order, der)
        version, control_id = _number(order.get("version")), str(order.get("control_id", ""))
        if status == "started":
            der.version, der.control_id = int(version or 0), control_id
            self._take(order, der)
        answer: dict[str, Value] = {
            "Answer/control_id": control_id,
            "Answer/version": int(version or 0),
            "Answer/status": status,
            "Answer/detail": detail,
        }
        late_s = der.device.faults.delay_s if der.device.faults.delay else 0.0
        asyncio.get_running_loop().call_later(late_s, self._answer, command.device, der, answer)

    def _answer(self, device: str, der: _Der, answer: Mapping[str, Value]) -> None:
        self._publish(self._edge.update(device, {**self._in_force(der), **answer}, self._now()))

    def _verdict(self, order: Mapping[str, Value], der: _Der) -> tuple[str, str]:
        version, until_ms = _number(order.get("version")), _number(order.get("valid_until"))
        if version is not None and version < der.version:
            return "superseded", f"version {der.version} is newer"
        if until_ms is not None and until_ms / 1000 <= self._now():
            return "expired", "it came too late"
        if der.device.faults.refuse:
            return "rejected", "refused by its owner"
        return "started", ""

    def _take(self, order: Mapping[str, Value], der: _Der) -> None:
        now_s, until_ms = self._now(), _number(order.get("valid_until"))
        der.valid_until_s = None if until_ms is None else until_ms / 1000
        der.device.set_limit(
            Bounds(_number(order.get("floor_w")), _number(order.get("ceiling_w"))),
            now_s,
            None if der.valid_until_s is None else der.valid_until_s - now_s,
            Bounds(_number(order.get("fallback_floor_w")), _number(order.get("fallback_ceiling_w"))),
        )
        if "disconnect" in order:
            lease_s = None if der.valid_until_s is None else der.valid_until_s - now_s
            der.device.connect(now_s, closed=not order["disconnect"], reversion_s=lease_s)
        if "target_w" in order:
            der.target_w = _number(order["target_w"])
            der.device.set_order(der.target_w, now_s)

    def _publish(self, messages: Sequence[Message]) -> None:
        if self._client is not None:
            for message in messages:
                self._client.send(message.topic, message.payload, qos=message.qos, retain=message.retain)


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) else None
