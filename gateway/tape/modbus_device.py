"""A recorded Modbus connection as a server: it answers with the registers that were read at that time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from gateway.tape.stage import Cue, Stage
from gateway.tape.words import Kind, Line, TapeError
from protocols.modbus.server import ModbusServer, RefusedError, Unit
from protocols.modbus.sunspec import IllegalAddressError
from protocols.port import Now


class PlayedUnit:
    """The registers of one unit; also what may be wrong with it."""

    base, size = 0, 0x1_0000
    delay = True
    refuse = False

    def __init__(self, stage: Stage, reads: Sequence[Line], writes: Sequence[Line]) -> None:
        self._stage = stage
        self._cue = Cue(stage, reads)
        self._written: dict[int, int] = {}
        self._held: dict[int, int] = {}
        for line in reversed(reads):
            self._held.update(_registers(line))
        answers: dict[int, set[object]] = defaultdict(set)
        for line in writes:
            for address in _addresses(line):
                answers[address].add(line.what.get("fault"))
        self._refused = {address for address, faults in answers.items() if faults == {"refused"}}
        self.delay_s = 0.0

    @property
    def drop_link(self) -> bool:
        """While the link was lost."""
        return self._stage.is_lost

    def advance(self) -> None:
        """Bring the registers to the present."""
        for line in self._cue.due():
            self._held.update(_registers(line))
            took = line.what.get("took")
            self.delay_s = took if isinstance(took, float) else 0.0

    def read(self, address: int, count: int) -> list[int]:
        """As they were read then, or as they were written since."""
        wanted = range(address, address + count)
        if any(one not in self._held for one in wanted):
            raise IllegalAddressError(f"{count} registers at {address} are not all in the recording")
        return [self._written.get(one, self._held[one]) for one in wanted]

    def write(self, address: int, values: Sequence[int]) -> None:
        """Hold what is written; what was only ever refused is refused again."""
        self.read(address, len(values))
        if self._refused & set(range(address, address + len(values))):
            raise RefusedError(f"{address} was refused in the recording")
        self._written.update(enumerate(values, start=address))


class _World:
    """Brings all units to the present before an answer."""

    def __init__(self, units: Mapping[int, PlayedUnit]) -> None:
        self._units = units

    def advance(self, now_s: float) -> None:  # noqa: ARG002 - the stage has a clock of its own
        for unit in self._units.values():
            unit.advance()


def server_of(stage: Stage, host: str, port: int, now: Now) -> ModbusServer:
    """The server, not yet listening; `port` 0 takes a free one.

    Raises:
        TapeError: nothing was read in the recording.
    """
    reads: dict[int, list[Line]] = defaultdict(list)
    writes: dict[int, list[Line]] = defaultdict(list)
    for line in stage.recording.of(Kind.READ, Kind.WRITE):
        asked = line.what.get("asked")
        unit = asked.get("unit") if isinstance(asked, Mapping) else None
        if isinstance(unit, int):
            (reads if line.kind is Kind.READ else writes)[unit].append(line)
    answered = {unit: lines for unit, lines in reads.items() if any(_registers(line) for line in lines)}
    if not answered:
        raise TapeError("nothing was ever read in this recording; there is no device to play")
    units = {unit: PlayedUnit(stage, lines, writes[unit]) for unit, lines in answered.items()}
    return ModbusServer(host, port, {number: Unit(unit, unit) for number, unit in units.items()}, _World(units), now)


def _registers(line: Line) -> dict[int, int]:
    """What a read says of each register; nothing where it failed."""
    answer, first = line.what.get("answer"), _first(line)
    if not isinstance(answer, list) or first is None:
        return {}
    return {first + offset: int(register) for offset, register in enumerate(answer)}


def _addresses(line: Line) -> range:
    first, asked = _first(line), line.what.get("asked")
    count = asked.get("count") if isinstance(asked, Mapping) else None
    return range(first, first + count) if first is not None and isinstance(count, int) else range(0)


def _first(line: Line) -> int | None:
    asked = line.what.get("asked")
    address = asked.get("address") if isinstance(asked, Mapping) else None
    return address if isinstance(address, int) else None
