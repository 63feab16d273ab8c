"""MQTT face of the simulated world: a DER or a station as a client of a broker, on the documented JSON topics."""

import asyncio
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.testbed.device import Faults, SimulatedDevice
from protocols.points import Point
from protocols.signals import Bounds

AT_LEAST_ONCE: Final = 1
KEEP_ALIVE_S: Final = 5
OFFLINE: Final = b'{"state":"offline"}'
Version = Literal["5", "3.1.1"]
_PROTOCOLS: Final = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


@dataclass(frozen=True, slots=True)
class PublishedPoint:
    """A point of a station and the topic that tells it."""

    point: Point
    topic: str
    scale: float = 1.0
    """The message holds the point's value divided by it."""


class _Connection:
    """One client, which paho drives in a thread of its own; what it hears is handed to the event loop."""

    def __init__(self, host: str, port: int, version: Version, client_id: str, will_topic: str) -> None:
        self._address = host, port
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=_PROTOCOLS[version])
        self._client.reconnect_delay_set(1, 2)
        if will_topic:
            self._client.will_set(will_topic, OFFLINE, AT_LEAST_ONCE, retain=True)
        self.up = False

    def connect(self, topics: Sequence[str], greet: Callable[[], None], hear: Callable[[str, bytes], None]) -> None:
        """Connect, subscribe and greet, now and again after every loss."""
        loop = asyncio.get_running_loop()

        def hand_over(call: Callable[..., None], *arguments: object) -> None:
            with suppress(RuntimeError):  # the loop is closed; the thread will follow
                loop.call_soon_threadsafe(call, *arguments)

        def on_connect(client: paho.Client, *_: object) -> None:
            if topics:
                client.subscribe([(topic, AT_LEAST_ONCE) for topic in topics])
            hand_over(self._set_up, greet)

        self._client.on_connect = on_connect
        self._client.on_message = lambda _c, _u, message: hand_over(hear, message.topic, bytes(message.payload))
        self.restore()

    def _set_up(self, greet: Callable[[], None]) -> None:
        self.up = True
        greet()

    def tell(self, topic: str, message: Mapping[str, object], *, retain: bool = False) -> None:
        """Publish one JSON message."""
        self._client.publish(topic, json.dumps(message), AT_LEAST_ONCE, retain)

    def erase(self, topic: str) -> None:
        """Take the retained message from a topic."""
        self._client.publish(topic, b"", AT_LEAST_ONCE, retain=True)

    async def cut(self) -> None:
        """Break the connection without a word, so that the broker speaks our will."""
        self.up = False
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            with suppress(OSError):  # it may have gone by itself
                sock.shutdown(socket.SHUT_RDWR)
        await asyncio.to_thread(self._client.loop_stop)

    def restore(self) -> None:
        """Connect, and try again every other second until the broker is there."""
        self._client.connect_async(*self._address, KEEP_ALIVE_S)
        self._client.loop_start()

    async def close(self) -> None:
        """Leave in good order."""
        self.up = False
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)


