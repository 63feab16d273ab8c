"""The law of voltage of loads against OpenDSS, swept through every part of it."""

import numpy as np
import pytest

from grid_engine.flow.pairs import Pairs, factors, slopes

dss = pytest.importorskip("dss", reason="needs the extra opendss")

NAN = float("nan")
SWEEP = np.array([0.2, 0.4, 0.49, 0.51, 0.6, 0.8, 0.9, 0.94, 0.951, 0.98, 1.0, 1.03, 1.049, 1.051, 1.1, 1.2])
CONSTANT = (NAN, NAN)
NO_EDGE = ((NAN, NAN), (NAN, NAN))
LAWS = {
    "model=1": ((0, 0, 1), (0, 0, 1), CONSTANT, NO_EDGE),
    "model=2": ((1, 0, 0), (1, 0, 0), CONSTANT, NO_EDGE),
    "model=3": ((0, 0, 1), (1, 0, 0), CONSTANT, ((1, 1), (1, 1))),
    "model=4 cvrwatts=0.8 cvrvars=3": ((0, 0, 1), (0, 0, 1), (0.8, 3.0), ((1, 1), (1, 1))),
    "model=5": ((0, 1, 0), (0, 1, 0), CONSTANT, NO_EDGE),
    "model=8 zipv=[0.2 0.3 0.5 0.6 0.3 0.1 0]": ((0.2, 0.3, 0.5), (0.6, 0.3, 0.1), CONSTANT, NO_EDGE),
}


def pair(zip_p: tuple[float, ...], zip_q: tuple[float, ...], exponent: tuple[float, ...], edge: object) -> Pairs:
    return Pairs(
        first=np.array([0]),
        second=np.array([-1]),
        nominal_v=np.array([1e3]),
        zip_p=np.array([zip_p]),
        zip_q=np.array([zip_q]),
        exponent=np.array([exponent]),
        band_pu=np.array([[0.95, 1.05]]),
        edge_pu=np.array([edge], dtype=np.float64),
        low_pu=np.array([0.5]),
    )


@pytest.mark.parametrize("law", LAWS)
def test_power_follows_the_law_of_opendss(law: str) -> None:
    engine = dss.DSS.NewContext()
    engine.Text.Commands(
        f"""new circuit.c basekv=1 bus1=s phases=1 r1=0 x1=1e-9 r0=0 x0=1e-9
        set maxiterations=1000
        set tolerance=1e-12
        new load.l phases=1 bus1=s kv=1 kw=100 kvar=40 {law}"""
    )
    consumed = []
    for voltage in SWEEP:
        engine.Text.Commands(f"edit vsource.source pu={voltage}\nsolve")
        engine.ActiveCircuit.SetActiveElement("load.l")
        element = engine.ActiveCircuit.ActiveCktElement
        volts, amperes = (np.asarray(x).view(np.complex128)[0] for x in (element.Voltages, element.Currents))
        consumed.append(volts * amperes.conjugate() / 1e3)
    active, reactive = factors(pair(*LAWS[law]), SWEEP[None, :])
    np.testing.assert_allclose(active[0] * SWEEP**2, np.real(consumed) / 100, rtol=1e-6)
    np.testing.assert_allclose(reactive[0] * SWEEP**2, np.imag(consumed) / 40, rtol=1e-6)


@pytest.mark.parametrize("law", LAWS)
def test_slopes_are_those_of_the_factors(law: str) -> None:
    branch, step = pair(*LAWS[law]), 1e-6
    above, below = factors(branch, SWEEP[None, :] + step), factors(branch, SWEEP[None, :] - step)
    for slope, up, down in zip(slopes(branch, SWEEP[None, :]), above, below, strict=True):
        np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-4, atol=1e-7)
