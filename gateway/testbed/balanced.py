"""The true network of a zone in pandapower's format: its Newton solver, run only when somebody reads after a change."""

from collections.abc import Mapping
from contextlib import suppress
from math import isfinite, sqrt
from pathlib import Path
from typing import Any, Final

import pandapower as pp
from pandapower.auxiliary import LoadflowNotConverged

from gateway.testbed.balanced_again import Again
from gateway.testbed.plant import MOVED_W, Attachment
from protocols.points import Point, Quantity

_TABLES: Final = ("bus", "line", "trafo", "switch", "shunt", "ext_grid", "load")
_SWITCHED: Final = (
    ("switch", Quantity.SWITCH_CLOSED),
    ("shunt", Quantity.SWITCH_CLOSED),
    ("trafo", Quantity.TAP_POSITION),
)

_FORMULAS: Final[Mapping[tuple[str, Quantity], tuple[tuple[str, float], ...]]] = {
    ("bus", Quantity.VOLTAGE_PU): (("vm_pu", 1.0),),
    ("line", Quantity.CURRENT_A): (("i_ka", 1e3),),
    ("line", Quantity.ACTIVE_POWER_W): (("p_from_mw", 1e6),),
    ("line", Quantity.REACTIVE_POWER_VAR): (("q_from_mvar", 1e6),),
    ("line", Quantity.APPARENT_POWER_VA): (("p_from_mw", 1e6), ("q_from_mvar", 1e6)),
    ("trafo", Quantity.CURRENT_A): (("i_lv_ka", 1e3),),
    ("trafo", Quantity.ACTIVE_POWER_W): (("p_hv_mw", 1e6),),
    ("trafo", Quantity.REACTIVE_POWER_VAR): (("q_hv_mvar", 1e6),),
    ("trafo", Quantity.APPARENT_POWER_VA): (("p_hv_mw", 1e6), ("q_hv_mvar", 1e6)),
    ("ext_grid", Quantity.ACTIVE_POWER_W): (("p_mw", 1e6),),
    ("ext_grid", Quantity.REACTIVE_POWER_VAR): (("q_mvar", 1e6),),
    ("ext_grid", Quantity.APPARENT_POWER_VA): (("p_mw", 1e6), ("q_mvar", 1e6)),
    ("load", Quantity.ACTIVE_POWER_W): (("p_mw", -1e6),),
    ("load", Quantity.REACTIVE_POWER_VAR): (("q_mvar", -1e6),),
}
"""Result columns of each quantity; the root of the sum of squares where there are two."""


