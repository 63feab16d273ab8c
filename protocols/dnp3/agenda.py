"""What a master sends next: the start sequence, needs of the outstation, tasks of the user, polls that are due."""

from collections import deque
from dataclasses import replace

from protocols.dnp3.errors import BusyError
from protocols.dnp3.fragment import Function
from protocols.dnp3.headers import class_header
from protocols.dnp3.master_words import MasterSettings
from protocols.dnp3.polls import Breadth, event_requests, integrity_requests, narrower
from protocols.dnp3.tasks import Purpose, Task

_NEVER = float("inf")
_EVENT_CLASSES = b"".join(map(class_header, (1, 2, 3)))
_DISABLE = Task(Purpose.SETUP, Function.DISABLE_UNSOLICITED, _EVENT_CLASSES, is_start=True)
_ENABLE = Task(Purpose.SETUP, Function.ENABLE_UNSOLICITED, _EVENT_CLASSES, is_start=True)


class Agenda:
    """Tasks of one connection in the order in which they are to be sent; it sends nothing itself."""

    def __init__(self, settings: MasterSettings, now_s: float) -> None:
        """Empty until `begin`."""
        self._settings = settings
        self._numbered = 0
        self._user: deque[Task] = deque()
        self.reset(now_s)

    def reset(self, now_s: float) -> None:
        """Forget everything but the numbers already given to tasks."""
        self._user.clear()
        self._needs: deque[Task] = deque()
        self._start: deque[Task] = deque()
        self._polls: deque[Task] = deque()
        self._breadth = Breadth.ALL
        self.is_started = False
        self._retry_at_s = now_s
        self._retry_s = self._settings.retry_first_s
        self._integrity_at_s = self._events_at_s = _NEVER

    def begin(self) -> None:
        """Line up the start sequence."""
        self.is_started = False
        self._polls.clear()
        self._start = deque([_DISABLE, *self._integrity(is_start=True)])
        if self._settings.unsolicited:
            self._start.append(_ENABLE)

    def next(self, now_s: float) -> Task | None:
        """The task to send now; one of the start sequence stays at its head until `step`."""
        if self._needs:
            return self._needs.popleft()
        if self._start:
            return self._start[0] if now_s >= self._retry_at_s else None
        if self._user:
            return self._user.popleft()
        if not self._polls and now_s >= self._integrity_at_s:
            self._polls += self._integrity()
            self._schedule(now_s)
        elif not self._polls and now_s >= self._events_at_s:
            self._polls += self._events()
            self._schedule_events(now_s)
        return self._polls.popleft() if self._polls else None

    def deadlines(self, *, is_awaiting: bool) -> list[float]:
        """When there may be something to send or to give up."""
        times = [task.expires_s for task in self._user]
        if not is_awaiting:
            times += [self._retry_at_s] if self._start else [self._integrity_at_s, self._events_at_s]
        return times

    def add(self, task: Task, now_s: float) -> int:
        """Queue a task of the user and give its number.

        Raises:
            BusyError: Too many wait already.
        """
        if len(self._user) >= self._settings.queue_max:
            raise BusyError(f"{len(self._user)} tasks wait already")
        self._numbered += 1
        self._user.append(replace(task, number=self._numbered, expires_s=now_s + self._settings.queue_timeout_s))
        return self._numbered

    def need(self, task: Task) -> None:
        """Queue what the outstation asked for, before all else."""
        self._needs.append(task)

    def expired(self, now_s: float) -> list[Task]:
        """Tasks of the user that have waited for too long; they are gone from here."""
        found = []
        while self._user and now_s >= self._user[0].expires_s:
            found.append(self._user.popleft())
        return found

    def waiting(self) -> list[Task]:
        """All tasks of the user that wait."""
        return list(self._user)

    def step(self, now_s: float) -> bool:
        """One step of the start sequence is behind us; True where it was the last."""
        self._start.popleft()
        self._retry_s = self._settings.retry_first_s
        if not self._start:
            self.is_started = True
            self._schedule(now_s)
        return self.is_started

    def missed(self, task: Task, now_s: float) -> None:
        """A task was not answered: polls wait for their next turn, the start is tried again with growing patience."""
        self._polls.clear()
        if task.is_start:
            self._retry_at_s = now_s + self._retry_s
            self._retry_s = min(2 * self._retry_s, self._settings.retry_last_s)

    def narrow(self, task: Task, now_s: float) -> bool:
        """An answer could not be decoded: ask for less at once; True where that ended the start sequence."""
        self._breadth = max(self._breadth, narrower(task.breadth))
        is_narrowest = task.breadth is Breadth.BY_GROUP
        if task.is_start and is_narrowest:
            return self.step(now_s)
        if task.is_start:
            while self._start and self._start[0].function == task.function:
                self._start.popleft()
            self._start.extendleft(reversed(self._integrity(is_start=True)))
        elif not is_narrowest:
            self._polls.clear()
            self._polls += self._integrity() if task.purpose is Purpose.INTEGRITY else self._events()
        return False

    def poll_events(self) -> None:
        """Fetch events now, unless polls are under way."""
        if not self._polls and self.is_started:
            self._polls += self._events()

    def poll_all(self, now_s: float) -> None:
        """Make an integrity poll due."""
        self._integrity_at_s = now_s

    @property
    def has_polls(self) -> bool:
        """True while more requests belong to the poll under way."""
        return bool(self._polls)

    def _integrity(self, *, is_start: bool = False) -> list[Task]:
        breadth = self._breadth
        return [
            Task(Purpose.INTEGRITY, Function.READ, objects, breadth=breadth, is_start=is_start)
            for objects in integrity_requests(breadth)
        ]

    def _events(self) -> list[Task]:
        breadth = self._breadth
        return [Task(Purpose.EVENTS, Function.READ, objects, breadth=breadth) for objects in event_requests(breadth)]

    def _schedule(self, now_s: float) -> None:
        every_s = self._settings.integrity_s
        self._integrity_at_s = _NEVER if every_s is None else now_s + every_s
        self._schedule_events(now_s)

    def _schedule_events(self, now_s: float) -> None:
        every_s = self._settings.event_poll_s
        self._events_at_s = _NEVER if every_s is None else now_s + every_s
