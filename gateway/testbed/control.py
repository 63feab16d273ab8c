"""HTTP control of the simulated world: the truth, faults by name, dispatches, weather and switching."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.coordination import wire
from gateway.coordination.messages import Message
from gateway.testbed.device import FAULTS, Faults, SimulatedDevice
from gateway.testbed.parties import Parties
from gateway.testbed.post import refusal
from gateway.testbed.world import World
from protocols.port import Now

BODY_MAX: Final = 10_000
Megawatt = Annotated[float, Field(ge=-10_000, le=10_000, allow_inf_nan=False)]
Identifier = Annotated[str, Field(min_length=1, max_length=64)]


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FaultOrder(_Order):
    """Switch one fault of a device or station."""

    resource: Identifier
    fault: Identifier
    on: bool
    delay_s: Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)] | None = None
    """How late, for `delay`."""


class DispatchOrder(_Order):
    """Let the simulated system operator dispatch a resource; sent at `start`."""

    resource: Identifier
    power_mw: Megawatt
    start: AwareDatetime | None = None
    """Now where absent."""
    end: AwareDatetime | None = None
    """One interval after the start where absent."""


class AvailableOrder(_Order):
    """Change what a device could inject."""

    resource: Identifier
    power_mw: Megawatt


class OutageOrder(_Order):
    """Let a DER/A lose power on a resource and tell whom its model names."""

    resource: Identifier
    available_mw: Megawatt = 0.0
    end: AwareDatetime | None = None
    """One interval from now where absent."""
    planned: bool = False


class PlantOrder(_Order):
    """Change the network; what is absent stays."""

    switches: dict[Identifier, bool] = Field(default_factory=dict)
    """True closes."""
    taps: dict[Identifier, Annotated[int, Field(ge=-100, le=100)]] = Field(default_factory=dict)
    load_scale: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> "PlantOrder":
        if not self.switches and not self.taps and self.load_scale is None:
            raise ValueError("name at least one of switches, taps and load_scale")
        return self


T = TypeVar("T")
OrderT = TypeVar("OrderT", bound=_Order)


@dataclass(frozen=True, slots=True)
class Stage:
    """What the control interface acts on."""

    world: World
    parties: Parties
    send: Callable[[list[Message]], None]
    """Carries what parties say of their own accord."""
    owners: Mapping[str, str]
    """Party of every resource."""
    interval_s: float
    now: Now


def create_app(stage: Stage) -> web.Application:
    """The application: `GET /v1/truth`, `GET /v1/messages` and `POST /v1/{faults,dispatch,available,outage,plant}`."""
    desk = _Desk(stage)
    app = web.Application(client_max_size=BODY_MAX)
    app.router.add_get("/v1/truth", desk.truth)
    app.router.add_get("/v1/messages", desk.messages)
    app.router.add_post("/v1/faults", _taking(FaultOrder, desk.fault))
    app.router.add_post("/v1/dispatch", _taking(DispatchOrder, desk.dispatch))
    app.router.add_post("/v1/available", _taking(AvailableOrder, desk.available))
    app.router.add_post("/v1/outage", _taking(OutageOrder, desk.outage))
    app.router.add_post("/v1/plant", _taking(PlantOrder, desk.plant))
    return app


class _Desk:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def truth(self, request: web.Request) -> web.Response:
        """Power, limit and timer of each device, and every value of the network; null where it has no solution.

        With `?of=F2-12,T2` only the values of these elements are told: a large network has thousands.
        """
        world, now_s = self._stage.world, self._stage.now()
        asked = request.query.get("of")
        world.advance(now_s)
        devices = {name: _told(device) for name, device in world.devices.items()}
        stations = {name: {"faults": _on(station.faults)} for name, station in world.stations.items()}
        plant = {"converged": world.plant.converged, "solutions": world.plant.solutions}
        answer = {
            "now": _iso(now_s),
            "devices": devices,
            "stations": stations,
            "plant": plant,
            "points": world.points(None if asked is None else frozenset(asked.split(","))),
        }
        return web.json_response(answer)

    async def messages(self, _request: web.Request) -> web.Response:
        """What the simulated parties sent and received, in order, each message once."""
        told: dict[str, dict[str, object]] = {}
        for entry in self._stage.parties.log:
            first = {"at": _iso(entry.at_s), **wire.to_json(entry.message)}
            told.setdefault(entry.message.header.msg_id, first)
        return web.json_response({"messages": list(told.values())})

    def fault(self, order: FaultOrder) -> None:
        self._stage.world.advance(self._stage.now())
        faults = self._find(self._stage.world.faults, order.resource)
        try:
            faults.switch(order.fault, on=order.on)
        except ValueError as error:
            raise _MistakeError("fault", str(error), f"send one of {', '.join(FAULTS)}") from error
        if order.delay_s is not None:
            faults.delay_s = order.delay_s

    def dispatch(self, order: DispatchOrder) -> None:
        start_s = self._stage.now() if order.start is None else order.start.timestamp()
        end_s = start_s + self._stage.interval_s if order.end is None else order.end.timestamp()
        try:
            operator = self._stage.parties.system_operator
            operator.schedule(order.resource, order.power_mw * 1e6, start_s, end_s)
        except (LookupError, ValueError) as error:
            raise _MistakeError(".", str(error), "correct the dispatch or the zone file") from error
        self._stage.send(self._stage.parties.due(self._stage.now()))

    def available(self, order: AvailableOrder) -> None:
        device = self._find(self._stage.world.devices, order.resource)
        device.set_available(order.power_mw * 1e6, self._stage.now())

    def outage(self, order: OutageOrder) -> None:
        self._find(self._stage.world.devices, order.resource)
        now_s = self._stage.now()
        end_s = now_s + self._stage.interval_s if order.end is None else order.end.timestamp()
        try:
            agent = self._stage.parties.agent(self._stage.owners[order.resource])
            told = agent.outage(order.resource, order.available_mw * 1e6, now_s, end_s, now_s, planned=order.planned)
        except LookupError as error:
            raise _MistakeError("resource", str(error), "mark its owner as simulated") from error
        self._stage.send(self._stage.parties.note(told, now_s))

    def plant(self, order: PlantOrder) -> None:
        plant = self._stage.world.plant
        try:
            for name, closed in order.switches.items():
                plant.set_switch(name, closed=closed)
            for name, position in order.taps.items():
                plant.set_tap(name, position)
        except ValueError as error:
            raise _MistakeError(".", str(error), "send names of the network file") from error
        if order.load_scale is not None:
            plant.scale_loads(order.load_scale)

    def _find(self, known: Mapping[str, T], name: str) -> T:
        if name not in known:
            raise _MistakeError("resource", f"{name!r} is not simulated", f"send one of {', '.join(sorted(known))}")
        return known[name]


class _MistakeError(Exception):
    """An order that cannot be carried out."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.field, self.problem, self.remedy = field, problem, remedy