class BalancedPlant:
    """One balanced network with DERs on it; powers in W, positive for injection.

    A line's power counts from its first bus to its second, a transformer's from the high to the low
    voltage side, a load's as injection (negative). Line currents are those of the end that carries
    more, transformer currents those of the low voltage side.
    """

    def __init__(self, network: Path, resources: Mapping[str, Attachment]) -> None:
        """Load a pandapower JSON file and connect each of `resources` as it says.

        Raises:
            ValueError: a bus is not in the network, or not all phases are connected.
        """
        self._net: Any = pp.from_json(str(network))
        self._places = {
            str(name): (table, int(index))
            for table in reversed(_TABLES)
            for index, name in self._net[table]["name"].items()
        }
        self._generators = {resource: self._connect(resource, to) for resource, to in resources.items()}
        loads = self._net.load
        self._as_loaded = {index: (loads.at[index, "p_mw"], loads.at[index, "q_mvar"]) for index in loads.index}
        self._injected = dict.fromkeys(resources, 0j)
        self._solved: dict[str, complex] | None = None
        self._again: Again | None = None
        """The last whole solution, while only injections have moved since."""
        self.converged = True
        """False while the network has no solution; everything read then is NaN."""
        self.solutions = 0
        """Power flows solved so far."""

    def points(self) -> list[Point]:
        """Everything that `read` can tell."""
        points = (Point(name, quantity) for name in self._places for quantity in Quantity)
        return [point for point in points if self.knows(point)]

    def sources(self) -> frozenset[str]:
        """Names of the systems above."""
        return frozenset(name for name, (table, _) in self._places.items() if table == "ext_grid")

    def loads(self) -> frozenset[str]:
        """Names of what draws power; of a bus and a load of one name, the bus."""
        return frozenset(str(name) for name in self._net.load["name"])

    def knows(self, point: Point) -> bool:
        """True where `read` can tell the point."""
        table, _ = self._places.get(point.resource, ("", 0))
        switched = (table, point.quantity) in _SWITCHED
        return (
            switched
            or (table == "bus" and point.quantity is Quantity.VOLTAGE_V)
            or (table, point.quantity) in _FORMULAS
        )

    def inject(self, resource: str, power_w: float, reactive_var: float = 0.0) -> None:
        """Let a DER inject these powers from now on."""
        self._injected[resource] = complex(power_w, reactive_var)

    def follow(self, power_w: Mapping[str, float]) -> None:
        """Let loads draw these powers from now on, at their power factor as loaded.

        Raises:
            ValueError: the network has no such load; it knows no units.
        """
        loads = self._net.load
        for name, drawn_w in power_w.items():
            index = self._index("load", name)
            active_mw, reactive_mvar = self._as_loaded[index]
            if active_mw:
                loads.at[index, "p_mw"] = drawn_w / 1e6
                loads.at[index, "q_mvar"] = drawn_w / 1e6 * reactive_mvar / active_mw
        self._rebuilt()

    def set_switch(self, name: str, *, closed: bool) -> None:
        """Open or close a switch, or the switch of a capacitor.

        Raises:
            ValueError: the network has no such switch or capacitor.
        """
        table, index = self._places.get(name, ("", 0))
        if table == "shunt":
            self._net.shunt.at[index, "in_service"] = closed
        else:
            self._net.switch.at[self._index("switch", name), "closed"] = closed
        self._rebuilt()

    def set_tap(self, name: str, position: int) -> None:
        """Move a transformer's tap changer.

        Raises:
            ValueError: the network has no such transformer, or its tap changer does not go that far.
        """
        n = self._index("trafo", name)
        least, most = self._net.trafo.at[n, "tap_min"], self._net.trafo.at[n, "tap_max"]
        if position < least or position > most:
            raise ValueError(f"the tap changer of {name} goes from {least:g} to {most:g}, not to {position}")
        self._net.trafo.at[n, "tap_pos"] = position
        self._rebuilt()

    def scale_loads(self, factor: float) -> None:
        """Multiply every load of the network, as loaded, by `factor`."""
        self._net.load["scaling"] = factor
        self._rebuilt()

    def read(self, point: Point) -> float:
        """The true value of a point, in its quantity's unit; NaN where there is no solution, 0 where it is dead.

        Raises:
            ValueError: the network cannot tell this point.
        """
        if not self.knows(point):
            raise ValueError(f"{point}: the network has no such value; it knows {', '.join(sorted(self._places))}")
        table, index = self._places[point.resource]
        if point.quantity is Quantity.SWITCH_CLOSED:
            return float(self._net[table].at[index, "closed" if table == "switch" else "in_service"])
        if point.quantity is Quantity.TAP_POSITION:
            return float(self._net.trafo.at[index, "tap_pos"])
        self._solve()
        if not self.converged:
            return float("nan")
        if point.quantity is Quantity.VOLTAGE_V:
            return self._result("bus", index, "vm_pu") * float(self._net.bus.at[index, "vn_kv"]) * 1e3
        values = [self._result(table, index, name) * unit for name, unit in _FORMULAS[table, point.quantity]]
        return values[0] if len(values) == 1 else sqrt(sum(value * value for value in values))

    def carried_va(self, transformer: str) -> float:
        """What counts against a transformer's rating: its largest current, at nominal voltage.

        Raises:
            ValueError: the network has no such transformer.
        """
        index = self._index("trafo", transformer)
        self._solve()
        if not self.converged:
            return float("nan")
        return max(
            1e6 * sqrt(3) * amps_ka * float(self._net.trafo.at[index, f"vn_{side}_kv"])
            for side in ("hv", "lv")
            for amps_ka in self._currents_ka(index, side)
        )

    def _currents_ka(self, index: int, side: str) -> list[float]:
        """Of a transformer's winding."""
        return [self._result("trafo", index, f"i_{side}_ka")]

    def _result(self, table: str, index: int, column: str) -> float:
        result = self._again
        value = (
            float(self._net[f"res_{table}"].at[index, column]) if result is None else result.value(table, index, column)
        )
        return value if isfinite(value) else 0.0

    def _connect(self, resource: str, to: Attachment) -> int:
        if to.phases != "abc":
            raise ValueError(f"{resource} is connected to {to.phases!r}, but this network has all phases alike")
        return int(pp.create_sgen(self._net, self._index("bus", to.bus), p_mw=0.0, q_mvar=0.0, name=resource))

    def _index(self, table: str, name: str) -> int:
        rows = self._net[table].index[self._net[table]["name"] == name]
        if len(rows) == 0:
            raise ValueError(f"the network has no {table} named {name!r}")
        return int(rows[0])

    def _rebuilt(self) -> None:
        """The next solution starts from scratch."""
        self._solved, self._again = None, None

    def _solve(self) -> None:
        before = self._solved
        if before is not None and all(
            abs(power - before[resource]) < MOVED_W for resource, power in self._injected.items()
        ):
            return
        self._solved = dict(self._injected)
        self.solutions += 1
        if self._again is not None and before is not None and self._again.move(self._moved(before)):
            return
        self._again = None
        for resource, power in self._injected.items():
            self._net.sgen.at[self._generators[resource], "p_mw"] = power.real / 1e6
            self._net.sgen.at[self._generators[resource], "q_mvar"] = power.imag / 1e6
        try:
            pp.runpp(self._net, numba=False, calculate_voltage_angles=True, init="flat")
            self.converged = True
        except LoadflowNotConverged:
            self.converged = False
            return
        with suppress(ValueError):
            self._again = Again(self._net)

    def _moved(self, before: Mapping[str, complex]) -> dict[int, complex]:
        """What each bus injects more than before, MVA."""
        moved: dict[int, complex] = {}
        for resource, power in self._injected.items():
            bus = int(self._net.sgen.at[self._generators[resource], "bus"])
            moved[bus] = moved.get(bus, 0j) + (power - before[resource]) / 1e6
        return moved
