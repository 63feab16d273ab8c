"""A simulated DER/A agent: it owns the set points of its devices and answers dispatches, limits and orders; no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.coordination import wire
from gateway.coordination.market_messages import (
    Block,
    MarketSide,
    NeedPost,
    OfferSubmit,
    OrderCommit,
    OrderDecline,
    OrderIssue,
    OrderReceipt,
    OrderRevoke,
    ScheduleDayAhead,
    SchedulePoint,
    SchedulePreDispatch,
)
from gateway.coordination.messages import (
    AckCommit,
    AckReceipt,
    AckStatus,
    Body,
    CapabilityNotice,
    Dispatch,
    LimitAck,
    LimitClear,
    LimitIssue,
    Message,
    OutageNotice,
)
from gateway.coordination.operation_messages import DispatchRelay, Instruction
from gateway.coordination.payload import sha256_of
from gateway.testbed.mailbox import Identity, Mailbox
from protocols.signals import Bounds

SAME_W = 1.0
"""Two powers closer than this are the same."""
DISTRIBUTION_LIMIT = "DISTRIBUTION_LIMIT"
ENERGY = "ENERGY"


class Owned(Protocol):
    """The agent's own channel to one device."""

    @property
    def power_w(self) -> float:
        """Where it stands."""

    @property
    def available_w(self) -> float:
        """What it could inject now."""

    @property
    def target_w(self) -> float | None:
        """The set point now; `None` where the device is left to itself."""

    @property
    def usable_wh(self) -> float | None:
        """What it can still inject out of a store; `None` where energy does not limit it."""

    def set_target(self, power_w: float | None, now_s: float, by_s: float | None = None) -> None:
        """Ramp in a straight line to `power_w` until `by_s`."""

    def set_available(self, available_w: float, now_s: float) -> None:
        """Change what it could inject."""


@dataclass(slots=True)
class Habits:
    """How an agent behaves towards those who ask something of it."""

    silent: bool = False
    """It answers nothing at all."""
    commits: bool = True
    """Else it confirms receipt, and never says what it will do."""
    declines: bool = False
    """It refuses orders and instructions."""
    offers: dict[str, tuple[Block, ...]] = field(default_factory=dict)
    """What it offers, by resource, where somebody posts a need that it can help with."""


class _Resource:
    """What the agent knows about one of its devices."""

    def __init__(self, device: Owned) -> None:
        self.device = device
        self.dispatch: Dispatch | None = None
        self.committed_w: float | None = None
        """What the system operator was last told about `dispatch`."""
        self.limits: dict[float, LimitIssue] = {}
        """Newest limit by its start."""
        self.orders: dict[str, OrderIssue] = {}
        self.back: tuple[float, float, float] | None = None
        """When an outage ends, what it has left, and what is available afterwards."""

    def returned(self, now_s: float) -> None:
        """Let an outage that is over end, unless something else has changed what is available since."""
        if self.back is None or now_s < self.back[0]:
            return
        _, left_w, before_w = self.back
        self.back = None
        if not _differ(self.device.available_w, left_w):
            self.device.set_available(before_w, now_s)

    def owed_w(self, time_s: float) -> float | None:
        """What an order asks of it at a time; nothing where none is in force."""
        held = [order.power_w for order in self.orders.values() if order.start_s <= time_s < order.end_s]
        return max(held, default=None)

    def limit(self, time_s: float) -> LimitIssue | None:
        """The limit that holds at a time: the latest start among those not expired."""
        valid = [limit for limit in self.limits.values() if limit.start_s <= time_s < limit.expires_s]
        return max(valid, key=lambda limit: (limit.start_s, limit.version), default=None)

    def intended_w(self, time_s: float) -> float:
        """Where it would go without a limit."""
        owed_w = self.owed_w(time_s)
        if owed_w is not None:
            return owed_w
        if self.dispatch is not None and self.dispatch.start_s <= time_s < self.dispatch.end_s:
            return self.dispatch.power_w
        return self.device.available_w if self.device.target_w is None else self.device.target_w


