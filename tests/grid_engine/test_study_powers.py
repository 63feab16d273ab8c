"""What a study says of loads and units takes the place of what the network says."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.cycle import answer
from grid_engine.feeders.maple.network import build
from grid_engine.results import Participant, Purpose, Status, Study

NETWORK = build()
SUN = Participant("SUN", "F2-12", (0.0,) * 2, (0.0,) * 2, 0.0, 1e6)
STUDY = Study("s", Purpose.IMPACT, 2, (SUN,), voltage_max_pu=1.1)
ROOF, HOUSE = NETWORK.units.ids[0], NETWORK.loads.ids[0]


def flows(network, study):
    result = answer(network, study)
    assert result.status is Status.SOLVED, result.detail
    return {(flow.asset_id, flow.interval): flow.value for flow in result.flows}


def test_powers_of_a_study_count_like_those_of_the_network():
    power_va = np.zeros(len(NETWORK.units.ids), dtype=np.complex128)
    power_va[0] = 6e3
    loads_va = NETWORK.loads.power_va.copy()
    loads_va[0] *= 0.5
    other = replace(
        NETWORK,
        units=replace(NETWORK.units, power_va=power_va),
        loads=replace(NETWORK.loads, power_va=loads_va),
    )
    half_w = float(loads_va[0].real.sum())
    full_w = float(NETWORK.loads.power_va[0].real.sum())
    said = flows(NETWORK, replace(STUDY, unit_w={ROOF: (0.0, 6e3)}, load_w={HOUSE: (full_w, half_w)}))
    as_built, changed = flows(NETWORK, STUDY), flows(other, STUDY)
    assert {key: said[key] for key in said if key[1] == 0} == pytest.approx(
        {k: as_built[k] for k in as_built if k[1] == 0}
    )
    assert {key: said[key] for key in said if key[1] == 1} == pytest.approx(
        {k: changed[k] for k in changed if k[1] == 1}
    )
    assert changed != pytest.approx(as_built, abs=1e-9)


def test_a_unit_that_is_a_participant_is_its_participant():
    study = replace(STUDY, participants=(replace(SUN, unit=ROOF),), unit_w={ROOF: (5e3, 5e3)})
    assert flows(NETWORK, study) == pytest.approx(flows(NETWORK, STUDY))


def test_unknown_units_and_short_series_are_faults():
    refused = answer(NETWORK, replace(STUDY, unit_w={"NOBODY": (1.0, 1.0), ROOF: (1.0,)}))
    assert refused.status is Status.BAD_INPUT
    assert "unit NOBODY: not in the network" in refused.detail
    assert f"unit {ROOF}: 1 values for 2 intervals" in refused.detail
