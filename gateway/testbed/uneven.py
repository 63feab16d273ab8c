"""The true network of a zone in pandapower's format, phase by phase: its three-phase solver, for what is not even.

Used where a resource has not all phases. What is told without a phase is the sum of powers, the mean of voltages, and
the largest of currents.
"""

from collections.abc import Mapping
from math import hypot, isfinite
from pathlib import Path
from typing import Any, Final

import pandapower as pp
from pandapower.auxiliary import LoadflowNotConverged

from gateway.testbed.balanced import BalancedPlant
from gateway.testbed.plant import MOVED_W, Attachment
from protocols.points import Phase, Point, Quantity

PHASES: Final = "abc"
_TOLD: Final = {("bus", Quantity.VOLTAGE_PU), ("bus", Quantity.VOLTAGE_V), ("line", Quantity.CURRENT_A)}
"""What can be told of one phase."""
_CURRENT: Final = {"line": "i_{}_ka", "trafo": "i_{}_lv_ka"}
_POWER: Final = {"line": "{}_{}_from_{}", "trafo": "{}_{}_hv_{}", "ext_grid": "{}_{}_{}"}


class UnevenPlant(BalancedPlant):
    """One network with DERs on some or all of its phases; signs as those of `BalancedPlant`."""

    def __init__(self, network: Path, resources: Mapping[str, Attachment]) -> None:
        """As `BalancedPlant`.

        Raises:
            ValueError: a bus is not in the network, or a resource is connected otherwise than to phases and neutral.
        """
        self._phases = {resource: to.phases for resource, to in resources.items()}
        super().__init__(network, resources)

    def knows(self, point: Point) -> bool:
        """True where `read` can tell the point."""
        table, _ = self._places.get(point.resource, ("", 0))
        whole = super().knows(Point(point.resource, point.quantity))
        return whole and (point.phase is Phase.TOTAL or (table, point.quantity) in _TOLD)

    def _connect(self, resource: str, to: Attachment) -> int:
        if to.delta or not set(to.phases) <= set(PHASES):
            raise ValueError(f"{resource} is connected to {to.phases!r}; this network has phases a, b, c to neutral")
        bus = self._index("bus", to.bus)
        # Without a type the three-phase solver leaves an injection out.
        return int(pp.create_asymmetric_sgen(self._net, bus, name=resource, type="wye"))

    def read(self, point: Point) -> float:
        """As `BalancedPlant.read`, of a phase too."""
        if point.quantity in (Quantity.SWITCH_CLOSED, Quantity.TAP_POSITION) or not self.knows(point):
            return super().read(point)
        self._solve()
        if not self.converged:
            return float("nan")
        table, index = self._places[point.resource]
        phases = PHASES if point.phase is Phase.TOTAL else point.phase.value
        if table == "bus":
            volts = sum(self._of(table, index, f"vm_{p}_pu") for p in phases) / len(phases)
            base_v = float(self._net.bus.at[index, "vn_kv"]) * 1e3
            return volts * (base_v if point.quantity is Quantity.VOLTAGE_V else 1.0)
        if point.quantity is Quantity.CURRENT_A:
            return max(self._of(table, index, _CURRENT[table].format(p)) for p in phases) * 1e3
        parts = {"p": self._power(table, index, "p", "mw"), "q": self._power(table, index, "q", "mvar")}
        wanted = {Quantity.ACTIVE_POWER_W: "p", Quantity.REACTIVE_POWER_VAR: "q"}.get(point.quantity, "")
        return parts[wanted] if wanted else hypot(*parts.values())

    def _currents_ka(self, index: int, side: str) -> list[float]:
        return [self._of("trafo", index, f"i_{phase}_{side}_ka") for phase in PHASES]

    def _power(self, table: str, index: int, letter: str, unit: str) -> float:
        if table == "load":
            loads = self._net.load
            return -1e6 * float(loads.at[index, f"{letter}_{unit}"]) * float(loads.at[index, "scaling"])
        return 1e6 * sum(self._of(table, index, _POWER[table].format(letter, p, unit)) for p in PHASES)

    def _of(self, table: str, index: int, column: str) -> float:
        value = float(self._net[f"res_{table}_3ph"].at[index, column])
        return value if isfinite(value) else 0.0

    def _solve(self) -> None:
        before = self._solved
        if before is not None and all(abs(w - before[name]) < MOVED_W for name, w in self._injected.items()):
            return
        table: Any = self._net.asymmetric_sgen
        for resource, power in self._injected.items():
            for phase in PHASES:
                part = power / 1e6 / len(self._phases[resource]) if phase in self._phases[resource] else 0j
                table.at[self._generators[resource], f"p_{phase}_mw"] = part.real
                table.at[self._generators[resource], f"q_{phase}_mvar"] = part.imag
        self._solved = dict(self._injected)
        self.solutions += 1
        try:
            pp.runpp_3ph(self._net, numba=False)
            self.converged = bool(self._net.converged)
        except LoadflowNotConverged:
            self.converged = False
