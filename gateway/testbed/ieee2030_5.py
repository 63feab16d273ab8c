"""2030.5 face of the simulated world: a DER behind a client that nobody here wrote (py20305).

The client discovers, polls, keeps its own event timers, answers events with Responses and posts
readings, as the software of a vendor would; this module is the device's firmware below it.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from py20305.client import poll_rate
from py20305.client.csip_client import CsipClient
from py20305.client.errors import Sep2Error
from py20305.client.timebase import observe_time_resource
from py20305.client.tls import TlsConfig
from py20305.connectors.base import BaseConnector
from py20305.connectors.errors import ConnectorWriteError
from py20305.connectors.modes import translate_controls, translate_default_controls
from py20305.events.dispatch import NullDispatcher
from py20305.models.sep.sep import Time
from py20305.security import compute_lfdi
from py20305.telemetry.coordinator import TelemetryCoordinator
from py20305.telemetry.mup import ReadingProfile

from gateway.testbed.device import Reading, SimulatedDevice
from gateway.testbed.relay import Relay
from protocols.signals import Bounds

RETRY_S: Final = 1.0
"""Between two attempts to reach a server that is not there yet."""
_QUESTIONABLE: Final = 1 << 4
"""Reading.qualityFlags: failed a check."""
_MODES: Final = 0b1111 | 1 << 7 | 1 << 20
"""modesSupported: charge, discharge, opModConnect, opModEnergize, opModFixedW, opModMaxLimW."""
_DER_TYPES: Final = {"pv": 4, "bess": 80, "ev": 81, "wind": 6}
_MIXED: Final = 83
_LIVE: Final = (0, 1)
"""EventStatus.currentStatus: scheduled, active."""

Params = dict[str, Any]
Modes = list[tuple[str, Params]]
"""What the client makes of a control: which mode, and its parameters."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What one client needs to know."""

    url: str
    """Of the utility server, for example `https://localhost:18443`."""
    certificate: Path
    key: Path
    authority: Path
    """Root that has signed the server's certificate."""
    fastest_poll_s: int = 10
    """The client never polls faster; lower it in a shortened market, where the server asks for it."""
    poll_s: float | None = None
    """Poll at this pace, whatever the server asks; for tests."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a control asks of the device."""

    limit: Bounds = Bounds()  # noqa: RUF009  (a frozen value)
    order_w: float | None = None


class Firmware(NullDispatcher):  # type: ignore[misc]  # the client's types are not followed
    """Obeys events: one device's limit and order with a timer of its own, which outlives the client."""

    def __init__(
        self, device: SimulatedDevice, now: Callable[[], float], programs: Callable[[], Iterable[Any]]
    ) -> None:
        """Drive a device.

        Args:
            device: obeys.
            now: its clock, Unix seconds UTC.
            programs: what the client knows now of every DERProgram.
        """
        self._device = device
        self._now = now
        self._programs = programs
        self._event: Any = None
        self._setting = Setting()

    async def apply_control(self, device_href: str, derc: Any, curves: list[Any]) -> None:  # noqa: ANN401, ARG002
        """An event has begun."""
        self._accept()
        self._event, self._setting = derc, self._read(translate_controls(derc.dercontrol_base, curves))
        self._obey()

    async def apply_default_control(self, device_href: str, dderc: Any, curves: list[Any], **_: object) -> None:  # noqa: ANN401, ARG002
        """No event is in force: the DefaultDERControl is."""
        self._accept()
        self._event, self._setting = None, self._read(translate_default_controls(dderc, curves))
        self._obey()

    async def clear_control(self, device_href: str, **_: object) -> None:  # noqa: ARG002
        """Take every limit off."""
        self._event, self._setting = None, Setting()
        self._obey()

    async def relay_schedule_notification(self, lfdis: list[str], notification: Any) -> None:  # noqa: ANN401, ARG002
        """The schedule has changed: the event in force may have a successor, or another default behind it."""
        if self._event is not None:
            self._obey()

    def _obey(self) -> None:
        now = self._now()
        remaining = None if self._event is None else max(0.0, self._end() - now)
        self._device.set_limit(self._setting.limit, now, remaining, self._fallback())
        self._device.set_order(self._setting.order_w, now, remaining)

    def _end(self) -> float:
        """End of the event in force, or of the last of those that follow it without a gap and ask the same."""
        event = self._event
        end = int(event.interval.start.value + event.interval.duration)
        known = [
            item
            for program in self._programs()
            for item in program.der_controls
            if item.event_status.current_status in _LIVE and item.dercontrol_base == event.dercontrol_base
        ]
        while follower := next((item for item in known if item.interval.start.value == end), None):
            end += int(follower.interval.duration)
        return end

    def _fallback(self) -> Bounds:
        """Limit of the DefaultDERControl."""
        defaults = [program.default_dercontrol for program in self._programs() if program.default_dercontrol]
        return self._read(translate_default_controls(defaults[0], [])).limit if defaults else Bounds()

    def _accept(self) -> None:
        if self._device.faults.refuse:
            raise ConnectorWriteError(f"{self._device.spec.resource} refuses to be controlled")

    def _read(self, modes: Modes) -> Setting:
        """One box and one order from all modes; what a rating forbids anyway is no limit."""
        spec = self._device.spec
        asked = dict(modes)
        if not asked.get("update_connect", {}).get("connected", True):
            return Setting(Bounds(0.0, 0.0))
        ceilings = [
            asked[mode][value] * scale
            for mode, value, scale in (
                ("update_p_lim", "p_lim_w", spec.p_max_w / 100),
                ("update_exp_lim", "exp_lim_w", 1.0),
            )
            if mode in asked
        ]
        ceiling_w = min(ceilings, default=spec.p_max_w)
        floor_w = -asked["update_imp_lim"]["imp_lim_w"] if "update_imp_lim" in asked else spec.p_min_w
        limit = Bounds(floor_w if floor_w > spec.p_min_w else None, ceiling_w if ceiling_w < spec.p_max_w else None)
        if "update_fixed_w" not in asked:
            return Setting(limit)
        share = asked["update_fixed_w"]["WSet"] / 100
        return Setting(limit, share * (spec.p_max_w if share >= 0 else -spec.p_min_w))


