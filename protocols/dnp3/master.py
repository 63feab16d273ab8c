"""The master as a state machine: octets and `now` in, octets and events out; it neither waits nor reads a clock.

One request is outstanding at a time (`_awaiting`); unsolicited responses may come in between. What is sent next is, in
this order: the start sequence (disable unsolicited, integrity poll, enable unsolicited), what the outstation's
indications ask for (clear restart, time), tasks of the user, polls that are due. A control is sent once and never
repeated; without an answer its outcome is unknown.

A fragment that cannot be decoded to its end is never confirmed: what decoded is delivered, an alarm is raised, and the
poll is repeated more narrowly (`polls`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from protocols.dnp3.agenda import Agenda
from protocols.dnp3.commands import Command, CommandStatus, encode_commands
from protocols.dnp3.errors import BusyError, ObjectsError
from protocols.dnp3.fragment import (
    REFUSED,
    Fragment,
    Function,
    Iin,
    decode_fragment,
    encode_fragment,
    next_sequence,
)
from protocols.dnp3.headers import parse_headers
from protocols.dnp3.master_words import (
    Counters,
    LinkDead,
    MasterAlarm,
    MasterEvent,
    MasterSettings,
    NoAnswer,
    PollDone,
    RestartSeen,
    Started,
    TaskDone,
    TaskOutcome,
    TimeSync,
)
from protocols.dnp3.polls import Breadth
from protocols.dnp3.readings import decode
from protocols.dnp3.station import Station
from protocols.dnp3.tasks import Awaiting, Purpose, Task, echoed_statuses, held_s, names, time_object

_CLEAR_RESTART = bytes((80, 1, 0, 7, 7, 0))


class MasterSession:
    """One master and its one outstation."""

    def __init__(self, settings: MasterSettings) -> None:
        self._settings = settings
        self._station = Station(
            local=settings.local, remote=settings.outstation, is_master=True, fragment_max=settings.fragment_max
        )
        self.counters = Counters()
        self.utc_s = 0.0
        """UTC less `now_s`, for a shell whose `now_s` is steady; it is what the outstation is told."""
        self._out: list[MasterEvent] = []
        self._is_connected = False
        self._sequence = 0
        self._agenda = Agenda(settings, 0.0)
        self._reset(0.0)

    def _reset(self, now_s: float) -> None:
        self._agenda.reset(now_s)
        self._awaiting: Awaiting | None = None
        self._restart_heard_s = self._time_heard_s = self._overflow_heard_s = float("-inf")
        self._timeouts_in_a_row = 0
        self._probe_until_s: float | None = None
        self._last_unsolicited: bytes | None = None

    @property
    def is_started(self) -> bool:
        """True once the start sequence of this connection is complete."""
        return self._agenda.is_started

    def connected(self, now_s: float) -> None:
        """Begin a new connection with the start sequence."""
        self._station.reset(now_s)
        self._reset(now_s)
        self._is_connected = True
        self._agenda.begin()
        self._send_due(now_s)

    def disconnected(self) -> list[MasterEvent]:
        """End the connection; a control that was out is unknown, what still waited was not sent."""
        if self._awaiting is not None:
            self._end(self._awaiting.task, TaskOutcome.UNKNOWN, Iin.NONE, "the connection ended before the answer")
        for task in self._agenda.waiting():
            self._end(task, TaskOutcome.NOT_SENT, Iin.NONE, "the connection ended before it was sent")
        self._is_connected = False
        self._reset(0.0)
        return self._drain()

    def receive(self, data: bytes, now_s: float) -> list[MasterEvent]:
        """Take octets from the outstation; what they mean, in order."""
        for inbound in self._station.receive(data, now_s):
            response = decode_fragment(inbound.octets, is_response=True)
            if response is None:
                continue
            if response.function == Function.UNSOLICITED_RESPONSE:
                self._unsolicited(response, inbound.octets, now_s)
            elif response.function == Function.RESPONSE:
                self._response(response, now_s)
        self._probe_until_s = None
        return self.poll(now_s)

    def poll(self, now_s: float) -> list[MasterEvent]:
        """Let time pass and send what is due; call it at `next_deadline`."""
        if self._is_connected:
            self._expire(now_s)
            self._keep_alive(now_s)
            self._send_due(now_s)
        return self._drain()

    def data_to_send(self) -> bytes:
        """Octets for the outstation since the last call."""
        return self._station.data_to_send()

    def next_deadline(self) -> float | None:
        """When `poll` must next be called, in the terms of `now_s`; None while not connected."""
        if not self._is_connected:
            return None
        times = self._agenda.deadlines(is_awaiting=self._awaiting is not None)
        if self._awaiting is not None:
            times.append(min(self._awaiting.until_s, self._awaiting.last_s))
        if self._probe_until_s is not None:
            times.append(self._probe_until_s)
        elif self._settings.keep_alive_s is not None and self._awaiting is None:
            times.append(self._station.last_octet_s + self._settings.keep_alive_s)
        return min(times, default=None)

    def operate(self, commands: Sequence[Command], *, select: bool, now_s: float) -> int:
        """Queue controls in one request, selected first where `select`; `TaskDone` tells the number given here.

        Raises:
            UnsendableError: A value does not fit its form; nothing is queued.
            BusyError: The queue is full, or there is no connection.
        """
        objects = encode_commands(commands)
        purpose, function = (Purpose.SELECT, Function.SELECT) if select else (Purpose.CONTROL, Function.DIRECT_OPERATE)
        return self._queue(Task(purpose, function, objects), now_s)

    def request(self, function: Function, objects: bytes, now_s: float) -> int:
        """Queue any request that is answered, for example a READ of headers.

        Raises:
            BusyError: The queue is full, or there is no connection.
        """
        return self._queue(Task(Purpose.USER, function, objects), now_s)

    def _queue(self, task: Task, now_s: float) -> int:
        if not self._is_connected:
            raise BusyError("there is no connection")
        number = self._agenda.add(task, now_s)
        self._send_due(now_s)
        return number

    def _drain(self) -> list[MasterEvent]:
        out, self._out = self._out, []
        return out

    def _send_due(self, now_s: float) -> None:
        if self._awaiting is not None or not self._is_connected:
            return
        task = self._agenda.next(now_s)
        if task is not None:
            self._send(task, now_s)

    def _send(self, task: Task, now_s: float) -> None:
        self._sequence = next_sequence(self._sequence)
        self._station.send(encode_fragment(Fragment(task.function, self._sequence, task.objects)))
        self._awaiting = Awaiting(
            task,
            self._sequence,
            now_s,
            now_s + self._settings.response_timeout_s,
            now_s + self._settings.exchange_timeout_s,
        )

    def _confirm(self, response: Fragment) -> None:
        self._station.send(
            encode_fragment(Fragment(Function.CONFIRM, response.sequence, unsolicited=response.unsolicited))
        )

    def _unsolicited(self, response: Fragment, octets: bytes, now_s: float) -> None:
        if not response.is_whole or not response.unsolicited:
            self.counters.strays += 1
            return
        is_repeat = octets == self._last_unsolicited
        if not is_repeat and not self._deliver(response):
            self._last_unsolicited = None
            self._agenda.poll_events()
            return
        self._last_unsolicited = octets
        if response.confirm:
            self._confirm(response)
        self._heed(response.iin or Iin.NONE, now_s)

    def _response(self, response: Fragment, now_s: float) -> None:
        awaiting = self._awaiting
        if (
            awaiting is None
            or response.sequence != awaiting.sequence
            or response.unsolicited
            or response.first != (awaiting.fragments == 0)
        ):
            self.counters.strays += 1
            return
        awaiting.fragments += 1
        awaiting.iin |= response.iin or Iin.NONE
        if awaiting.task.function == Function.READ:
            if not self._deliver(response):
                self._fail(awaiting, "its answer could not be decoded", now_s)
                return
        else:
            awaiting.objects += response.objects
        if response.confirm:
            self._confirm(response)
        if response.final:
            self._timeouts_in_a_row = 0
            self._complete(awaiting, now_s)
        elif awaiting.fragments >= self._settings.fragments_max:
            self._fail(awaiting, f"its answer did not end after {awaiting.fragments} fragments", now_s)
        else:
            awaiting.sequence = next_sequence(awaiting.sequence)
            awaiting.until_s = now_s + self._settings.response_timeout_s

    def _deliver(self, response: Fragment) -> bool:
        """Pass on what decodes; False where that is not everything."""
        try:
            headers = parse_headers(response.objects, with_data=True, header_max=self._settings.header_max)
            for decoded in decode(headers):
                self._out.append(decoded)
        except ObjectsError as error:
            self.counters.undecoded += 1
            self._out.append(MasterAlarm(f"a fragment could not be decoded and was not confirmed: {error}"))
            return False
        return True

    def _complete(self, awaiting: Awaiting, now_s: float) -> None:
        self._awaiting = None
        task, iin = awaiting.task, awaiting.iin
        self._finishers[task.purpose](self, awaiting, now_s)
        if task.is_start and self._agenda.step(now_s):
            self._out.append(Started())
        self._heed(iin, now_s)

    def _finish_own(self, awaiting: Awaiting, now_s: float) -> None:  # noqa: ARG002 - one signature for all
        if awaiting.iin & REFUSED and awaiting.task.purpose is not Purpose.SETUP:
            name = awaiting.task.purpose.name.lower()
            self._out.append(MasterAlarm(f"{name} was refused: {awaiting.iin & REFUSED!r}"))

    def _finish_poll(self, awaiting: Awaiting, now_s: float) -> None:
        if awaiting.task.breadth is not Breadth.BY_GROUP:
            self._finish_own(awaiting, now_s)
        if not self._agenda.has_polls:
            self._out.append(PollDone())

    def _finish_user(self, awaiting: Awaiting, now_s: float) -> None:  # noqa: ARG002 - one signature for all
        refused = awaiting.iin & REFUSED
        outcome = TaskOutcome.REFUSED if refused else TaskOutcome.DONE
        self._end(awaiting.task, outcome, awaiting.iin, f"answered with {refused!r}" if refused else "answered")

    def _finish_select(self, awaiting: Awaiting, now_s: float) -> None:
        task = awaiting.task
        if awaiting.objects == task.objects and not awaiting.iin & REFUSED:
            self._send(replace(task, purpose=Purpose.CONTROL, function=Function.OPERATE), now_s)
            return
        statuses = echoed_statuses(task.objects, awaiting.objects)
        detail = f"select answered {names(statuses)}" if statuses else f"select answered {awaiting.iin & REFUSED!r}"
        self._end(task, TaskOutcome.REFUSED, awaiting.iin, detail, statuses)

    def _finish_control(self, awaiting: Awaiting, now_s: float) -> None:  # noqa: ARG002 - one signature for all
        task, refused = awaiting.task, awaiting.iin & REFUSED
        statuses = echoed_statuses(task.objects, awaiting.objects)
        if statuses and not refused:
            outcome = TaskOutcome.REFUSED if any(statuses) else TaskOutcome.DONE
            self._end(task, outcome, awaiting.iin, f"operate answered {names(statuses)}", statuses)
        elif refused and not awaiting.objects:
            self._end(task, TaskOutcome.REFUSED, awaiting.iin, f"operate answered {refused!r}")
        else:
            self._end(task, TaskOutcome.UNKNOWN, awaiting.iin, "the answer does not echo the controls", statuses)

    def _finish_time_probe(self, awaiting: Awaiting, now_s: float) -> None:
        if awaiting.iin & REFUSED:
            self._finish_own(awaiting, now_s)
        elif awaiting.task.function == Function.RECORD_CURRENT_TIME:
            objects = time_object(50, 3, awaiting.sent_s + self.utc_s)
            self._agenda.need(Task(Purpose.TIME_WRITE, Function.WRITE, objects))
        else:
            delay_s = held_s(awaiting.objects)
            if delay_s is None:
                self._out.append(MasterAlarm("the answer to a delay measurement holds no delay"))
                return
            one_way_s = max(0.0, (now_s - awaiting.sent_s - delay_s) / 2)
            self._agenda.need(
                Task(Purpose.TIME_WRITE, Function.WRITE, time_object(50, 1, now_s + self.utc_s + one_way_s))
            )

    _finishers: dict[Purpose, Callable[["MasterSession", Awaiting, float], None]] = {  # noqa: RUF012 - a table
        Purpose.SETUP: _finish_own,
        Purpose.INTEGRITY: _finish_poll,
        Purpose.EVENTS: _finish_poll,
        Purpose.CLEAR_RESTART: _finish_own,
        Purpose.TIME_PROBE: _finish_time_probe,
        Purpose.TIME_WRITE: _finish_own,
        Purpose.USER: _finish_user,
        Purpose.SELECT: _finish_select,
        Purpose.CONTROL: _finish_control,
    }

    def _fail(self, awaiting: Awaiting, why: str, now_s: float) -> None:
        """An answer came and is of no use: ask for less at once where that is possible, else give up."""
        self._awaiting = None
        task = awaiting.task
        if task.number:
            self._end(task, TaskOutcome.UNKNOWN, awaiting.iin, why)
            return
        if self._agenda.narrow(task, now_s):
            self._out.append(Started())
        self._heed(awaiting.iin, now_s)

    def _expire(self, now_s: float) -> None:
        for task in self._agenda.expired(now_s):
            self._end(task, TaskOutcome.NOT_SENT, Iin.NONE, "the outstation was busy for too long")
        awaiting = self._awaiting
        if awaiting is None or now_s < min(awaiting.until_s, awaiting.last_s):
            return
        self._awaiting = None
        self.counters.timeouts += 1
        self._timeouts_in_a_row += 1
        task = awaiting.task
        detail = f"function {task.function} for {task.purpose.name.lower()} was not answered in time"
        if task.purpose is Purpose.SELECT:
            self._end(task, TaskOutcome.NOT_SENT, Iin.NONE, "select was not answered; nothing was operated")
        else:
            self._end(task, TaskOutcome.UNKNOWN, awaiting.iin, detail)
        self._agenda.missed(task, now_s)
        self._out.append(NoAnswer(self._timeouts_in_a_row, detail))

    def _keep_alive(self, now_s: float) -> None:
        if self._probe_until_s is not None:
            if now_s >= self._probe_until_s:
                self._probe_until_s = float("inf")
                self._out.append(LinkDead())
        elif (
            self._settings.keep_alive_s is not None
            and self._awaiting is None
            and now_s >= self._station.last_octet_s + self._settings.keep_alive_s
        ):
            self._station.request_link_status()
            self._probe_until_s = now_s + self._settings.response_timeout_s

    def _heed(self, iin: Iin, now_s: float) -> None:
        """Line up what the outstation's indications ask for, each at most every `need_backoff_s`."""
        backoff_s = self._settings.need_backoff_s
        if iin & Iin.DEVICE_RESTART and now_s - self._restart_heard_s >= backoff_s:
            self._restart_heard_s = now_s
            self._out.append(RestartSeen())
            self._agenda.need(Task(Purpose.CLEAR_RESTART, Function.WRITE, _CLEAR_RESTART))
            if self.is_started:
                self._agenda.begin()
        if (
            iin & Iin.NEED_TIME
            and self._settings.time_sync is not TimeSync.NONE
            and now_s - self._time_heard_s >= backoff_s
        ):
            self._time_heard_s = now_s
            is_lan = self._settings.time_sync is TimeSync.LAN
            function = Function.RECORD_CURRENT_TIME if is_lan else Function.DELAY_MEASURE
            self._agenda.need(Task(Purpose.TIME_PROBE, function))
        if iin & Iin.EVENT_BUFFER_OVERFLOW and self.is_started and now_s - self._overflow_heard_s >= backoff_s:
            self._overflow_heard_s = now_s
            self._out.append(MasterAlarm("the outstation lost events; all values are read again"))
            self._agenda.poll_all(now_s)

    def _end(
        self,
        task: Task,
        outcome: TaskOutcome,
        iin: Iin,
        detail: str,
        statuses: tuple[CommandStatus, ...] = (),
    ) -> None:
        if task.number:
            self._out.append(TaskDone(task.number, outcome, iin, detail, statuses))
