"""power-grid-model's state estimator on networks that it can represent: three-wire lines, one transformer or none."""

from collections.abc import Iterable

import numpy as np
from power_grid_model import CalculationMethod, LoadGenType, MeasuredTerminalType, PowerGridModel, WindingType
from power_grid_model import initialize_array as table

from grid_engine.estimation.words import Expected, Measured, Measurement
from grid_engine.model import Network

PHASES = "abc"
NO_LOAD_W = 10.0
"""Standard deviation of the power of a phase that a load does not have; with much less it finds the matrix singular."""


Input = dict[str, np.ndarray]


def network_input(network: Network) -> Input:
    """The network without meters; each table in the order of ours."""
    count = 0

    def ids(n: int) -> np.ndarray:
        nonlocal count
        count += n
        return np.arange(count - n, count)

    buses, lines, trafos, loads = network.buses, network.lines, network.transformers, network.loads
    bus_of = network.nodes.bus
    node = table("input", "node", len(buses.ids))
    node["id"], node["u_rated"] = ids(len(buses.ids)), buses.phase_v * np.sqrt(3)
    line = table("input", "asym_line", len(lines.ids))
    line["id"], line["from_status"], line["to_status"], line["i_n"] = ids(len(lines.ids)), 1, 1, 1e3
    line["from_node"], line["to_node"] = bus_of[lines.from_node[:, 0]], bus_of[lines.to_node[:, 0]]
    for row, r in enumerate(PHASES):
        for column, c in enumerate(PHASES[: row + 1]):
            line[f"r_{r}{c}"] = lines.impedance_ohm[:, row, column].real
            line[f"x_{r}{c}"] = lines.impedance_ohm[:, row, column].imag
            line[f"c_{r}{c}"] = lines.shunt_s[:, row, column].imag / (2 * np.pi * network.frequency_hz)
    trafo = table("input", "transformer", len(trafos.ids))
    delta = trafos.node[:, 0, 0, 1] >= 0
    trafo["id"], trafo["from_status"], trafo["to_status"] = ids(len(trafos.ids)), 1, 1
    trafo["from_node"], trafo["to_node"] = bus_of[trafos.node[:, 0, 0, 0]], bus_of[trafos.node[:, 1, 0, 0]]
    trafo["u1"] = trafos.rated_v[:, 0] * np.where(delta, 1, np.sqrt(3))
    trafo["u2"], trafo["sn"] = trafos.rated_v[:, 1] * np.sqrt(3), trafos.rated_va
    resistance = trafos.resistance_pu[:, :2].sum(axis=1)
    trafo["uk"], trafo["pk"] = np.hypot(resistance, trafos.reactance_pu[:, 0, 1]), resistance * trafos.rated_va
    trafo["i0"], trafo["p0"] = np.abs(trafos.magnetising_pu), trafos.magnetising_pu.real * trafos.rated_va
    trafo["winding_from"] = np.where(delta, WindingType.delta, WindingType.wye_n)
    trafo["winding_to"], trafo["clock"] = WindingType.wye_n, np.where(delta, 1, 0)
    trafo["tap_side"], trafo["tap_pos"], trafo["tap_min"], trafo["tap_max"], trafo["tap_size"] = 0, 0, 0, 0, 0
    load = table("input", "asym_load", len(loads.ids))
    load["id"], load["status"], load["type"] = ids(len(loads.ids)), 1, LoadGenType.const_power
    load["node"] = bus_of[loads.node[:, :, 0].max(axis=1)]
    power = _by_phase(network, loads.power_va)
    load["p_specified"], load["q_specified"] = power.real, power.imag
    source = table("input", "source", 1)
    source["id"], source["status"], source["u_ref"] = ids(1), 1, network.sources.voltage_pu
    source["node"], source["sk"] = bus_of[network.sources.node[:, 0]], 1e12
    return {"node": node, "asym_line": line, "transformer": trafo, "asym_load": load, "source": source}


def estimated(network: Network, readings: Iterable[Measurement], expected: dict[str, Expected]) -> np.ndarray:
    """Magnitudes in per unit (n_bus, 3) of its estimate from the same readings and expectations.

    Voltages are read at all three phases of a bus, powers of the source phase by phase, powers of loads in all; every
    load has an expectation.
    """
    return solved(sensed(network, readings, expected))


