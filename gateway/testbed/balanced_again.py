"""Solves a balanced network again after its injections have moved, on the admittances of pandapower's own solution.

A whole run of pandapower spends its time on tables. While nothing but constant powers changes, the admittance
matrix stays, and the voltages follow from it by fixed-point iteration: V = Y⁻¹ (conj(S / V) - Yₛ Vₛ).
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from scipy.sparse.linalg import splu

Result = Mapping[tuple[str, int, str], float]

_TOLERANCE_PU: Final = 1e-10
"""Largest mismatch of power at a bus."""
_ROUNDS: Final = 60
_BRANCHES: Final = ("line", "trafo")
_CURRENTS: Final = {"i_ka": ((0, "from"), (1, "to")), "i_hv_ka": ((0, "from"),), "i_lv_ka": ((1, "to"),)}
"""Ends of a branch that each column of its current is the larger of."""


class Again:
    """One network whose full solution is known."""

    def __init__(self, net: Any) -> None:  # noqa: ANN401 - of pandapower
        """`net` was just solved.

        Raises:
            ValueError: it has to be solved as a whole: parts are out of service or apart, or it has several sources.
        """
        ppc, lookups = net._ppc, net._pd2ppc_lookups  # noqa: SLF001 - pandapower publishes neither
        inner = ppc["internal"]
        whole = len(inner["bus"]) == len(ppc["bus"]) and len(inner["branch"]) == len(ppc["branch"])
        if not whole or len(inner["ref"]) != 1 or len(inner["pv"]) or len(net.ext_grid) != 1:
            raise ValueError("parts of the network are out of service or apart")
        self._net, self._ref, self._free = net, int(inner["ref"][0]), inner["pq"]
        self._y, self._yf, self._yt = inner["Ybus"].tocsr(), inner["Yf"].tocsr(), inner["Yt"].tocsr()
        self._lu = splu(self._y[self._free][:, self._free].tocsc())
        self._from_slack = self._y[self._free][:, [self._ref]].toarray()[:, 0]
        self._ends = inner["branch"][:, :2].real.astype(int)
        self._base_mva, self._base_kv = float(inner["baseMVA"]), inner["bus"][:, 9].real
        self._volts = inner["V"].copy()
        self._power = self._volts * (self._y @ self._volts).conj()
        self._places = lookups["bus"]
        self._sources = {
            column: float(net.res_ext_grid.at[net.ext_grid.index[0], column]) for column in ("p_mw", "q_mvar")
        }
        self._rows = {table: {int(i): n for n, i in enumerate(net[table].index)} for table in _BRANCHES}
        self._starts = {table: lookups["branch"].get(table, (0, 0))[0] for table in _BRANCHES}

    def move(self, injected: Mapping[int, complex]) -> bool:
        """Let buses, by their index in the tables, inject so much more MVA than now; False where nothing is found."""
        power = self._power.copy()
        for bus, mva in injected.items():
            power[self._places[bus]] += mva / self._base_mva
        volts, free = self._volts.copy(), self._free
        for _ in range(_ROUNDS):
            volts[free] = self._lu.solve((power[free] / volts[free]).conj() - self._from_slack * volts[self._ref])
            reached = volts * (self._y @ volts).conj()
            if np.abs(reached - power)[free].max(initial=0.0) < _TOLERANCE_PU:
                power[self._ref] = reached[self._ref]
                moved_at_slack = sum(mva for bus, mva in injected.items() if self._places[bus] == self._ref)
                change = (reached[self._ref] - self._power[self._ref]) * self._base_mva - moved_at_slack
                self._sources = {
                    "p_mw": self._sources["p_mw"] + change.real,
                    "q_mvar": self._sources["q_mvar"] + change.imag,
                }
                self._volts, self._power = volts, power
                return True
        return False

    def value(self, table: str, index: int, column: str) -> float:
        """A result as pandapower's table has it; of loads, which do not move, the table's own."""
        if table == "bus":
            return float(abs(self._volts[self._places[index]]))
        if table == "ext_grid":
            return self._sources[column]
        if table not in _BRANCHES:
            return float(self._net[f"res_{table}"].at[index, column])
        row = self._starts[table] + self._rows[table][index]
        amps = {end: (y[row] @ self._volts)[0] for end, y in (("from", self._yf), ("to", self._yt))}
        if column in _CURRENTS:
            return max(self._kiloamps(row, side, amps[end]) for side, end in _CURRENTS[column])
        flow = self._volts[self._ends[row, 0]] * amps["from"].conjugate() * self._base_mva
        return float(flow.real if column.startswith("p_") else flow.imag)

    def _kiloamps(self, row: int, side: int, amps: complex) -> float:
        return float(abs(amps) * self._base_mva / (3**0.5 * self._base_kv[self._ends[row, side]]))
