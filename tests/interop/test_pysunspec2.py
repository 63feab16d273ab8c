"""SunSpec's own Python client against our simulated devices, and our adapter's work seen through its eyes."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from gateway.clock import wall
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from protocols.modbus.adopt import adopt
from protocols.modbus.client import ModbusClient, UnitWire
from protocols.modbus.curves import Curve
from protocols.modbus.device import SunSpecDevice
from protocols.modbus.medium import Tls
from protocols.modbus.server_security import ServerSecurity
from protocols.modbus.settings import ModbusSettings, SunSpecDer
from protocols.signals import Bounds, Control, Outcome
from tests.gateway.test_loop import limited
from tests.interop import facade_site, modbus_site
from tests.interop.modbus_site import BATTERY, HOST, PARK, SOLAR, adapter_on
from tests.protocols.modbus.certificates import Pki, make_pki

pytestmark = [pytest.mark.interop, pytest.mark.sockets]

T = TypeVar("T")


class Peer:
    """The foreign client, which blocks, in a thread beside our loop."""

    def __init__(self, port: int, **options) -> None:
        self._port, self._options = port, options

    async def ask(self, work: Callable[[SunSpecModbusClientDeviceTCP], T]) -> T:
        return await asyncio.to_thread(self._connected, work)

    def _connected(self, work: Callable[[SunSpecModbusClientDeviceTCP], T]) -> T:
        client = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr=HOST, ipport=self._port, timeout=5, **self._options)
        try:
            client.scan()
            return work(client)
        finally:
            client.close()


@asynccontextmanager
async def served(
    spec: DeviceSpec, *, series: str = "700", phases: str = "abc"
) -> AsyncIterator[tuple[SimulatedDevice, int, Peer]]:
    async with modbus_site.served(spec, series=series, phases=phases) as (device, _, port):
        yield device, port, Peer(port)


async def test_scans_every_model_without_an_error():
    async with served(BATTERY) as (_, _, peer):

        def scan(client):
            problems = [model.error_info for models in client.models.values() for model in models if model.error_info]
            ids = [key for key in client.models if isinstance(key, int)]
            return ids, problems, client.common[0].Mn.value, client.common[0].SN.value

        assert await peer.ask(scan) == ([1, *range(701, 716)], [], "Ampacity testbed", "A")


async def test_reads_what_the_device_does():
    async with served(BATTERY) as (_, _, peer):

        def read(client):
            ac, capacity = client.DERMeasureAC[0], client.DERCapacity[0]
            return ac.W.cvalue, ac.Hz.cvalue, capacity.WMax.cvalue, client.DERStorageCapacity[0].SoC.cvalue

        power_w, frequency_hz, w_max_w, soc_pct = await peer.ask(read)
        assert power_w == pytest.approx(1e6, abs=500)
        assert frequency_hz == pytest.approx(60)
        assert w_max_w == 2.5e6
        assert soc_pct == pytest.approx(50, abs=0.2)


async def test_its_limit_obliges_the_device():
    async with served(BATTERY) as (device, _, peer):

        def limit(client):
            controls = client.DERCtlAC[0]
            controls.WMaxLimPct.cvalue = 32.0
            controls.WMaxLimPctRvrt.cvalue = 20.0
            controls.WMaxLimPctEnaRvrt.value = 1
            controls.WMaxLimPctRvrtTms.value = 600
            controls.WMaxLimPctEna.value = 1
            controls.write()
            controls.read()
            client.DERMeasureAC[0].read()
            remaining_s, power_w = controls.WMaxLimPctRvrtRem.value, client.DERMeasureAC[0].W.cvalue
            return controls.WMaxLimPct.cvalue, controls.WMaxLimPctEna.value, remaining_s, power_w

        percent, enabled, remaining_s, power_w = await peer.ask(limit)
        assert (percent, enabled) == (32.0, 1)
        assert 590 <= remaining_s <= 600
        assert power_w == pytest.approx(0.8e6, abs=500)
        assert device.limit.ceiling_w == pytest.approx(0.8e6)
        assert device.fallback.ceiling_w == pytest.approx(0.5e6)


async def test_its_set_point_moves_the_device():
    async with served(BATTERY) as (device, _, peer):

        def charge(client):
            controls = client.DERCtlAC[0]
            controls.WSet.cvalue = -400_000
            controls.WSetMod.value = 1
            controls.WSetEna.value = 1
            controls.write()
            client.DERMeasureAC[0].read()
            return client.DERMeasureAC[0].W.cvalue

        assert await peer.ask(charge) == pytest.approx(-0.4e6, abs=500)
        assert device.power_w == -0.4e6


async def test_a_refused_write_reaches_it_as_an_exception():
    async with served(BATTERY) as (device, _, peer):
        device.faults.refuse = True

        def limit(client):
            controls = client.DERCtlAC[0]
            controls.WMaxLimPctEna.value = 1
            with pytest.raises(Exception, match="exception: 3") as caught:
                controls.write()
            return type(caught.value)

        assert (await peer.ask(limit)).__module__.startswith("sunspec2.")
        assert device.limit.is_open


@pytest.mark.parametrize(
    ("spec", "series", "phases", "ids"),
    [
        (SOLAR, "legacy", "a", [1, 101, 120, 121, 122, 123, 160]),
        (SOLAR, "legacy", "s1s2", [1, 102, 120, 121, 122, 123, 160]),
        (BATTERY, "legacy", "abc", [1, 103, 120, 121, 122, 123, 124, 160]),
        (SOLAR, "legacy_float", "b", [1, 111, 120, 121, 122, 123, 160]),
        (SOLAR, "legacy_float", "s1s2", [1, 112, 120, 121, 122, 123, 160]),
        (BATTERY, "legacy_float", "abc", [1, 113, 120, 121, 122, 123, 802, 160]),
    ],
)
async def test_scans_the_legacy_models_of_any_phases(spec, series, phases, ids):
    async with served(spec, series=series, phases=phases) as (_, _, peer):

        def scan(client):
            problems = [model.error_info for models in client.models.values() for model in models if model.error_info]
            return [key for key in client.models if isinstance(key, int)], problems, client.models[ids[1]][0].W.cvalue

        assert await peer.ask(scan) == (ids, [], pytest.approx(spec.initial_w, abs=500))


async def test_reads_and_limits_a_legacy_inverter():
    async with served(SOLAR, series="legacy") as (device, _, peer):

        def limit(client):
            power_w = client.models[103][0].W.cvalue
            controls = client.controls[0]
            controls.WMaxLimPct.cvalue = 25.0
            controls.WMaxLimPct_RvrtTms.value = 600
            controls.WMaxLim_Ena.value = 1
            controls.write()
            client.models[103][0].read()
            return power_w, client.models[103][0].W.cvalue

        assert await peer.ask(limit) == pytest.approx((4e6, 1.5e6), abs=500)
        assert device.limit.ceiling_w == pytest.approx(1.5e6)


async def test_sees_what_our_adapter_wrote():
    async with served(BATTERY) as (_, port, peer):
        settings = ModbusSettings(HOST, (SunSpecDer("A", 2.5e6, -2.5e6),), port, poll_s=0.05)
        async with adapter_on(settings) as (adapter, _):
            now_s = wall()
            control = Control("c", "A", 1, now_s, now_s + 900, Bounds(None, 1.2e6), fallback=Bounds(None, 0.5e6))
            assert (await adapter.apply(control)).outcome is Outcome.WRITTEN

            def look(client):
                controls = client.DERCtlAC[0]
                return controls.WMaxLimPct.cvalue, controls.WMaxLimPctEna.value, controls.WMaxLimPctRvrt.cvalue

            assert await peer.ask(look) == (48.0, 1, 20.0)


async def test_its_curve_is_adopted_and_one_that_makes_no_sense_is_turned_down():
    async with served(BATTERY) as (_, _, peer):

        def offer(client):
            volt_var = client.DERVoltVar[0]
            volt_var.read()
            offered = volt_var.Crv[1]
            for point, (volts, var) in zip(offered.Pt, ((90, 30), (97, 0), (103, 0), (110, -30)), strict=False):
                point.V.cvalue, point.Var.cvalue = volts, var
            offered.ActPt.value = 4
            offered.write()
            volt_var.AdptCrvReq.value = 2
            volt_var.write()
            volt_var.read()
            in_force = [(point.V.cvalue, point.Var.cvalue) for point in volt_var.Crv[0].Pt[:4]]
            first = volt_var.AdptCrvRslt.value
            volt_var.Crv[1].ActPt.value = 1
            volt_var.Crv[1].write()
            volt_var.AdptCrvReq.value = 2
            volt_var.write()
            volt_var.read()
            return first, in_force, volt_var.AdptCrvRslt.value

        assert await peer.ask(offer) == (1, [(90, 30), (97, 0), (103, 0), (110, -30)], 2)


async def test_sees_the_curve_that_our_client_had_adopted():
    async with served(BATTERY) as (_, port, peer), asyncio.TaskGroup() as tasks:
        client = ModbusClient(HOST, port, random.Random(1), lambda _: None)
        running = tasks.create_task(client.run())
        await client.connected()
        device = SunSpecDevice(UnitWire(client, 1, 5.0))
        for model in await device.scan():
            assert (await device.read(model)).values, model.model_id
            if model.model_id == 705:
                curve = Curve(705, ((91, 25), (97, 0), (103, 0), (109, -25)), {"RspTms": 7})
                assert (await adopt(device, model, curve)).outcome is Outcome.WRITTEN

        def look(client):
            volt_var = client.DERVoltVar[0]
            first = volt_var.Crv[0]
            return volt_var.Ena.value, first.RspTms.cvalue, [(p.V.cvalue, p.Var.cvalue) for p in first.Pt[:4]]

        assert await peer.ask(look) == (1, 7, [(91, 25), (97, 0), (103, 0), (109, -25)])
        running.cancel()


async def test_its_heartbeat_and_reversion_are_taken():
    async with served(BATTERY) as (device, _, peer):

        def beat(client):
            control = client.DERCtl[0]
            control.ControllerHb.value = 4711
            control.write()
            control.read()
            return control.ControllerHb.value, control.LocRemCtl.value, control.DERHb.value

        count, local, theirs = await peer.ask(beat)
        assert (count, local) == (4711, 0)
        assert theirs == pytest.approx(int(device.now_s) % 1_000_000, abs=5)


# --- OpenDER's physics, with the simulation controls 64411 and 64414 ------------------------------


async def until(device: SimulatedDevice, holds: Callable[[], bool]) -> None:
    """Let the device's time pass until something holds."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.05)
            device.advance(wall())


