"""The question a cycle puts to the engine: where each resource stands and where it wants to go."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.coordination import forecasts, host
from gateway.coordination.market_messages import MarketSide
from gateway.coordination.precedence import target
from gateway.coordination.situation import Situation
from gateway.coordination.stored import sustained
from gateway.coordination.topology import Reported, expected
from gateway.coordination.zone import Controllable, DsoModel, Resource
from gateway.settlement.curtailment import Source, Wish
from gateway.snapshot import Snapshot
from grid_engine.results import NetworkState, Participant, Policy, Purpose, Study
from protocols.points import Quantity
from protocols.signals import Bounds, Control, LinkState, Quality

_VOLTAGES = (Quantity.VOLTAGE_PU, Quantity.VOLTAGE_V)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one resource's power now, W."""

    power_w: float
    """Measured where that can be trusted, otherwise the worst that may be true."""
    trusted: bool
    """True where the resource is heard and obeys, so that it may be counted on and limited."""


def standing(at: Situation, resource: Resource) -> Standing:
    """How a resource stands; unknown means the worst case until its fallback is confirmed."""
    measured = at.snapshot.power_w(resource.id)
    lost = at.snapshot.link(resource.id) is LinkState.LOST
    if measured is not None and not lost:
        return Standing(measured, at.book.obeys(resource.id))
    last = at.snapshot.power_w(resource.id, stale=True)
    if resource.id in at.confirmed:
        return Standing(resource.static.clamp(0.0 if last is None else last), trusted=False)
    known = [w for w in (last, _commanded_w(at, resource, last)) if w is not None]
    if not known:
        # Never heard of: a source is worst at its ceiling, a mere load at its floor.
        known = [resource.ceiling_w if resource.ceiling_w > 0 else resource.floor_w]
    return Standing(_worst(*known), trusted=False)


def _worst(*power_w: float) -> float:
    """The power that loads the network most: the highest, or the lowest of a resource that only withdraws."""
    return min(power_w) if all(w <= 0 for w in power_w) else max(power_w)


def _commanded_w(at: Situation, resource: Resource, last_w: float | None) -> float | None:
    """What the resource was last asked to do, within its limit; without a dispatch, how far its limit lets it go."""
    ours, dispatch = target(at, resource.id, at.now_s), at.book.dispatch_at(resource.id, at.now_s)
    asked_w = ours.power_w if ours is not None else None if dispatch is None else dispatch.power_w
    if asked_w is not None:
        limit = at.book.limit_at(resource.id, at.now_s)
        return asked_w if limit is None else limit.bounds.clamp(asked_w)
    held = at.book.controls.get(resource.id)
    if held is None or last_w is None or not isinstance(held.instruction, Control):
        return None
    return held.instruction.limit.ceiling_w if last_w >= 0 else held.instruction.limit.floor_w


def wanted_w(at: Situation, resource: Resource, stands: Standing, time_s: float) -> float:
    """Where a resource will go if nothing limits it, at a time now or ahead, W.

    What it is asked to do goes before what is expected of it, and that before what it could do.
    """
    asked_w = _asked_w(at, resource, time_s)
    if asked_w is not None:
        return _able(at, resource, time_s, asked_w)
    expected_w = _expected_w(at, resource, time_s)
    if expected_w is None:
        return _able(at, resource, time_s, _potential_w(at, resource, stands))
    ahead = time_s > at.now_s
    return _able(at, resource, time_s, expected_w if ahead else _present_w(at, resource, stands, expected_w))


def _present_w(at: Situation, resource: Resource, stands: Standing, expected_w: float) -> float:
    """What is expected of this moment; it never hides what is measured, the worse of both counts.

    Where a measurement proves the expectation wrong, what the resource could do counts as without one: at a limit
    that lies beyond what was expected it would otherwise look as if it went no further, be released, and go on.
    """
    worse_w = _worst(expected_w, stands.power_w)
    wrong = abs(worse_w - expected_w) > resource.verify_band_w
    return _worst(worse_w, _potential_w(at, resource, stands)) if wrong else worse_w


def wish_now(at: Situation, resource: Resource, since_s: float) -> Wish:
    """Where a resource would go now if nothing limited it, as far as that is known and a limit can bear on it.

    Unlike `wanted_w` it assumes nothing: not the worst of who sits at its limit, and no more than is available
    of who only takes limits.
    """
    if resource.controllable is Controllable.NONE or not standing(at, resource).trusted:
        return Wish(since_s, None)
    asked_w = _asked_w(at, resource, at.now_s)
    known_w = _expected_w(at, resource, at.now_s) if asked_w is None else asked_w
    available = at.snapshot.reading(resource.id, Quantity.AVAILABLE_POWER_W)
    if available is not None and resource.controllable is Controllable.LIMIT:
        known_w = available.value if known_w is None else min(known_w, max(available.value, 0.0))
    source = Source.FORECAST if asked_w is None else Source.DISPATCH
    return Wish(since_s, None if known_w is None else _able(at, resource, at.now_s, known_w), source)


