"""Loops, supply and switch pairs, on R1 and on pandapower nets drawn for one question each."""

from typing import Any

import pandapower as pp

from grid_engine.dispatch.topology import Pair, links, pairs, shape
from grid_engine.feeders.maple.network import build as build_maple
from grid_engine.importers.pandapower import convert
from grid_engine.model import Network
from grid_engine.results import NetworkState
from tests.grid_engine.studies import NETWORK


def test_reference_zone_has_one_loop_between_its_transformers() -> None:
    ways = links(NETWORK)
    assert shape(NETWORK, ways, NetworkState()).loops == 1
    assert shape(NETWORK, ways, NetworkState(in_service={"T2": False})).loops == 0
    assert shape(NETWORK, ways, NetworkState(switches_closed={"SWT": True})).loops == 2


def test_supply_ends_at_open_switches() -> None:
    ways = links(NETWORK)
    without = shape(NETWORK, ways, NetworkState(switches_closed={"SW12": False}))
    dead = {name for name, live in zip(NETWORK.buses.ids, without.supplied, strict=False) if not live}
    assert dead == {"B3", "B4"}


def test_only_a_switch_on_the_ring_may_open_for_the_one_that_closes() -> None:
    assert pairs(NETWORK, NetworkState(), ("SW12", "SWT")) == (Pair("SWT", "SW12"),)
    moved = NetworkState(switches_closed={"SW12": False, "SWT": True})
    assert pairs(NETWORK, moved, ("SW12", "SWT")) == (Pair("SW12", "SWT"),)
    assert pairs(NETWORK, NetworkState(), ("SW12",)) == ()
    assert pairs(NETWORK, NetworkState(in_service={"L21": False}), ("SW12", "SWT")) == ()


def lines(net: Any, bus: dict[str, int], *ends: tuple[str, str, bool]) -> None:
    """Lines named after their ends, each behind a switch."""
    for first, second, closed in ends:
        line = pp.create_line_from_parameters(
            net,
            bus[first],
            bus[second],
            name=first + second,
            length_km=1.0,
            r_ohm_per_km=0.2,
            x_ohm_per_km=0.4,
            c_nf_per_km=0.0,
            r0_ohm_per_km=0.4,
            x0_ohm_per_km=1.2,
            c0_nf_per_km=0.0,
            max_i_ka=0.4,
        )
        pp.create_switch(net, bus[first], line, et="l", closed=closed, name=f"S{first}{second}")


def two_sources() -> Network:
    """x - a - b ... c - y: two systems that only the open switch between b and c would join."""
    net = pp.create_empty_network(f_hz=60.0)
    bus = {name: pp.create_bus(net, 13.8, name=name) for name in "xabcy"}
    pp.create_ext_grid(net, bus["x"], name="west")
    pp.create_ext_grid(net, bus["y"], name="east")
    lines(net, bus, ("x", "a", True), ("a", "b", True), ("b", "c", False), ("c", "y", True))
    return convert(net, "two")


def test_two_systems_are_joined_only_by_a_switch_that_checks_synchronism() -> None:
    network = two_sources()
    switches = network.switches.ids
    assert pairs(network, NetworkState(), switches) == ()
    checked = pairs(network, NetworkState(), switches, ("Sbc",))
    assert set(checked) == {Pair("Sbc", opened) for opened in ("Sxa", "Sab", "Scy")}


def test_bus_switches_are_ways_too() -> None:
    net = pp.create_empty_network(f_hz=60.0)
    bus = {name: pp.create_bus(net, 13.8, name=name) for name in "sabt"}
    pp.create_ext_grid(net, bus["s"], name="source")
    lines(net, bus, ("s", "a", True), ("s", "b", True))
    pp.create_switch(net, bus["a"], bus["t"], et="b", closed=True, name="at")
    pp.create_switch(net, bus["b"], bus["t"], et="b", closed=False, name="bt")
    network = convert(net, "bars")
    assert pairs(network, NetworkState(), ("at", "bt")) == (Pair("bt", "at"),)


def test_feeder_pair_may_be_opened_anywhere_on_the_ring_that_its_tie_closes() -> None:
    found = pairs(build_maple(), NetworkState(), ("SW-F1", "SW-F1M", "SW-F2", "SW-F2M", "SW-TIE"))
    assert set(found) == {Pair("SW-TIE", opened) for opened in ("SW-F1", "SW-F1M", "SW-F2", "SW-F2M")}
