"""The demonstration zone that is generated: what it holds, and that it is good."""

import numpy as np
import pytest

from grid_engine.feeders.maple.network import SEED, build
from grid_engine.feeders.maple.plan import plan
from grid_engine.feeders.maple.profiles import build_day
from grid_engine.feeders.maple.write import DAY, NETWORK, write
from grid_engine.forecasting.day import expected_share
from grid_engine.importers import day as day_file
from grid_engine.importers import json as network_file
from grid_engine.model import Network, Terminal
from grid_engine.modelling.checks import faults


@pytest.fixture(scope="module")
def network() -> Network:
    return build()


def test_it_is_a_pair_of_four_wire_feeders_with_single_phase_laterals(network):
    phases = (network.lines.from_node >= 0).sum(axis=1)
    laterals = [n for n, name in enumerate(network.lines.ids) if phases[n] == 1]
    assert 100 < len(laterals) < 300
    terminals = {int(network.nodes.terminal[network.lines.from_node[n, 0]]) for n in laterals}
    assert terminals == {Terminal.A, Terminal.B, Terminal.C}
    assert dict(zip(network.switches.ids, network.switches.closed, strict=True))["SW-TIE"] is np.False_
    assert 1000 < len(network.nodes.bus) < 3000


def test_its_customers_stand_behind_centre_tapped_transformers(network):
    node = network.transformers.node
    split = (node[:, 2, 0, 0] == -1) & (node[:, 1, 0, 1] == -1)
    assert split.sum() > 100
    assert 300 <= len({name.rsplit("-", 1)[0] for name in network.loads.ids}) <= 500
    legs = network.nodes.terminal[node[split, 1, 0, 0]]
    assert (legs == Terminal.S1).all()


def test_some_customers_have_panels_batteries_and_vehicles(network):
    ends = [name.rsplit("-", 1)[1] for name in (*network.units.ids, *network.loads.ids)]
    assert all(ends.count(end) >= 30 for end in ("PV", "BAT", "EV"))
    assert (network.units.energy_wh > 0).sum() == ends.count("BAT")


def test_it_is_regulated_per_phase_and_in_the_station(network):
    names = [network.transformers.ids[n] for n in network.regulators.transformer]
    assert names == ["T1", "T2", "VR1A", "VR1B", "VR1C"]
    assert len(network.capacitor_controls.ids) == 2


def test_every_asset_has_its_ratings(network):
    for table in (network.lines, network.transformers):
        assert np.isfinite(table.ratings.normal).all()
        assert (table.ratings.emergency > table.ratings.normal).all()
        assert (table.ratings.seasonal[:, 1] > table.ratings.seasonal[:, 0]).all()
    reverse_w = dict(zip(network.transformers.ids, network.transformers.ratings.reverse_power_w, strict=True))
    assert reverse_w["T1"] == 6e6
    assert np.isfinite(network.buses.position).all()


@pytest.mark.parametrize("seed", [SEED, 1, 2, 3])
def test_the_model_has_no_fault_whatever_the_seed(seed):
    network = build(seed)
    assert faults(network) == ()
    ids = [
        *network.buses.ids,
        *network.branch_ids,
        *network.loads.ids,
        *network.units.ids,
        *network.shunts.ids,
        *network.switches.ids,
        *network.sources.ids,
    ]
    assert len({name.lower() for name in ids}) == len(ids)
    assert not any("." in name or len(name) > 64 for name in ids)


def test_impedances_follow_length_and_conductor(network):
    row = {name: n for n, name in enumerate(network.lines.ids)}
    drawn = {section.id: section for section in plan(SEED).sections}
    section = drawn["L-F1-02"]
    per_km = network.lines.impedance_ohm[row["L-F1-02"]] / section.length_m * 1000
    # 336.4 kcmil ACSR has 0.190 ohm/km; the return adds a little less than what the earth alone would, 0.059.
    assert per_km[0, 0].real == pytest.approx(0.28, abs=0.02)
    assert per_km[0, 0].imag == pytest.approx(0.68, abs=0.04)


def test_the_day_is_of_the_loads_and_units_of_the_network(network):
    day = build_day()
    assert sorted(day.ids) == sorted((*network.loads.ids, *network.units.ids))
    noon = {
        name: float(expected_share(kind, day.step_s, np.array([12.5 * 3600]))[0]) for name, kind in day.kinds.items()
    }
    evening = {
        name: float(expected_share(kind, day.step_s, np.array([18.5 * 3600]))[0]) for name, kind in day.kinds.items()
    }
    assert noon["sun"] > 0.8
    assert evening["sun"] < 0.25
    assert noon["battery"] < 0 < evening["battery"]
    assert evening["house"] > 1.8 * noon["house"]


def test_what_is_written_depends_on_the_seed_alone(tmp_path):
    for name in ("one", "other"):
        write(tmp_path / name)
    write(tmp_path / "third", seed=SEED + 1)
    for file in (NETWORK, DAY):
        content = (tmp_path / "one" / file).read_bytes()
        assert content == (tmp_path / "other" / file).read_bytes()
        assert content != (tmp_path / "third" / file).read_bytes()
    read = network_file.load(tmp_path / "one" / NETWORK)
    assert (read.lines.impedance_ohm == build().lines.impedance_ohm).all()
    assert day_file.load(tmp_path / "one" / DAY).ids == build_day().ids
