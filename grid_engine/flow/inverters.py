"""Volt-VAR and Volt-Watt functions of units: the power that each wants at solved voltages.

Reactive power goes first: where the rating cannot carry both, active power gives way.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from grid_engine.flow.nodal import System, in_state
from grid_engine.flow.pairs import Pairs
from grid_engine.model import EARTH, ComplexArray, Curve, FloatArray, IntArray, Terminal

_ANGLE_DEG = {Terminal.A: 0.0, Terminal.B: -120.0, Terminal.C: 120.0, Terminal.S1: 0.0, Terminal.S2: 180.0}
"""Of the nominal voltage to earth; a neutral has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Inverters:
    """Units with a function of voltage."""

    units: IntArray
    """Shape (n,): positions in the network's table."""
    pairs: IntArray
    """Shape (n_own,): positions of their branches among the pairs."""
    owner: IntArray
    """Shape (n_own,): which unit, among `units`, each belongs to."""
    volts: csr_array
    """Shape (n_own, n_node): voltage across a branch over nominal, from node voltages in per unit."""
    rated_va: FloatArray
    volt_var: tuple[Curve | None, ...]
    volt_watt: tuple[Curve | None, ...]

    def wanted(self, voltage: ComplexArray, available_va: ComplexArray) -> ComplexArray:
        """Shape (n, n_case): power of each unit, at voltages (n_node, n_case) and powers (n, n_case) without it."""
        count = np.bincount(self.owner, minlength=len(self.units))
        seen_pu = self.summed(np.abs(np.asarray(self.volts @ voltage)) + 0j).real / count[:, None]
        active, reactive = available_va.real.copy(), available_va.imag.copy()
        for n, (var, watt) in enumerate(zip(self.volt_var, self.volt_watt, strict=True)):
            if var is not None:
                reactive[n] = self.rated_va[n] * np.interp(seen_pu[n], var.x, var.y)
            if watt is not None:
                active[n] = np.minimum(active[n], self.rated_va[n] * np.interp(seen_pu[n], watt.x, watt.y))
        rated = self.rated_va[:, None]
        reactive = np.clip(reactive, -rated, rated)
        room = np.sqrt(rated**2 - reactive**2)
        return np.clip(active, -room, room) + 1j * reactive

    def summed(self, of_pairs: ComplexArray) -> ComplexArray:
        """Shape (n, n_case): by unit, of values (n_own, n_case) by branch."""
        result = np.zeros((len(self.units), of_pairs.shape[1]), dtype=np.complex128)
        np.add.at(result, self.owner, of_pairs)
        return result

    def shared(self, of_units: ComplexArray) -> ComplexArray:
        """Shape (n_own, n_case): powers of units (n, n_case), shared equally by their branches."""
        return np.asarray((of_units / np.bincount(self.owner, minlength=len(self.units))[:, None])[self.owner])


def inverters(system: System, pairs: Pairs, unit_of: IntArray) -> Inverters:
    """The units with such a function that are in service; `unit_of` (n_pair,) says whose a pair is, or -1."""
    network, units = system.network, system.network.units
    has = (units.volt_var >= 0) | (units.volt_watt >= 0)
    has &= in_state(units.in_service, units.ids, system.state.in_service) & (units.rated_va > 0)
    chosen = np.flatnonzero(has & np.isin(np.arange(len(units.ids)), unit_of[unit_of >= 0]))
    own = np.flatnonzero(np.isin(unit_of, chosen))
    return Inverters(
        units=chosen,
        pairs=own,
        owner=np.searchsorted(chosen, unit_of[own]),
        volts=_across(system, pairs.first[own], pairs.second[own]),
        rated_va=units.rated_va[chosen],
        volt_var=tuple(network.curves[n] if n >= 0 else None for n in units.volt_var[chosen]),
        volt_watt=tuple(network.curves[n] if n >= 0 else None for n in units.volt_watt[chosen]),
    )


def _across(system: System, first: IntArray, second: IntArray) -> csr_array:
    terminal = system.network.nodes.terminal
    usual = np.array([np.exp(1j * np.deg2rad(_ANGLE_DEG[Terminal(t)])) if t in _ANGLE_DEG else 0 for t in range(6)])
    ends = np.stack([first, second])
    volts = np.append(system.base_v, 0.0)[np.maximum(ends, EARTH)]
    nominal = np.abs(np.subtract(*(volts * np.append(usual[terminal], 0.0)[np.maximum(ends, EARTH)])))
    weight = volts / np.where(nominal > 0, nominal, 1.0) * np.array([[1.0], [-1.0]])
    there = ends >= 0
    row = np.broadcast_to(np.arange(len(first)), ends.shape)[there]
    return csr_array(coo_array((weight[there], (row, ends[there])), shape=(len(first), len(system.base_v))))
