"""A planner's study of one or several feeders as a page: what was found first, then each question with its plot."""

from collections.abc import Callable, Sequence

import numpy as np

from gateway.reports import study_plots as plots
from gateway.reports.findings import FaultLevel, Findings, why
from gateway.reports.page import Plot, Section, Table, page
from grid_engine.planning import Loss, TimeSeries
from grid_engine.results import Envelope, Study, Violation

SUMMARY = ("Feeder", "Buses", "Nodes", "Voltage pu", "Highest loading", "Violations", "Losses MWh", "N-1 violations")

_MOST_ROWS = 25
_NOT_ASKED = "not asked"


def as_page(title: str, lead: str, findings: Sequence[Findings], label: Callable[[int], str]) -> str:
    """The report; `label` names an interval."""
    sections = [Section("Summary", (Table(SUMMARY, tuple(map(summary, findings))),))]
    for one in findings:
        prefix = f"{one.name}: " if one.name else ""
        sections += [Section(prefix + s.heading, s.parts) for s in _of_feeder(one, label)]
    return page(title, lead, sections)


def summary(one: Findings) -> tuple[str | int, ...]:
    """What matters of one feeder, under `SUMMARY`."""
    series = one.series
    voltage = loading = losses = broken = _NOT_ASKED
    if series is not None and any(series.solved):
        voltage = f"{np.nanmin(series.voltage_pu[0]):.4f} to {np.nanmax(series.voltage_pu[2]):.4f}"
        loading = _highest(series)
        losses = f"{np.nansum(series.losses_w) * 24.0 / one.study.intervals / 1e6:.3f}"
        broken = str(len({(v.asset_id, v.reason) for v in series.violations}))
    lost = str(sum(bool(loss.violations) or not loss.solved for loss in one.losses)) if one.losses else _NOT_ASKED
    return (one.name or "zone", one.buses, one.nodes, voltage, loading, broken, losses, lost)


def _highest(series: TimeSeries) -> str:
    if not series.assets:
        return "nothing is rated"
    peak = plots.peaks_pct(series)
    return f"{peak.max():.1f} % {series.assets[int(peak.argmax())]}"


def _of_feeder(one: Findings, label: Callable[[int], str]) -> list[Section]:
    found = []
    if one.series is not None:
        found.append(_time_series(one.series, one.study, label))
    if one.year is not None:
        found.append(_year(one.year, one.year_label))
    if one.envelopes:
        found.append(_envelopes(one, label))
    if one.hosting:
        found.append(_hosting(one))
    if one.losses:
        found.append(_losses(one.losses))
    if one.fault_levels:
        found.append(_fault_levels(one.fault_levels))
    if one.notes:
        found.append(Section("Notes", one.notes))
    return found


def _time_series(series: TimeSeries, study: Study, label: Callable[[int], str]) -> Section:
    drawn = [Plot("Voltage: lowest, median and highest of all nodes", lambda axes: plots.voltage(axes, series, study))]
    if series.assets:
        drawn.append(Plot("The most loaded lines and transformers", lambda axes: plots.loading(axes, series)))
    drawn.append(Plot("Power from the system above, and losses", lambda axes: plots.power(axes, series)))
    broken = _violations(series.violations, label) if series.violations else "No limit is broken."
    return Section("A day of power flows", (*drawn, *series.failures, broken))


def _year(year: TimeSeries, label: Callable[[int], str]) -> Section:
    """What matters of 8,760 hours: energy, and how loaded each asset is, how long and when most."""
    source_wh, losses_wh = np.nansum(year.source_w), np.nansum(year.losses_w)
    lowest, highest = np.nanargmin(year.voltage_pu[0]), np.nanargmax(year.voltage_pu[2])
    lead = (
        f"{sum(year.solved)} of {len(year.solved)} hours were solved: {source_wh / 1e9:.1f} GWh from the system above, "
        f"{losses_wh / 1e6:.1f} MWh of losses, voltages from {year.voltage_pu[0][lowest]:.4f} pu "
        f"({label(int(lowest))}) to {year.voltage_pu[2][highest]:.4f} pu ({label(int(highest))})."
    )
    loading = np.nan_to_num(year.loading_pct)
    order = np.argsort(-loading.max(axis=1))[:_MOST_ROWS] if loading.size else ()
    rows = tuple(
        (
            *(year.assets[n], float(loading[n].max()), label(int(loading[n].argmax()))),
            *(float(loading[n].mean()), int((loading[n] > 100).sum())),
        )
        for n in order
    )
    columns = ("Asset", "Highest %", "At", "Mean %", "Hours above 100 %")
    return Section("The year", (lead, *([Table(columns, rows, 1)] if rows else []), *year.failures[:_MOST_ROWS]))


def _beyond(one: Violation) -> float:
    return abs(one.value - one.limit) / (abs(one.limit) or 1.0)


