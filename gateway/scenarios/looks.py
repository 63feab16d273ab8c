"""What a check can look at beyond powers, flows and messages: studies, envelopes, needs, choices, prices, the log."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.coordination.book import Book
from gateway.coordination.events import Decided, Dispatched
from gateway.coordination.fairness import jain
from gateway.coordination.portions import BALANCE
from gateway.coordination.trade_records import NeedRecord, Source
from gateway.scenarios import script, wanted
from gateway.scenarios.overheard import Overheard
from gateway.scenarios.stage import MW, Stage
from grid_engine.results import Violation

Found = Iterator[tuple[str, str, str, bool]]
"""What was looked at, what was wanted, what was found, and whether that will do."""


def number(
    what: str, wanted_value: float, found: float | None, tolerance: float, unit: str
) -> tuple[str, str, str, bool]:
    """One number against another."""
    words = f"{wanted_value:g} {unit}".rstrip()
    if found is None:
        return what, words, "none", False
    return what, words, f"{found:.4g} {unit}".rstrip(), abs(found - wanted_value) <= tolerance + 1e-9


def text(what: str, wanted_value: object, found: object) -> tuple[str, str, str, bool]:
    """One word against another."""
    return what, str(wanted_value), str(found), str(wanted_value) == str(found)


class Looks:
    """Looks at a stage; times of the script count from `start_s`."""

    def __init__(self, stage: Stage, overheard: Overheard, start_s: float) -> None:
        self._stage, self._overheard, self._start_s = stage, overheard, start_s

    def look(self, check: script.Check) -> Found:
        """Everything of a check that is about studies, the market's choices or the log."""
        yield from self._envelopes(check)
        yield from self._study(check)
        yield from self._needs(check)
        yield from self._choices(check)
        yield from self._log(check)

    @property
    def _book(self) -> Book:
        return self._stage.loop.book

    @property
    def _newest(self) -> Decided:
        decided = self._book.last_answer
        if decided is None:
            raise LookupError("no study has been answered yet; look later")
        return decided

    # --- envelopes and the newest study

    def _envelopes(self, check: script.Check) -> Found:
        at_s = self._stage.now() if check.envelope_of_s is None else self._start_s + check.envelope_of_s
        for name, sides in check.envelope_mw.items():
            resource, record = self._stage.loop.ground.zone.resources[name], self._book.limit_at(name, at_s)
            box = (resource.floor_w, resource.ceiling_w)
            if record is not None:
                box = (max(box[0], record.limit.floor_w), min(box[1], record.limit.ceiling_w))
            for word, side, found in zip(("at least", "at most"), sides, box, strict=True):
                if side is not None:
                    yield number(f"envelope of {name}, {word}", side, found / MW, check.tolerance_mw, "MW")

    def _study(self, check: script.Check) -> Found:
        for name, power_mw in check.assumed_mw.items():
            yield number(f"assumed power of {name}", power_mw, self._stage.assumed_mw(name), check.tolerance_mw, "MW")
        for name, steps in check.schedule_mw.items():
            asked = next(p.requested_w for p in self._newest.study.participants if p.resource == name)
            found = [w / MW for w in asked[: len(steps)]]
            same = len(found) == len(steps) and all(
                abs(a - b) <= check.tolerance_mw + 1e-9 for a, b in zip(found, steps, strict=True)
            )
            yield f"schedule of {name}", _row(steps), _row(found), same
        if check.violation is not None:
            yield from self._violation(check.violation)
        if check.no_violation is not None:
            broken = [v for v in self._broken() if v.asset_id == check.no_violation]
            yield f"violation of {check.no_violation}", "none", _violations(broken), not broken
        if check.jain is not None:
            decided = self._newest
            yield number("fairness", check.jain, jain(decided.study, decided.answer), check.tolerance_index, "")

    def _broken(self) -> list[Violation]:
        answer = self._newest.answer
        return [v for v in (*answer.violations, *answer.alarms) if v.interval == 0]

    def _violation(self, sought: wanted.ViolationCheck) -> Found:
        found = [
            v
            for v in self._broken()
            if v.asset_id == sought.asset and sought.reason in (None, v.reason) and sought.case in (None, v.case)
        ]
        name = " ".join(word for word in ("violation of", sought.asset, sought.reason, sought.case) if word)
        yield name, "found", _violations(found) if found else f"only {_violations(self._broken())}", bool(found)
        if not found:
            return
        worst = max(found, key=lambda v: abs(v.value - v.limit) / abs(v.limit or 1.0))
        if sought.loading_pct is not None:
            yield number(f"{name}, loading", sought.loading_pct, worst.loading_pct, sought.tolerance_pct, "%")
        if sought.value is not None:
            yield number(f"{name}, value", sought.value, worst.value, sought.tolerance, worst.unit)

    # --- needs, choices and prices

    def _posted(self, asset: str) -> list[NeedRecord]:
        return [r for r in self._book.trade.needs.values() if r.need.constraint_id == asset]

    def _needs(self, check: script.Check) -> Found:
        if check.no_need is not None:
            posted = self._posted(check.no_need)
            yield f"need at {check.no_need}", "none", str(len(posted)) if posted else "none", not posted
        sought = check.need
        if sought is None:
            return
        posted, name = self._posted(sought.asset), f"need at {sought.asset}"
        others = {r.need.constraint_id for r in self._book.trade.needs.values()}
        yield name, "posted", "posted" if posted else f"only at {', '.join(sorted(others)) or 'nothing'}", bool(posted)
        if not posted:
            return
        record, required_mw = posted[-1], posted[-1].need.required_w / MW
        if sought.kind is not None:
            yield text(f"{name}, kind", sought.kind.value, record.need.kind.value)
        if sought.state is not None:
            yield text(f"{name}, state", sought.state.value, record.state.value)
        if sought.required_mw is not None:
            yield number(f"{name}, required", sought.required_mw, required_mw, sought.tolerance_mw, "MW")
        factors = self._book.trade.effects.get(record.need.need_id, {})
        for resource, alone_mw in sought.alone_mw.items():
            factor = factors.get(resource, 0.0)
            found = required_mw / factor if factor > 0 else None
            yield number(f"{name}, {resource} alone", alone_mw, found, sought.tolerance_mw, "MW")

    def _choices(self, check: script.Check) -> Found:
        if check.selection is not None:
            yield from self._selection(check.selection)
        shared = list(self._book.shared.values())
        prices = {p.resource: p for one in shared for p in one.prices if p.interval == 0}
        for name, price in check.price.items():
            found = prices[name].price_per_mwh if name in prices else None
            yield number(f"price at {name}", price, found, check.tolerance_money, "$/MWh")
        for name, price in check.congestion.items():
            found = prices[name].congestion_per_mwh if name in prices else None
            yield number(f"congestion at {name}", price, found, check.tolerance_money, "$/MWh")

    def _selection(self, sought: wanted.SelectionCheck) -> Found:
        name = "selection" if sought.asset is None else f"selection for {sought.asset}"
        chosen = self._chosen(sought.asset)
        yield name, "made", "made" if chosen is not None else "none", chosen is not None
        if chosen is None:
            return
        orders = [
            i
            for i in self._book.trade.instances.values()
            if i.source is Source.ORDER and i.need_id in (chosen.ref, f"{chosen.ref}{BALANCE}")
        ]
        if sought.offers is not None:
            yield text(f"{name}, offers", " ".join(sorted(sought.offers)), " ".join(sorted(i.offer_id for i in orders)))
        if sought.count is not None:
            yield text(f"{name}, count", sought.count, len(orders))
        numbers: tuple[tuple[str, float | None, float | None, float, str], ...] = (
            ("delivered", sought.delivered_mw, chosen.delivered_w / MW, sought.tolerance_mw, "MW"),
            ("short", sought.short_mw, chosen.shortfall_w / MW, sought.tolerance_mw, "MW"),
            ("cost", sought.cost_per_h, chosen.cost_per_h, sought.tolerance_money, "$/h"),
            ("certainty", sought.certainty_pct, _percent(chosen.certainty), sought.tolerance_pct, "%"),
        )
        for word, value, found, tolerance, unit in numbers:
            if value is not None:
                yield number(f"{name}, {word}", value, found, tolerance, unit)

    def _chosen(self, asset: str | None) -> Dispatched | None:
        refs = (
            None
            if asset is None
            else {r.need.need_id for r in self._posted(asset)}
            | {r.need.need_id.removesuffix(BALANCE) for r in self._posted(asset)}
        )
        found = [one for one in self._book.shared.values() if refs is None or one.ref in refs]
        return max(found, key=lambda one: one.at_s, default=None)

    # --- the log

    def _log(self, check: script.Check) -> Found:
        if check.coverage_pct is not None:
            points = frozenset(p for s in self._stage.world.stations.values() for p in s.spec.points)
            found = self._stage.loop.ground.image.freeze(self._stage.now()).coverage_pct(points)
            yield number("coverage", check.coverage_pct, found, check.tolerance_pct, "%")
        if check.no_event is not None:
            lines = self._overheard.named(check.no_event)
            yield f"log event {check.no_event}", "none", str(len(lines)) if lines else "none", not lines
        sought = check.event
        if sought is None:
            return
        lines = self._overheard.named(sought.name)
        fitting = [line for line in lines if _fits(line, sought.fields, sought.tolerance)]
        enough = bool(fitting) if sought.count is None else len(fitting) == sought.count
        words = " ".join(f"{key}={value}" for key, value in sought.fields.items())
        name = f"log event {sought.name} {words}".rstrip()
        told = str(len(fitting)) if fitting or not lines else f"0 of {len(lines)}; the last: {_fields(lines[-1])}"
        yield name, "at least 1" if sought.count is None else str(sought.count), told, enough


def _fits(line: Mapping[str, Any], fields: Mapping[str, Any], tolerance: float) -> bool:
    return all(_same(line.get(key), value, tolerance) for key, value in fields.items())


def _same(found: object, value: object, tolerance: float) -> bool:
    if isinstance(found, int | float) and isinstance(value, int | float) and not isinstance(value, bool):
        return abs(found - value) <= tolerance + 1e-9
    return found == value


def _fields(line: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in line.items() if key not in ("event", "zone", "model"))


def _percent(part: float | None) -> float | None:
    return None if part is None else 100.0 * part


def _row(steps: object) -> str:
    return " ".join(f"{step:.2f}" for step in steps) if isinstance(steps, list | tuple) else str(steps)


def _violations(found: list[Violation]) -> str:
    told = (f"{v.asset_id} {v.reason.value} {v.case} {v.value:.4g} {v.unit} of {v.limit:.4g}" for v in found[:4])
    return "; ".join(told) or "none"
