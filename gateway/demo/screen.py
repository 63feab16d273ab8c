"""What the audience sees: a timeline of what happens, a progress bar with the numbers of now, and the verdicts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from gateway.demo.eventlog import Line
from gateway.demo.scene import Sample, Scene, Verdict

SENTENCES = {
    "device.link": "{resource} is {state}",
    "psa.ready": "the engine has the network {model_version} and has solved it once",
    "snapshot.complete": "the power of all {count} devices is measured",
    "dispatch.rx": "the system operator dispatches {resource} to {mw:+.2f} MW (copy to the DSO)",
    "violation.detected": "power flow: {constraint_id} would be at {loading_pct:.1f} % ({reason})",
    "offer.accepted": "the DSO takes the offer of {resource}",
    "instr.tx": "instruction {corr_id}: {resource} to {mw:.2f} MW",
    "selection.done": "the cheapest shares: {mw:.2f} MW for {cost_per_h:.0f} $/h",
    "limit.issue": "limit {corr_id}: {resource} at most {mw:.2f} MW because of {constraint_id}",
    "control.tx": "control {control_id} leaves for {resource}: at most {mw:.2f} MW, lease {lease_s:.0f} s",
    "limit.ack": "{sender} acknowledges: {resource} commits to {mw:.2f} MW ({status})",
    "cap.notice": "{sender} has told the system operator: {resource} can do {mw:.2f} MW",
    "command.completed": "control {control_id} of {resource}: {outcome} ({detail})",
}
"""How the events of the log are told; others are not."""

SET_POINT = "control {control_id} leaves for {resource}: a set point, lease {lease_s:.0f} s"
"""Of a control that limits nothing."""

COLOURS = {"violation.detected": "yellow", "limit.issue": "cyan", "command.completed": "green", "cap.notice": "magenta"}


class Screen:
    """One scene on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task = TaskID(0)

    @contextmanager
    def on(self, scene: Scene, number: int, of: int) -> Iterator[None]:
        """Show a scene's title, and its progress while it is played."""
        self._console.rule(f"[bold]{number}/{of}  {scene.title}")
        self._console.print(f"[italic]{scene.story}[/]  [dim]({scene.zone.name})[/]")
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            self._progress = progress
            self._task = progress.add_task("starting testbed and gateway", total=scene.lasts_s)
            yield
        self._progress = None

    def told(self, at_s: float, line: Line) -> None:
        """Tell one event of the gateway's log."""
        event = str(line["event"])
        sentence = SET_POINT if event == "control.tx" and line["mw"] is None else SENTENCES.get(event)
        if sentence is None:
            return
        moment = "        " if at_s < 0 else f"T+{at_s:5.1f}s"
        colour = COLOURS.get(str(line["event"]), "default")
        self._console.print(f"  [dim]{moment}[/]  [{colour}]{sentence.format_map(line)}[/]", soft_wrap=True)

    def progress(self, at_s: float, sample: Sample) -> None:
        """Move the bar on and show what is true now."""
        if self._progress is None:
            return
        powers = "  ".join(f"{name} {power:5.2f} MW" for name, power in sample.power_mw.items())
        current = sample.points.get("L12.current_a", 0.0)
        self._progress.update(self._task, completed=at_s, description=f"{powers}  L12 {current:5.1f} A")

    def verdicts(self, found: Sequence[tuple[Scene, Sequence[Verdict]]]) -> bool:
        """Show the table of verdicts; True where all came true."""
        table = Table("scene", "expectation", "expected", "found", "", title="Verdict", title_style="bold")
        for scene, verdicts in found:
            for index, verdict in enumerate(verdicts):
                mark = "[green]pass[/]" if verdict.passed else "[red]FAIL[/]"
                title = scene.title if index == 0 else ""
                table.add_row(title, verdict.expectation, verdict.expected, verdict.found, mark)
            table.add_section()
        self._console.print(table)
        every = [v.passed for _, verdicts in found for v in verdicts]
        failed = every.count(False)
        self._console.print(f"{len(every) - failed} passed, {failed} failed")
        return failed == 0