class Sensors(BaseConnector):  # type: ignore[misc]  # the client's types are not followed
    """What the client reads and reports: power, ratings, status."""

    connector_name = "SimulatedDevice"

    def __init__(self, device: SimulatedDevice, now: Callable[[], float]) -> None:
        self.der_type = _DER_TYPES.get(device.spec.kind, _MIXED)
        self._device = device
        self._now = now

    async def fetch_monitoring(self) -> Params:
        """Power, positive for generation."""
        reading = self._read()
        if self._device.faults.not_a_number:
            return {"W": 0.0, "W__quality": _QUESTIONABLE}
        return {"W": reading.power_w}

    async def fetch_nameplate(self) -> Params:
        """Ratings."""
        spec = self._device.spec
        return {
            "WMaxRtg": spec.p_max_w,
            "WChaRteMaxRtg": -spec.p_min_w if spec.p_min_w < 0 else None,
            "WhMaxRtg": spec.energy_wh,
            "CtrlModes": _MODES,
        }

    async def fetch_configuration(self) -> Params:
        """Settings; the same as the ratings."""
        spec = self._device.spec
        return {"WMax": spec.p_max_w, "WChaRteMax": -spec.p_min_w if spec.p_min_w < 0 else None, "CtrlModes": _MODES}

    async def fetch_availability(self) -> Params:
        """What it could inject now."""
        reading = self._read()
        if self._device.faults.not_a_number:
            return {}
        return {"statWAvail": {"value": round(reading.available_w / 1_000), "multiplier": 3}}

    async def fetch_status(self) -> Params:
        """State of charge, where there is a store."""
        charge, now = self._read().state_of_charge_pu, int(self._now())
        status: Params = {"readingTime": now}
        if charge is not None and not self._device.faults.not_a_number:
            status["stateOfChargeStatus"] = {"dateTime": now, "value": round(charge * 10_000)}
        return status

    def _read(self) -> Reading:
        self._device.advance(self._now())
        return self._device.reading


class SimulatedClient:
    """One device, one certificate, one client."""

    def __init__(self, device: SimulatedDevice, settings: ClientSettings, now: Callable[[], float]) -> None:
        self._device = device
        self._settings = settings
        self._now = now
        server = urlsplit(settings.url)
        self._host = server.hostname or "localhost"
        self._relay = Relay(self._host, server.port or 443, device.faults)
        self.lfdi: str = compute_lfdi(settings.certificate.read_text())

    async def run(self) -> None:
        """Connect, obey and report until cancelled."""
        poll_rate.MIN_POLL_RATE = self._settings.fastest_poll_s
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._relay.run())
            await self._relay.listening.wait()
            await self._live()

    async def _live(self) -> None:
        def programs() -> Iterable[Any]:
            return list(client.state.der_programs.values())

        client = CsipClient(
            f"https://{self._host}:{self._relay.port}",
            tls=TlsConfig(self._settings.certificate, self._settings.key, self._settings.authority),
            dispatcher=Firmware(self._device, self._now, programs),
            server_2018_compat=True,
        )
        sensors = Sensors(self._device, self._now)
        telemetry = TelemetryCoordinator(
            client,
            lfdis=[self.lfdi],
            connector_resolver=lambda _: sensors,
            reading_profile=ReadingProfile.SIGNED_LOAD_CONVENTION,
        )
        try:
            await self._connect(client)
            telemetry.setup()
            telemetry.start_device_telemetry()
            await self._poll(client)
        finally:
            await telemetry.shutdown()
            await client.shutdown()

    async def _connect(self, client: CsipClient) -> None:
        """Discover the server, and register where it does not know this device yet."""
        while True:
            try:
                await client.connect()
                if not client.state.end_devices:
                    await client.register_end_device(lfdi=self.lfdi)
                    await client.connect()
            except Sep2Error:
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _poll(self, client: CsipClient) -> None:
        """Fetch controls and time for ever.

        The client's own polling (`run`) cannot be used: version 0.16.1 ends it for good when it finds
        the server back after three failed polls, because its rediscovery cancels the very task it runs in.
        """
        pace_s = self._settings.poll_s or client.state.poll_rates["derp"]
        while True:
            try:
                await client.poll_now()
                await _read_time(client)
            except Sep2Error:
                # Already logged by the client; the next poll finds out whether the server is back.
                pass
            await asyncio.sleep(pace_s)


async def _read_time(client: CsipClient) -> None:
    """Follow the server's clock, as a whole and for every assignment that names it."""
    assigned = {fsa: href for fsa, (href, _) in client.state.fsa_time.items()}
    for fsa_href, href in {"": client.state.time_href, **assigned}.items():
        if href:
            answer = await client.http.get(href, Time)
            observe_time_resource(client.timebase, answer, href=href, fsa_href=fsa_href or None)
