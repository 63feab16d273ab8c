"""The page that `ampacity why` shows: an explanation laid out for people."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.coordination.events import Answered, Decided, Instructed, Issued, Sent
from gateway.coordination.operation_messages import EmergencyDeclare
from gateway.explain import Explanation, Track
from gateway.logs.line import harmless
from gateway.record import time_of
from gateway.settlement.curtailment import Curtailment
from gateway.tell import clock, day, instructed, mw, told, value_of
from grid_engine.results import Answer, Binding, Status, Violation
from protocols.signals import Outcome, Release

BLOCKS, SPARK_WIDTH = "▁▂▃▄▅▆▇█", 40
VIOLATIONS = 8
"""As many as fit on a screen; `--json` has all of them."""
FEW = 12
"""Powers that are told one by one."""
COLOURS = {Outcome.VERIFIED: "green", Outcome.WRITTEN: "green", Outcome.COMPLETED: "green"}


def show(found: Explanation, console: Console) -> None:
    """Print an explanation for people."""
    outcome = "no answer yet" if found.outcome is None else found.outcome.value
    title = Text.assemble((f"{found.control_id}  ", "bold"), _aim(found), "  ")
    title.append(outcome, style="bold " + ("yellow" if found.outcome is None else COLOURS.get(found.outcome, "red")))
    console.print(title)
    for line in _ending(found):
        console.print(Text(line, style="dim"))
    if found.decided is not None:
        _show_decision(found.decided, found, console)
    else:
        ended = "of no cycle in the journal"
        if isinstance(found.instruction, Release):
            ended = "what it enforced was cleared or ran out"
        elif (emergency := _emergency(found)) is not None:
            ended = f"emergency {emergency.emergency_id} of level {emergency.level} in {emergency.scope}"
        elif any(isinstance(one, Instructed) for one in found.timeline):
            ended = "an operator asked for it"
        _heading(console, "Why", ended)
    _show_timeline(found, console)
    if found.tracks:
        _show_tracks(found.tracks, console)
    if found.curtailed:
        _show_curtailed(found.curtailed, console)


def _show_decision(decided: Decided, found: Explanation, console: Console) -> None:
    answer, study = decided.answer, decided.study
    _heading(
        console, "Why", f"cycle {decided.cycle_id}, {clock(decided.at_s)} UTC, network model {answer.model_version}"
    )
    for line in _reasons(answer, found):
        console.print("  " + line, soft_wrap=True, markup=False)
    if answer.violations:
        _heading(console, "Violations at the requested powers")
        console.print(_violations(answer))
    _heading(console, "Who wanted what", f"policy {study.policy.value}, margin {study.margin_pct:g} %")
    console.print(_shares(found))
    inputs = [f"{one.resource} dispatched to {mw(one.power_w)} (version {one.version})" for one in found.dispatches]
    if study.load_scale and not study.load_w:
        same = len(set(study.load_scale)) == 1
        scales = study.load_scale[:1] if same else study.load_scale
        inputs.append(f"load forecast {', '.join(f'{scale:.3g}' for scale in scales)} of the model's load")
    inputs += [*_powers("load", study.load_w), *_powers("unit", study.unit_w)]
    inputs += [f"tap of {name} at {tap}" for name, tap in study.state.taps.items()]
    inputs += [f"switch {name} {'closed' if on else 'open'}" for name, on in study.state.switches_closed.items()]
    inputs += [f"{name} {'in' if on else 'out of'} service" for name, on in study.state.in_service.items()]
    if inputs:
        _heading(console, "Further inputs")
        for line in inputs:
            console.print("  " + harmless(line), soft_wrap=True, markup=False)


def _powers(what: str, known: Mapping[str, tuple[float, ...]]) -> list[str]:
    """Each of a few, the sum of many."""
    if len(known) > FEW:
        total_w = sum(power_w[0] for power_w in known.values())
        return [f"{len(known)} {what}s, together {mw(total_w)}"]
    return [f"{what} {name} {mw(power_w[0])}" for name, power_w in known.items()]


def _show_timeline(found: Explanation, console: Console) -> None:
    rows = list(_rows(found))
    _heading(console, "What happened", f"from {day(rows[0][0])}, UTC")
    table = _table("time", "who", "what")
    for at_s, who, what in rows:
        table.add_row(Text(clock(at_s), style="dim"), Text(harmless(who)), Text(harmless(what)))
    console.print(table)


def _show_tracks(tracks: tuple[Track, ...], console: Console) -> None:
    samples = tracks[0].samples
    _heading(console, "What was measured", f"from {clock(samples[0][0])} to {clock(samples[-1][0])}")
    table = _table("", "before", "last", "highest", "allowed", "")
    for one in tracks:
        values = [value for _, value in one.samples]
        told_values = (value_of(value, one.unit) for value in (values[0], values[-1], max(values)))
        allowed = "" if one.ceiling is None else value_of(one.ceiling, one.unit)
        table.add_row(harmless(one.point), *told_values, allowed, sparkline(one.samples))
    console.print(table)


def _show_curtailed(curtailed: tuple[Curtailment, ...], console: Console) -> None:
    """The market intervals of late, and the sum of all."""
    _heading(console, "What its limits took", f"{_mwh(sum(one.energy_wh for one in curtailed))} in all")
    table = _table("from", "to", "limit", "asked", "allowed", "taken")
    for one in curtailed[-FEW:]:
        powers = (mw(one.requested_w), mw(one.allowed_w), _mwh(one.energy_wh))
        table.add_row(clock(one.start_s), clock(one.end_s), harmless(one.limit_id), *powers)
    console.print(table)


def _mwh(energy_wh: float) -> str:
    return f"{energy_wh / 1e6:.4f} MWh"


def sparkline(samples: Sequence[tuple[float, float]]) -> str:
    """The values over time as one line of blocks, the lowest being the lowest block."""
    (begin_s, _), (end_s, _) = samples[0], samples[-1]
    span_s = max(end_s - begin_s, 1e-9)
    heights: dict[int, float] = {}
    for at_s, value in samples:
        column = min(int((at_s - begin_s) / span_s * SPARK_WIDTH), SPARK_WIDTH - 1)
        heights[column] = max(value, heights.get(column, value))
    low, high = min(heights.values()), max(heights.values())
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    shown, drawn = BLOCKS[0], []
    for column in range(SPARK_WIDTH):
        if column in heights:
            shown = BLOCKS[round((heights[column] - low) * scale)]
        drawn.append(shown)
    return "".join(drawn)


def _aim(found: Explanation) -> str:
    return f"{found.instruction.resource}: {instructed(found.instruction)}"


def _ending(found: Explanation) -> Iterator[str]:
    if found.replaced_by:
        yield f"replaced by {found.replaced_by}"
    elif found.lease_end_s is not None:
        yield f"its lease ends at {clock(found.lease_end_s)} UTC unless refreshed"


def _reasons(answer: Answer, found: Explanation) -> Iterator[str]:
    """In sentences: which constraint, how far it was exceeded, what the limit makes of it."""
    if answer.status is not Status.SOLVED:
        yield f"The study gave no usable answer ({answer.status.value}): {harmless(answer.detail)}".rstrip(": ")
        yield "Without one, limits are only tightened: the last ones shrunk, then the static ones."
        return
    share = next((one for one in found.shares if one.resource == found.instruction.resource), None)
    if isinstance(found.instruction, Release):
        yield "The limit was no longer needed."
    elif share is None or share.ceiling_w is None:
        yield "This cycle did not limit the resource: its limit is of an earlier cycle or of the intervals ahead."
    elif share.binding is None:
        yield "Only its own capability bounds it."
    else:
        yield from _binding(share.binding)
    yield f"Found with {answer.power_flows} power flows in {answer.duration_s:.2f} s."


def _binding(binding: Binding) -> Iterator[str]:
    where = harmless(binding.asset_id) + (f", phase {binding.phase}" if binding.phase else "")
    before, after, limit = (
        value_of(value, binding.unit) for value in (binding.value_before, binding.value_after, binding.limit)
    )
    yield (
        f"{binding.reason.value} at {where} ({binding.case}): {before} at the requested powers, "
        f"{after} with the limit obeyed, {limit} allowed{_percent(binding)}."
    )
    if binding.shadow_price:
        step, of = (0.01, "0.01 pu") if binding.unit == "pu" else (1.0, f"One {binding.unit}")
        yield f"{of} more would admit {binding.shadow_price * step / 1e3:.3g} kW more in total."


def _percent(binding: Binding) -> str:
    if binding.unit == "pu" or not binding.limit:
        return ""
    before, after = (100 * value / binding.limit for value in (binding.value_before, binding.value_after))
    return f" ({before:.1f} % → {after:.1f} %)"


def _violations(answer: Answer) -> Table:
    """A row for each limit that would be broken, with the worst of its intervals."""
    grouped: dict[tuple[str, str, str, str], list[Violation]] = {}
    for one in answer.violations:
        grouped.setdefault((one.asset_id, one.phase, one.reason.value, one.case), []).append(one)
    table = _table("asset", "reason", "case", "intervals", "at worst", "limit", "loading")
    ranked = sorted(grouped.items(), key=lambda item: -max(map(_excess, item[1])))
    for (asset, phase, reason, case), members in ranked[:VIOLATIONS]:
        worst = max(members, key=_excess)
        loading = "" if worst.unit == "pu" or not worst.limit else f"{worst.loading_pct:.1f} %"
        table.add_row(
            harmless(f"{asset}.{phase}" if phase else asset),
            reason,
            harmless(case),
            _spans(sorted(one.interval for one in members)),
            value_of(worst.value, worst.unit),
            value_of(worst.limit, worst.unit),
            loading,
        )
    if len(ranked) > VIOLATIONS:
        table.add_row(f"… and {len(ranked) - VIOLATIONS} more", *[""] * 6)
    return table


def _spans(numbers: list[int]) -> str:
    """Intervals from now, as `+0…+3, +7`."""
    spans: list[list[int]] = []
    for one in numbers:
        if spans and one <= spans[-1][1] + 1:
            spans[-1][1] = one
        else:
            spans.append([one, one])
    return ", ".join(f"+{first}" if first == last else f"+{first}…+{last}" for first, last in spans)


def _excess(one: Violation) -> float:
    return abs(one.value - one.limit) / abs(one.limit) if one.limit else 0.0


def _shares(found: Explanation) -> Table:
    table = _table("resource", "measured", "stood at", "wanted", "may do", "because of")
    for one in found.shares:
        if one.ceiling_w is None or one.floor_w is None:
            may = "not limited" if one.adjustable else "cannot be limited"
        else:
            may = f"{mw(one.floor_w)} … {mw(one.ceiling_w)}"
        because = "" if one.binding is None else f"{one.binding.asset_id} {one.binding.reason.value}"
        style = "bold" if one.resource == found.instruction.resource else ""
        measured = "–" if one.measured_w is None else mw(one.measured_w)
        table.add_row(one.resource, measured, mw(one.held_w), mw(one.requested_w), may, harmless(because), style=style)
    return table


def _emergency(found: Explanation) -> EmergencyDeclare | None:
    """The emergency that a control is of; nothing where it is of none."""
    bodies = (one.message.body for one in found.timeline if isinstance(one, Sent))
    return next((body for body in bodies if isinstance(body, EmergencyDeclare)), None)


def _rows(found: Explanation) -> Iterator[tuple[float, str, str]]:
    """The timeline as time, who and what; refreshes of the lease and their answers are told once."""
    refreshes = [one for one in found.timeline if isinstance(one, Issued)][1:]
    answered: set[Outcome] = set()
    for one in found.timeline:
        if isinstance(one, Issued) and one in refreshes:
            if one is refreshes[-1]:
                times = "once" if len(refreshes) == 1 else f"{len(refreshes)} times, the last now"
                yield one.at_s, f"DSO → {one.instruction.resource}", f"lease refreshed {times}"
        elif isinstance(one, Answered) and refreshes and one.ack.outcome in answered:
            continue
        else:
            if isinstance(one, Answered):
                answered.add(one.ack.outcome)
            yield (time_of(one), *told(one))


def _heading(console: Console, title: str, more: str = "") -> None:
    console.print()
    console.print(Text.assemble((title, "bold"), ("  " + harmless(more) if more else "", "dim")))


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 2), header_style="dim")
    for one in columns:
        table.add_column(one, overflow="fold")
    return table
