"""A simulated DER with the physics of EPRI's OpenDER, the model of IEEE 1547-2018: the extra `sim`, without I/O.

What the owner wants, limits, timers and energy are as with every simulated device; how active and reactive power
follow voltage, frequency and settings is OpenDER's.
"""

from collections.abc import Mapping, Sequence
from math import isfinite, pi
from typing import Any, Final

from opender import DER, DER_BESS, DER_PV, DERCommonFileFormat, DERCommonFileFormatBESS

from gateway.testbed.device import DeviceSpec, SimulatedDevice

STEP_S: Final = 0.1
"""OpenDER has one time step per process."""
NOMINAL_V: Final = 480.0
NOMINAL_HZ: Final = 60.0
STANDARD_IRRADIANCE: Final = 1_000.0
"""W/m² at which a photovoltaic array gives its nameplate power."""
REACTIVE_SHARE: Final = 0.44
"""IEEE 1547-2018, category B: reactive power that a DER can inject and absorb, of its apparent power."""
_DC_V: Final = 1_000.0
_ANGLES: Final = (0.0, -2 * pi / 3, 2 * pi / 3)
_BATTERIES: Final = frozenset({"bess"})
KINDS: Final = frozenset({"pv", "wind", "bess"})
"""What OpenDER can play."""
TRIPPED: Final = "Trip"

DER.t_s = STEP_S


