"""Reference zone R1 in pandapower, and the oracle of these tests: its solvers and plain bisection, never our engine."""

from collections.abc import Callable
from typing import Any

import pandapower as pp

LOADS_MW = {"B2": 1.5, "B3": 1.0, "B4": 0.5, "B5": 2.5, "B6": 2.0, "B7": 2.0}
LINES = {
    "L11": ("B1", "B2", 4.0, 400.0),
    "L12": ("B2", "B3", 5.0, 154.2),
    "L13": ("B3", "B4", 4.0, 400.0),
    "L21": ("B1", "B5", 3.0, 400.0),
    "L22": ("B5", "B6", 4.0, 400.0),
    "L31": ("B1", "B7", 6.0, 400.0),
    "LT": ("B4", "B6", 2.0, 400.0),
}
POI = {"A": "B3", "B": "B4", "C": "B6", "D": "B5", "E": "B2", "G": "B7"}


def build() -> Any:
    """The network alone: two 10 MVA transformers, three feeders, an open tie; no DER."""
    net = pp.create_empty_network(f_hz=60.0, sn_mva=10.0)
    bus = {"B0": pp.create_bus(net, 115.0, name="B0")}
    bus |= {f"B{n}": pp.create_bus(net, 13.8, name=f"B{n}") for n in range(1, 8)}
    pp.create_ext_grid(
        net,
        bus["B0"],
        vm_pu=1.02,
        name="TD1",
        s_sc_max_mva=2000,
        s_sc_min_mva=1500,
        rx_max=0.1,
        rx_min=0.1,
        r0x0_max=0.1,
        x0x_max=1.0,
    )
    for name in ("T1", "T2"):
        pp.create_transformer_from_parameters(
            net,
            bus["B0"],
            bus["B1"],
            name=name,
            sn_mva=10.0,
            vn_hv_kv=115.0,
            vn_lv_kv=13.8,
            vk_percent=10.0,
            vkr_percent=0.5,
            pfe_kw=10.0,
            i0_percent=0.1,
            shift_degree=0,
            vector_group="YNyn",
            vk0_percent=10.0,
            vkr0_percent=0.5,
            mag0_percent=100,
            mag0_rx=0.0,
            si0_hv_partial=0.9,
            tap_side="hv",
            tap_neutral=0,
            tap_min=-8,
            tap_max=8,
            tap_step_percent=1.25,
            tap_step_degree=0,
            tap_pos=0,
            tap_changer_type="Ratio",
        )
    line = {}
    for name, (start, end, km, amperes) in LINES.items():
        line[name] = pp.create_line_from_parameters(
            net,
            bus[start],
            bus[end],
            name=name,
            length_km=km,
            r_ohm_per_km=0.169,
            x_ohm_per_km=0.418,
            c_nf_per_km=10.0,
            r0_ohm_per_km=0.35,
            x0_ohm_per_km=1.25,
            c0_nf_per_km=5.0,
            max_i_ka=amperes / 1e3,
        )
    pp.create_switch(net, bus["B2"], line["L12"], et="l", closed=True, name="SW12")
    pp.create_switch(net, bus["B6"], line["LT"], et="l", closed=False, name="SWT")
    for name, p_mw in LOADS_MW.items():
        pp.create_load(net, bus[name], p_mw=p_mw, q_mvar=0.3287 * p_mw, name=f"LD_{name}", type="wye")
    pp.create_shunt(net, bus["B3"], q_mvar=-1.2, p_mw=0.0, name="C1", in_service=False)
    return net


def row(net: Any, table: str, name: str) -> int:
    """Index of a named element."""
    return int(net[table].index[net[table].name == name][0])


class Oracle:
    """R1 with its DERs, solved by pandapower."""

    def __init__(self, net: Any | None = None) -> None:
        self.net = build() if net is None else net
        self.base = self.net.load[["p_mw", "q_mvar"]].copy()

    def solve(
        self,
        der_mw: dict[str, float],
        *,
        scale: float = 1.0,
        taps: dict[str, int] | None = None,
        closed: dict[str, bool] | None = None,
        in_service: dict[str, bool] | None = None,
        phases: dict[str, str] | None = None,
    ) -> "Oracle":
        """Set everything and solve; three-phase where `phases` says that somebody is not on all three."""
        net = self.net
        net.load[["p_mw", "q_mvar"]] = self.base * scale
        net.trafo["tap_pos"] = [(taps or {}).get(name, 0) for name in net.trafo.name]
        for name, is_closed in ({"SW12": True, "SWT": False} | (closed or {})).items():
            net.switch.loc[net.switch.name == name, "closed"] = is_closed
        for name, live in ({"T1": True, "T2": True, "C1": False} | (in_service or {})).items():
            for table in ("trafo", "shunt", "line"):
                net[table].loc[net[table].name == name, "in_service"] = live
        net.sgen = net.sgen.iloc[:0]
        net.asymmetric_sgen = net.asymmetric_sgen.iloc[:0]
        for name, p_mw in der_mw.items():
            self._connect(row(net, "bus", POI[name]), p_mw, (phases or {}).get(name, "abc"))
        if phases:
            pp.runpp_3ph(net, numba=False)
            assert not net.res_bus_3ph.vm_a_pu.isna().all()
        else:
            pp.runpp(net, numba=False, tolerance_mva=1e-9, calculate_voltage_angles=True)
        return self

    def _connect(self, bus: int, p_mw: float, phases: str) -> None:
        if phases == "abc":
            pp.create_sgen(self.net, bus, p_mw=p_mw, q_mvar=0.0, type="wye")
            return
        share = {f"p_{x}_mw": p_mw / len(phases) if x in phases else 0.0 for x in "abc"}
        pp.create_asymmetric_sgen(self.net, bus, type="wye", **share)

    def amperes(self, line: str) -> float:
        return float(self.net.res_line.at[row(self.net, "line", line), "i_ka"]) * 1e3

    def voltage(self, bus: str) -> float:
        return float(self.net.res_bus.at[row(self.net, "bus", bus), "vm_pu"])

    def transformer_pct(self, name: str) -> float:
        return float(self.net.res_trafo.at[row(self.net, "trafo", name), "loading_percent"])

    def holds(self, ratings_a: dict[str, float] | None = None, v_min: float = 0.95, v_max: float = 1.05) -> bool:
        """True where no line, transformer or bus voltage is beyond its limit."""
        limits = {name: amperes for name, (_, _, _, amperes) in LINES.items()} | (ratings_a or {})
        return (
            all(self.amperes(name) <= limit + 1e-6 for name, limit in limits.items())
            and all(v_min - 1e-9 <= self.voltage(f"B{n}") <= v_max + 1e-9 for n in range(1, 8))
            and all(not p > 100 for p in self.net.res_trafo.loading_percent)
        )


def bisect(holds: Callable[[float], bool], good: float, bad: float, steps: int = 20) -> float:
    """The value furthest from `good` towards `bad` for which `holds`."""
    for _ in range(steps):
        middle = (good + bad) / 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good
