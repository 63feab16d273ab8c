"""A recorded MQTT device or station as a client of a broker: it says what was said, and answers orders as it did."""

import asyncio
from itertools import cycle

import orjson

from config.endpoints import MqttEndpoint
from gateway.tape.adapters import zone_of
from gateway.tape.broker import STEP_S, BrokerAt
from gateway.tape.deck import LOST
from gateway.tape.mqtt import payload_of
from gateway.tape.stage import Cue, Stage
from gateway.tape.words import Kind, TapeError
from gateway.translate import mqtt
from protocols.mqtt import topics
from protocols.mqtt.client import MqttClient, MqttError
from protocols.mqtt.topics import AckStatus, TopicError

_NO_PASSWORDS: dict[str, str] = {}


class PlayedDevice:
    """What one device, or one station, says at a broker."""

    def __init__(self, stage: Stage, host: str, port: int) -> None:
        """`host` and `port` are those of a broker that runs."""
        (settings,) = mqtt.settings(zone_of(stage.recording.header), _NO_PASSWORDS)
        self._takes_orders = bool(settings.ders)
        self.prefix = prefix = settings.ders[0].prefix if settings.ders else _station(stage)
        """Of its topics."""
        client_id = f"played-{prefix.replace('/', '-')}"
        self.at = BrokerAt(host, port, client_id, f"{prefix}/{topics.STATE}", settings.version)
        self._stage = stage
        self._cue = Cue(stage, stage.recording.of(Kind.EVENT, Kind.FAULT))
        events = stage.recording.of(Kind.EVENT)
        self._kept = {line.what.get("topic") for line in events if line.what.get("retained")} | {self.at.state_topic}
        """Topics whose last message the broker keeps."""
        self._ack_topic = f"{self.prefix}/{topics.ACK}"
        self._statuses = cycle(self._recorded_answers() or [AckStatus.STARTED])
        self._client: MqttClient | None = None

    async def run(self, connected: asyncio.Event) -> None:
        """Be there until cancelled; set `connected` once the broker has let us in.

        Raises:
            TapeError: the broker cannot be reached, or is gone.
        """
        self._client = client = MqttClient(self.at, orjson.dumps({"state": "offline"}), self._hear)
        try:
            await client.open()
            if self._takes_orders:
                await client.subscribe([f"{self.prefix}/{leaf}" for leaf in (topics.LIMIT, topics.SETPOINT)])
            connected.set()
            while True:
                self._say(client)
                await client.idle(STEP_S)
        except MqttError as error:
            raise TapeError(f"{error}; start a broker there first") from error
        finally:
            client.close(orjson.dumps({"state": "offline"}))

    def _recorded_answers(self) -> list[AckStatus]:
        """How orders ended in the recording, one after the other."""
        found: list[AckStatus] = []
        for line in self._stage.recording.of(Kind.EVENT):
            if line.what.get("topic") == self._ack_topic:
                try:
                    status = topics.read_ack(payload_of(line.what.get("payload"))).status
                except TopicError:
                    continue  # it was nonsense then
                if status is not AckStatus.RECEIVED:
                    found.append(status)
        return found

    def _say(self, client: MqttClient) -> None:
        """What was said at this time; answers are given to orders, not at their time."""
        for line in self._cue.due():
            if line.what.get("what") == LOST and self._takes_orders:
                client.send(self.at.state_topic, orjson.dumps({"state": "offline"}), qos=1, retain=True)
            topic = line.what.get("topic")
            if isinstance(topic, str) and topic != self._ack_topic:
                client.send(topic, payload_of(line.what.get("payload")), qos=1, retain=topic in self._kept)

    def _hear(self, _topic: str, payload: bytes, _retained: bool) -> None:  # noqa: FBT001 - as MQTT has it
        try:
            order = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return
        if not isinstance(order, dict) or self._client is None:
            return
        status = next(self._statuses)
        names = (*topics.LIMIT_TERMS, topics.TARGET, topics.VERSION)
        in_force = {name: order[name] for name in names if order.get(name) is not None}
        answer = {"control_id": order.get("control_id"), "version": order.get("version"), "status": status.value}
        if status is AckStatus.STARTED:
            answer["in_force"] = in_force
        self._client.send(self._ack_topic, orjson.dumps(answer), qos=1)


def _station(stage: Stage) -> str:
    """The prefix of the first station's topics."""
    endpoints = (station.endpoint for station in zone_of(stage.recording.header).stations.values())
    return next(endpoint.topic for endpoint in endpoints if isinstance(endpoint, MqttEndpoint))
