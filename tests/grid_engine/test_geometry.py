"""Line constants beside OpenDSS's own and beside the published matrices of a test feeder."""

from collections.abc import Sequence

import numpy as np
import pytest
from dss import DSS

from grid_engine.elements.geometry import Conductor, Wire, line_constants, reduced

MILE_M, FOOT_M, INCH_M = 1609.344, 0.3048, 0.0254
PHASE = Conductor(0.306 / MILE_M, 0.0244 * FOOT_M, 0.721 / 2 * INCH_M)
NEUTRAL = Conductor(0.592 / MILE_M, 0.00814 * FOOT_M, 0.563 / 2 * INCH_M)
LIGHT = Conductor(1.69 / MILE_M, 0.00418 * FOOT_M, 0.316 / 2 * INCH_M)
FOUR_WIRE = (Wire(PHASE, 0, 8.8), Wire(PHASE, 0.76, 8.8), Wire(PHASE, 2.13, 8.8), Wire(NEUTRAL, 1.22, 7.6))


def opendss(wires: Sequence[Wire], phases: int, frequency_hz: float = 60, earth_ohm_m: float = 100):
    """Impedance in ohm and capacitance in nF per kilometre of the same cross-section."""

    def tell(command: str) -> None:
        DSS.Text.Command = command

    for command in ("clear", f"set defaultbasefrequency={frequency_hz}", "new circuit.c", "set earthmodel=carson"):
        tell(command)
    geometry = f"new linegeometry.g nconds={len(wires)} nphases={phases} reduce=yes"
    for n, wire in enumerate(wires, 1):
        c = wire.conductor
        tell(
            f"new wiredata.w{n} rac={c.resistance_ohm_per_m * 1000!r} runits=km gmrac={c.gmr_m!r} gmrunits=m "
            f"radius={c.radius_m!r} radunits=m"
        )
        geometry += f" cond={n} wire=w{n} x={wire.x_m} h={wire.height_m} units=m"
    tell(geometry)
    tell(f"new line.l bus1=sourcebus bus2=b phases={phases} geometry=g length=1 units=km rho={earth_ohm_m}")
    tell("solve")
    DSS.ActiveCircuit.Lines.Name = "l"
    line = DSS.ActiveCircuit.Lines
    impedance = np.array(line.Rmatrix) + 1j * np.array(line.Xmatrix)
    return impedance.reshape(phases, phases), np.array(line.Cmatrix).reshape(phases, phases)


@pytest.mark.parametrize(
    ("wires", "phases"),
    [(FOUR_WIRE, 3), (FOUR_WIRE[:3], 3), ((Wire(LIGHT, 0, 10), Wire(LIGHT, 0, 8.4)), 1), (FOUR_WIRE[1:], 2)],
    ids=["four-wire", "three-wire", "single-phase", "two-phase"],
)
@pytest.mark.parametrize(("frequency_hz", "earth_ohm_m"), [(60, 100), (50, 30)])
def test_constants_are_those_of_opendss(wires, phases, frequency_hz, earth_ohm_m):
    ours = line_constants(wires, phases, frequency_hz, earth_ohm_m)
    impedance_ohm, capacitance_nf = opendss(wires, phases, frequency_hz, earth_ohm_m)
    np.testing.assert_allclose(ours.impedance_ohm_per_m * 1000, impedance_ohm, rtol=3e-7)
    np.testing.assert_allclose(
        ours.shunt_s_per_m.imag / (2 * np.pi * frequency_hz) * 1e12, capacitance_nf, rtol=3e-7, atol=1e-9
    )


def test_the_four_wire_line_of_the_ieee_4_node_feeder():
    feet = ((0, 28), (2.5, 28), (7, 28))
    wires = [*(Wire(PHASE, x * FOOT_M, h * FOOT_M) for x, h in feet), Wire(NEUTRAL, 4 * FOOT_M, 24 * FOOT_M)]
    published_ohm_per_mile = [
        [0.4576 + 1.0780j, 0.1559 + 0.5017j, 0.1535 + 0.3849j],
        [0.1559 + 0.5017j, 0.4666 + 1.0482j, 0.1580 + 0.4236j],
        [0.1535 + 0.3849j, 0.1580 + 0.4236j, 0.4615 + 1.0651j],
    ]
    ours = line_constants(wires, 3).impedance_ohm_per_m * MILE_M
    np.testing.assert_allclose(ours, published_ohm_per_mile, atol=2e-4)


def test_without_neutrals_nothing_is_folded():
    matrix = np.array([[2 + 1j, 1], [1, 3 + 1j]])
    assert (reduced(matrix, 2) == matrix).all()
    assert reduced(matrix, 1) == pytest.approx(2 + 1j - 1 / (3 + 1j))
