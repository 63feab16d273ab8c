"""The outstation as a state machine: octets and `now` in, octets and events out; it neither waits nor reads a clock.

How it stands towards its master:

- One response may wait for its confirmation (`_solicited`). A new request ends the wait; the events it carried stay in
  the buffer and are sent again when they are next read.
- One unsolicited response may wait (`_unsolicited`). Meanwhile requests are served, except a READ, which waits its turn
  (`_deferred`), so that one event never travels twice at once. When the wait ends without an answer, the next attempt
  carries the same sequence number if it carries the same octets.
- One selection may stand (in `Controls`); only the very next request, with the same objects, can operate it.
"""

from collections.abc import Callable

from protocols.dnp3.answers import answer_read, answer_unsolicited
from protocols.dnp3.changes import Clock, assign_classes, freeze, unsolicited_classes, write
from protocols.dnp3.controls import Controls
from protocols.dnp3.database import Database
from protocols.dnp3.errors import ObjectsError
from protocols.dnp3.fragment import Fragment, Function, Iin, decode_fragment, encode_fragment, next_sequence
from protocols.dnp3.headers import count_header, parse_headers
from protocols.dnp3.outstation_words import (
    Alarm,
    Application,
    OutstationEvent,
    OutstationSettings,
    RestartAsked,
    TimeSet,
)
from protocols.dnp3.packing import Packed
from protocols.dnp3.replies import Reply, Waiting, indications
from protocols.dnp3.station import Inbound, Station

_RESPONSE_HEADER = 4