def _violations(found: Sequence[Violation], label: Callable[[int], str]) -> Table:
    """The worst of each asset and reason, with how long it lasts."""
    groups: dict[tuple[str, str], list[Violation]] = {}
    for one in found:
        groups.setdefault((one.asset_id, one.reason.value), []).append(one)
    ranked = sorted(groups.items(), key=lambda item: -max(map(_beyond, item[1])))
    rows = []
    for (asset, reason), ones in ranked[:_MOST_ROWS]:
        worst = max(ones, key=_beyond)
        span = f"{label(min(v.interval for v in ones))} to {label(max(v.interval for v in ones))}"
        value, limit = (f"{x:.4g} {worst.unit}" for x in (worst.value, worst.limit))
        rows.append((asset, reason, worst.phase, len(ones), span, value, limit))
    return Table(("Asset", "Why", "Phase", "Intervals", "When", "Worst", "Limit"), tuple(rows))


def _envelopes(one: Findings, label: Callable[[int], str]) -> Section:
    tight: dict[str, list[Envelope]] = {}
    for envelope in one.envelopes:
        if envelope.binding is not None:
            tight.setdefault(envelope.resource, []).append(envelope)
    narrowest = sorted(
        (min(mine, key=lambda e: e.ceiling_w - e.floor_w) for mine in tight.values()),
        key=lambda e: e.ceiling_w - e.floor_w,
    )
    others = sorted({e.resource for e in one.envelopes} - set(tight))
    shown = (*(e.resource for e in narrowest), *others)[: plots.MOST_LINES]
    plot = Plot("Highest power that each may have (solid), and lowest", lambda axes: plots.envelopes(axes, one, shown))
    rows = tuple(
        (e.resource, label(e.interval), e.floor_w / 1e6, e.ceiling_w / 1e6, why(e.binding), len(tight[e.resource]))
        for e in narrowest[:_MOST_ROWS]
    )
    columns = ("Resource", "Narrowest at", "Lowest MW", "Highest MW", "Because of", "Limited intervals")
    return Section("Operating envelopes", (plot, Table(columns, rows, 3) if rows else "Nobody has to be limited."))


def _hosting(one: Findings) -> Section:
    found = one.hosting
    plot = Plot("What each bus could host alone", lambda axes: plots.hosting(axes, found))
    none = "no limit up to what was tried"
    rows = tuple(
        (
            *(h.bus, h.phases, h.export_w / 1e6, why(h.export_binding, none)),
            *(h.import_w / 1e6, why(h.import_binding, none)),
        )
        for h in sorted(found, key=lambda h: h.export_w)[:_MOST_ROWS]
    )
    columns = ("Bus", "Phases", "Export MW", "Because of", "Import MW", "Because of")
    lead = f"The {len(rows)} buses that can host least, of {len(found)}."
    on_map = Plot("Where it is", lambda axes: plots.hosting_map(axes, found, one.places))
    return Section("Hosting capacity", (plot, *([on_map] if one.places else []), lead, Table(columns, rows, 3)))


def _losses(found: Sequence[Loss]) -> Section:
    bad = [loss for loss in found if loss.violations or not loss.solved or loss.cut_off]
    bad.sort(key=lambda loss: (loss.solved, -len(loss.violations), -len(loss.cut_off)))
    rows = tuple(
        (
            *(loss.contingency, "solved" if loss.solved else loss.detail),
            *(len(loss.violations), _worst(loss), _few(loss.cut_off)),
        )
        for loss in bad[:_MOST_ROWS]
    )
    lead = f"{len(found)} losses were tried, one at a time; {len(bad)} break a limit or cut something off."
    table = Table(("Without", "Outcome", "Violations", "Worst", "Cut off"), rows)
    return Section("N-1", (lead, table) if rows else (lead,))


def _worst(loss: Loss) -> str:
    if not loss.violations:
        return ""
    one = max(loss.violations, key=_beyond)
    return f"{one.asset_id} {one.value:.4g} {one.unit}, limit {one.limit:.4g}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _fault_levels(found: Sequence[FaultLevel]) -> Section:
    order = sorted(found, key=lambda f: (f.withstand_a - max(f.three_phase_a, f.single_phase_a), -f.three_phase_a))
    rows = tuple(
        (
            *(f.bus, f.three_phase_a / 1e3, f.single_phase_a / 1e3),
            "not said" if np.isinf(f.withstand_a) else f"{f.withstand_a / 1e3:.3f}",
        )
        for f in order[:_MOST_ROWS]
    )
    lead = f"The {len(rows)} of {len(found)} buses with the least reserve, then the highest currents."
    columns = ("Bus", "Three-phase kA", "Phase to earth kA", "Withstood kA")
    return Section("Short circuit", (lead, Table(columns, rows, 3)))
