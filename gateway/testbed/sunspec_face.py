"""SunSpec faces of a simulated DER without I/O: what its holding registers hold, and what a write does to it."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Literal

from gateway.testbed import sunspec_curves
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.sunspec_700 import Series700
from gateway.testbed.sunspec_curves import CurveFaces
from gateway.testbed.sunspec_legacy import Legacy
from protocols.modbus.codec import Registers
from protocols.modbus.server import RefusedError
from protocols.modbus.sunspec import BASES, Model, ModelImage
from protocols.signals import Bounds

VoltagePu = Callable[[], float]
"""Voltage at the device's terminals, per unit."""
Series = Literal["700", "legacy", "legacy_float"]
"""Which models a device has; see `sunspec_700` and `sunspec_legacy`."""


class SunSpecFace:
    """Holding registers of one DER, in models of the 700 series or legacy ones.

    A percentage is of WMax, the nameplate's greatest injection. The limit in force is what the
    registers show, also after the reversion timer has run out.
    """

    def __init__(
        self,
        device: SimulatedDevice,
        voltage_pu: VoltagePu,
        *,
        series: Series = "700",
        phases: str = "abc",
        more: tuple[int, ...] = (),
    ) -> None:
        """Begin with all controls disabled.

        Args:
            device: whose registers these are.
            voltage_pu: at its terminals.
            series: of models.
            phases: as in the zone file, `s1s2` for a split-phase service; only legacy models differ by them.
            more: models behind those of the series.
        """
        self._device = device
        self._voltage_pu = voltage_pu
        self._models: Series700 | Legacy = (
            Series700(device.spec)
            if series == "700"
            else Legacy(device.spec, phases, in_floats=series == "legacy_float")
        )
        self._image = ModelImage((*self._models.model_ids, *more), BASES[0], sunspec_curves.COUNTS)
        self._shown: Bounds | None = None
        self._reverted = False
        """True once a curve has gone back to the one before."""
        self._curves = CurveFaces(self._image, self._fits) if series == "700" else None
        self._leave_factory()
        self._refresh()

    @property
    def models(self) -> Mapping[int, Model]:
        """The models in the map, by id."""
        return self._image.models

    @property
    def base(self) -> int:
        """Address of the first register."""
        return self._image.base

    @property
    def size(self) -> int:
        """Registers in the map."""
        return len(self._image.registers)

    def read(self, address: int, count: int) -> list[int]:
        """What a client gets now.

        Raises:
            IllegalAddressError: part of it is outside of the map.
        """
        self._refresh()
        return self._image.read(address, count)

    def write(self, address: int, values: Sequence[int]) -> None:
        """Take a client's write and let the device obey.

        Raises:
            IllegalAddressError: part of it is outside of the map or read-only; then nothing is written.
            RefusedError: a value has no meaning; then nothing is written.
        """
        self._refresh()
        before = list(self._image.registers)
        try:
            touched = frozenset(self._image.write(address, values))
            self._check(touched, before)
        except RefusedError:
            self._image.registers[:] = before
            raise
        self._take(touched)

    def _leave_factory(self) -> None:
        for name, value in _identity(self._device.spec).items():
            self._image.set(name, value)
        for name, number in (self._models.factors | self._models.constants).items():
            self._image.set(name, number)

    def _fits(self, model_id: int, index: int) -> bool:  # noqa: ARG002 - here curves live in the registers alone
        """Whether the device can follow a curve that a client offers, `index` from 0."""
        return True

    def _check(self, touched: frozenset[str], before: Registers) -> None:  # noqa: ARG002 - for others to compare
        """Raise `RefusedError` where what has just been written has no meaning."""
        self._models.check(self._image)

    def _take(self, touched: frozenset[str]) -> None:
        """Let the device obey what has been written."""
        if touched & self._models.limit_points:
            self._apply_limit()
        if touched & self._models.order_points:
            self._models.apply_order(self._image, self._device)
        if touched & self._models.switch_points:
            closed, reversion_s = self._models.switch(self._image)
            self._device.connect(self._device.now_s, closed=closed, reversion_s=reversion_s)
        if self._curves is not None:
            self._curves.written(touched, self._device.now_s)

    def _apply_limit(self) -> None:
        limit, reversion_s, fallback = self._models.limit(self._image)
        self._device.set_limit(limit, self._device.now_s, reversion_s, fallback)
        self._shown = limit

    def _refresh(self) -> None:
        """Bring measurements, timers and what a reversion changed into the registers."""
        reading, limit = self._device.reading, self._device.limit
        if self._curves is not None:
            self._reverted |= self._curves.refresh(self._device.now_s)
        if limit != self._shown:
            self._shown = limit
            for name, value in self._models.shown(limit).items():
                self._image.set(name, value)
        if not self._device.faults.lie:
            for name, value in self._models.shown_switch(closed=self._device.is_connected).items():
                self._image.set(name, value)
        if not isfinite(reading.power_w):
            for name in self._models.measured(0.0, 1.0, 0.0, throttled=False):
                self._image.set(name, None)
            return
        throttled = limit.ceiling_w is not None and self._device.power_w >= limit.ceiling_w
        soc = reading.state_of_charge_pu or 0.0
        live = self._models.measured(reading.power_w, self._voltage_pu(), soc, throttled=throttled)
        for name, value in {**live, **self._models.timers(self._device)}.items():
            self._image.set(name, value)


def _identity(spec: DeviceSpec) -> Mapping[str, str]:
    return {"1.Mn": "Ampacity testbed", "1.Md": spec.kind, "1.Vr": "1", "1.SN": spec.resource}