class SimulatedMqttDevice:
    """One DER; it keeps its lease by itself, obeys the newest version, and says what it obeys."""

    def __init__(
        self,
        host: str,
        port: int,
        prefix: str,
        device: SimulatedDevice,
        now: Callable[[], float],
        *,
        version: Version = "5",
        step_s: float = 0.5,
        gateway_topic: str = "ampacity/gateway/state",
    ) -> None:
        """`gateway_topic` is where the gateway says that it is there; the device then says its own state again."""
        self.device = device
        self.started = asyncio.Event()
        """Set once the broker has let it in."""
        self._prefix, self._gateway_topic = prefix, gateway_topic
        self._now = now
        self._step_s = step_s
        self._link = _Connection(host, port, version, f"device-{prefix.replace('/', '-')}", f"{prefix}/state")
        self._version = 0
        self._valid_until_s: float | None = None
        self._target_w: float | None = None
        self._shown: Mapping[str, object] = {}

    async def run(self) -> None:
        """Live until cancelled."""
        topics = [f"{self._prefix}/limit", f"{self._prefix}/setpoint", self._gateway_topic]
        self._link.connect(topics, self._greet, self._hear)
        dropped = False
        try:
            while True:
                await asyncio.sleep(self._step_s)
                self.device.advance(self._now())
                self._end_target()
                if self.device.faults.drop_link != dropped:
                    dropped = not dropped
                    if dropped:
                        await self._link.cut()
                    else:
                        self._link.restore()
                if self._link.up:
                    self.show()
                    self._tell_telemetry()
        finally:
            await self._link.close()

    def show(self) -> None:
        """Say what is obeyed, where that has changed since it was last said."""
        in_force = self._in_force()
        if in_force != self._shown:
            self._shown = in_force
            self._link.tell(f"{self._prefix}/state", {"state": "online", "in_force": in_force}, retain=True)

    def forget_orders(self) -> None:
        """Take the retained orders from the broker."""
        self._link.erase(f"{self._prefix}/limit")
        self._link.erase(f"{self._prefix}/setpoint")

    def _greet(self) -> None:
        self._shown = {}
        self.show()
        self.started.set()

    def _in_force(self) -> dict[str, object]:
        limit, fallback = self.device.limit, self.device.fallback
        leased = self.device.reversion_remaining_s > 0
        return {
            "version": self._version,
            "ceiling_w": limit.ceiling_w,
            "floor_w": limit.floor_w,
            "fallback_ceiling_w": fallback.ceiling_w if leased else None,
            "fallback_floor_w": fallback.floor_w if leased else None,
            "valid_until": self._valid_until_s if leased else None,
            "target_w": self._target_w,
        }

    def _tell_telemetry(self) -> None:
        device, reading = self.device, self.device.reading
        if device.faults.delay:
            return
        limit, spec = device.limit, device.spec
        values = {
            "active_power_w": reading.power_w,
            "available_power_w": reading.available_w,
            "ceiling_w": spec.p_max_w if limit.ceiling_w is None else limit.ceiling_w,
            "floor_w": spec.p_min_w if limit.floor_w is None else limit.floor_w,
        }
        if reading.state_of_charge_pu is not None:
            values["state_of_charge_pu"] = reading.state_of_charge_pu
        told = {name: value if isfinite(value) else None for name, value in values.items()}
        self._link.tell(f"{self._prefix}/telemetry", {"time": self._now(), "values": told})

    def _hear(self, topic: str, payload: bytes) -> None:
        if not payload or self.device.faults.drop_link:
            return
        order = json.loads(payload)
        if topic == self._gateway_topic:
            if order["state"] == "online":
                self._greet()
            return
        now_s = self._now()
        status, detail = self._verdict(order, now_s)
        if status == "started":
            self._version = order["version"]
            if topic.endswith("/limit"):
                self._take_limit(order, now_s)
            else:
                self._target_w = order.get("target_w")
                self.device.set_order(self._target_w, now_s)
        self._answer(order, status, detail)

    def _verdict(self, order: Mapping[str, object], now_s: float) -> tuple[str, str]:
        version, valid_until_s = order["version"], order.get("valid_until")
        if isinstance(version, int) and version < self._version:
            return "superseded", f"version {self._version} is newer"
        if isinstance(valid_until_s, int | float) and valid_until_s <= now_s:
            return "expired", "it came too late"
        if self.device.faults.refuse:
            return "rejected", "refused by its owner"
        return "started", ""

    def _take_limit(self, order: Mapping[str, float | None], now_s: float) -> None:
        self._valid_until_s = order.get("valid_until")
        self.device.set_limit(
            Bounds(order.get("floor_w"), order.get("ceiling_w")),
            now_s,
            None if self._valid_until_s is None else self._valid_until_s - now_s,
            Bounds(order.get("fallback_floor_w"), order.get("fallback_ceiling_w")),
        )

    def _answer(self, order: Mapping[str, object], status: str, detail: str) -> None:
        message = {
            "control_id": order["control_id"],
            "version": order["version"],
            "status": status,
            "detail": detail,
            "time": self._now(),
            "in_force": self._in_force(),
        }
        late_s = self.device.faults.delay_s if self.device.faults.delay else 0.0
        asyncio.get_running_loop().call_later(late_s, self._link.tell, f"{self._prefix}/ack", message)

    def _end_target(self) -> None:
        """A set point ends with the lease that it came with."""
        if self._target_w is not None and self.device.reverted:
            self._target_w = None
            self.device.set_order(None, self._now())


class SimulatedMqttStation:
    """A SCADA source that publishes its points."""

    def __init__(
        self,
        host: str,
        port: int,
        points: Sequence[PublishedPoint],
        measure: Callable[[Point], float],
        now: Callable[[], float],
        *,
        faults: Faults | None = None,
        version: Version = "5",
        step_s: float = 0.5,
        client_id: str = "station",
    ) -> None:
        self.started = asyncio.Event()
        """Set once the broker has let it in."""
        self._points, self._measure, self._now, self._step_s = points, measure, now, step_s
        self._faults = faults or Faults()
        self._link = _Connection(host, port, version, client_id, "")

    async def run(self) -> None:
        """Publish until cancelled."""
        self._link.connect((), self.started.set, lambda _topic, _payload: None)
        dropped = False
        try:
            while True:
                if self._faults.drop_link != dropped:
                    dropped = not dropped
                    if dropped:
                        await self._link.cut()
                    else:
                        self._link.restore()
                if self._link.up and not self._faults.delay:
                    for published in self._points:
                        value = self._measure(published.point) / published.scale
                        told = value if isfinite(value) else None
                        self._link.tell(published.topic, {"time": self._now(), "value": told})
                await asyncio.sleep(self._step_s)
        finally:
            await self._link.close()