async def test_opender_scans_with_its_simulation_controls():
    async with served(PARK) as (_, _, peer):

        def scan(client):
            problems = [model.error_info for models in client.models.values() for model in models if model.error_info]
            return [key for key in client.models if isinstance(key, int)], problems, client.models[64414][0].Time.value

        ids, problems, time = await peer.ask(scan)
        assert (ids, problems) == ([1, *range(701, 713), 714, 715, 64411, 64414], [])
        assert time.startswith("00:00:0")


async def test_opender_answers_to_voltage_frequency_and_sun_of_the_bench():
    async with served(PARK) as (device, _, peer):

        def shine(client):
            sim = client.models[64414][0]
            sim.Irradiance.value = 500.0
            sim.GridFrequency.value = 60.02
            sim.write()
            sim.read()
            return sim.Irradiance.value, sim.GridModelSource.value, sim.IrradianceModelSource.value

        assert await peer.ask(shine) == (500, "const", "const")
        await until(device, lambda: device.power_w == pytest.approx(3e6))

        def swell(client):
            grid, ac = client.models[64411][0], client.DERMeasureAC[0]
            before_w, hertz = ac.W.cvalue, ac.Hz.cvalue
            grid.VSet.cvalue = 1.25 * 480 / 3**0.5
            grid.write()
            grid.read()
            return before_w, hertz, grid.VA.cvalue

        before_w, hertz, volts = await peer.ask(swell)
        assert (before_w, hertz) == (pytest.approx(3e6, abs=1e3), pytest.approx(60.02))
        assert volts == pytest.approx(1.25 * 480 / 3**0.5, abs=0.1)
        await until(device, lambda: device.status == "Trip")

        def look(client):
            ac = client.DERMeasureAC[0]
            return ac.W.cvalue, ac.St.value, ac.InvSt.value, ac.ConnSt.value

        assert await peer.ask(look) == (0, 0, 0, 0)


