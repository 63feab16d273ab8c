"""Plays scenario files one after the other and collects what held and what did not."""

import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from config.settings import ZoneFile
from gateway.coordination.messages import Message
from gateway.scenarios import books, rules
from gateway.scenarios.acts import Acts, ScenarioError
from gateway.scenarios.checks import Checks, Verdict
from gateway.scenarios.overheard import Overheard
from gateway.scenarios.reading import Reading, read, zone_of
from gateway.scenarios.script import Script
from gateway.scenarios.stage import EPOCH_S, Stage, play
from gateway.supervise import causes, contained

SETTLE_S = 60.0
"""Virtual time before the first event, in which the gateway finds its devices."""
SAME_W = 1_000.0
"""Set points of two scenarios that differ by less are the same."""
SAME_MONEY = 0.01
"""The same for dollars, and for MWh."""


@dataclass(frozen=True, slots=True)
class Told:
    """One message between parties, for the diagram."""

    at_s: float
    """From T."""
    message: Message
    carried: bool


@dataclass(slots=True)
class Played:
    """What became of one scenario."""

    path: Path
    scenario: str
    title: str
    verdicts: list[Verdict] = field(default_factory=list)
    rules: list[Verdict] = field(default_factory=list)
    """What must hold in every scenario of the model, whatever it is about."""
    messages: list[Told] = field(default_factory=list)
    ends_w: dict[str, float] = field(default_factory=dict)
    """Power of each device and the limits at it, at the end."""
    settled: dict[str, float] = field(default_factory=dict)
    """Dollars and MWh of everything that is settled by the end."""
    took_s: float = 0.0
    error: str = ""
    """Why it could not be played."""

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return not self.error and all(verdict.holds for verdict in (*self.verdicts, *self.rules))


def files(paths: Sequence[Path]) -> list[Path]:
    """The scenario files that paths name: files as they are, folders with every YAML file in them.

    Raises:
        ScenarioError: a path is neither.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(one for one in path.rglob("*.y*ml"))
        elif path.is_file():
            found.append(path)
        else:
            raise ScenarioError(f"{path} is neither a file nor a folder; name scenario files, or folders of them")
    if not found:
        raise ScenarioError(f"no scenario files in {', '.join(map(str, paths))}; they end in .yaml")
    return found


def run(paths: Sequence[Path], done: Callable[[Played], None] = lambda _: None, *, quiet: bool = True) -> list[Played]:
    """Play every file; `done` hears of each as it ends, `quiet` keeps the gateway's log from everybody else."""
    played: dict[str, Played] = {}
    found: list[Played] = []
    for path in paths:
        began = time.perf_counter()
        one = _played(path, played, quiet=quiet)
        one.took_s = time.perf_counter() - began
        played[one.scenario] = one
        found.append(one)
        done(one)
    return found


def _played(path: Path, before: dict[str, Played], *, quiet: bool) -> Played:
    try:
        reading = read(path)
    except ScenarioError as error:
        return Played(path, path.stem, "", error=str(error))
    script = reading.script
    one = Played(path, script.scenario, script.title)
    overheard = Overheard()
    try:
        with tempfile.TemporaryDirectory() as folder, overheard.listening(quiet=quiet):
            zone = zone_of(reading, Path(folder))
            crash = contained(lambda: play(lambda: _perform(reading, zone, Path(folder), one, overheard)))
            one.error = "" if crash is None else _said(crash, path)
    except ScenarioError as error:
        one.error = str(error)
    if script.same_as is not None and not one.error:
        one.verdicts += _same(one, script.same_as, before)
    return one


def _said(crash: Exception, path: Path) -> str:
    """Why a scenario ended early: what is wrong in it, or what broke, and where."""
    found = causes(crash)
    faults = [str(error) for error in found if isinstance(error, ScenarioError)]
    if faults:
        return "; ".join(faults)
    first = found[0]
    where = traceback.extract_tb(first.__traceback__)[-1]
    return f"{path}: {type(first).__name__}: {first} ({Path(where.filename).name}:{where.lineno})"