def _asked_w(at: Situation, resource: Resource, time_s: float) -> float | None:
    """What a resource is asked to do at a time; nothing where it is left to its schedule or the weather."""
    ours, dispatch = target(at, resource.id, time_s), at.book.dispatch_at(resource.id, time_s)
    if ours is not None:
        return ours.power_w
    scheduled_w = at.book.trade.schedules.expected_w(resource.id, time_s)
    holds = dispatch is not None and (dispatch.end_s > time_s or scheduled_w is None)
    return dispatch.power_w if dispatch is not None and holds else None


def _expected_w(at: Situation, resource: Resource, time_s: float) -> float | None:
    """What schedule or forecast say of a resource at a time."""
    scheduled_w = at.book.trade.schedules.expected_w(resource.id, time_s)
    expected_w = forecasts.expected(at, resource.id, time_s) if scheduled_w is None else scheduled_w
    if expected_w is None and resource.forecast is not None:
        return resource.forecast.at(time_s)
    return expected_w


def _able(at: Situation, resource: Resource, time_s: float, wish_w: float) -> float:
    """A wish within what the resource is capable of, and what an outage has left of that."""
    outage = at.book.outages.get(resource.id)
    if outage is not None and outage.start_s <= time_s < outage.end_s:
        wish_w = min(wish_w, outage.available_w)
    return min(max(wish_w, resource.floor_w), resource.ceiling_w)


def _potential_w(at: Situation, resource: Resource, stands: Standing) -> float:
    """What a resource without dispatch or forecast would do.

    One that only takes limits runs at what is available to it; one with a set point stays where it is.
    """
    available = at.snapshot.reading(resource.id, Quantity.AVAILABLE_POWER_W)
    if available is not None and resource.controllable is Controllable.LIMIT:
        return available.value
    limit = at.book.limit_at(resource.id, at.now_s)
    if limit is not None and stands.power_w >= limit.limit.ceiling_w - resource.verify_band_w:
        return resource.ceiling_w  # it sits at its limit: how much more it could do is unknown
    return stands.power_w


def _participant(at: Situation, resource: Resource, starts_s: tuple[float, ...]) -> Participant:
    stands = standing(at, resource)
    if stands.trusted:
        wishes = _kept_up(at, resource, tuple(wanted_w(at, resource, stands, s) for s in starts_s), starts_s)
        helds = (at.book.settled_w.get(resource.id, stands.power_w),) * len(starts_s)
    elif at.snapshot.link(resource.id) is LinkState.LOST:
        wishes = helds = (stands.power_w,) * len(starts_s)
    else:
        # Heard, but it does not obey: it will go where it wants, and nothing can be taken from it.
        wishes = helds = tuple(_worst(stands.power_w, wanted_w(at, resource, stands, s)) for s in starts_s)
    return Participant(
        resource=resource.id,
        bus=resource.bus,
        phases=resource.phases,
        connection=resource.connection,
        held_w=helds,
        requested_w=wishes,
        floor_w=min(resource.floor_w, *wishes),
        ceiling_w=max(resource.ceiling_w, *wishes),
        instructed=_asked_w(at, resource, starts_s[0]) is not None,
        adjustable=stands.trusted and resource.controllable is not Controllable.NONE,
        connected_on=resource.connected_on,
        price_per_mwh=_price(at, resource),
        curtailed_wh=at.book.accounts.given_up.lately_wh(resource.id, at.now_s) if at.zone.limits.in_turn else 0.0,
    )


def _price(at: Situation, resource: Resource) -> float:
    """What the dearest part of its wholesale offer in force asks for; 0 without one."""
    prices = [
        record.offer.blocks[-1].price_per_mwh
        for record in at.book.trade.open_offers(MarketSide.WHOLESALE, at.now_s, at.now_s)
        if record.offer.resource == resource.id and record.offer.blocks
    ]
    return max(prices, default=0.0)


def _kept_up(
    at: Situation, resource: Resource, wishes_w: tuple[float, ...], starts_s: tuple[float, ...]
) -> tuple[float, ...]:
    """What a resource can keep up of its wishes with the energy that it has."""
    charge = at.snapshot.reading(resource.id, Quantity.STATE_OF_CHARGE_PU)
    if resource.storage is None or charge is None or starts_s[0] != at.now_s:
        return wishes_w
    return sustained(resource.storage, charge.value, wishes_w, starts_s, at.zone.clocks.interval_s)