async def test_opender_follows_the_curve_that_our_client_had_adopted():
    async with served(PARK) as (device, port, peer), asyncio.TaskGroup() as tasks:
        client = ModbusClient(HOST, port, random.Random(1), lambda _: None)
        running = tasks.create_task(client.run())
        await client.connected()
        ours = SunSpecDevice(UnitWire(client, 1, 5.0))
        (model,) = (model for model in await ours.scan() if model.model_id == 705)
        curve = Curve(705, ((91, 30), (97, 0), (103, 0), (109, -30)), {"RspTms": 1})
        assert (await adopt(ours, model, curve)).outcome is Outcome.WRITTEN
        running.cancel()

        def raise_voltage(client):
            sim = client.models[64414][0]
            sim.GridVoltageA.value = sim.GridVoltageB.value = sim.GridVoltageC.value = 1.06
            sim.write()

        await peer.ask(raise_voltage)
        await until(device, lambda: device.reactive_var == pytest.approx(-0.15 * 6e6, rel=0.01))
        assert await peer.ask(lambda client: client.DERMeasureAC[0].Var.cvalue) == pytest.approx(-0.9e6, rel=0.02)


# --- the façade: DERs behind the gateway, whatever they speak -------------------------------------

PROTOCOLS = ["modbus", "opcua", "mqtt", "sparkplug", "dnp3"]
"""Those whose devices answer at once; a client of IEEE 2030.5 fetches its control at its next poll."""