async def _perform(reading: Reading, zone: ZoneFile, folder: Path, one: Played, overheard: Overheard) -> None:
    """Let the time of a scenario pass: every event and check at its moment, events first."""
    script = reading.script
    interval_s = zone.clocks.interval_s
    lead_s = SETTLE_S + max(0.0, -script.begins_s)
    start_s = EPOCH_S + interval_s * ceil(lead_s / interval_s)
    async with Stage(zone, folder) as stage:
        acts = Acts(stage, start_s)
        with _placed(reading, "given"):
            acts.given(script.given)
        await stage.open_gateway()
        checks = Checks(stage, acts, overheard, start_s)
        moments = sorted({one.at_s for one in script.when} | {one.at_s for one in script.then})
        for moment_s in moments:
            await stage.pass_time(max(start_s + moment_s - stage.now(), 0.0))
            for number, happening in enumerate(script.when):
                if happening.at_s == moment_s:
                    with _placed(reading, "when", number):
                        await acts.act(happening)
            for number, check in enumerate(script.then):
                if check.at_s == moment_s:
                    with _placed(reading, "then", number):
                        one.verdicts += checks.look(check)
        await stage.pass_time(max(start_s + script.ends_s - stage.now(), 0.0))
        one.rules = [*rules.kept(stage, checks, overheard, script.ends_s), *_unexpected(script, acts.refused)]
        one.ends_w, one.settled = _ends(stage), books.ends(stage.loop.book.accounts)
        one.messages = _told(stage, start_s)


def _unexpected(script: Script, refused: Sequence[str]) -> list[Verdict]:
    """What the gateway would not do for its operator though nothing in the scenario looks for that."""
    looked_for = [check.refused for check in script.then if check.refused is not None]
    silent = [why for why in refused if not any(part in why for part in looked_for)]
    return [Verdict(script.ends_s, "refused to the operator", "what is looked for", why, holds=False) for why in silent]


@contextmanager
def _placed(reading: Reading, *steps: str | int) -> Iterator[None]:
    """Let what goes wrong name the line that it is about."""
    try:
        yield
    except (ScenarioError, LookupError, ValueError) as error:
        raise ScenarioError(f"{reading.place(*steps)}: {error}") from error


def _ends(stage: Stage) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, device in stage.world.devices.items():
        found[f"power of {name}"] = device.power_w
        if device.limit.ceiling_w is not None:
            found[f"limit at {name}"] = device.limit.ceiling_w
    return found


def _told(stage: Stage, start_s: float) -> list[Told]:
    seen: dict[tuple[str, str], Told] = {}
    for one in stage.parties.log:
        key = (one.message.header.msg_id, one.message.header.recipient)
        if key not in seen or one.carried:
            seen[key] = Told(seen[key].at_s if key in seen else one.at_s - start_s, one.message, one.carried)
    return sorted(seen.values(), key=lambda told: told.at_s)


def _same(one: Played, other_id: str, before: dict[str, Played]) -> list[Verdict]:
    """Set points at the end and settlement against those of another scenario of this run."""
    names = (f"same set points as {other_id}", f"same settlement as {other_id}")
    other = before.get(other_id)
    if other is None:
        return [Verdict(0.0, name, "the same", "it was not played before this one", holds=False) for name in names]
    compared = ((one.ends_w, other.ends_w, SAME_W), (one.settled, other.settled, SAME_MONEY))
    found = [_differing(mine, theirs, same) for mine, theirs, same in compared]
    return [
        Verdict(0.0, name, "the same", ", ".join(differ) or "the same", not differ)
        for name, differ in zip(names, found, strict=True)
    ]


def _differing(mine: dict[str, float], theirs: dict[str, float], same: float) -> list[str]:
    """What only one of both has, or both have differently."""
    names = sorted(mine.keys() | theirs.keys())
    return [n for n in names if n not in mine or n not in theirs or abs(mine[n] - theirs[n]) > same]
