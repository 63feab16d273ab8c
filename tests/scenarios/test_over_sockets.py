"""S01, S22 and a kill -9 over real sockets: testbed and gateway are processes, the market is ten times as fast."""

import asyncio
from pathlib import Path

import pytest

from gateway.__main__ import main
from tests.scenarios.live import PATIENT, live, until

pytestmark = pytest.mark.sockets

LIMIT_MW = 0.01


async def test_s01_over_modbus(tmp_path: Path) -> None:
    async with live(tmp_path, clocks=PATIENT) as field, field.gateway() as gateway:
        await gateway.says("psa.ready", 60)
        await field.tell("dispatch", resource="A", power_mw=2.0)
        violation = await gateway.says("violation.detected", constraint_id="L12")
        assert violation["loading_pct"] == pytest.approx(120.8, abs=0.5)
        limit = await gateway.says("limit.issue", resource="A")
        assert limit["mw"] == pytest.approx(1.20, abs=LIMIT_MW)
        await gateway.says("command.completed", resource="A", outcome="verified")

        async def arrived() -> bool:
            return await field.power_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

        await until(arrived, 30)
        assert await field.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)
        assert await field.power_mw("B") == pytest.approx(4.0, abs=LIMIT_MW)
        assert 100 * await field.point("L12.current_a") / 154.2 == pytest.approx(100, abs=0.5)
        (notice,) = await field.messages("CAP.Notice", "AGENT_A", "IESO")
        assert notice["power_mw"] == pytest.approx(1.20, abs=LIMIT_MW)
        for code in ("LIMIT.Issue", "CAP.Notice", "ACK.Commit"):
            assert await field.messages(code, "DSO", "IESO") == []


async def test_s22_a_lost_device_falls_back_and_is_told_again(tmp_path: Path) -> None:
    async with live(tmp_path, devices={"A": {"lease_s": 60}}) as field, field.gateway() as gateway:
        await gateway.says("psa.ready", 60)
        await field.tell("dispatch", resource="A", power_mw=2.0)
        await gateway.says("command.completed", resource="A", outcome="verified")

        async def arrived() -> bool:
            return await field.power_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

        await until(arrived, 30)
        await field.tell("faults", resource="A", fault="drop_link", on=True)
        await gateway.says("device.link", resource="A", state="lost")

        async def fallen_back() -> bool:
            return await field.power_mw("A") == pytest.approx(0.50, abs=LIMIT_MW)

        await until(fallen_back, 15)
        fallback = await gateway.says("fallback.enter", resource="A")
        assert fallback["mw"] == pytest.approx(0.50, abs=LIMIT_MW)
        assert await field.ceiling_mw("B") is None

        await field.tell("faults", resource="A", fault="drop_link", on=False)
        again = await gateway.says("control.tx", resource="A", reasserted=True)
        assert again["mw"] == pytest.approx(1.20, abs=LIMIT_MW)
        await until(arrived, 30)


async def test_after_kill_9_the_device_holds_and_is_told_again(tmp_path: Path) -> None:
    async with live(tmp_path) as field:
        async with field.gateway() as gateway:
            await gateway.says("psa.ready", 60)
            await field.tell("dispatch", resource="A", power_mw=2.0)
            issued = await gateway.says("control.tx", resource="A")
            await gateway.says("command.completed", resource="A", outcome="verified")
            await gateway.kill()
        assert await field.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)
        async with field.gateway() as gateway:
            again = await gateway.says("control.tx", within_s=10, resource="A")
            assert again["reasserted"] is True
            assert (again["control_id"], again["version"]) == (issued["control_id"], issued["version"])
            events = [line["event"] for line in gateway.log.lines]
            first_control = events.index("control.tx")
            assert "limit.issue" not in events[:first_control]
            assert await field.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)


async def test_s24_an_operator_declares_an_emergency_and_clears_it(tmp_path: Path) -> None:
    async with live(tmp_path) as field, field.gateway() as gateway:

        async def operator(command: str, *words: str) -> None:
            asked = [*command.split(), str(field.path), "--storage", str(field.directory), *words]
            assert await asyncio.to_thread(main, asked) == 0

        async def ceilings(of: str) -> dict[str, float | None]:
            return {name: await field.ceiling_mw(name) for name in of}

        async def limited() -> bool:
            return await field.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

        async def off() -> bool:
            return await ceilings("ABCDE") == dict.fromkeys("ABCDE", 0.0)

        async def on() -> bool:
            return await limited() and await ceilings("BCDE") == dict.fromkeys("BCDE")

        await gateway.says("snapshot.complete", 60)
        await field.tell("dispatch", resource="A", power_mw=2.0)
        await until(limited, 30)
        await operator("emergency declare", "--level", "2", "--because", "line down", "--by", "ada")
        await until(off, 40)  # B fetches it at its next poll
        await operator("status")
        await operator("emergency clear", "--by", "ada")
        await field.tell("dispatch", resource="A", power_mw=2.0)
        await until(on, 60)
        told = await field.messages("EMERG.Control", "DSO", "AGENT_A")
        assert [round(one["ceiling_mw"], 3) for one in told] == [0.0]