@pytest.mark.parametrize("protocol", [*PROTOCOLS, "ieee2030_5"])
async def test_facade_scans_and_reads_a_der_of_any_protocol(protocol):
    async with facade_site.shown(protocol) as site:

        def scan(client):
            problems = [model.error_info for models in client.models.values() for model in models if model.error_info]
            ids = [key for key in client.models if isinstance(key, int)]
            names = client.common[0].Mn.value, client.common[0].Opt.value, client.common[0].SN.value
            return ids, problems, names, client.DERMeasureAC[0].W.cvalue, client.DERCapacity[0].WMax.cvalue

        ids, problems, names, power_w, w_max_w = await Peer(site.port).ask(scan)
        assert (ids, problems) == ([1, 701, 702, 703, 704, 713, 715], [])
        assert names == ("Ampacity", protocol, "A")
        assert (power_w, w_max_w) == (pytest.approx(1e6, abs=500), 2.5e6)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_facade_limit_obliges_the_der_and_is_verified(protocol):
    async with facade_site.shown(protocol) as site:

        def limit(client):
            controls = client.DERCtlAC[0]
            controls.WMaxLimPct.cvalue = 32.0
            controls.WMaxLimPctRvrtTms.value = 600
            controls.WMaxLimPctEna.value = 1
            controls.write()
            controls.read()
            return controls.WMaxLimPct.cvalue, controls.WMaxLimPctEna.value, controls.WMaxLimPctRvrtRem.value

        percent, enabled, remaining_s = await Peer(site.port).ask(limit)
        assert (percent, enabled) == (32.0, 1)
        assert 590 <= remaining_s <= 600
        await site.ends(Outcome.VERIFIED)
        assert site.device.limit.ceiling_w == pytest.approx(0.8e6, rel=1e-3)
        assert site.device.power_w <= 0.8e6

        def release(client):
            client.DERCtlAC[0].WMaxLimPctEna.value = 0
            client.DERCtlAC[0].write()

        await Peer(site.port).ask(release)
        await site.ends(Outcome.WRITTEN)
        assert site.device.limit.is_open


async def test_facade_set_point_moves_the_der_inside_the_limit_of_the_dso():
    async with facade_site.shown("opcua") as site:

        def charge(client):
            controls = client.DERCtlAC[0]
            controls.WSet.cvalue = -400_000
            controls.WSetMod.value = 1
            controls.WSetEna.value = 1
            controls.write()

        await Peer(site.port).ask(charge)
        await site.ends(Outcome.VERIFIED)
        assert site.device.power_w == pytest.approx(-0.4e6)
        site.engine.answers = limited(0.3e6)
        site.loop.ground.wake.set()

        def exceed(client):
            controls = client.DERCtlAC[0]
            controls.read()
            controls.WSet.cvalue = 2_000_000
            controls.write()
            controls.read()
            return controls.WMaxLimPct.cvalue, controls.WSet.cvalue

        async with asyncio.timeout(20):
            while site.loop.book.limit_at("A", site.now()) is None:  # noqa: ASYNC110 - the book is the condition
                await asyncio.sleep(0.02)
        assert await Peer(site.port).ask(exceed) == (12.0, 300_000)
        async with asyncio.timeout(20):
            while site.device.power_w < 0:  # noqa: ASYNC110 - the device is the condition
                await asyncio.sleep(0.02)
        assert site.device.power_w <= 0.3e6