def _taking(kind: type[OrderT], act: Callable[[OrderT], None]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that reads an order, acts on it, and says what is wrong with it where it cannot."""

    async def handle(request: web.Request) -> web.Response:
        try:
            act(kind.model_validate_json(await request.read()))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "."
            return refusal(400, first["msg"], field, f"send {', '.join(kind.model_fields)}")
        except _MistakeError as error:
            return refusal(400, error.problem, error.field, error.remedy)
        return web.json_response({"status": "done"})

    return handle


def _told(device: SimulatedDevice) -> dict[str, object]:
    soc = device.state_of_charge_pu
    return {
        "power_mw": _megawatts(device.power_w),
        "available_mw": _megawatts(device.available_w),
        "target_mw": _megawatts(device.target_w),
        "order_mw": _megawatts(device.order_w),
        "ceiling_mw": _megawatts(device.limit.ceiling_w),
        "floor_mw": _megawatts(device.limit.floor_w),
        "reversion_remaining_s": round(device.reversion_remaining_s, 3),
        "fallback_ceiling_mw": _megawatts(device.fallback.ceiling_w),
        "fallback_floor_mw": _megawatts(device.fallback.floor_w),
        "reverted": device.reverted,
        "state_of_charge_pct": None if soc is None else round(100 * soc, 3),
        "faults": _on(device.faults),
    }


def _on(faults: Faults) -> list[str]:
    return [name for name in FAULTS if getattr(faults, name)]


def _megawatts(power_w: float | None) -> float | None:
    return None if power_w is None else round(power_w / 1e6, 6)


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
