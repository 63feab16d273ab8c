"""The one file that knows paho: one connection on the running event loop, no thread, nothing kept across an outage."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, Protocol, TypeVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from protocols.mqtt.sockets import Server, connected

T = TypeVar("T")

MISC_S = 0.5
"""How often paho looks after its keep-alive."""
AT_LEAST_ONCE = 1
PROTOCOLS: Mapping[str, MQTTProtocolVersion] = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
CHUNK_BYTES = 65_536
"""Taken from the socket at once."""
MAX_PACKET_BYTES = 262_144
"""Largest packet that an MQTT 5 broker may send us."""

Received = Callable[[str, bytes, bool], None]
"""Takes topic, payload and whether the broker had retained it; returns at once and never raises."""


class MqttError(Exception):
    """What a broker did or failed to do."""


class LinkDownError(MqttError):
    """The connection is gone; open a new one."""


class NoAnswerError(MqttError):
    """Nothing came back in time; whether the broker acted is unknown."""


class RefusedError(MqttError):
    """The broker said no."""


class Broker(Server, Protocol):
    """Where to connect, and as whom."""

    @property
    def version(self) -> str:
        """`5` or `3.1.1`."""

    @property
    def client_id(self) -> str:
        """Two connections with the same id throw each other out."""

    @property
    def state_topic(self) -> str:
        """Where the will goes."""

    @property
    def keep_alive_s(self) -> int:
        """After one and a half of it without a word from us, the broker publishes our will."""

    @property
    def timeout_s(self) -> float:
        """Deadline of every exchange."""

    @property
    def username(self) -> str:
        """Empty: none."""

    @property
    def password(self) -> str:
        """Goes with the name."""

    @property
    def broker(self) -> str:
        """For people."""


class _Paho(paho.Client):
    """A client on a socket that was connected beforehand, because paho's own connecting blocks.

    It takes whatever has arrived in one call of the system, where paho asks for every packet in four.
    """

    connected_socket: socket.socket
    _arrived = b""
    _taken = 0

    @property
    def has_arrived(self) -> bool:
        """Octets are here that the socket will not call for any more."""
        if self._taken < len(self._arrived):
            return True
        sock = self.socket()
        return isinstance(sock, ssl.SSLSocket) and bool(sock.pending())

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._taken >= len(self._arrived):
            self._arrived, self._taken = super()._sock_recv(CHUNK_BYTES), 0
        found = self._arrived[self._taken : self._taken + bufsize]
        self._taken += len(found)
        return found

    def _create_socket_connection(self) -> socket.socket:
        return self.connected_socket


class MqttClient:
    """One connection to one broker. Opened once, closed once; a lost link needs a new client."""

    def __init__(self, settings: Broker, will: bytes, received: Received, *, retain_will: bool = True) -> None:
        """`will` is what the broker publishes on the state topic once we are gone, retained unless told otherwise."""
        self._settings = settings
        self._retain_will = retain_will
        self._received = received
        self._loop = asyncio.get_running_loop()
        version = PROTOCOLS[settings.version]
        clean = None if version is MQTTProtocolVersion.MQTTv5 else True
        self._paho = _Paho(CallbackAPIVersion.VERSION2, settings.client_id, clean_session=clean, protocol=version)
        if settings.username:
            self._paho.username_pw_set(settings.username, settings.password)
        self._paho.will_set(settings.state_topic, will, qos=AT_LEAST_ONCE, retain=retain_will)
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_message = self._on_message
        self._paho.on_publish = self._on_publish
        self._paho.on_subscribe = self._on_subscribe
        self._paho.on_socket_open = self._on_socket_open
        self._paho.on_socket_close = self._on_socket_close
        self._paho.on_socket_register_write = self._on_register_write
        self._paho.on_socket_unregister_write = self._on_unregister_write
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._lost = asyncio.Event()
        self._why_lost = ""
        self._published: dict[int, asyncio.Future[None]] = {}
        self._subscribed: dict[int, asyncio.Future[list[ReasonCode]]] = {}
        self._misc: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Connect, and wait until the broker lets us in.

        Raises:
            LinkDownError: nobody answers, or the broker refuses.
        """
        what = f"connecting to {self._settings.broker}"
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                self._paho.connected_socket = await connected(self._settings)
                self._paho.connect(
                    self._settings.host,
                    self._settings.port,
                    self._settings.keep_alive_s,
                    clean_start=True if self._is_5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
                    properties=self._properties(PacketTypes.CONNECT, MaximumPacketSize=MAX_PACKET_BYTES),
                )
                self._look_after()
                await self._connected
        except TimeoutError as error:
            raise LinkDownError(f"{what}: no answer within {self._settings.timeout_s:g} s") from error
        except OSError as error:
            raise LinkDownError(f"{what}: {error}") from error

    def close(self, farewell: bytes = b"") -> None:
        """Leave in good order: the broker retains `farewell` in the place of our will. Does not wait."""
        if self._misc is not None:
            self._misc.cancel()
        if not self._lost.is_set():
            if farewell and self._connected.done():
                self._paho.publish(self._settings.state_topic, farewell, AT_LEAST_ONCE, retain=self._retain_will)
            self._paho.disconnect()
            self._paho.loop_write()
        self._paho.on_disconnect = None
        sock = self._paho.socket()
        if sock is not None:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)
            sock.close()
        self._fail(f"{self._settings.broker}: we closed the connection")

    def cut(self) -> None:
        """Break the connection without a word, so that the broker publishes our will."""
        sock = self._paho.socket()
        if isinstance(sock, socket.socket) and not self._lost.is_set():
            sock.shutdown(socket.SHUT_RDWR)

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Have every message on `topics` handed over, the retained ones first.

        Raises:
            RefusedError: the broker does not allow one of them, which the message names.
            LinkDownError, NoAnswerError: there is no subscription.
        """
        self._check_link()
        code, mid = self._paho.subscribe([(topic, AT_LEAST_ONCE) for topic in topics])
        self._check_sent(code)
        assert mid is not None, "given with every success"  # noqa: S101 - tells the type checker
        answer: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._subscribed[mid] = answer
        codes = await self._answer(f"subscribing to {len(topics)} topics", answer)
        refused = [f"{topic}: {code}" for topic, code in zip(topics, codes, strict=False) if code.is_failure]
        if refused:
            raise RefusedError(f"{self._settings.broker} refuses {'; '.join(refused)}")

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: float | None = None) -> None:
        """Publish once, and wait until the broker has taken it over; after `expiry_s` an MQTT 5 broker drops it.

        Raises:
            RefusedError: the broker does not allow it.
            LinkDownError, NoAnswerError: unknown what the broker did.
        """
        self._check_link()
        expiry = {} if expiry_s is None else {"MessageExpiryInterval": max(ceil(expiry_s), 1)}
        properties = self._properties(PacketTypes.PUBLISH, **expiry)
        info = self._paho.publish(topic, payload, AT_LEAST_ONCE, retain, properties)
        self._check_sent(info.rc)
        answer: asyncio.Future[None] = self._loop.create_future()
        self._published[info.mid] = answer
        await self._answer(f"publishing {topic}", answer)

    def send(
        self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False, expiry_s: float | None = None
    ) -> None:
        """Publish without waiting for anything; what a broken link swallows is gone."""
        if not self._lost.is_set():
            expiry = {} if expiry_s is None else {"MessageExpiryInterval": max(ceil(expiry_s), 1)}
            self._paho.publish(topic, payload, qos, retain, self._properties(PacketTypes.PUBLISH, **expiry))

    async def idle(self, for_s: float) -> None:
        """Wait that long; raise as soon as the link is lost.

        Raises:
            LinkDownError: the link is lost.
        """
        try:
            async with asyncio.timeout(max(for_s, 0.0)):
                await self._lost.wait()
        except TimeoutError:
            return
        raise LinkDownError(self._why_lost)

    @property
    def _is_5(self) -> bool:
        return self._settings.version == "5"

    def _properties(self, packet: int, **values: int) -> Properties | None:
        """Properties of MQTT 5, which are dear to make; older brokers get none."""
        if not self._is_5 or not values:
            return None
        properties = Properties(packet)  # type: ignore[no-untyped-call]  # the library leaves it without types
        for name, value in values.items():
            setattr(properties, name, value)
        return properties

    async def _answer(self, what: str, answer: "asyncio.Future[T]") -> T:
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await answer
        except TimeoutError as error:
            raise NoAnswerError(f"{what} at {self._settings.broker}: no answer") from error

    def _check_link(self) -> None:
        if self._lost.is_set():
            raise LinkDownError(self._why_lost)

    def _check_sent(self, code: MQTTErrorCode) -> None:
        if code is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LinkDownError(f"{self._settings.broker}: {paho.error_string(code)}")

    def _look_after(self) -> None:
        self._paho.loop_misc()
        if not self._lost.is_set():
            self._misc = self._loop.call_later(MISC_S, self._look_after)

    def _fail(self, why: str) -> None:
        """Every exchange under way ends here; none is repeated."""
        if not self._lost.is_set():
            self._why_lost = why
            self._lost.set()
        waiting: list[asyncio.Future[Any]] = [self._connected, *self._published.values(), *self._subscribed.values()]
        for answer in waiting:
            if not answer.done():
                answer.set_exception(LinkDownError(why))
                answer.exception()  # whoever waits gets it; nobody need
        self._published.clear()
        self._subscribed.clear()

    def _on_connect(self, _c: object, _u: object, _f: object, code: ReasonCode, _p: object) -> None:
        if self._connected.done():
            return
        if code.is_failure:
            self._fail(f"{self._settings.broker} refuses: {code}")
        else:
            self._connected.set_result(None)

    def _on_disconnect(self, _c: object, _u: object, _f: object, code: ReasonCode, _p: object) -> None:
        self._fail(f"{self._settings.broker} is gone: {code}")

    def _on_message(self, _c: object, _u: object, message: paho.MQTTMessage) -> None:
        self._received(message.topic, bytes(message.payload), bool(message.retain))

    def _on_publish(self, _c: object, _u: object, mid: int, code: ReasonCode, _p: object) -> None:
        answer = self._published.pop(mid, None)
        if answer is None or answer.done():
            return
        if code.is_failure:
            answer.set_exception(RefusedError(f"{self._settings.broker} refuses the message: {code}"))
        else:
            answer.set_result(None)

    def _on_subscribe(self, _c: object, _u: object, mid: int, codes: list[ReasonCode], _p: object) -> None:
        answer = self._subscribed.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)

    def _on_socket_open(self, _c: object, _u: object, sock: "paho.SocketLike") -> None:
        self._loop.add_reader(sock, self._read)

    def _read(self) -> None:
        """What was taken from the socket, or decrypted, does not make it readable once more."""
        self._paho.loop_read()
        while self._paho.has_arrived:
            self._paho.loop_read()

    def _on_socket_close(self, _c: object, _u: object, sock: "paho.SocketLike") -> None:
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)

    def _on_register_write(self, _c: object, _u: object, sock: "paho.SocketLike") -> None:
        self._loop.add_writer(sock, self._paho.loop_write)

    def _on_unregister_write(self, _c: object, _u: object, sock: "paho.SocketLike") -> None:
        self._loop.remove_writer(sock)