async def test_facade_refuses_what_the_gateway_cannot_bring_to_the_der():
    async with facade_site.shown("mqtt") as site:

        def ask(client):
            controls = client.DERCtlAC[0]
            controls.VarSet.value = 100
            with pytest.raises(Exception, match="exception: 3"):
                controls.write()
            return controls.VarSetEna.value

        assert await Peer(site.port).ask(ask) is None
        assert site.loop.book.operator == {}


async def test_facade_over_mutual_tls_obeys_the_role_of_the_certificate(pki):
    async with facade_site.shown("opcua", security=security(pki, "operator")) as site:
        for name in ("reader", "client"):
            with pytest.raises(Exception, match="exception: 1"):
                await Peer(site.port, **shown(pki, name)).ask(limit_to_a_third)
        assert site.loop.book.operator == {}
        assert await Peer(site.port, **shown(pki, "operator")).ask(limit_to_a_third) == (32.0, 1)
        await site.ends(Outcome.VERIFIED)
        assert site.device.limit.ceiling_w == pytest.approx(0.8e6)


# --- Modbus/TCP Security --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"), operator="operator", reader="reader")


def security(pki: Pki, *writers: str) -> ServerSecurity:
    files = (Path(pki.server), Path(pki.server_key), Path(pki.root))
    return ServerSecurity(*files, frozenset(writers) or None)


def shown(pki: Pki, name: str) -> dict[str, object]:
    """What the foreign client has to be told to show a certificate."""
    files = {"certfile": getattr(pki, name), "keyfile": getattr(pki, f"{name}_key")}
    return {"tls": True, "cafile": pki.root, **files}


def limit_to_a_third(client):
    controls = client.DERCtlAC[0]
    controls.WMaxLimPct.cvalue = 32.0
    controls.WMaxLimPctEna.value = 1
    controls.write()
    controls.read()
    return controls.WMaxLimPct.cvalue, controls.WMaxLimPctEna.value


async def test_scans_and_limits_over_mutual_tls(pki):
    async with modbus_site.served(BATTERY, security=security(pki)) as (device, _, port):
        assert await Peer(port, **shown(pki, "client")).ask(limit_to_a_third) == (32.0, 1)
        assert device.limit.ceiling_w == pytest.approx(0.8e6)


async def test_a_role_that_may_only_read_cannot_limit(pki):
    async with modbus_site.served(BATTERY, security=security(pki, "operator")) as (device, _, port):
        for name in ("reader", "client"):
            with pytest.raises(Exception, match="exception: 1"):
                await Peer(port, **shown(pki, name)).ask(limit_to_a_third)
            assert device.limit.is_open
        assert await Peer(port, **shown(pki, "operator")).ask(limit_to_a_third) == (32.0, 1)


async def test_a_certificate_of_somebody_else_is_refused(pki, tmp_path):
    stranger = make_pki(tmp_path)
    async with modbus_site.served(BATTERY, security=security(pki)) as (device, _, port):
        options = {**shown(stranger, "client"), "cafile": pki.root}
        with pytest.raises(Exception, match=r"(?i)error|alert|reset|closed|timeout"):
            await Peer(port, **options).ask(limit_to_a_third)
        assert device.limit.is_open


async def test_our_adapter_drives_our_device_over_mutual_tls(pki):
    async with modbus_site.served(BATTERY, security=security(pki, "operator")) as (device, _, port):
        medium = Tls(pki.operator, pki.operator_key, pki.root)
        settings = ModbusSettings(HOST, (SunSpecDer("A", 2.5e6, -2.5e6),), port, medium, poll_s=0.05)
        async with adapter_on(settings) as (adapter, _):
            now_s = wall()
            ack = await adapter.apply(Control("c", "A", 1, now_s, now_s + 900, Bounds(None, 1.2e6)))
            assert ack.outcome is Outcome.WRITTEN
            assert device.limit.ceiling_w == 1.2e6


async def test_our_adapter_is_told_that_its_role_may_not_write(pki):
    async with modbus_site.served(BATTERY, security=security(pki, "operator")) as (device, _, port):
        medium = Tls(pki.reader, pki.reader_key, pki.root)
        settings = ModbusSettings(HOST, (SunSpecDer("A", 2.5e6, -2.5e6),), port, medium, poll_s=0.05)
        async with adapter_on(settings) as (adapter, _):
            now_s = wall()
            ack = await adapter.apply(Control("c", "A", 1, now_s, now_s + 900, Bounds(None, 1.2e6)))
            assert ack.outcome is Outcome.REJECTED
            assert "illegal function" in ack.detail
            assert device.limit.is_open