class OutstationSession:
    """One outstation and its one master."""

    def __init__(self, settings: OutstationSettings, database: Database, application: Application) -> None:
        self._settings = settings
        self._database = database
        self._application = application
        self._controls = Controls(settings, application)
        self._station = Station(
            local=settings.local, remote=settings.master, is_master=False, fragment_max=settings.fragment_max
        )
        self._limit = settings.fragment_max - _RESPONSE_HEADER
        self.indications = Iin.NONE
        """LOCAL_CONTROL, DEVICE_TROUBLE and CONFIG_CORRUPT, to be set by whoever knows."""
        self.clock = Clock(settings.need_time_s)
        self._is_restarted = True
        self._broadcast_seen = False
        self._classes: frozenset[int] = frozenset()
        self._out: list[OutstationEvent] = []
        self._is_connected = False
        self._forget()
        self._unsolicited_sequence = 15
        self._unsolicited_last = b""
        self._is_announced = False
        self._retry_at_s = 0.0
        self._retry_s = settings.retry_first_s
        self._handlers: dict[int, Callable[[Fragment, float], Reply | None]] = {
            Function.WRITE: self._write,
            Function.SELECT: self._select,
            Function.OPERATE: self._operate,
            Function.DIRECT_OPERATE: self._direct,
            Function.DIRECT_OPERATE_NR: self._direct_silent,
            Function.IMMED_FREEZE: self._freeze,
            Function.IMMED_FREEZE_NR: self._freeze_silent,
            Function.FREEZE_CLEAR: self._freeze,
            Function.FREEZE_CLEAR_NR: self._freeze_silent,
            Function.COLD_RESTART: self._restart,
            Function.WARM_RESTART: self._restart,
            Function.ENABLE_UNSOLICITED: self._set_unsolicited,
            Function.DISABLE_UNSOLICITED: self._set_unsolicited,
            Function.ASSIGN_CLASS: self._assign,
            Function.DELAY_MEASURE: self._delay,
            Function.RECORD_CURRENT_TIME: self._record_time,
        }

    def connected(self, now_s: float) -> None:
        """Begin a new connection: what was half said on the last one is forgotten, events are kept."""
        self._station.reset(now_s)
        self._forget()
        self._is_connected = True
        self._is_announced = False
        self._retry_at_s = now_s
        self._retry_s = self._settings.retry_first_s
        self._speak_up(now_s)

    def disconnected(self) -> None:
        """The connection is gone."""
        self._is_connected = False
        self._forget()

    def restarted(self) -> None:
        """Behave as after a power cycle: the restart is announced, and unsolicited responses are off again."""
        self._is_restarted = True
        self._classes = frozenset()
        self._is_announced = False

    def receive(self, data: bytes, now_s: float) -> list[OutstationEvent]:
        """Take octets from the master; what happened, in order."""
        for inbound in self._station.receive(data, now_s):
            self._inbound(inbound, now_s)
        return self.poll(now_s)

    def poll(self, now_s: float) -> list[OutstationEvent]:
        """Let time pass, and send events that are due; call it at `next_deadline` and after database updates."""
        if self._is_connected:
            self._expire(now_s)
            self._speak_up(now_s)
        out, self._out = self._out, []
        return out

    def data_to_send(self) -> bytes:
        """Octets for the master since the last call."""
        return self._station.data_to_send()

    def next_deadline(self) -> float | None:
        """When `poll` must next be called, in the terms of `now_s`; None where nothing is pending."""
        times = [waiting.until_s for waiting in (self._solicited, self._unsolicited) if waiting]
        if self._is_connected and self._settings.unsolicited and not times and self._has_news():
            times.append(self._retry_at_s)
        return min(times, default=None)

    def time_ms(self, now_s: float) -> int:
        """Our clock, as the master set it; stamps events."""
        return self.clock.time_ms(now_s)

    def _forget(self) -> None:
        self._solicited: Waiting | None = None
        self._unsolicited: Waiting | None = None
        self._deferred: Fragment | None = None
        self._controls.forget()
        self._last_request: Fragment | None = None
        self._last_response: bytes | None = None

    def _inbound(self, inbound: Inbound, now_s: float) -> None:
        request = decode_fragment(inbound.octets, is_response=False)
        if request is None or request.function >= Function.RESPONSE:
            return
        if request.function == Function.CONFIRM:
            if inbound.broadcast is None:
                self._confirmed(request, now_s)
            return
        if not request.is_whole or request.unsolicited:
            return
        if inbound.broadcast is not None:
            self._broadcast(request, now_s)
            return
        self._solicited = None
        if request.function == Function.READ and self._unsolicited is not None:
            self._deferred = request
            return
        self._deferred = None
        self._serve(request, now_s)

    def _broadcast(self, request: Fragment, now_s: float) -> None:
        """Obey what cannot move anything; nobody answers a broadcast."""
        self._broadcast_seen = True
        if request.function in _BROADCASTABLE:
            try:
                self._handlers[request.function](request, now_s)
            except ObjectsError as error:
                self._out.append(Alarm(f"broadcast function {request.function}: {error}"))
        else:
            self._out.append(Alarm(f"broadcast function {request.function} ignored"))

    def _serve(self, request: Fragment, now_s: float) -> None:
        if request.function == Function.READ:
            self._read(request, now_s)
            return
        if request == self._last_request:
            if self._last_response is not None:
                self._station.send(self._last_response)
            return
        self._last_request, self._last_response = request, None
        if request.function not in _KEEP_SELECTION:
            self._controls.forget()
        handler = self._handlers.get(request.function)
        try:
            reply = handler(request, now_s) if handler else Reply(iin=self._unsupported(request))
        except ObjectsError as error:
            self._out.append(Alarm(f"function {request.function} refused: {error}"))
            reply = None if request.function in _SILENT else Reply(iin=error.iin)
        if reply is not None:
            self._last_response = self._respond(request.sequence, Packed(reply.objects), reply.iin)

    def _unsupported(self, request: Fragment) -> Iin:
        reason = "SAv5 is not implemented, use TLS" if request.function in _AUTHENTICATION else "not supported"
        self._out.append(Alarm(f"function {request.function}: {reason}"))
        return Iin.NO_FUNC_CODE_SUPPORT

    def _respond(self, sequence: int, packed: Packed, iin: Iin, *, first: bool = True, final: bool = True) -> bytes:
        octets = encode_fragment(
            Fragment(
                Function.RESPONSE,
                sequence,
                packed.objects,
                iin | self._indications(packed.events),
                first=first,
                final=final,
                confirm=bool(packed.events) or not final,
            )
        )
        self._station.send(octets)
        self._broadcast_seen = False
        return octets

    def _indications(self, sent: list[int]) -> Iin:
        flags = {
            Iin.DEVICE_RESTART: self._is_restarted,
            Iin.NEED_TIME: self.clock.is_needed,
            Iin.BROADCAST: self._broadcast_seen,
        }
        return self.indications | indications(self._database.events, sent, flags)

    def _read(self, request: Fragment, now_s: float) -> None:
        self._controls.forget()
        self._last_request = None
        self.clock.expire(now_s)
        try:
            headers = list(parse_headers(request.objects, with_data=False, header_max=self._settings.header_max))
        except ObjectsError as error:
            self._out.append(Alarm(f"read refused: {error}"))
            self._respond(request.sequence, Packed(), error.iin)
            return
        fragments, iin = answer_read(
            headers,
            self._database,
            self._settings.attributes,
            now_ms=self.clock.time_ms(now_s),
            limit=self._limit,
        )
        self._send_next(request.sequence, fragments, iin, now_s, first=True)

    def _send_next(self, sequence: int, fragments: list[Packed], iin: Iin, now_s: float, *, first: bool) -> None:
        packed, rest = fragments[0], fragments[1:]
        self._respond(sequence, packed, iin, first=first, final=not rest)
        self._solicited = None
        if packed.events or rest:
            until_s = now_s + self._settings.confirm_timeout_s
            self._solicited = Waiting(sequence, packed.events, until_s, rest, iin)

    def _confirmed(self, confirm: Fragment, now_s: float) -> None:
        waiting = self._unsolicited if confirm.unsolicited else self._solicited
        if waiting is None or waiting.sequence != confirm.sequence:
            return
        self._database.events.confirm(waiting.events)
        if not confirm.unsolicited:
            self._solicited = None
            if waiting.rest:
                self._send_next(next_sequence(waiting.sequence), waiting.rest, waiting.iin, now_s, first=False)
            return
        self._unsolicited = None
        self._is_announced = True
        self._unsolicited_last = b""
        self._retry_s = self._settings.retry_first_s
        self._retry_at_s = now_s
        self._serve_deferred(now_s)

    def _serve_deferred(self, now_s: float) -> None:
        request, self._deferred = self._deferred, None
        if request is not None:
            self._serve(request, now_s)

    def _expire(self, now_s: float) -> None:
        self.clock.expire(now_s)
        if self._solicited is not None and now_s >= self._solicited.until_s:
            self._solicited = None
            self._out.append(Alarm("a response was not confirmed; its events stay"))
        if self._unsolicited is not None and now_s >= self._unsolicited.until_s:
            self._unsolicited = None
            self._retry_at_s = now_s + self._retry_s
            self._retry_s = min(2 * self._retry_s, self._settings.retry_last_s)
            self._out.append(Alarm("an unsolicited response was not confirmed; its events stay"))
            self._serve_deferred(now_s)

    def _has_news(self) -> bool:
        counts = self._database.events.counts
        return not self._is_announced or any(counts[event_class] for event_class in self._classes)

    def _speak_up(self, now_s: float) -> None:
        """Send an unsolicited response where one is due: the empty announcement first, then events."""
        if (
            not self._settings.unsolicited
            or self._unsolicited is not None
            or self._solicited is not None
            or now_s < self._retry_at_s
            or not self._has_news()
        ):
            return
        packed = Packed()
        if self._is_announced:
            packed = answer_unsolicited(self._database, self._classes, self._limit)
        if packed.objects != self._unsolicited_last or not packed.objects:
            self._unsolicited_sequence = next_sequence(self._unsolicited_sequence)
        self._unsolicited_last = packed.objects
        self._station.send(
            encode_fragment(
                Fragment(
                    Function.UNSOLICITED_RESPONSE,
                    self._unsolicited_sequence,
                    packed.objects,
                    self._indications(packed.events),
                    confirm=True,
                    unsolicited=True,
                )
            )
        )
        until_s = now_s + self._settings.confirm_timeout_s
        self._unsolicited = Waiting(self._unsolicited_sequence, packed.events, until_s)

    def _write(self, request: Fragment, now_s: float) -> Reply:
        headers = parse_headers(request.objects, with_data=True, header_max=self._settings.header_max)
        written = write(list(headers), self._database, self.clock, now_s)
        if written.clears_restart:
            self._is_restarted = False
        if written.time_ms is not None:
            self._out.append(TimeSet(written.time_ms))
        return Reply(iin=written.iin)

    def _select(self, request: Fragment, now_s: float) -> Reply:
        return Reply(self._controls.select(request, now_s, is_local=self._is_local))

    def _operate(self, request: Fragment, now_s: float) -> Reply:
        objects, operated = self._controls.operate(request, now_s, is_local=self._is_local)
        self._out += operated
        return Reply(objects)

    def _direct(self, request: Fragment, now_s: float) -> Reply:  # noqa: ARG002 - one signature for all functions
        objects, operated = self._controls.direct(request, is_local=self._is_local)
        self._out += operated
        return Reply(objects)

    def _direct_silent(self, request: Fragment, now_s: float) -> None:
        self._direct(request, now_s)

    @property
    def _is_local(self) -> bool:
        return bool(self.indications & Iin.LOCAL_CONTROL)

    def _freeze(self, request: Fragment, now_s: float) -> Reply:
        headers = parse_headers(request.objects, with_data=False, header_max=self._settings.header_max)
        clear = request.function in {Function.FREEZE_CLEAR, Function.FREEZE_CLEAR_NR}
        return Reply(iin=freeze(list(headers), self._database, clear=clear, time_ms=self.time_ms(now_s)))

    def _freeze_silent(self, request: Fragment, now_s: float) -> None:
        self._freeze(request, now_s)

    def _restart(self, request: Fragment, now_s: float) -> Reply:  # noqa: ARG002 - one signature for all functions
        is_cold = request.function == Function.COLD_RESTART
        delay_ms = self._application.restart(is_cold=is_cold)
        if delay_ms is None:
            return Reply(iin=Iin.NO_FUNC_CODE_SUPPORT)
        self._out.append(RestartAsked(is_cold, delay_ms))
        if delay_ms <= 0xFFFF:
            return Reply(count_header(52, 2, 1) + delay_ms.to_bytes(2, "little"))
        return Reply(count_header(52, 1, 1) + min(-(-delay_ms // 1000), 0xFFFF).to_bytes(2, "little"))

    def _set_unsolicited(self, request: Fragment, now_s: float) -> Reply:
        if not self._settings.unsolicited:
            return Reply(iin=Iin.NO_FUNC_CODE_SUPPORT)
        headers = parse_headers(request.objects, with_data=False, header_max=self._settings.header_max)
        classes = unsolicited_classes(list(headers))
        if request.function == Function.ENABLE_UNSOLICITED:
            self._classes |= classes
            self._retry_at_s = now_s
        else:
            self._classes -= classes
        return Reply()

    def _assign(self, request: Fragment, now_s: float) -> Reply:  # noqa: ARG002 - one signature for all functions
        headers = parse_headers(request.objects, with_data=False, header_max=self._settings.header_max)
        return Reply(iin=assign_classes(list(headers), self._database))

    def _delay(self, request: Fragment, now_s: float) -> Reply:  # noqa: ARG002 - one signature for all functions
        return Reply(count_header(52, 2, 1) + bytes(2))

    def _record_time(self, request: Fragment, now_s: float) -> Reply:  # noqa: ARG002 - one signature for all functions
        self.clock.record(now_s)
        return Reply()


_SILENT = frozenset({Function.DIRECT_OPERATE_NR, Function.IMMED_FREEZE_NR, Function.FREEZE_CLEAR_NR})
_KEEP_SELECTION = frozenset({Function.SELECT, Function.OPERATE})
_AUTHENTICATION = frozenset({32, 33})
_BROADCASTABLE = frozenset(
    {Function.WRITE, Function.IMMED_FREEZE_NR, Function.FREEZE_CLEAR_NR, Function.RECORD_CURRENT_TIME}
)