def sensed(network: Network, readings: Iterable[Measurement], expected: dict[str, Expected]) -> Input:
    """The input with all sensors."""
    data, by_place = network_input(network), {}
    for reading in readings:
        by_place.setdefault((reading.element, reading.quantity), {})[reading.phases] = reading
    first = 1 + max(int(part["id"].max()) for part in data.values() if len(part))
    voltage = _voltages(network, data, by_place)
    voltage["id"] = first + np.arange(len(voltage))
    power = np.concatenate([_source(network, data, by_place), _loads(network, data, by_place, expected)])
    power["id"] = first + len(voltage) + np.arange(len(power))
    return data | {"asym_voltage_sensor": voltage, "asym_power_sensor": power}


def solved(data: Input) -> np.ndarray:
    """The estimate of its solver for linear measurements, which alone copes with nodes without injection."""
    result = PowerGridModel(data).calculate_state_estimation(
        symmetric=False,
        calculation_method=CalculationMethod.iterative_linear,
        error_tolerance=1e-4,
        max_iterations=100,
    )
    return np.asarray(result["node"]["u_pu"])


def _voltages(network: Network, data: Input, by_place: dict) -> np.ndarray:
    buses = [name for name, quantity in by_place if quantity is Measured.VOLTAGE_V]
    sensor = table("input", "asym_voltage_sensor", len(buses))
    for row, name in enumerate(buses):
        read = by_place[name, Measured.VOLTAGE_V]
        sensor["measured_object"][row] = data["node"]["id"][network.buses.ids.index(name)]
        sensor["u_measured"][row] = [read[phase].value for phase in PHASES]
        sensor["u_sigma"][row] = read["a"].sigma
    return sensor


def _source(network: Network, data: Input, by_place: dict) -> np.ndarray:
    (name,) = network.sources.ids
    sensor = table("input", "asym_power_sensor", int((name, Measured.ACTIVE_POWER_W) in by_place))
    sensor["measured_terminal_type"] = MeasuredTerminalType.source
    sensor["measured_object"] = data["source"]["id"][: len(sensor)]
    for quantity, key in ((Measured.ACTIVE_POWER_W, "p"), (Measured.REACTIVE_POWER_VAR, "q")):
        if len(sensor):
            read = by_place[name, quantity]
            sensor[f"{key}_measured"] = [[read[phase].value for phase in PHASES]]
            sensor[f"{key}_sigma"] = [[read[phase].sigma for phase in PHASES]]
    return sensor


def _loads(network: Network, data: Input, by_place: dict, expected: dict[str, Expected]) -> np.ndarray:
    loads = network.loads
    sensor = table("input", "asym_power_sensor", len(loads.ids))
    sensor["measured_terminal_type"] = MeasuredTerminalType.load
    sensor["measured_object"] = data["asym_load"]["id"]
    share = _by_phase(network, np.where(loads.node[:, :, 0] >= 0, 1, 0))
    share = share.real / share.real.sum(axis=1, keepdims=True)
    told = {"p": np.zeros((len(loads.ids), 2)), "q": np.zeros((len(loads.ids), 2))}
    for row, name in enumerate(loads.ids):
        word = expected[name]
        told["p"][row] = word.power_w, word.sigma_w
        told["q"][row] = word.power_var, word.sigma_var
        for quantity, key in ((Measured.ACTIVE_POWER_W, "p"), (Measured.REACTIVE_POWER_VAR, "q")):
            if (name, quantity) in by_place:
                read = by_place[name, quantity][""]
                told[key][row] = read.value, read.sigma
    for key, (value, sigma) in ((key, part.T) for key, part in told.items()):
        sensor[f"{key}_measured"] = share * value[:, None]
        sensor[f"{key}_sigma"] = np.maximum(share * sigma[:, None], NO_LOAD_W)
    return sensor


def _by_phase(network: Network, power_va: np.ndarray) -> np.ndarray:
    node = network.loads.node[:, :, 0]
    result = np.zeros((len(node), 3), dtype=complex)
    load, branch = np.nonzero(node >= 0)
    np.add.at(result, (load, network.nodes.terminal[node[load, branch]]), power_va[load, branch])
    return result
