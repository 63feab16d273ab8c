"""The simulated world: every simulated device and station of a zone on the true network, moved by a given time."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from config import units
from config.settings import Device, Station, ZoneFile
from gateway.testbed.course import Course, course_of_zone
from gateway.testbed.device import DeviceSpec, Faults
from gateway.testbed.devices import device_of
from gateway.testbed.plant import SPLIT, Attachment, Plant
from gateway.testbed.plants import plant_of
from protocols.points import Phase, Point, Quantity


@dataclass(frozen=True, slots=True)
class StationSpec:
    """One simulated station: what it measures."""

    name: str
    points: tuple[Point, ...]


class SimulatedStation:
    """A SCADA source: tells points of the plant and of devices, faults included."""

    def __init__(self, spec: StationSpec) -> None:
        self.spec = spec
        self.faults = Faults()
        self.faulty: frozenset[str] = frozenset()
        """Elements or points that `freeze_value` and `not_a_number` are about; all where there are none."""
        self._frozen: dict[Point, float] = {}

    def report(self, point: Point, true_value: float) -> float:
        """What the station tells while the truth is `true_value`; NaN where `not_a_number` is on."""
        wrong = not self.faulty or point.resource in self.faulty or str(point) in self.faulty
        if self.faults.not_a_number and wrong:
            return float("nan")
        if self.faults.freeze_value and wrong:
            return self._frozen.setdefault(point, true_value)
        self._frozen[point] = true_value
        return true_value


class World:
    """All that is simulated of one zone; `advance` is the only thing that lets time pass."""

    def __init__(
        self,
        plant: Plant,
        devices: Mapping[str, DeviceSpec],
        stations: Mapping[str, StationSpec],
        now_s: float,
        course: Course | None = None,
        *,
        terminals: Mapping[str, Attachment] | None = None,
    ) -> None:
        """Every device must have its bus in `plant`, every member of `course` must be a load, a unit or a device.

        `terminals` says where devices stand whose physics minds the voltage.

        Raises:
            ValueError: a station has a point that neither plant nor device can tell, or OpenDER cannot play a device.
        """
        self.plant = plant
        self.devices = {name: device_of(spec, now_s) for name, spec in devices.items()}
        self._terminals = {
            name: _terminals(plant, to) for name, to in (terminals or {}).items() if devices[name].physics != "plain"
        }
        self.stations = {name: SimulatedStation(spec) for name, spec in stations.items()}
        self.now_s = now_s
        self._course = course
        self._points = plant.points()
        for station in stations.values():
            for point in station.points:
                self._check(station.name, point)
        self._follow()
        self._inject()

    @property
    def faults(self) -> Mapping[str, Faults]:
        """The faults of every device and station by its id."""
        return {
            **{name: device.faults for name, device in self.devices.items()},
            **{name: station.faults for name, station in self.stations.items()},
        }

    def advance(self, now_s: float) -> None:
        """Let time pass up to `now_s`; an earlier time changes nothing."""
        self.now_s = max(self.now_s, now_s)
        for name, points in self._terminals.items():
            self.devices[name].feel([self.plant.read(point) for point in points])
        for device in self.devices.values():
            device.advance(self.now_s)
        self._follow()
        self._inject()

    def operate(self, point: Point, value: float) -> None:
        """Carry out an operation of the network: a tap position, or 1 for closed and in service.

        Raises:
            ValueError: the network has nothing there that can be operated.
        """
        if point.quantity is Quantity.TAP_POSITION:
            self.plant.set_tap(point.resource, round(value))
        elif point.quantity is Quantity.SWITCH_CLOSED:
            self.plant.set_switch(point.resource, closed=value >= 0.5)
        else:
            raise ValueError(f"{point}: only taps and switches can be operated")

    def carried_va(self, transformer: str) -> float:
        """What truly counts against a transformer's rating.

        Raises:
            ValueError: the network has no such transformer.
        """
        self._inject()
        return self.plant.carried_va(transformer)

    def truth(self, point: Point) -> float:
        """The true value of a point of a device or of the network.

        Raises:
            ValueError: neither can tell it.
        """
        device = self.devices.get(point.resource)
        if device is None:
            self._inject()
            return self.plant.read(point)
        if point.quantity is Quantity.ACTIVE_POWER_W:
            return device.power_w
        if point.quantity is Quantity.AVAILABLE_POWER_W:
            return device.available_w
        raise ValueError(f"{point}: a station can tell of a device only active_power_w and available_power_w")

    def points(self, of: frozenset[str] | None = None) -> dict[str, float | None]:
        """Every true value of the network, or of some elements, by its point; `None` where it has no solution."""
        self._inject()
        wanted = [point for point in self._points if of is None or point.resource in of]
        values = {str(point): self.plant.read(point) for point in wanted}
        return {name: value if isfinite(value) else None for name, value in values.items()}

    def measure(self, station: str, point: Point) -> float:
        """What a station tells of a point, faults included; NaN where there is no value."""
        return self.stations[station].report(point, self.truth(point))

    def _inject(self) -> None:
        """Devices also change between two advances, when they are told something."""
        for name, device in self.devices.items():
            self.plant.inject(name, device.power_w, device.reactive_var)

    def _follow(self) -> None:
        """Let customers and the weather go on as the day does."""
        powers_w = self._course.changed(self.now_s) if self._course else None
        if powers_w is None:
            return
        self.plant.follow({name: power_w for name, power_w in powers_w.items() if name not in self.devices})
        for name in powers_w.keys() & self.devices.keys():
            self.devices[name].set_available(powers_w[name], self.now_s)

    def _check(self, station: str, point: Point) -> None:
        if point.resource not in self.devices and not self.plant.knows(point):
            raise ValueError(f"station {station}: {point} is in neither the network nor the simulated devices")


def of_zone(zone: ZoneFile, directory: Path, now_s: float) -> World:
    """The world of everything that a zone file marks `simulated`; `directory` is the zone file's own.

    Raises:
        ValueError: a device names a bus, or a station a point, that the network does not have; or the day is none.
    """
    devices = {name: device for name, device in zone.devices.items() if device.simulated}
    specs = {
        name: device_spec(name, device, zone.testbed.initial_mw.get(name, 0.0), zone.testbed.physics.get(name, "plain"))
        for name, device in devices.items()
    }
    stations = {name: station_spec(name, station) for name, station in zone.stations.items() if station.simulated}
    if not zone.network.source:
        raise ValueError("the testbed plays zones of one network: give `network.source`, not `network.feeders`")
    resources = {name: attachment(device) for name, device in devices.items()}
    plant = plant_of(directory / zone.network.source, resources)
    return World(plant, specs, stations, now_s, course_of_zone(zone, directory), terminals=resources)


def _terminals(plant: Plant, to: Attachment) -> list[Point]:
    """The voltages of the three phases at a device; where it has not all of them, the mean stands for the others."""
    whole = Point(to.bus, Quantity.VOLTAGE_PU)
    phases = [Point(to.bus, Quantity.VOLTAGE_PU, Phase(letter)) for letter in "abc"]
    return [point if point.phase.value in to.phases and plant.knows(point) else whole for point in phases]


def attachment(device: Device) -> Attachment:
    """Where one device of the zone file stands on the network."""
    to = device.connection
    return Attachment(to.bus, to.phases, delta=to.wiring == "delta" and to.phases != SPLIT)


def device_spec(name: str, device: Device, initial_mw: float, physics: str = "plain") -> DeviceSpec:
    """The physics of one device of the zone file."""
    plate = device.nameplate
    return DeviceSpec(
        resource=name,
        kind=device.kind,
        p_max_w=units.watts(plate.p_max_mw),
        p_min_w=units.watts(plate.p_min_mw),
        s_max_va=None if plate.s_max_mva is None else units.volt_amperes(plate.s_max_mva),
        energy_wh=None if plate.energy_mwh is None else units.watt_hours(plate.energy_mwh),
        charge_efficiency=plate.charge_efficiency,
        discharge_efficiency=plate.discharge_efficiency,
        soc_min_pu=units.per_unit(plate.soc_min_pct),
        ramp_w_per_s=None if plate.ramp_mw_per_min is None else units.watts_per_second(plate.ramp_mw_per_min),
        initial_w=units.watts(initial_mw),
        physics=physics,
    )


def station_spec(name: str, station: Station) -> StationSpec:
    """The points of one station of the zone file."""
    return StationSpec(name, tuple(point_of(mapped.point) for mapped in station.points))


def point_of(text: str) -> Point:
    """`L12.current_a` or `B4.voltage_pu.a` as a point.

    Raises:
        ValueError: the quantity is unknown.
    """
    resource, quantity, *phase = text.split(".")
    return Point(resource, Quantity(quantity), Phase(phase[0]) if phase else Phase.TOTAL)
