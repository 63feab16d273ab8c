"""Builds the network of reference zone R1: `python -m config.zones.build_r1` writes `networks/r1.json`.

One transformer station feeds three 13.8 kV feeders; an open tie joins the ends of the first two:

    TD1 ─ B0 ═ T1, T2 ═ B1 ┬ L11 ─ B2 ─ SW12 ─ L12 ─ B3 ─ L13 ─ B4 ┐
        115 kV             ├ L21 ─ B5 ─────── L22 ─ B6 ── SWT ─ LT ┘  (open)
                           └ L31 ─ B7

The element names are the ids that the zone file and every decision cite. DERs are no part of the
network: they come from the zone file. Signs and units are pandapower's (loads positive when they
withdraw, MW, km, kA), since the result is a pandapower file.
"""

from math import acos, tan
from pathlib import Path

import pandapower as pp

TARGET = Path(__file__).parent / "networks" / "r1.json"

_TRANSMISSION_KV = 115.0
_FEEDER_KV = 13.8
_FEEDER_BUSES = ("B1", "B2", "B3", "B4", "B5", "B6", "B7")

_CONDUCTOR = {
    "r_ohm_per_km": 0.169,
    "x_ohm_per_km": 0.418,
    "c_nf_per_km": 10.0,
    "r0_ohm_per_km": 0.35,
    "x0_ohm_per_km": 1.25,
    "c0_nf_per_km": 5.0,
}

_LINES = (
    # name, from, to, km, ampacity in A
    ("L11", "B1", "B2", 4.0, 400.0),
    ("L12", "B2", "B3", 5.0, 154.2),  # an old recloser limits this section
    ("L13", "B3", "B4", 4.0, 400.0),
    ("L21", "B1", "B5", 3.0, 400.0),
    ("L22", "B5", "B6", 4.0, 400.0),
    ("L31", "B1", "B7", 6.0, 400.0),
    ("LT", "B4", "B6", 2.0, 400.0),
)

_SWITCHES = (
    # name, at bus, on line, closed
    ("SW12", "B2", "L12", True),
    ("SWT", "B6", "LT", False),
)

_LOADS_MW = {"B2": 1.5, "B3": 1.0, "B4": 0.5, "B5": 2.5, "B6": 2.0, "B7": 2.0}
_LOAD_POWER_FACTOR = 0.95


def build() -> "pp.pandapowerNet":
    """R1 as a pandapower network at full load, taps in the middle, capacitor out, tie open."""
    net = pp.create_empty_network(name="R1", f_hz=60.0, sn_mva=10.0)
    bus = {"B0": pp.create_bus(net, vn_kv=_TRANSMISSION_KV, name="B0")}
    for name in _FEEDER_BUSES:
        bus[name] = pp.create_bus(net, vn_kv=_FEEDER_KV, name=name)
    _add_source(net, bus["B0"])
    for name in ("T1", "T2"):
        _add_transformer(net, name, hv_bus=bus["B0"], lv_bus=bus["B1"])
    lines = {
        name: pp.create_line_from_parameters(
            net, bus[start], bus[end], length_km=km, max_i_ka=ampacity_a / 1000, name=name, **_CONDUCTOR
        )
        for name, start, end, km, ampacity_a in _LINES
    }
    for name, at, line, closed in _SWITCHES:
        pp.create_switch(net, bus[at], lines[line], et="l", closed=closed, name=name)
    mvar_per_mw = round(tan(acos(_LOAD_POWER_FACTOR)), 4)
    for at, power_mw in _LOADS_MW.items():
        pp.create_load(net, bus[at], p_mw=power_mw, q_mvar=power_mw * mvar_per_mw, name=f"LD_{at}")
    pp.create_shunt(net, bus["B3"], q_mvar=-1.2, p_mw=0.0, name="C1", in_service=False)
    return net


def write(target: Path = TARGET) -> None:
    """Write the network as pandapower JSON; the same text for the same pandapower."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(pp.to_json(build()) + "\n", encoding="utf-8")


def _add_source(net: "pp.pandapowerNet", bus: int) -> None:
    """The transmission system behind the delivery point; fault level 2000 MVA at most, 1500 at least."""
    pp.create_ext_grid(
        net,
        bus,
        vm_pu=1.02,
        name="TD1",
        s_sc_max_mva=2000.0,
        s_sc_min_mva=1500.0,
        rx_max=0.1,
        rx_min=0.1,
        r0x0_max=0.1,
        x0x_max=1.0,
    )


def _add_transformer(net: "pp.pandapowerNet", name: str, hv_bus: int, lv_bus: int) -> None:
    """A 10 MVA unit with its tap changer on the HV side, where a negative position raises the LV side."""
    pp.create_transformer_from_parameters(
        net,
        hv_bus,
        lv_bus,
        name=name,
        sn_mva=10.0,
        vn_hv_kv=_TRANSMISSION_KV,
        vn_lv_kv=_FEEDER_KV,
        vk_percent=10.0,
        vkr_percent=0.5,
        pfe_kw=10.0,
        i0_percent=0.1,
        shift_degree=0.0,
        vector_group="YNyn",
        vk0_percent=10.0,
        vkr0_percent=0.5,
        mag0_percent=100.0,
        mag0_rx=0.0,
        si0_hv_partial=0.9,
        tap_changer_type="Ratio",
        tap_side="hv",
        tap_neutral=0,
        tap_min=-8,
        tap_max=8,
        tap_step_percent=1.25,
        tap_step_degree=0.0,
        tap_pos=0,
    )


if __name__ == "__main__":
    write()