class DerAgent:
    """Acts for its resources toward the system operator and the DSO."""

    def __init__(
        self, identity: Identity, devices: Mapping[str, Owned], system_operator: str, commit_after_s: float = 50.0
    ) -> None:
        """`commit_after_s`: how long after a dispatch's start it waits for a limit before it commits in full."""
        self._mail = Mailbox(identity)
        self._resources = {name: _Resource(device) for name, device in devices.items()}
        self._system_operator = system_operator
        self._commit_after_s = commit_after_s
        self.habits = Habits()

    @property
    def party(self) -> str:
        """Own party id."""
        return self._mail.identity.party

    @property
    def resources(self) -> tuple[str, ...]:
        """Its devices that it can tell what to do."""
        return tuple(self._resources)

    def due(self, now_s: float) -> list[Message]:
        """Commitments to dispatches that no limit has touched; outages that are over end."""
        for resource in self._resources.values():
            resource.returned(now_s)
        waiting = [r for r in self._resources.values() if r.dispatch is not None and r.committed_w is None]
        return [
            message
            for resource in waiting
            if resource.dispatch is not None and now_s >= resource.dispatch.start_s + self._commit_after_s
            for message in self._commit(resource, now_s)
        ]

    def handle(self, message: Message, now_s: float) -> list[Message]:
        """Answer one message; a repeat gets the same answers and changes nothing."""
        answers = self._mail.answered(message)
        if answers is not None:
            return answers
        answers = [] if self.habits.silent else self._answer(message, now_s)
        self._mail.remember(message, answers)
        return answers

    def outage(
        self, resource: str, available_w: float, start_s: float, end_s: float, now_s: float, *, planned: bool = False
    ) -> list[Message]:
        """Lose power on one resource from now to the end and tell whom the model names.

        Raises:
            ValueError: the resource is not this agent's.
        """
        if resource not in self._resources:
            raise ValueError(f"{self.party} does not own {resource!r}")
        lost = self._resources[resource]
        before_w = lost.device.available_w if lost.back is None else lost.back[2]
        lost.back = (end_s, available_w, before_w)
        lost.device.set_available(available_w, now_s)
        outage_id = f"{self.party}-{resource}-{round(start_s)}"
        notice = OutageNotice(outage_id, resource, available_w, start_s, end_s, planned)
        return [self._mail.write(to, outage_id, notice, now_s) for to in self._audience()]

    def _answer(self, message: Message, now_s: float) -> list[Message]:
        body = message.body
        if isinstance(body, NeedPost):
            return self._offered(body, now_s)
        resource = self._resources.get(getattr(body, "resource", ""))
        if resource is None:
            return []
        match body:
            case Dispatch():
                found = self._dispatched(resource, body, message.header.sender, now_s)
            case DispatchRelay():
                found = self._relayed(resource, body, message.header.sender, now_s)
            case ScheduleDayAhead() | SchedulePreDispatch():
                found = self._scheduled(resource, body, now_s)
            case LimitIssue():
                found = self._limited(resource, body, now_s)
            case LimitClear():
                found = self._cleared(resource, body, now_s)
            case Instruction():
                found = self._instructed(resource, body, now_s)
            case OrderIssue() | OrderRevoke():
                found = self._ordered(resource, body, now_s)
            case _:
                found = []
        return found

    def _scheduled(
        self, resource: _Resource, schedule: ScheduleDayAhead | SchedulePreDispatch, now_s: float
    ) -> list[Message]:
        """What the store cannot keep up is told, interval by interval; equal ones that follow each other together."""
        left_wh = resource.device.usable_wh
        if left_wh is None or not self._mail.identity.dual:
            return []
        short: list[SchedulePoint] = []
        for point in sorted(schedule.points, key=lambda one: one.start_s):
            hours = (point.end_s - point.start_s) / 3600
            power_w = min(max(point.power_w, 0.0), left_wh / hours)
            left_wh -= power_w * hours
            if not _differ(power_w, max(point.power_w, 0.0)):
                continue
            if short and short[-1].end_s == point.start_s and not _differ(short[-1].power_w, power_w):
                short[-1] = SchedulePoint(short[-1].start_s, point.end_s, power_w)
            else:
                short.append(SchedulePoint(point.start_s, point.end_s, power_w))
        ref = schedule.schedule_id
        notices = [CapabilityNotice(schedule.resource, p.power_w, p.start_s, p.end_s, ENERGY, ref) for p in short]
        return [self._mail.write(to, ref, notice, now_s) for notice in notices for to in self._audience()]

    def _relayed(self, resource: _Resource, relay: DispatchRelay, sender: str, now_s: float) -> list[Message]:
        """The system operator's own words, if nobody has touched them."""
        if sha256_of(relay.payload_raw) != relay.payload_sha256:
            return []
        body = wire.decode(relay.payload_raw.encode()).body
        return self._dispatched(resource, body, sender, now_s) if isinstance(body, Dispatch) else []

    def _instructed(self, resource: _Resource, told: Instruction, now_s: float) -> list[Message]:
        dso, ref = self._mail.identity.dso, told.instruction_id
        receipt = AckReceipt(ref, told.version, told.resource)
        answers = [self._mail.write(dso, ref, receipt, now_s)]
        if not self.habits.commits:
            return answers
        power_w = min(told.power_w, resource.device.available_w)
        status = AckStatus.PARTIAL if _differ(power_w, told.power_w) else AckStatus.ACCEPT
        status = AckStatus.DECLINE if self.habits.declines else status
        if status is not AckStatus.DECLINE:
            resource.device.set_target(told.power_w, now_s, told.end_s)
        commit = AckCommit(ref, told.version, told.resource, status, power_w)
        return [*answers, self._mail.write(dso, ref, commit, now_s)]

    def _ordered(self, resource: _Resource, order: OrderIssue | OrderRevoke, now_s: float) -> list[Message]:
        dso, ref = self._mail.identity.dso, order.order_id
        if isinstance(order, OrderRevoke):
            resource.orders.pop(ref, None)
            return []
        answers = [self._mail.write(dso, ref, OrderReceipt(ref, order.version, order.resource), now_s)]
        if not self.habits.commits:
            return answers
        if self.habits.declines:
            return [*answers, self._mail.write(dso, ref, OrderDecline(ref, order.version, order.resource), now_s)]
        resource.orders[ref] = order
        commit = OrderCommit(ref, order.version, order.resource, min(order.power_w, resource.device.available_w))
        return [*answers, self._mail.write(dso, ref, commit, now_s)]

    def _offered(self, need: NeedPost, now_s: float) -> list[Message]:
        """An offer for every resource that can help and that it has a price for."""
        found = []
        for effect in need.effects:
            blocks = self.habits.offers.get(effect.resource)
            if blocks is None or effect.resource not in self._resources:
                continue
            offer = self.offer(effect.resource, blocks, need.start_s, need.end_s, need_id=need.need_id, now_s=now_s)
            found.append(offer)
        return found

    def say(self, corr_id: str, body: Body, now_s: float) -> Message:
        """Tell the DSO anything, right or wrong."""
        return self._mail.write(self._mail.identity.dso, corr_id, body, now_s)

    def offer(
        self,
        resource: str,
        blocks: tuple[Block, ...],
        start_s: float,
        end_s: float,
        *,
        now_s: float,
        market: MarketSide = MarketSide.DISTRIBUTION,
        need_id: str = "",
        standby: bool = False,
        offer_id: str = "",
        version: int = 1,
        to: str = "",
    ) -> Message:
        """An offer, to the DSO unless `to` names somebody else."""
        offer_id = offer_id or f"{self.party}-{resource}-{need_id or round(start_s)}"
        body = OfferSubmit(offer_id, version, resource, market, start_s, end_s, blocks, end_s, need_id, standby=standby)
        return self._mail.write(to or self._mail.identity.dso, offer_id, body, now_s)

    def _dispatched(self, resource: _Resource, dispatch: Dispatch, sender: str, now_s: float) -> list[Message]:
        receipt = AckReceipt(dispatch.dispatch_id, dispatch.version, dispatch.resource)
        answers = [self._mail.write(sender, dispatch.dispatch_id, receipt, now_s)]
        held = resource.dispatch
        if held is not None and (held.start_s, held.version) >= (dispatch.start_s, dispatch.version):
            return answers
        resource.dispatch, resource.committed_w = dispatch, None
        resource.device.set_target(dispatch.power_w, now_s, dispatch.end_s)
        limit = resource.limit(dispatch.start_s)
        if limit is not None and _differ(_within(limit, dispatch.power_w), dispatch.power_w):
            answers += self._capability(resource, limit, dispatch.start_s, dispatch.end_s, now_s)
            answers += self._commit(resource, now_s)
        return answers

    def _limited(self, resource: _Resource, limit: LimitIssue, now_s: float) -> list[Message]:
        held = resource.limits.get(limit.start_s)
        if held is not None and held.version > limit.version:
            return []
        resource.limits = {start: kept for start, kept in resource.limits.items() if kept.expires_s > now_s}
        resource.limits[limit.start_s] = limit
        at_s = max(now_s, limit.start_s)
        available_w = resource.device.available_w
        asked_w = _within(limit, min(resource.intended_w(at_s), available_w))
        power_w = min(asked_w, available_w)
        status = AckStatus.PARTIAL if _differ(power_w, asked_w) else AckStatus.ACCEPT
        commit = LimitAck(limit.limit_id, limit.version, limit.resource, status, power_w)
        answers = [self._mail.write(self._mail.identity.dso, limit.limit_id, commit, now_s)]
        answers += self._capability(resource, limit, limit.start_s, limit.end_s, now_s)
        if resource.dispatch is not None and _differ(self._committable(resource, now_s), resource.dispatch.power_w):
            answers += self._commit(resource, now_s)
        return answers

    def _cleared(self, resource: _Resource, clear: LimitClear, now_s: float) -> list[Message]:
        held = [limit for limit in resource.limits.values() if limit.limit_id == clear.limit_id]
        if not held or held[0].version > clear.version:
            return []
        # With it goes what it had taken over from.
        resource.limits = {start: kept for start, kept in resource.limits.items() if start > held[0].start_s}
        if not self._mail.identity.dual or held[0].end_s <= now_s:
            return []
        notice = CapabilityNotice(
            clear.resource, resource.device.available_w, now_s, held[0].end_s, DISTRIBUTION_LIMIT, clear.limit_id
        )
        return [self._mail.write(to, clear.limit_id, notice, now_s) for to in self._audience()]

    def _capability(
        self, resource: _Resource, limit: LimitIssue, start_s: float, end_s: float, now_s: float
    ) -> list[Message]:
        """In dual participation the resource itself tells the system operator, with a copy to the DSO."""
        if not self._mail.identity.dual:
            return []
        power_w = min(limit.ceiling_w, resource.device.available_w)
        notice = CapabilityNotice(
            limit.resource, power_w, start_s, end_s, DISTRIBUTION_LIMIT, limit.limit_id, limit.floor_w
        )
        return [self._mail.write(to, limit.limit_id, notice, now_s) for to in self._audience()]

    def _committable(self, resource: _Resource, now_s: float) -> float:
        """What the resource can promise for its dispatch."""
        dispatch = resource.dispatch
        if dispatch is None:
            return resource.device.power_w
        owed_w = resource.owed_w(min(max(now_s, dispatch.start_s), dispatch.end_s - 1.0))
        wanted_w = dispatch.power_w if owed_w is None else owed_w
        power_w = min(wanted_w, resource.device.available_w)
        limit = resource.limit(min(max(now_s, dispatch.start_s), dispatch.end_s))
        return power_w if limit is None else _within(limit, power_w)

    def _commit(self, resource: _Resource, now_s: float) -> list[Message]:
        """Tell whoever dispatched what to expect, once per promise."""
        dispatch, power_w = resource.dispatch, self._committable(resource, now_s)
        if dispatch is None or now_s >= dispatch.end_s:
            return []
        if resource.committed_w is not None and not _differ(resource.committed_w, power_w):
            return []
        resource.committed_w = power_w
        status = AckStatus.PARTIAL if _differ(power_w, dispatch.power_w) else AckStatus.ACCEPT
        commit = AckCommit(dispatch.dispatch_id, dispatch.version, dispatch.resource, status, power_w)
        return [self._mail.write(self._audience()[0], dispatch.dispatch_id, commit, now_s)]

    def _audience(self) -> tuple[str, ...]:
        """Who hears of what the resource can do, the one that dispatches it first."""
        identity = self._mail.identity
        return (self._system_operator, identity.dso) if identity.dual else (identity.dso,)


def _within(limit: LimitIssue, power_w: float) -> float:
    return Bounds(limit.floor_w, limit.ceiling_w).clamp(power_w)


def _differ(one_w: float, other_w: float) -> bool:
    return abs(one_w - other_w) > SAME_W
