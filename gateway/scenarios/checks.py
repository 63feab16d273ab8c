"""What has to be true in a scenario: each check finds what is, and says where it differs from what is wanted."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from gateway import record
from gateway.coordination import wire
from gateway.coordination.events import Planned
from gateway.coordination.market_messages import BidAggregate
from gateway.coordination.messages import LimitIssue, Message
from gateway.coordination.operation_messages import Instruction
from gateway.scenarios import books, script
from gateway.scenarios.acts import Acts
from gateway.scenarios.looks import Found, Looks, number, text
from gateway.scenarios.overheard import Overheard
from gateway.scenarios.stage import MW, Stage
from gateway.scenarios.times import absolute
from gateway.scenarios.wanted import MessageCheck
from protocols.points import Phase, Point, Quantity

_PHASES = frozenset(phase.value for phase in Phase) - {Phase.TOTAL.value}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that was looked at."""

    at_s: float
    """From T."""
    what: str
    wanted: str
    found: str
    holds: bool


class Checks:
    """Looks at a stage; times of the script count from `start_s`."""

    def __init__(self, stage: Stage, acts: Acts, overheard: Overheard, start_s: float) -> None:
        self._stage, self._acts, self._start_s = stage, acts, start_s
        self._looks = Looks(stage, overheard, start_s)

    def look(self, check: script.Check) -> list[Verdict]:
        """Everything that a check names, now."""
        self._stage.world.advance(self._stage.now())
        looks: tuple[Callable[[script.Check], Found], ...] = (
            self._limits,
            self._field,
            self._network,
            self._messages,
            self._market,
            self._alarms,
            self._looks.look,
            self._settlement,
        )
        found = (one for look in looks for one in look(check))
        return [Verdict(check.at_s, what, wanted, told, bool(holds)) for what, wanted, told, holds in found]

    # --- limits and devices

    def _limits(self, check: script.Check) -> Found:
        book, now_s = self._stage.loop.book, self._stage.now()
        if check.no_limit is not None:
            held = book.limit_at(check.no_limit, now_s)
            told = "none" if held is None else f"{held.limit.ceiling_w / MW:.3f} MW"
            yield f"limit of {check.no_limit}", "none", told, held is None
        wanted = check.limit
        if wanted is None:
            return
        held = book.limit_at(wanted.resource, now_s)
        limit = None if held is None else held.limit
        yield from self._limit_sides(wanted, limit)

    def _limit_sides(self, wanted: script.Limit, limit: LimitIssue | None) -> Found:
        name = f"limit of {wanted.resource}"
        sides = (
            ("at most", wanted.max_mw, None if limit is None else limit.ceiling_w),
            ("at least", wanted.min_mw, None if limit is None else limit.floor_w),
        )
        for word, side_mw, side_w in sides:
            if side_mw is not None:
                found_mw = None if side_w is None else side_w / MW
                yield number(f"{name}, {word}", side_mw, found_mw, wanted.tolerance_mw, "MW")
        for word, wanted_word, found in (
            ("reason", wanted.reason, "" if limit is None else limit.reason),
            ("constraint", wanted.constraint, "" if limit is None else limit.constraint_id),
        ):
            if wanted_word is not None:
                yield text(f"{name}, {word}", wanted_word, found or "none")

    def _field(self, check: script.Check) -> Found:
        stage = self._stage
        for name, wanted in check.power_mw.items():
            yield number(f"power of {name}", wanted, stage.world.devices[name].power_w / MW, check.tolerance_mw, "MW")
        for name, ceiling in check.ceiling_mw.items():
            found = stage.ceiling_mw(name)
            if ceiling is None:
                yield f"limit at {name}", "none", "none" if found is None else f"{found:.3f} MW", found is None
            else:
                yield number(f"limit at {name}", ceiling, found, check.tolerance_mw, "MW")
        for name, state in check.link.items():
            yield text(f"link of {name}", state, stage.loop.ground.image.link(name))
        for name, outcome in check.outcome.items():
            held = stage.loop.book.controls.get(name)
            told = "none" if held is None or held.outcome is None else held.outcome
            yield text(f"control of {name}", outcome, told)
        for name, percent in check.state_of_charge_pct.items():
            charge = stage.world.devices[name].state_of_charge_pu
            found_pct = None if charge is None else 100 * charge
            yield number(f"state of charge of {name}", percent, found_pct, check.tolerance_pct, "%")

    def _network(self, check: script.Check) -> Found:
        stage = self._stage
        for name, loading in check.loading_pct.items():
            yield number(f"loading of {name}", loading, stage.loading_pct(name), check.tolerance_pct, "%")
        for name, current in check.current_a.items():
            found_a = stage.world.truth(_point(name, Quantity.CURRENT_A))
            yield number(f"current of {name}", current, found_a, check.tolerance_a, "A")
        for name, voltage in check.voltage_pu.items():
            found_pu = stage.world.truth(_point(name, Quantity.VOLTAGE_PU))
            yield number(f"voltage at {name}", voltage, found_pu, check.tolerance_pu, "pu")
        for name, position in check.taps.items():
            found = stage.world.truth(Point(name, Quantity.TAP_POSITION))
            yield number(f"tap of {name}", position, found, 0.0, "")
        for name, closed in check.switches.items():
            is_closed = stage.world.truth(Point(name, Quantity.SWITCH_CLOSED)) >= 0.5
            words = {True: "closed", False: "open"}
            yield f"switch {name}", words[closed], words[is_closed], closed == is_closed
        if check.losses_mw is not None:
            yield number("losses", check.losses_mw, self._losses_mw(), check.tolerance_mw, "MW")
        if check.operations is not None:
            operated = self.operations()
            yield (
                "operations",
                " ".join(check.operations) or "none",
                " ".join(operated) or "none",
                (operated == check.operations),
            )

    def _losses_mw(self) -> float:
        """Everything that is injected less everything that is drawn."""
        world = self._stage.world
        points = world.points()
        bought_w = sum(w or 0.0 for name, w in points.items() if name in self._sources())
        drawn_w = -sum(w or 0.0 for name, w in points.items() if name in self._loads())
        return (bought_w + sum(d.power_w for d in world.devices.values()) - drawn_w) / MW

    def _sources(self) -> frozenset[str]:
        return frozenset(f"{name}.{Quantity.ACTIVE_POWER_W.value}" for name in self._stage.world.plant.sources())

    def _loads(self) -> frozenset[str]:
        return frozenset(f"{name}.{Quantity.ACTIVE_POWER_W.value}" for name in self._stage.world.plant.loads())

    def operations(self) -> tuple[str, ...]:
        """Devices of the network that were operated, in their order."""
        events = record.events(self._stage.journal.replay())
        return tuple(o.device for event in events if isinstance(event, Planned) for o in event.operations)

    # --- messages and market

    def _messages(self, check: script.Check) -> Found:
        for wanted in (*check.messages, *([] if check.message is None else [check.message])):
            yield from self._message(wanted)
        for unwanted in (*check.no_messages, *([] if check.no_message is None else [check.no_message])):
            found = self._matching(unwanted)
            yield f"no {_called(unwanted)}", "0", str(len(found)), not found
        if check.refused is not None:
            reasons = [*(why for _, why in self._stage.refused), *self._acts.refused]
            told = [why for why in reasons if check.refused in why]
            yield "refused", check.refused, told[-1] if told else (reasons[-1] if reasons else "nothing"), bool(told)

    def _message(self, wanted: MessageCheck) -> Found:
        found = self._matching(wanted)
        name, count = _called(wanted), wanted.count
        enough = len(found) >= 1 if count is None else len(found) == count
        yield name, "at least 1" if count is None else str(count), str(len(found)), enough
        if not found:
            return
        if wanted.by_s is not None:
            first_s = min(self._first_seen_s(message) for message in found)
            yield f"{name}, first at", f"by {wanted.by_s:g} s", f"{first_s:.1f} s", first_s <= wanted.by_s
        document: Any = wire.to_json(found[-1])["body"]
        for field, told in wanted.fields.items():
            there, value = _field_of(document, field, wanted.code), absolute(told, self._start_s)
            if isinstance(value, int | float) and not isinstance(value, bool) and isinstance(there, int | float):
                yield number(f"{name}, {field}", value, there, wanted.tolerance, "")
            else:
                yield f"{name}, {field}", str(value), str(there), value == there

    def _matching(self, wanted: MessageCheck) -> list[Message]:
        found = self._stage.messages(wanted.code, wanted.sender, wanted.recipient)
        after_s = -inf if wanted.after_s is None else wanted.after_s
        return [m for m in found if wanted.resource in (None, m.resource) and self._first_seen_s(m) >= after_s]

    def _first_seen_s(self, message: Message) -> float:
        log = self._stage.parties.log
        return min(e.at_s for e in log if e.message.header.msg_id == message.header.msg_id) - self._start_s

    def _market(self, check: script.Check) -> Found:
        trade, stage = self._stage.loop.book.trade, self._stage
        told = {m.body.resource: m.body for m in stage.messages("INSTR.Issue") if isinstance(m.body, Instruction)}
        for name, power_mw in check.instruction_mw.items():
            body = told.get(name)
            found_mw = None if body is None else body.power_w / MW
            yield number(f"instruction of {name}", power_mw, found_mw, check.tolerance_mw, "MW")
        if check.curve is not None:
            yield from self._curve(check)
        if check.cost_per_h is not None:
            shared = list(stage.loop.book.shared.values())
            cost = shared[-1].cost_per_h if shared else None
            yield number("cost per hour", check.cost_per_h, cost, check.tolerance_money, "$")
        for name, state in check.order_state.items():
            instance = trade.instances.get(name)
            yield text(
                f"order {name}",
                state,
                f"unknown; known are {_known(trade.instances)}" if instance is None else instance.state,
            )
        for name, state in check.offer_state.items():
            offer = trade.offers.get(name)
            yield text(
                f"offer {name}", state, f"unknown; known are {_known(trade.offers)}" if offer is None else offer.state
            )
        for asset, need_mw in check.need_mw.items():
            needs = [r.need for r in trade.needs.values() if r.need.constraint_id == asset]
            found_mw = needs[-1].required_w / MW if needs else None
            yield number(f"need at {asset}", need_mw, found_mw, check.tolerance_mw, "MW")

    def _curve(self, check: script.Check) -> Found:
        bids = [m.body for m in self._stage.messages("BID.Aggregate") if isinstance(m.body, BidAggregate)]
        blocks = [(b.power_w / MW, b.price_per_mwh) for b in bids[-1].blocks] if bids else []
        wanted = list(check.curve or ())
        same = len(blocks) == len(wanted) and all(
            abs(p - q) <= check.tolerance_mw and abs(a - b) <= check.tolerance_money
            for (p, a), (q, b) in zip(blocks, wanted, strict=True)
        )
        yield "aggregated offer", _curve(wanted), _curve(blocks), same

    def _alarms(self, check: script.Check) -> Found:
        raised = sorted({code for code, _ in self._stage.loop.book.alarms})
        if check.alarm is not None:
            yield "alarm", check.alarm, ", ".join(raised) or "none", check.alarm in raised
        if check.no_alarm is not None:
            yield f"no alarm {check.no_alarm}", "none", ", ".join(raised) or "none", check.no_alarm not in raised

    def _settlement(self, check: script.Check) -> Found:
        accounts = self._stage.loop.book.accounts
        if check.settlement is not None:
            yield from books.settlement(accounts, check.settlement)
        if check.statement is not None:
            yield from books.statement(accounts, check.statement)


def _point(name: str, quantity: Quantity) -> Point:
    """`B2`, or `B2.a` for one phase of it."""
    element, dot, phase = name.rpartition(".")
    return Point(element, quantity, Phase(phase)) if dot and phase in _PHASES else Point(name, quantity)


def _field_of(document: Any, field: str, code: str) -> Any:  # noqa: ANN401 - JSON
    there = document
    for part in field.split("."):
        if not isinstance(there, Mapping) or part not in there:
            known = ", ".join(there) if isinstance(there, Mapping) else "nothing below it"
            raise ValueError(f"{code} has no field {field}; use one of: {known}")
        there = there[part]
    return there


def _known(ids: Iterable[str]) -> str:
    return ", ".join(list(ids)[-8:]) or "none"


def _called(wanted: MessageCheck) -> str:
    ends = f" {wanted.sender or '*'} → {wanted.recipient or '*'}" if wanted.sender or wanted.recipient else ""
    return f"{wanted.code}{ends}" + (f" of {wanted.resource}" if wanted.resource else "")


def _curve(blocks: list[tuple[float, float]]) -> str:
    return " ".join(f"({power_mw:.2f}, {price:g})" for power_mw, price in blocks) or "none"