class OpenDerDevice(SimulatedDevice):
    """One DER; `power_w` and `reactive_var` are OpenDER's, in steps of `STEP_S` up to the time asked for."""

    def __init__(self, spec: DeviceSpec, now_s: float) -> None:
        """Begin in service, at nominal voltage and frequency.

        Raises:
            ValueError: OpenDER has no model of this kind, or the nameplate has no injection.
        """
        if spec.kind not in KINDS or spec.p_max_w <= 0:
            raise ValueError(f"{spec.resource}: OpenDER plays {', '.join(sorted(KINDS))} that inject, not {spec.kind}")
        self.reactive_var = 0.0
        self._network_pu = (1.0, 1.0, 1.0)
        self._set_pu: tuple[float, float, float] | None = None
        self.frequency_hz = NOMINAL_HZ
        self.is_energised = True
        """False while a tester has its output or relay open."""
        self.irradiance: float | None = None
        """W/m² that a tester has set; `None` leaves the weather to the zone."""
        self._der = _model(spec)
        super().__init__(spec, now_s)
        self._weather_w = self.available_w
        self._run()
        self._frozen = self._true_reading()

    # --- the grid and the weather

    @property
    def voltage_pu(self) -> tuple[float, float, float]:
        """At the terminals, phase by phase."""
        return self.terminal_pu if self.is_energised else (0.0, 0.0, 0.0)

    @property
    def terminal_pu(self) -> tuple[float, float, float]:
        """The same while it is energised."""
        return self._network_pu if self._set_pu is None else self._set_pu

    @property
    def sun(self) -> float:
        """W/m² that would give what is available."""
        return STANDARD_IRRADIANCE * self.available_w / self.spec.p_max_w

    @property
    def is_on_network(self) -> bool:
        """True while the voltage is the simulated network's, false while a tester's."""
        return self._set_pu is None

    def feel(self, voltage_pu: Sequence[float]) -> None:
        """Take what the simulated network has at the terminals; without a solution, the last one stays."""
        if all(isfinite(one) for one in voltage_pu):
            a, b, c = voltage_pu
            self._network_pu = (a, b, c)

    def set_grid(self, voltage_pu: tuple[float, float, float] | None, frequency_hz: float = NOMINAL_HZ) -> None:
        """Put the terminals to a tester's voltages and frequency; `None` gives them back to the network."""
        self._set_pu, self.frequency_hz = voltage_pu, frequency_hz

    def set_irradiance(self, irradiance: float | None, now_s: float) -> None:
        """Let a tester have the weather; `None` gives it back to the zone."""
        self.irradiance = irradiance
        if irradiance is None:
            super().set_available(self._weather_w, now_s)
        else:
            share = min(max(irradiance / STANDARD_IRRADIANCE, 0.0), 1.0)
            super().set_available(share * self.spec.p_max_w, now_s)

    def set_available(self, available_w: float, now_s: float) -> None:
        """Change what the sun or the wind gives, unless a tester has set that."""
        self._weather_w = available_w
        if self.irradiance is None:
            super().set_available(available_w, now_s)

    # --- the model

    @property
    def status(self) -> str:
        """As OpenDER calls it, such as `Continuous Operation`, `Entering Service` or `Trip`."""
        return str(self._der.der_status)

    @property
    def settings(self) -> Mapping[str, Any]:
        """What is set, by OpenDER's names."""
        file = self._der.der_file
        return {name: getattr(file, name) for name in type(file).parameters_list}

    def configure(self, settings: Mapping[str, float | bool | str]) -> None:
        """Change settings by OpenDER's names; they act from the next step on."""
        for name, value in settings.items():
            if getattr(self._der.der_file, name) != value:
                setattr(self._der.der_file, name, value)

    def advance(self, now_s: float) -> None:
        """Let time pass up to `now_s`, as far as whole steps reach."""
        while self.now_s + STEP_S <= now_s + 1e-9:
            self._step(self.now_s + STEP_S)
            self._revert()
        if not self.faults.freeze_value:
            self._frozen = self._true_reading()

    def _follow(self) -> None:
        """Nothing happens at once: the model follows at its next step."""

    def _step(self, end_s: float) -> None:
        before_w = self.power_w
        self.now_s = end_s
        self._run()
        self._take_energy((before_w + self.power_w) / 2, STEP_S)

    def _run(self) -> None:
        """One step of the model at what holds now."""
        der, wanted_w = self._der, self._wanted(self.now_s)
        ceiling_w = None if self.faults.lie else self.limit.ceiling_w
        floor_w = None if self.faults.lie else self.limit.floor_w
        wanted_w = min(max(wanted_w, self.spec.p_min_w), self.spec.p_max_w)
        if floor_w is not None:
            wanted_w = max(wanted_w, floor_w)
        limits = ceiling_w is not None
        inputs: dict[str, float] = {}
        if self.spec.kind in _BATTERIES:
            if ceiling_w is not None and (ceiling_w < 0 or der.der_file.PV_MODE_ENABLE):
                # With volt-watt on, OpenDER 2.2 forgets the demand of a battery behind its power limit.
                wanted_w, limits = min(wanted_w, ceiling_w), False
            inputs["p_dem_w"] = 0.0 if self._exhausted(wanted_w) else wanted_w
        else:
            inputs["p_dc_w"] = max(min(wanted_w, self.available_w), 0.0)
        if limits and ceiling_w is not None:
            self.configure({"AP_LIMIT": min(max(ceiling_w / self.spec.p_max_w, 0.0), 1.0)})
        self.configure({"AP_LIMIT_ENABLE": limits})
        der.update_der_input(**inputs, v_pu=list(self.voltage_pu), theta=list(_ANGLES), f=self.frequency_hz)
        active_w, reactive_var = der.run()
        self.power_w, self.reactive_var = float(active_w), float(reactive_var)


def _model(spec: DeviceSpec) -> DER:
    """OpenDER's own object, with the nameplate of a device."""
    apparent = max(spec.s_max_va or 0.0, spec.p_max_w)
    reactive = REACTIVE_SHARE * apparent
    ramp_s = 0.0 if spec.ramp_w_per_s is None else spec.p_max_w / spec.ramp_w_per_s
    plate = {"NP_V_DC": _DC_V, "NP_VA_MAX": apparent, "NP_P_MAX": spec.p_max_w, "NP_AC_V_NOM": NOMINAL_V}
    plate |= {"NP_Q_MAX_INJ": reactive, "NP_Q_MAX_ABS": reactive, "AP_RT": ramp_s}
    if spec.kind not in _BATTERIES:
        return DER_PV(DERCommonFileFormat(**plate))
    charge = {"NP_P_MAX_CHARGE": -spec.p_min_w, "NP_APPARENT_POWER_CHARGE_MAX": apparent}
    return DER_BESS(DERCommonFileFormatBESS(**plate, **charge, NP_BESS_P_RAMP_TIME=ramp_s))
