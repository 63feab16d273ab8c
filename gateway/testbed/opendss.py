"""The true network of a zone in Ampacity's own format, phase by phase: OpenDSS with its own controllers.

Regulators and capacitors act as their settings say, at once, whenever the network is solved anew; that happens
only when somebody reads after something changed.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from dss import DSS, DSSException

from gateway.testbed.opendss_reading import INJECTS, QUANTITIES, TABLES, Flow, phases_of, unsupplied, value
from gateway.testbed.plant import MOVED_W, SPLIT, Attachment
from grid_engine.exporters.opendss import translate
from grid_engine.model import TERMINAL_NAMES, Network, SwitchKind
from protocols.points import Phase, Point, Quantity

_SET_UP: Final = ("set tolerance=1e-7", "set maxiterations=100", "set maxcontroliter=100", "set controlmode=static")
_NO_BAND: Final = "vminpu=0 vmaxpu=1000"
"""Constant power, whatever the voltage."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Part of a load or unit as OpenDSS has it."""

    name: str
    share: float
    """Of the whole's active power."""
    var_per_w: float
    var: float
    """Besides what goes with the active power."""


class OpenDssPlant:
    """One unbalanced network with DERs on it; powers in W, positive for injection.

    A line's power counts from its first bus to its second, a transformer's into its first winding. What is told
    without a phase is the sum of powers, the mean of voltages, and of currents the largest: at either end of a
    line, behind the first winding of a transformer.
    """

    def __init__(self, network: Network, resources: Mapping[str, Attachment]) -> None:
        """Connect each of `resources` to the network as it says.

        Raises:
            ValueError: a bus, or a phase of it, is not in the network.
            grid_engine.model.NetworkError: OpenDSS cannot say an element.
        """
        self._network = network
        told = translate(network)
        self._elements = told.elements
        self._dss: Any = DSS.NewContext()
        self._dss.AllowForms = False
        self._dss.Text.Commands(told.text)
        nodes = zip(network.nodes.bus.tolist(), network.nodes.terminal.tolist(), told.places, strict=True)
        self._places = {(network.buses.ids[bus], TERMINAL_NAMES[terminal]): place for bus, terminal, place in nodes}
        self._terminals = {place: terminal for (_, terminal), place in self._places.items()}
        self._ids = {place.partition(".")[0]: bus for (bus, _), place in self._places.items()}
        self._phase_v = dict(zip(network.buses.ids, network.buses.phase_v.tolist(), strict=True))
        self._row = {
            name: (table, n) for table in reversed(TABLES) for n, name in enumerate(getattr(network, table).ids)
        }
        self._pieces = {
            name: list(self._pieces_of(table, n))
            for name, (table, n) in self._row.items()
            if table in ("loads", "units")
        }
        self._generators = {
            resource: list(self._connect(f"der{n}", resource, to)) for n, (resource, to) in enumerate(resources.items())
        }
        self._closed = dict(zip(network.switches.ids, network.switches.closed.tolist(), strict=True))
        for command in _SET_UP:
            self._tell(command)
        self._injected = dict.fromkeys(resources, 0j)
        self._solved: dict[str, complex] | None = None
        self._volts: dict[str, complex] = {}
        self._flows: dict[str, Flow] = {}
        self.converged = True
        """False while the network has no solution; everything read then is NaN."""
        self.solutions = 0
        """Power flows solved so far."""

    def points(self) -> list[Point]:
        """Everything that `read` can tell, phases together."""
        points = [Point(name, quantity) for name, (table, _) in self._row.items() for quantity in QUANTITIES[table]]
        return [point for point in points if self.knows(point)]

    def sources(self) -> frozenset[str]:
        """Names of the systems above."""
        return frozenset(name for name, (table, _) in self._row.items() if table == "sources")

    def loads(self) -> frozenset[str]:
        """Names of what draws power."""
        return frozenset(name for name, (table, _) in self._row.items() if table == "loads")

    def knows(self, point: Point) -> bool:
        """True where `read` can tell the point."""
        table, n = self._row.get(point.resource, ("", 0))
        if point.quantity not in QUANTITIES.get(table, ()):
            return False
        if point.quantity is Quantity.TAP_POSITION:
            return point.phase is Phase.TOTAL and bool(self._network.transformers.tap_winding[n] >= 0)
        return point.phase is Phase.TOTAL or point.phase.value in phases_of(self._network, table, n)

    def inject(self, resource: str, power_w: float, reactive_var: float = 0.0) -> None:
        """Let a DER inject these powers from now on."""
        self._injected[resource] = complex(power_w, reactive_var)

    def follow(self, power_w: Mapping[str, float]) -> None:
        """Let loads draw and units of the network inject these powers from now on, by id.

        Loads keep their power factor as loaded, units their reactive power.

        Raises:
            ValueError: the network has no such load or unit.
        """
        strangers = sorted(name for name in power_w if name not in self._pieces)
        if strangers:
            raise ValueError(f"the network has no load or unit named {', '.join(strangers)}")
        for name, whole_w in power_w.items():
            for piece in self._pieces[name]:
                own_w = whole_w * piece.share
                self._set_power(piece.name, own_w, own_w * piece.var_per_w + piece.var)
        self._solved = None

    def set_switch(self, name: str, *, closed: bool) -> None:
        """Open or close a switch at the end of a line or transformer.

        Raises:
            ValueError: the network has no such switch, or it joins two buses, which are one bus here.
        """
        table, n = self._row.get(name, ("", 0))
        if table != "switches":
            raise ValueError(f"the network has no switch named {name!r}")
        switches, kind = self._network.switches, SwitchKind(int(self._network.switches.kind[n]))
        if kind not in (SwitchKind.LINE, SwitchKind.TRANSFORMER):
            raise ValueError(f"switch {name!r} joins two buses, which are one bus in the simulated network")
        of = "lines" if kind is SwitchKind.LINE else "transformers"
        branch = getattr(self._network, of).ids[int(switches.element[n])]
        for element in self._elements[of, branch]:
            self._tell(f"{'close' if closed else 'open'} {element} {self._end(element, int(switches.bus[n]))}")
        self._closed[name] = closed
        self._part()
        self._solved = None

    def set_tap(self, name: str, position: int) -> None:
        """Move a transformer's tap changer by hand: its controller no longer acts.

        Raises:
            ValueError: the network has no such transformer, or it has no tap changer.
        """
        table, n = self._row.get(name, ("", 0))
        transformers, regulators = self._network.transformers, self._network.regulators
        if table != "transformers" or transformers.tap_winding[n] < 0:
            raise ValueError(f"the network has no transformer with a tap changer named {name!r}")
        for own, of in zip(regulators.ids, regulators.transformer.tolist(), strict=True):
            if of == n:
                for control in self._elements["regulators", own]:
                    self._tell(f"edit {control} enabled=no")
        steps = position - int(transformers.tap_neutral[n])
        ratio = self._neutral(n) + steps * float(transformers.tap_step_pct[n]) / 100
        for element in self._elements["transformers", name]:
            self._tell(f"edit {element} wdg={transformers.tap_winding[n] + 1} tap={ratio!r}")
        self._solved = None

    def scale_loads(self, factor: float) -> None:
        """Multiply every load of the network, as loaded or as it follows, by `factor`."""
        self._tell(f"set loadmult={factor!r}")
        self._solved = None

    def read(self, point: Point) -> float:
        """The true value of a point, in its quantity's unit; NaN where there is no solution, 0 where it is dead.

        Raises:
            ValueError: the network cannot tell this point.
        """
        if not self.knows(point):
            raise ValueError(f"{point}: the network has no such value")
        self._solve()
        table, n = self._row[point.resource]
        if point.quantity is Quantity.SWITCH_CLOSED:
            return float(self._closed[point.resource] if table == "switches" else self._is_in(n))
        if point.quantity is Quantity.TAP_POSITION:
            return float(self._tap(n))
        if not self.converged:
            return float("nan")
        if table == "buses":
            return self._voltage(point)
        flow = self._flow(table, point.resource)
        return value(flow, table, point) * (-1 if table in INJECTS and point.quantity is not Quantity.CURRENT_A else 1)

    def carried_va(self, transformer: str) -> float:
        """What counts against a transformer's rating: the power through it.

        Raises:
            ValueError: the network has no such transformer.
        """
        return self.read(Point(transformer, Quantity.APPARENT_POWER_VA))

    # --- building ---------------------------------------------------------------------------------

    def _tell(self, command: str) -> None:
        self._dss.Text.Command = command

    def _ask(self, property_: str) -> float:
        self._tell(f"? {property_}")
        return float(self._dss.Text.Result)

    def _pieces_of(self, table: str, n: int) -> Iterator[_Piece]:
        names = self._elements[table, getattr(self._network, table).ids[n]]
        watts = [1e3 * self._ask(f"{name}.kw") for name in names]
        var = [1e3 * self._ask(f"{name}.kvar") for name in names]
        for name, own_w, own_var in zip(names, watts, var, strict=True):
            share = own_w / sum(watts) if sum(watts) else 1 / len(names)
            if table == "loads":
                yield _Piece(name, share, own_var / own_w if own_w else 0.0, 0.0)
            else:
                yield _Piece(name, share, 0.0, own_var)

    def _connect(self, name: str, resource: str, to: Attachment) -> Iterator[str]:
        """A generator of constant power for every branch; their names."""
        letters = ["s1", "s2"] if to.phases == SPLIT else list(to.phases)
        unknown = [letter for letter in letters if (to.bus, letter) not in self._places]
        if unknown:
            raise ValueError(f"{resource} is connected to {to.phases} of bus {to.bus}, but there is no {unknown[0]}")
        places = [self._places[to.bus, letter] for letter in letters]
        kilovolts = self._phase_v[to.bus] / 1e3
        if to.phases == SPLIT or to.delta:
            ring = [*places, places[0]] if len(places) == 3 else places
            ends = [f"{one}.{other.rpartition('.')[2]}" for one, other in pairwise(ring)]
            kilovolts *= 2 if to.phases == SPLIT else 3**0.5
        else:
            ends = [f"{place}.0" for place in places]
        for n, end in enumerate(ends):
            self._tell(f"new generator.{name}_{n} phases=1 bus1={end} kv={kilovolts!r} kw=0 kvar=0 model=1 {_NO_BAND}")
            yield f"generator.{name}_{n}"

    def _set_power(self, element: str, active_w: float, reactive_var: float) -> None:
        self._tell(f"edit {element} kw={active_w / 1e3!r} kvar={reactive_var / 1e3!r}")

    def _end(self, element: str, bus: int) -> int:
        """Which end of an element stands at a bus of the network, from 1."""
        self._dss.ActiveCircuit.SetActiveElement(element)
        here = {
            place.partition(".")[0] for (name, _), place in self._places.items() if name == self._network.buses.ids[bus]
        }
        ends = [name.partition(".")[0].lower() for name in self._dss.ActiveCircuit.ActiveCktElement.BusNames]
        return next(n for n, end in enumerate(ends, 1) if end in here)

    def _neutral(self, n: int) -> float:
        transformers = self._network.transformers
        return float(transformers.fixed_tap_pu[n, transformers.tap_winding[n]])

    def _part(self) -> None:
        """Inverters where no source is left disconnect themselves; they come back with it."""
        dead = unsupplied(self._network, self._closed)
        for names in (
            *self._generators.values(),
            *([p.name for p in self._pieces[u]] for u in self._network.units.ids),
        ):
            for name in names:
                self._dss.ActiveCircuit.SetActiveElement(name)
                own = self._dss.ActiveCircuit.ActiveCktElement
                bus = own.BusNames[0].partition(".")[0].lower()
                own.Enabled = self._ids[bus] not in dead

    # --- reading ----------------------------------------------------------------------------------

    def _tap(self, n: int) -> int:
        transformers = self._network.transformers
        windings = self._dss.ActiveCircuit.Transformers
        windings.Name = self._elements["transformers", transformers.ids[n]][0].partition(".")[2]
        windings.Wdg = int(transformers.tap_winding[n]) + 1
        steps = float((windings.Tap - self._neutral(n)) / (transformers.tap_step_pct[n] / 100))
        return int(transformers.tap_neutral[n]) + round(steps)

    def _is_in(self, n: int) -> bool:
        shunts = self._network.shunts
        element = self._elements["shunts", shunts.ids[n]][0]
        if not element.startswith("capacitor."):
            return bool(shunts.in_service[n])
        capacitors = self._dss.ActiveCircuit.Capacitors
        capacitors.Name = element.partition(".")[2]
        return any(capacitors.States)

    def _voltage(self, point: Point) -> float:
        if not self._volts:
            circuit = self._dss.ActiveCircuit
            volts = circuit.AllBusVolts
            self._volts = {
                name.lower(): complex(volts[2 * n], volts[2 * n + 1]) for n, name in enumerate(circuit.AllNodeNames)
            }
        bus, table = point.resource, self._network
        _, n = self._row[bus]
        wanted = [point.phase.value] if point.phase is not Phase.TOTAL else phases_of(table, "buses", n)
        found = [abs(self._volts[self._places[bus, letter]]) for letter in wanted]
        mean_v = float(sum(found) / len(found))
        if point.quantity is Quantity.VOLTAGE_PU:
            return mean_v / float(self._phase_v[bus])
        return mean_v * (3.0**0.5 if point.phase is Phase.TOTAL and len(found) == 3 else 1.0)

    def _flow(self, table: str, name: str) -> Flow:
        """What flows into each end of an element, conductor by conductor."""
        if name not in self._flows:
            circuit = self._dss.ActiveCircuit
            ends: Flow = []
            made = self._elements[table, name]
            for element in made[:1] if table == "lines" else made:  # behind a line: the conductance of its shunts
                circuit.SetActiveElement(element)
                own = circuit.ActiveCktElement
                powers, currents, order = own.Powers, own.CurrentsMagAng, own.NodeOrder
                buses = [bus.partition(".")[0].lower() for bus in own.BusNames]
                for k, number in enumerate(order):
                    end = k // own.NumConductors
                    letter = self._terminals.get(f"{buses[end]}.{number}", "")
                    va = 1e3 * complex(powers[2 * k], powers[2 * k + 1])
                    ends.append((end, letter, va, float(currents[2 * k])))
            self._flows[name] = ends
        return self._flows[name]

    def _solve(self) -> None:
        if self._solved is not None and all(
            abs(power - self._solved[resource]) < MOVED_W for resource, power in self._injected.items()
        ):
            return
        for resource, generators in self._generators.items():
            for generator in generators:
                share = self._injected[resource] / len(generators)
                self._set_power(generator, share.real, share.imag)
        self._solved = dict(self._injected)
        self._volts, self._flows = {}, {}
        solution = self._dss.ActiveCircuit.Solution
        with suppress(DSSException):  # also where controllers do not come to rest; whether it solved is asked next
            solution.Solve()
        self.converged = bool(solution.Converged)
        self.solutions += 1
