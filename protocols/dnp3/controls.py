"""Select and operate: what may reach the application, and when."""

from collections.abc import Callable
from dataclasses import dataclass

from protocols.dnp3.commands import Command, CommandStatus, Refused, parse_commands, with_statuses
from protocols.dnp3.fragment import Fragment, next_sequence
from protocols.dnp3.outstation_words import Application, Operated, OutstationSettings


@dataclass(slots=True)
class _Selection:
    objects: bytes
    sequence: int
    until_s: float


class Controls:
    """Answers control requests with the echo of their objects; malformed ones raise `ObjectsError` and move nothing.

    A selection stands until its time is over or any other request comes; only the next sequence number with the very
    same octets operates it.
    """

    def __init__(self, settings: OutstationSettings, application: Application) -> None:
        self._settings = settings
        self._application = application
        self._selection: _Selection | None = None

    def forget(self) -> None:
        """Drop a selection."""
        self._selection = None

    def select(self, request: Fragment, now_s: float, *, is_local: bool) -> bytes:
        """The echo; the selection stands only where every control in it may be operated."""
        self._selection = None
        commands, places = parse_commands(request.objects, self._settings.header_max)
        statuses = self._decide(commands, self._application.select, is_local=is_local)
        if not any(statuses):
            until_s = now_s + self._settings.select_timeout_s
            self._selection = _Selection(request.objects, request.sequence, until_s)
        return with_statuses(request.objects, places, statuses)

    def operate(self, request: Fragment, now_s: float, *, is_local: bool) -> tuple[bytes, list[Operated]]:
        """The echo, and what was carried out."""
        selection, self._selection = self._selection, None
        commands, places = parse_commands(request.objects, self._settings.header_max)
        if (
            selection is None
            or selection.objects != request.objects
            or request.sequence != next_sequence(selection.sequence)
        ):
            return with_statuses(request.objects, places, [CommandStatus.NO_SELECT] * len(commands)), []
        if now_s > selection.until_s:
            return with_statuses(request.objects, places, [CommandStatus.TIMEOUT] * len(commands)), []
        return self.direct(request, is_local=is_local)

    def direct(self, request: Fragment, *, is_local: bool) -> tuple[bytes, list[Operated]]:
        """The echo, and what was carried out, without a selection."""
        commands, places = parse_commands(request.objects, self._settings.header_max)
        operated: list[Operated] = []

        def carry_out(command: Command) -> CommandStatus:
            status = self._application.operate(command)
            operated.append(Operated(command, status))
            return status

        statuses = self._decide(commands, carry_out, is_local=is_local)
        return with_statuses(request.objects, places, statuses), operated

    def _decide(
        self,
        commands: list[Command | Refused],
        ask: Callable[[Command], CommandStatus],
        *,
        is_local: bool,
    ) -> list[CommandStatus]:
        """A status for each control; what is not finite or not supported never reaches the application."""
        statuses = []
        for position, command in enumerate(commands):
            if position >= self._settings.control_max:
                statuses.append(CommandStatus.TOO_MANY_OBJS)
            elif isinstance(command, Refused):
                statuses.append(command.status)
            elif is_local:
                statuses.append(CommandStatus.LOCAL)
            else:
                statuses.append(ask(command))
        return statuses
