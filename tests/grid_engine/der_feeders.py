"""Public feeders with many DERs on them, as envelope studies: the same in tests and in benchmarks."""

from dataclasses import replace
from functools import cache

import numpy as np
from scipy.sparse import csr_array, diags_array, vstack

from grid_engine import feeders
from grid_engine.model import Network, Terminal
from grid_engine.results import Connection, NetworkState, Participant, Purpose, Rating, Study
from grid_engine.studies.limits import monitor
from grid_engine.studies.meters import Quantity
from grid_engine.studies.problem import Problem, pose
from tests.grid_engine.oracle_nlp import EARTH, Grid

DER_W = 10e3

CABLES = (
    # Ampacity in A, r1 over x1, r0 over r1 of the feeder's cable types: two- and four-core, 7 to 300 mm².
    (40, 40.10, 1.000),
    (100, 14.79, 1.000),
    (100, 13.07, 1.043),
    (115, 9.435, 0.876),
    (180, 6.253, 3.371),
    (255, 3.753, 3.500),
    (490, 1.319, 3.584),
    (335, 2.441, 3.494),
    (185, 6.282, 3.374),
    (220, 4.351, 2.497),
)

LIGHT_LOAD = NetworkState(
    taps={
        "feeder_rega": -2,
        "feeder_regb": -2,
        "feeder_regc": -1,
        "vreg2_a": 2,
        "vreg2_b": 0,
        "vreg2_c": 3,
        "vreg3_a": 0,
        "vreg3_b": -3,
        "vreg3_c": 3,
        "vreg4_a": -1,
        "vreg4_b": -2,
        "vreg4_c": 2,
    },
    in_service={f"capbank{bank}{phase}": False for bank in (1, 2) for phase in "abc"} | {"capbank0c": False},
)
"""Where OpenDSS's controls come to rest on the 8500-node feeder at 30 % load, one step lower at its head."""


@cache
def european_lv(der_w: float = DER_W) -> tuple[Network, Study]:
    """European LV with a DER beside each of the 55 loads; 0.94 to 1.10 pu, ampacities by cable type."""
    network = _wide(feeders.load("european_lv"))
    loads, nodes = network.loads, network.nodes
    participants = tuple(
        _der(f"der{n}", network.buses.ids[nodes.bus[first]], "abc"[nodes.terminal[first]], der_w)
        for n, first in enumerate(loads.node[:, 0, 0].tolist())
    )
    ratings = {
        name: Rating(ampacity_a=amperes) for name, amperes in zip(network.lines.ids, _ampacity(network), strict=True)
    }
    return network, Study(
        "european_lv",
        Purpose.ENVELOPE,
        1,
        participants,
        ratings=ratings,
        voltage_min_pu=0.94,
        voltage_max_pu=1.10,
        margin_pct=0.0,
        limit_step_w=1.0,
    )


@cache
def ieee_8500(n_der: int = 1000, seed: int = 0, der_w: float = DER_W) -> tuple[Network, Study]:
    """IEEE 8500-node at 30 % load with DERs at as many split-phase customers; 0.917 to 1.06 pu.

    Ratings that the loads alone exceed are raised to 1.05 of what they make them carry.
    """
    network = _wide(feeders.load("ieee8500_unbalanced"))
    nodes = network.nodes
    at = np.unique(nodes.bus[network.loads.node[network.loads.node >= 0]])
    legs = [np.isin(at, nodes.bus[nodes.terminal == leg]) for leg in (Terminal.S1, Terminal.S2)]
    customers = at[legs[0] & legs[1]]
    chosen = np.sort(np.random.default_rng(seed).choice(customers, n_der, replace=False))
    study = Study(
        "ieee_8500",
        Purpose.ENVELOPE,
        1,
        tuple(
            _der(f"der{n}", network.buses.ids[bus], "s1s2", der_w, Connection.SPLIT)
            for n, bus in enumerate(chosen.tolist())
        ),
        load_scale=(0.3,),
        state=LIGHT_LOAD,
        voltage_min_pu=0.917,
        voltage_max_pu=1.06,
        margin_pct=0.0,
        limit_step_w=1.0,
    )
    return network, replace(study, ratings=_raised(network, study))


