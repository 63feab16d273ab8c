"""What happens in a scenario: one function per kind of event."""

from collections.abc import Awaitable, Callable, Mapping

import orjson

from gateway.coordination import wire
from gateway.coordination.forecasts import LOADS, ForecastIssued
from gateway.coordination.market_messages import (
    Block,
    MarketSide,
    OfferRevoke,
    ScheduleDayAhead,
    SchedulePoint,
    SchedulePreDispatch,
)
from gateway.coordination.messages import Header, Message
from gateway.coordination.topology import Work, WorkKind
from gateway.exchange import CannotRecord, RefusedMessage
from gateway.forecast_desk import ForecastDesk, RefusedForecast
from gateway.scenarios import bookings, foresight, money, script, times
from gateway.scenarios.stage import MW, Stage
from gateway.testbed.device import SimulatedDevice
from gateway.testbed.host_utility import Objection
from gateway.works import RefusedWork, Works
from grid_engine.model import Network
from grid_engine.results import Answer, NetworkState, Status, Study
from protocols.signals import Bounds


class ScenarioError(Exception):
    """The scenario asks for something that its zone does not have; says what and where."""


class Acts:
    """Lets things happen on a stage; times of the script count from `start_s`."""

    def __init__(self, stage: Stage, start_s: float) -> None:
        self._stage, self._start_s = stage, start_s
        self._said = 0
        self.refused: list[str] = []
        """What the gateway would not do for its operator, and why."""
        self._solve = stage.solve
        self._acts: Mapping[str, Callable[..., Awaitable[None]]] = {
            "dispatch": self._dispatch,
            "schedule": self._schedule,
            "outage": self._outage,
            "offer": self._offer,
            "revoke_offer": self._revoke_offer,
            "order": self._order,
            "revoke_order": self._revoke_order,
            "habit": self._habit,
            "host_limit": self._host_limit,
            "host": self._host,
            "emergency": self._emergency,
            "end_emergency": self._end_emergency,
            "fault": self._fault,
            "plant": self._plant,
            "work": self._work,
            "cancel_work": self._cancel_work,
            "forecast": self._forecast,
            "available_mw": self._available,
            "power_mw": self._power,
            "engine_fails": self._engine_fails,
            "computing_s": self._computing,
            "message_delay_s": self._message_delay,
            "delay_of_s": self._delays,
            "copies_of": self._copies,
            "clock_ahead_s": self._clocks,
            "say": self._say,
            "deaf": self._deaf,
            "platform_down": self._platform_down,
            "restart_gateway": self._restart,
            "approve": self._approve,
            "meter_import": self._meter_import,
            "dispute": lambda told: bookings.dispute(stage, told),
            "resolve_dispute": lambda told: self._try(bookings.resolve(stage, told)),
            "charge": lambda told: bookings.charge(stage, told),
        }

    async def act(self, happening: script.Happening) -> None:
        """Let one thing happen now.

        Raises:
            ScenarioError: the zone does not have what it is about.
        """
        name = next(n for n in self._acts if getattr(happening, n) is not None)
        try:
            await self._acts[name](getattr(happening, name))
        except (LookupError, ValueError) as error:
            raise ScenarioError(f"{name}: {error}") from error

    def given(self, given: script.Given) -> None:
        """Set the world up before the gateway looks.

        Raises:
            ScenarioError: the zone does not have what is given.
        """
        world, now_s = self._stage.world, self._stage.now()
        try:
            for name, position in given.taps.items():
                world.plant.set_tap(name, position)
            for name, closed in given.switches.items():
                world.plant.set_switch(name, closed=closed)
            world.plant.scale_loads(given.load_scale)
            for name, power_mw in given.available_mw.items():
                self._device(name).set_available(power_mw * MW, now_s)
            for name, power_mw in given.power_mw.items():
                self._place(name, power_mw)
            for name, ceiling_mw in given.limits_mw.items():
                self._device(name).set_limit(Bounds(None, ceiling_mw * MW), now_s, None, Bounds())
            for name, percent in given.state_of_charge_pct.items():
                device = self._device(name)
                if device.spec.energy_wh is None:
                    raise ValueError(f"{name} stores nothing; give it `nameplate.energy_mwh` in the zone")  # noqa: TRY301
                device.energy_wh = percent / 100 * device.spec.energy_wh
        except ValueError as error:
            raise ScenarioError(f"`given`: {error}") from error
        self._stage.computing_s, self._stage.delay_s = given.computing_s, given.message_delay_s

    def _device(self, name: str) -> SimulatedDevice:
        devices = self._stage.world.devices
        if name not in devices:
            raise ValueError(f"{name} is no simulated device; use one of {', '.join(devices)}")
        return devices[name]

    def _place(self, name: str, power_mw: float) -> None:
        device, now_s = self._device(name), self._stage.now()
        if device.target_w is None:
            device.set_available(power_mw * MW, now_s)
        else:
            device.set_target(power_mw * MW, now_s)

    def _at(self, offset_s: float) -> float:
        return self._start_s + offset_s

    async def _dispatch(self, told: script.Dispatch) -> None:
        interval_s = self._stage.zone.clocks.interval_s
        start_s = self._start_s if told.start_s is None else self._at(told.start_s)
        end_s = start_s + interval_s if told.end_s is None else self._at(told.end_s)
        operator, now_s = self._stage.parties.system_operator, self._stage.now()
        operator.schedule(told.resource, told.power_mw * MW, start_s, end_s, now_s, version=told.version)
        messages = self._stage.parties.note(operator.due(now_s), now_s)
        for _ in range(told.times):
            await self._stage.deliver(messages)

    async def _schedule(self, told: script.Schedule) -> None:
        operator, now_s, start_s = self._stage.parties.system_operator, self._stage.now(), self._at(told.start_s)
        step_s = told.step_s or self._stage.zone.clocks.interval_s
        points = tuple(
            SchedulePoint(start_s + n * step_s, start_s + (n + 1) * step_s, power_mw * MW)
            for n, power_mw in enumerate(told.power_mw)
        )
        kind = ScheduleDayAhead if told.kind == "day_ahead" else SchedulePreDispatch
        schedule_id = told.schedule_id or f"{operator.party}-{told.kind}-{told.resource}-{start_s:.0f}"
        schedule = kind(schedule_id, told.version, told.resource, points)
        await self._stage.deliver(self._stage.parties.note(operator.selected(schedule, now_s), now_s))

    async def _outage(self, told: script.Outage) -> None:
        now_s = self._stage.now()
        agent = self._stage.parties.agent(self._owner(told.resource))
        end_s = now_s + told.for_s
        notices = agent.outage(told.resource, told.available_mw * MW, now_s, end_s, now_s, planned=told.planned)
        await self._stage.deliver(self._stage.parties.note(notices, now_s))

    async def _offer(self, told: script.Offer) -> None:
        parties, now_s = self._stage.parties, self._stage.now()
        agent = parties.agent(told.agent or self._owner(told.resource))
        message = agent.offer(
            told.resource,
            blocks(told.blocks),
            self._at(told.start_s),
            self._at(told.end_s),
            now_s=now_s,
            market=MarketSide(told.market),
            standby=told.standby,
            offer_id=told.offer_id or "",
            version=told.version,
        )
        if told.zone is not None:
            message = Message(_elsewhere(message.header, told.zone), message.body)
        await self._stage.deliver(parties.note([message], now_s))

    async def _revoke_offer(self, told: script.Reference) -> None:
        now_s, record = self._stage.now(), self._stage.loop.book.trade.offers.get(told.id)
        if record is None and told.resource is None:
            raise ValueError(f"there is no offer {told.id}; name its `resource` to let it be revoked all the same")
        resource = told.resource or ("" if record is None else record.offer.resource)
        agent = self._stage.parties.agent(self._owner(resource))
        message = agent.say(told.id, OfferRevoke(told.id, resource), now_s)
        await self._stage.deliver(self._stage.parties.note([message], now_s))

    async def _order(self, told: script.Order) -> None:
        await self._try(self._stage.loop.exchange.order(told.offer_id, told.power_mw * MW))

    async def _revoke_order(self, told: script.Reference) -> None:
        await self._try(self._stage.loop.exchange.revoke(told.id, "by the scenario"))

    async def _habit(self, told: script.Habit) -> None:
        habits = self._stage.parties.agent(told.party).habits
        habits.silent = habits.silent if told.silent is None else told.silent
        habits.commits = habits.commits if told.commits is None else told.commits
        habits.declines = habits.declines if told.declines is None else told.declines
        if told.answers_after_s is not None:
            self._stage.slow[told.party] = told.answers_after_s
        if told.offers is not None:
            habits.offers = {name: blocks(pairs) for name, pairs in told.offers.items()}

    async def _host_limit(self, told: script.HostLimit) -> None:
        now_s, host = self._stage.now(), self._stage.parties.host()
        floor_w = None if told.import_mw is None else -told.import_mw * MW
        ceiling_w = None if told.export_mw is None else told.export_mw * MW
        message = host.limit(told.interface, Bounds(floor_w, ceiling_w), now_s, self._at(told.until_s), now_s)
        await self._stage.deliver(self._stage.parties.note([message], now_s))

    async def _host(self, told: script.HostHabit) -> None:
        host = self._stage.parties.host()
        host.silent = host.silent if told.silent is None else told.silent
        host.answers_after_s = host.answers_after_s if told.answers_after_s is None else told.answers_after_s
        if told.object_mw is not None:
            host.objection = Objection(told.object_mw * MW, -9e9)

    async def _emergency(self, told: script.Emergency) -> None:
        await self._try(self._stage.loop.exchange.declare(told.level, told.scope, "by the scenario"))

    async def _end_emergency(self, _: bool) -> None:  # noqa: FBT001 - as the script has it
        for record in self._stage.loop.book.emergencies.lasting:
            await self._try(self._stage.loop.exchange.clear(record.declared.emergency_id))

    async def _fault(self, told: script.Fault) -> None:
        faults = self._stage.world.faults.get(told.resource)
        if faults is None:
            raise ValueError(f"{told.resource} is no simulated device or station")
        station = self._stage.world.stations.get(told.resource)
        known = [] if station is None else [name for one in station.spec.points for name in (one.resource, str(one))]
        unknown = [point for point in told.points if point not in known]
        if unknown:
            measured = ", ".join(dict.fromkeys(known)) or "nothing that can be named"
            raise ValueError(f"{told.resource} does not measure {', '.join(unknown)}; use of {measured}")
        faults.switch(told.fault, on=told.on)
        if station is not None:
            station.faulty = frozenset(told.points)
        faults.delay_s = faults.delay_s if told.delay_s is None else told.delay_s

    async def _plant(self, told: script.Plant) -> None:
        plant = self._stage.world.plant
        for name, closed in told.switches.items():
            plant.set_switch(name, closed=closed)
        for name, position in told.taps.items():
            plant.set_tap(name, position)
        if told.load_scale is not None:
            plant.scale_loads(told.load_scale)

    async def _work(self, told: script.Work) -> None:
        state = NetworkState(None, told.taps, told.switches, told.in_service)
        kind, start_s, end_s = WorkKind(told.kind), self._at(told.start_s), self._at(told.end_s)
        await self._try(self._works.schedule(Work(told.id, kind, start_s, end_s, state, source="scenario")))

    async def _cancel_work(self, work_id: str) -> None:
        await self._try(self._works.cancel(work_id, "scenario"))

    async def _forecast(self, told: foresight.Forecast) -> None:
        stage, now_s = self._stage, self._stage.now()
        values = {
            target: tuple(value if target == LOADS else value * MW for value in series)
            for target, series in told.values.items()
        }
        issued_s = now_s if told.issued_s is None else self._at(told.issued_s)
        step_s = told.step_s or stage.zone.clocks.interval_s
        issue = ForecastIssued(
            f"{told.source}-{now_s:.0f}",
            told.source,
            issued_s,
            self._at(told.start_s),
            step_s,
            values,
            now_s,
            "scenario",
        )
        await self._try(ForecastDesk(stage.loop.ground, stage.loop.engine).take(issue))

    @property
    def _works(self) -> Works:
        return Works(self._stage.loop.ground, self._stage.loop.engine)

    async def _available(self, told: Mapping[str, float]) -> None:
        for name, power_mw in told.items():
            self._device(name).set_available(power_mw * MW, self._stage.now())

    async def _power(self, told: Mapping[str, float]) -> None:
        for name, power_mw in told.items():
            self._place(name, power_mw)

    async def _engine_fails(self, fails: bool) -> None:  # noqa: FBT001 - as the script has it
        self._stage.solve = _never if fails else self._solve

    async def _computing(self, seconds: float) -> None:
        self._stage.computing_s = seconds

    async def _message_delay(self, seconds: float) -> None:
        self._stage.delay_s = seconds

    async def _delays(self, told: Mapping[str, float]) -> None:
        self._stage.slow.update(told)

    async def _copies(self, told: Mapping[str, int]) -> None:
        self._stage.copies.update(told)

    async def _clocks(self, told: Mapping[str, float]) -> None:
        for name, ahead_s in told.items():
            self._device(name).faults.clock_ahead_s = ahead_s

    async def _say(self, told: script.Say) -> None:
        zone, now_s = self._stage.zone.zone, self._stage.now()
        self._said += 1
        msg_id = told.msg_id or f"{told.sender}-said-{self._said}"
        document = {
            "msg_id": msg_id,
            "corr_id": told.corr_id or msg_id,
            "sender": told.sender,
            "recipient": told.recipient,
            "created_at": times.on_the_wire(now_s),
            "zone": told.zone or zone.id,
            "model": told.model or zone.dso_model.value,
            "type": told.code,
            "body": times.absolute(told.fields, self._start_s),
        }
        message = wire.decode(orjson.dumps(document))
        for _ in range(told.times):
            await self._stage.deliver(self._stage.parties.note([message], now_s))

    async def _deaf(self, told: Mapping[str, bool]) -> None:
        for party, deaf in told.items():
            (self._stage.deaf.add if deaf else self._stage.deaf.discard)(party)

    async def _platform_down(self, down: bool) -> None:  # noqa: FBT001 - as the script has it
        platform = self._stage.parties.platform
        if platform is None:
            raise ValueError("the zone has no simulated platform")
        platform.down = down

    async def _restart(self, _: bool) -> None:  # noqa: FBT001 - as the script has it
        await self._stage.kill_gateway()
        await self._stage.open_gateway()

    async def _approve(self, told: script.Approve) -> None:
        waiting = list(self._stage.loop.book.approvals.waiting) if told.id is None else [told.id]
        for action_id in waiting:
            await self._try(self._stage.loop.exchange.rule(action_id, approved=told.approved, by="scenario"))

    async def _meter_import(self, told: money.MeterImport) -> None:
        bookings.meter_import(self._stage, told, self._at(told.start_s))

    async def _try(self, asked: Awaitable[object]) -> None:
        """What the operator asks may be refused: that is a result, not a fault of the scenario."""
        try:
            await asked
        except (RefusedMessage, RefusedWork, RefusedForecast, CannotRecord) as error:
            self.refused.append(str(error))

    def _owner(self, resource: str) -> str:
        device = self._stage.zone.devices.get(resource)
        if device is None:
            raise ValueError(f"{resource} is no device of the zone; use one of {', '.join(self._stage.zone.devices)}")
        return device.owner


def blocks(pairs: script.Steps) -> tuple[Block, ...]:
    """Cumulative MW and price as blocks of an offer."""
    return tuple(Block(power_mw * MW, price) for power_mw, price in pairs)


def _elsewhere(header: Header, zone: str) -> Header:
    return Header(
        header.msg_id, header.corr_id, header.sender, header.recipient, header.created_at_s, zone, header.model
    )


def _never(network: Network, study: Study) -> Answer:
    return Answer(study.study_id, Status.NOT_CONVERGED, network.version, detail="the scenario lets the engine fail")
