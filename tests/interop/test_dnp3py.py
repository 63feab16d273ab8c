"""Our adapter against the IEEE 1815.2 outstation of dnp3py, with its whole point map."""

import asyncio
import os
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.clock import wall
from gateway.translate import dnp3
from protocols.dnp3.adapter import Dnp3Adapter
from protocols.points import Quantity
from protocols.signals import Baseline, Bounds, Control, LinkState, Measurement, Outcome, Release
from tests.gateway.translate.zones import zone

pytest.importorskip("dnp3.mesa")
pytestmark = [pytest.mark.interop, pytest.mark.sockets]

PATIENCE_S = 30.0
WANTED = {Quantity.ACTIVE_POWER_W, Quantity.REACTIVE_POWER_VAR, Quantity.STATE_OF_CHARGE_PU}
ENDPOINT = {"protocol": "dnp3", "host": "127.0.0.1", "floor": False}


@asynccontextmanager
async def der(switch_status="outputs"):
    """The adapter, as the zone file sets it up, on a running outstation, with all that it says.

    This outstation does not show its switches on BI69 and BI70, so their own status is read.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dnp3.mesa", "--port", str(port), "--address", "10", "--master-address", "1",
        stdout=asyncio.subprocess.DEVNULL,
        env=os.environ,
    )  # fmt: skip
    endpoint = {**ENDPOINT, "port": port, "switch_status": switch_status}
    (settings,) = dnp3.settings(zone({"A": {"endpoint": endpoint}}))
    settings = replace(settings, retry_first_s=0.2)
    adapter, signals = Dnp3Adapter(settings, wall), []
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(adapter.run(signals.extend))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not any(getattr(s, "state", None) is LinkState.ONLINE for s in signals):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            yield adapter, signals
        finally:
            running.cancel()
            process.kill()
            await process.wait()


async def test_the_whole_map_is_read_and_the_meter_found():
    async with der() as (adapter, signals):
        assert adapter._session.counters.undecoded == 0
        assert {m.point.quantity for m in signals if isinstance(m, Measurement)} >= WANTED
        (baseline,) = [s for s in signals if isinstance(s, Baseline)]
        assert baseline.values["limit_enable"] == 0


async def test_limit_and_target_are_written_read_back_and_released():
    async with der() as (adapter, signals):
        now_s = wall()
        ack = await adapter.apply(Control("c", "A", 1, now_s, now_s + 60, Bounds(None, 1.2e6), target_w=0.5e6))
        assert ack.outcome is Outcome.WRITTEN, ack
        assert (ack.read_back["ceiling"], ack.read_back["target"]) == (480, 200)
        assert 59 <= ack.read_back["limit_reversion_s"] <= 60
        (baseline,) = [s for s in signals if isinstance(s, Baseline)]
        ack = await adapter.apply(Release("r", "A", 2, baseline.values))
        assert ack.outcome is Outcome.WRITTEN, ack
        assert ack.read_back["limit_enable"] == 0


async def test_a_switch_that_does_not_show_is_not_believed():
    async with der(switch_status="inputs") as (adapter, _):
        now_s = wall()
        ack = await adapter.apply(Control("c", "A", 1, now_s, now_s + 60, Bounds(None, 1.2e6)))
        assert ack.outcome is Outcome.REJECTED
        assert "limit_enable did not read back" in ack.detail


async def test_what_the_device_will_not_take_is_rejected_and_nothing_moves():
    async with der() as (adapter, _):
        now_s = wall()
        ack = await adapter.apply(Control("c", "A", 1, now_s, now_s + 60, Bounds(None, 9e6)))
        assert ack.outcome is Outcome.REJECTED
        assert "OUT_OF_RANGE" in ack.detail