def _wide(network: Network) -> Network:
    """Loads that keep their power at any voltage of the study: what is smooth can be given to IPOPT."""
    loads = network.loads
    return replace(
        network, loads=replace(loads, band_pu=np.tile([0.5, 1.5], (len(loads.ids), 1)), low_pu=0 * loads.low_pu)
    )


def _der(name: str, bus: str, phases: str, der_w: float, connection: Connection = Connection.WYE) -> Participant:
    return Participant(name, bus, (0.0,), (0.0,), -der_w, der_w, phases=phases, connection=connection)


def _ampacity(network: Network) -> np.ndarray:
    """Shape (n_line,): of the cable type whose sequence impedances are in the same proportions."""
    z = network.lines.impedance_ohm
    positive, zero = z[:, 0, 0] - z[:, 0, 1], z[:, 0, 0] + 2 * z[:, 0, 1]
    ratio = np.stack([positive.real / positive.imag, zero.real / positive.real], axis=1)
    types = np.array(CABLES)
    away = np.abs(np.log(ratio[:, None] / types[None, :, 1:])).sum(axis=2)
    return types[away.argmin(axis=1), 0]


def _raised(network: Network, study: Study) -> dict[str, Rating]:
    problem = pose(network, study)
    limits = monitor(study, [(scene.case, scene.system) for scene in problem.scenes])
    values = limits.values(problem.solve(problem.held_w, slice(None)).voltages)[:, 0]
    ratings: dict[str, Rating] = {}
    for row in np.flatnonzero((limits.sign > 0) & (values > limits.limit)):
        label, needed = limits.label(int(row)), 1.05 * float(values[row])
        given = ratings.get(label.asset_id, Rating())
        if label.unit == "A":
            ratings[label.asset_id] = replace(given, ampacity_a=max(needed, given.ampacity_a or 0.0))
        if label.unit == "VA":
            ratings[label.asset_id] = replace(given, apparent_power_va=max(needed, given.apparent_power_va or 0.0))
    return ratings


def oracle_grid(problem: Problem) -> Grid:
    """What IPOPT is told of the first interval: the same admittances, loads, connections and limits."""
    scene, limits, study = problem.scenes[0], problem.monitor, problem.study
    system, pairs = scene.system, scene.solver.pairs
    nodes = np.flatnonzero(system.supplied & (system.node_of == np.arange(len(system.node_of))))
    unknown = np.append(system.unknown, [EARTH, EARTH])  # the last two for ABSENT and EARTH
    n_load = pairs.size - len(study.participants)
    meter = limits.meters[0]
    rated = np.flatnonzero(meter.quantity[limits.reading] != Quantity.VOLTAGE)
    rows = csr_array(meter.magnitude)[limits.reading[rated]][:, nodes]
    # Behind regulators voltage is highest, where nobody injects: there the oracle would not look by itself.
    behind = np.unique(system.network.transformers.node[system.network.regulators.transformer])
    highest = np.unique(system.unknown[behind[behind >= 0]])
    seen = csr_array(
        (np.full(len(highest), 1 / study.voltage_max_pu), (np.arange(len(highest)), highest)),
        shape=(len(highest), len(nodes)),
    )
    return Grid(
        admittance=system.matrix,
        source=system.source_current,
        bus=system.network.nodes.bus[nodes],
        ends=np.stack([unknown[pairs.first], unknown[pairs.second]], axis=1),
        base_v=system.base_v[nodes],
        load_va=scene.given_va[:n_load, 0],
        current=csr_array(vstack([diags_array(1 / limits.bound[rated]) @ rows, seen])),
        voltage_pu=(study.voltage_min_pu, study.voltage_max_pu),
    )


def oracle_start(problem: Problem) -> np.ndarray:
    """Solved voltages (n_unknown,) without DERs."""
    system = problem.scenes[0].system
    nodes = np.flatnonzero(system.supplied & (system.node_of == np.arange(len(system.node_of))))
    return problem.solve(np.zeros((len(problem.study.participants), 1)), [0]).voltages[0][nodes, 0]
