"""A field that only OpenDSS knows: true voltages and powers of a network, and meters that read them with errors."""

from dataclasses import dataclass, replace

import numpy as np

from grid_engine.estimation.words import Expected, Measured, Measurement
from grid_engine.exporters.opendss import Translation, translate
from grid_engine.model import TERMINAL_NAMES, Network
from tests.grid_engine.opendss import Compiled, solved


@dataclass(frozen=True, slots=True)
class Field:
    """The truth."""

    network: Network
    """With the true loads and sources."""
    translation: Translation
    circuit: Compiled
    voltage_v: np.ndarray
    """By node of the network."""

    @property
    def voltage_pu(self) -> np.ndarray:
        """Magnitudes by node."""
        return np.abs(self.voltage_v) / self.network.buses.phase_v[self.network.nodes.bus]

    def into(self, table: str, name: str, end: int = 0) -> np.ndarray:
        """Volt-amperes into an element, by conductor of one of its ends; where it became several, one by one."""
        active, found = self.circuit.engine.ActiveCircuit, []
        for element in self.translation.elements[table, name]:
            active.SetActiveElement(element)
            power = np.asarray(active.ActiveCktElement.Powers).view(np.complex128) * 1e3
            found.append(power.reshape(active.ActiveCktElement.NumTerminals, -1)[end])
        return np.concatenate(found)

    def load_va(self, name: str) -> complex:
        """Consumption of a load."""
        return complex(self.into("loads", name).sum())


def play(network: Network, scale: np.ndarray | float = 1.0, source: float = 1.0) -> Field:
    """The network with its loads (n_load,) and its source's voltage scaled, as OpenDSS solves it."""
    scaled = np.asarray(scale).reshape(-1, 1) * network.loads.power_va
    true = replace(
        network,
        loads=replace(network.loads, power_va=scaled),
        sources=replace(network.sources, voltage_pu=network.sources.voltage_pu * source),
    )
    translation = translate(true)
    circuit = solved(translation)
    return Field(true, translation, circuit, circuit.voltage())


class Meters:
    """Meters with errors of a seed; names are V, P or Q, and where they stand."""

    def __init__(self, field: Field, seed: int = 0) -> None:
        self.field = field
        self.rng = np.random.default_rng(seed)

    def _read(self, quantity: Measured, element: str, true: float, sigma: float, **more: object) -> Measurement:
        name = f"{quantity[0].upper()}-{element}{more.get('phases', '')}"
        value = true + sigma * float(self.rng.standard_normal())
        return Measurement(name, quantity, element, value, sigma, **more)

    def voltages(self, nodes: np.ndarray, sigma: float = 0.005) -> list[Measurement]:
        """To earth, at nodes of the network; sigma relative."""
        network = self.field.network
        found = []
        for node in nodes:
            bus, true = network.nodes.bus[node], float(abs(self.field.voltage_v[node]))
            found.append(
                self._read(
                    Measured.VOLTAGE_V,
                    network.buses.ids[bus],
                    true,
                    sigma * true,
                    phases=TERMINAL_NAMES[network.nodes.terminal[node]],
                )
            )
        return found

    def powers(self, element: str, true_va: complex, sigma: float = 0.01, **more: object) -> list[Measurement]:
        """Active and reactive power; sigma of the apparent power."""
        size = max(sigma * abs(true_va), 1.0)
        return [
            self._read(Measured.ACTIVE_POWER_W, element, true_va.real, size, **more),
            self._read(Measured.REACTIVE_POWER_VAR, element, true_va.imag, size, **more),
        ]

    def loads(self, names: list[str], sigma: float = 0.02) -> list[Measurement]:
        """Meters of loads."""
        return [one for name in names for one in self.powers(name, self.field.load_va(name), sigma)]

    def expected(self, sigma: float = 0.5) -> dict[str, Expected]:
        """What a forecaster says of every load whose errors have this size, relative."""
        told = {}
        for name in self.field.network.loads.ids:
            true = self.field.load_va(name)
            guess = true * float(np.clip(1 + sigma * self.rng.standard_normal(), 0.05, 3))
            told[name] = Expected(guess.real, sigma * abs(true.real) + 1, guess.imag, sigma * abs(true.imag) + 1)
        return told


def head_va(field: Field) -> complex:
    """What the only source delivers."""
    (name,) = field.network.sources.ids
    return -complex(field.into("sources", name).sum())
