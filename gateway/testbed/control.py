"""HTTP control of the simulated world and its parties: the truth, faults by name, weather, switching, what was said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from aiohttp import web
from pydantic import AwareDatetime, Field, model_validator

from gateway.coordination import wire
from gateway.testbed import party_control
from gateway.testbed.device import FAULTS, Faults, SimulatedDevice
from gateway.testbed.party_control import Cast
from gateway.testbed.requests import Door, Handler, Identifier, Megawatt, MistakeError, Request, Seconds, door, iso
from gateway.testbed.world import World
from protocols.port import Now

BODY_MAX: Final = 10_000


class FaultOrder(Request):
    """Switch one fault of a device or station."""

    resource: Identifier
    fault: Identifier
    on: bool
    delay_s: Seconds | None = None
    """How late, for `delay`."""


class AvailableOrder(Request):
    """Change what a device could inject."""

    resource: Identifier
    power_mw: Megawatt


class TargetOrder(Request):
    """Set what the owner of a device wants of it: in a straight line until `by`, at once if absent.

    Null leaves the device to itself.
    """

    resource: Identifier
    power_mw: Megawatt | None
    by: AwareDatetime | None = None


class PlantOrder(Request):
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


@dataclass(frozen=True, slots=True)
class Stage:
    """What the control interface acts on."""

    cast: Cast
    world: World | None = None
    """Nothing where only parties are played."""


def create_app(stage: Stage) -> web.Application:
    """The application: `GET /v1` tells every request, `/v1/messages` and `/v1/truth` what was said and what is so."""
    told = party_control.doors(stage.cast)
    if stage.world is not None:
        told = (*_WorldDesk(stage.world, stage.cast.now).doors(), *told)
    app = web.Application(client_max_size=BODY_MAX)
    app.router.add_get("/v1", _index(told))
    app.router.add_get("/v1/messages", _messages(stage.cast))
    for one in told:
        app.router.add_post(f"/v1/{one.path}", one.handle)
    if stage.world is not None:
        app.router.add_get("/v1/truth", _truth(stage.world, stage.cast.now))
    return app


def _index(doors: Iterable[Door]) -> Handler:
    told = {f"POST /v1/{one.path}": one.told for one in doors}

    async def handle(_request: web.Request) -> web.Response:
        return web.json_response(told)

    return handle


def _messages(cast: Cast) -> Handler:
    async def handle(_request: web.Request) -> web.Response:
        """What the simulated parties sent and received, in order, each message once."""
        told: dict[str, dict[str, object]] = {}
        for entry in cast.parties.log:
            first = {"at": iso(entry.at_s), "carried": False, **wire.to_json(entry.message)}
            one = told.setdefault(entry.message.header.msg_id, first)
            one["carried"] = one["carried"] or entry.carried
        return web.json_response({"messages": list(told.values())})

    return handle


def _truth(world: World, now: Now) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        """Power, limit and timer of each device, and every value of the network; null where it has no solution.

        With `?of=F2-12,T2` only the values of these elements are told: a large network has thousands.
        """
        now_s, asked = now(), request.query.get("of")
        world.advance(now_s)
        devices = {name: _told(device) for name, device in world.devices.items()}
        stations = {name: {"faults": _on(station.faults)} for name, station in world.stations.items()}
        plant = {"converged": world.plant.converged, "solutions": world.plant.solutions}
        answer = {
            "now": iso(now_s),
            "devices": devices,
            "stations": stations,
            "plant": plant,
            "points": world.points(None if asked is None else frozenset(asked.split(","))),
        }
        return web.json_response(answer)

    return handle


class _WorldDesk:
    def __init__(self, world: World, now: Now) -> None:
        self._world, self._now = world, now

    def doors(self) -> tuple[Door, ...]:
        return (
            door("faults", FaultOrder, self.fault),
            door("available", AvailableOrder, self.available),
            door("target", TargetOrder, self.target),
            door("plant", PlantOrder, self.plant),
        )

    def fault(self, order: FaultOrder) -> None:
        self._world.advance(self._now())
        faults = self._find(self._world.faults, order.resource)
        try:
            faults.switch(order.fault, on=order.on)
        except ValueError as error:
            raise MistakeError("fault", str(error), f"send one of {', '.join(FAULTS)}") from error
        if order.delay_s is not None:
            faults.delay_s = order.delay_s

    def available(self, order: AvailableOrder) -> None:
        device = self._find(self._world.devices, order.resource)
        device.set_available(order.power_mw * 1e6, self._now())

    def target(self, order: TargetOrder) -> None:
        device = self._find(self._world.devices, order.resource)
        power_w = None if order.power_mw is None else order.power_mw * 1e6
        device.set_target(power_w, self._now(), None if order.by is None else order.by.timestamp())

    def plant(self, order: PlantOrder) -> None:
        plant = self._world.plant
        try:
            for name, closed in order.switches.items():
                plant.set_switch(name, closed=closed)
            for name, position in order.taps.items():
                plant.set_tap(name, position)
        except ValueError as error:
            raise MistakeError(".", str(error), "send names of the network file") from error
        if order.load_scale is not None:
            plant.scale_loads(order.load_scale)

    def _find(self, known: Mapping[str, T], name: str) -> T:
        if name not in known:
            raise MistakeError("resource", f"{name!r} is not simulated", f"send one of {', '.join(sorted(known))}")
        return known[name]


def _told(device: SimulatedDevice) -> dict[str, object]:
    soc = device.state_of_charge_pu
    return {
        "power_mw": _megawatts(device.power_w),
        "available_mw": _megawatts(device.available_w),
        "usable_mwh": _megawatts(device.usable_wh),
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