def _participants(at: Situation, starts_s: tuple[float, ...]) -> tuple[Participant, ...]:
    return tuple(_participant(at, resource, starts_s) for resource in at.zone.resources.values())


def impact(at: Situation) -> Study:
    """Would what everybody wants break a limit, now or in the intervals ahead?"""
    clocks = at.zone.clocks
    first_s = clocks.interval_start(at.now_s)
    # The first entry is this moment: what is wanted now, not what the interval began with.
    ahead_s = tuple(first_s + k * clocks.interval_s for k in range(1, clocks.look_ahead_intervals))
    starts_s = (at.now_s, *ahead_s)
    question = _study(at, Purpose.IMPACT, _participants(at, starts_s), starts_s)
    return _steered(at, question) if at.zone.model is DsoModel.TOTAL_DSO else question


def _steered(at: Situation, question: Study) -> Study:
    """Under a total DSO: who was told a power stands there, and nobody stands beyond his limit.

    What is told keeps within limits, so that a limit which is shared out once more among smaller wishes would take
    a little more every time. Once limits are in force, only what grows beyond them is cut.
    """
    members, limited = [], False
    for member in question.participants:
        record = at.book.limit_at(member.resource, at.now_s)
        if member.adjustable and target(at, member.resource, at.now_s) is not None:
            limited = limited or record is not None
            member = replace(member, held_w=member.requested_w)  # noqa: PLW2901
        elif member.adjustable and record is not None:
            limited = True
            member = replace(member, held_w=tuple(record.bounds.clamp(w) for w in member.held_w))  # noqa: PLW2901
        members.append(member)
    told = any(target(at, resource, at.now_s) is not None for resource in at.zone.resources)
    policy = Policy.INCREMENTAL if limited and told else question.policy
    return replace(question, participants=tuple(members), policy=policy)


def intervals_ahead(at: Situation) -> tuple[float, ...]:
    """Starts of the intervals that envelopes are published for, the next one first."""
    clocks = at.zone.clocks
    first_s = clocks.interval_start(at.now_s) + clocks.interval_s
    return tuple(first_s + k * clocks.interval_s for k in range(clocks.look_ahead_intervals))


def look_ahead(at: Situation) -> Study:
    """How far may each resource go in the intervals ahead, by the zone's rule of what the others do?"""
    starts_s, rules = intervals_ahead(at), at.zone.limits
    members = tuple(replace(p, held_w=_within_limits(at, p, starts_s)) for p in _participants(at, starts_s))
    question = _study(at, Purpose.JOINT if rules.joint else Purpose.ENVELOPE, members, starts_s)
    return replace(question, sharing=rules.sharing, utilisation=rules.utilisation)


def _within_limits(at: Situation, member: Participant, starts_s: tuple[float, ...]) -> tuple[float, ...]:
    """Where a resource is expected: nobody goes beyond a limit that was told them for that time."""
    limits = (at.book.limit_at(member.resource, start_s) for start_s in starts_s)
    wishes = zip(member.requested_w, limits, strict=True)
    return tuple(w if limit is None else limit.bounds.clamp(w) for w, limit in wishes)


def only_now(question: Study) -> Study:
    """The first interval of a study alone."""
    members = tuple(
        replace(member, held_w=member.held_w[:1], requested_w=member.requested_w[:1])
        for member in question.participants
    )
    return replace(
        question,
        intervals=1,
        participants=members,
        states=(),
        load_scale=question.load_scale[:1],
        load_w={load: w[:1] for load, w in question.load_w.items()},
        unit_w={unit: w[:1] for unit, w in question.unit_w.items()},
    )


def look_at(at: Situation, purpose: Purpose, starts_s: tuple[float, ...], study_id: str) -> Study:
    """The zone at some times, everybody where they are expected without what is being asked for."""
    members = tuple(replace(p, held_w=p.requested_w) for p in _participants(at, starts_s))
    return replace(_study(at, purpose, members, starts_s), study_id=study_id, intervals=len(starts_s))


def look_within(at: Situation, purpose: Purpose, boxes: Mapping[str, Bounds], study_id: str) -> Study:
    """The zone now, everybody who obeys where they are expected within their limits."""
    starts_s, free = (at.now_s,), Bounds()
    members = tuple(
        replace(p, held_w=tuple(boxes.get(p.resource, free).clamp(w) if p.adjustable else w for w in p.requested_w))
        for p in _participants(at, starts_s)
    )
    return replace(_study(at, purpose, members, starts_s), study_id=study_id, intervals=len(starts_s))


def as_if(study: Study, power_w: Mapping[str, float], study_id: str) -> Study:
    """The same network with every resource given, for comparing predicted with measured flows."""
    members = []
    for member in study.participants:
        here = power_w.get(member.resource, member.held_w[0])
        floor_w, ceiling_w = min(member.floor_w, here), max(member.ceiling_w, here)
        members.append(
            replace(member, held_w=(here,), requested_w=(here,), floor_w=floor_w, ceiling_w=ceiling_w, adjustable=False)
        )
    return replace(
        study,
        study_id=study_id,
        purpose=Purpose.IMPACT,
        intervals=1,
        participants=tuple(members),
        states=(),
        load_scale=study.load_scale[:1],
        load_w={load: w[:1] for load, w in study.load_w.items()},
        unit_w={unit: w[:1] for unit, w in study.unit_w.items()},
        margin_pct=0.0,
    )


def estimated(at: Situation) -> tuple[str, ...]:
    """Buses whose measured voltage does not come, or is old or bad: what is known of them is an estimate."""
    if not at.zone.observed:
        return ()
    heard: dict[str, bool] = {}
    for point, measurement in at.snapshot.measurements.items():
        if point.resource in at.zone.observed and point.quantity in _VOLTAGES:
            good = measurement.quality not in (Quality.BAD, Quality.STALE)
            heard[point.resource] = heard.get(point.resource, False) or good
    lost = (bus for bus in at.zone.observed if bus not in heard and at.snapshot.link(bus) is LinkState.LOST)
    return tuple(sorted({*lost, *(bus for bus, good in heard.items() if not good)}))


def reported(at: Situation) -> Reported:
    """What the field says of the network, and how much of it is not old."""
    kinds = (Quantity.TAP_POSITION, Quantity.SWITCH_CLOSED)
    fresh = frozenset(
        point.resource
        for point, measurement in at.snapshot.measurements.items()
        if point.quantity in kinds and measurement.quality not in (Quality.BAD, Quality.STALE)
    )
    return Reported(network_state(at.snapshot, at.zone.capacitors), fresh)


def states(at: Situation, starts_s: tuple[float, ...]) -> tuple[NetworkState, ...]:
    """The network at some times, as far as is reported and planned."""
    said = reported(at)
    return tuple(expected(at.book.topology, said, at.now_s, start_s) for start_s in starts_s)


def network_state(snapshot: Snapshot, capacitors: frozenset[str] = frozenset()) -> NetworkState:
    """Taps and switches as the field reports them; what is not reported stays as the network was loaded.

    The last report holds also when it is old: a switch does not move because a link is lost.
    """
    taps: dict[str, int] = {}
    closed: dict[str, bool] = {}
    for point, measurement in snapshot.measurements.items():
        if measurement.quality is Quality.BAD:
            continue
        if point.quantity is Quantity.TAP_POSITION:
            taps[point.resource] = round(measurement.value)
        elif point.quantity is Quantity.SWITCH_CLOSED:
            closed[point.resource] = measurement.value >= 0.5
    return NetworkState(
        taps=taps,
        switches_closed={name: on for name, on in closed.items() if name not in capacitors},
        in_service={name: on for name, on in closed.items() if name in capacitors},
    )


def _load_scale(at: Situation, time_s: float) -> float:
    """Factor on every load at a time: of the newest issue that says so, else of the configuration."""
    told = forecasts.expected(at, forecasts.LOADS, time_s)
    return at.zone.load_scale.at(time_s) if told is None else told


def _study(at: Situation, purpose: Purpose, members: tuple[Participant, ...], starts_s: tuple[float, ...]) -> Study:
    rules = at.zone.limits
    networks = states(at, starts_s)
    forecast_id, forecast_model = forecasts.cited(at)
    return Study(
        study_id=f"{at.cycle_id}-{purpose.value}",
        purpose=purpose,
        intervals=at.zone.clocks.look_ahead_intervals,
        participants=members,
        load_scale=tuple(_load_scale(at, s) for s in starts_s),
        load_w=({} if at.zone.daily is None else at.zone.daily.load_w(starts_s)) | forecasts.load_w(at, starts_s),
        unit_w={} if at.zone.daily is None else at.zone.daily.unit_w(starts_s),
        state=networks[0],
        states=networks if any(state != networks[0] for state in networks) else (),
        ratings=host.ratings(at),
        contingencies=at.zone.contingencies,
        policy=rules.policy,
        preexisting=rules.preexisting,
        voltage_min_pu=rules.voltage_min_pu,
        voltage_max_pu=rules.voltage_max_pu,
        margin_pct=rules.margin_pct,
        estimated_margin_pct=rules.estimated_margin_pct,
        estimated=estimated(at),
        unbalance_alarm_pct=rules.unbalance_alarm_pct,
        unbalance_max_pct=rules.unbalance_max_pct,
        limit_step_w=rules.step_w,
        forecast_id=forecast_id,
        forecast_model=forecast_model,
    )
