"""py20305, a client that nobody here wrote, run as its own service against our server over real sockets."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.clock import wall
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.pki import Issued, make_pki
from ieee2030_5.records import Record, Stored
from ieee2030_5.settings import DeviceSettings, Profile, ServerSettings
from protocols.points import Quantity
from protocols.signals import Ack, Bounds, Control, Measurement, Outcome, Release, Signal

pytest.importorskip("py20305")
pytestmark = [pytest.mark.sockets, pytest.mark.interop]

PATIENCE_S = 40.0


@dataclass
class Site:
    server: UtilityServer
    files: Path
    issued: dict[str, Issued]
    signals: list[Signal] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def outcomes(self) -> list[Outcome]:
        return [item.outcome for item in self.signals if isinstance(item, Ack)]

    def answers(self, control: str) -> list[tuple[Outcome, int]]:
        """What the client has said about a control, with the version that it said it of."""
        acks = [item for item in self.signals if isinstance(item, Ack) and item.control_id == control]
        return [(ack.outcome, ack.version) for ack in acks]

    def said(self, word: str) -> bool:
        log = self.files / "client.log"
        return log.exists() and word in log.read_text()

    def subscriptions(self) -> int:
        return sum(isinstance(record, Stored) and "/sub/" in record.href for record in self.records)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds():  # noqa: ASYNC110 - signals arrive through a plain function
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise AssertionError(f"waited {PATIENCE_S} s in vain: {what}; acknowledged {self.outcomes()}") from error


@asynccontextmanager
async def service(tmp_path: Path, profile: Profile, *, in_band: bool, poll_s: int = 10) -> AsyncIterator[Site]:
    """Our server, and `py20305 --config` as a process of its own."""
    issued = {item.name: item for item in make_pki(tmp_path, ["B"], ["localhost"], wall())}
    pin = issued["B"].pin
    hosts = frozenset({"localhost"})
    device = DeviceSettings("B", issued["B"].lfdi, 50_000, -10_000, pin, profile, in_band=in_band, notify_hosts=hosts)
    settings = ServerSettings(
        issued["server"].certificate,
        issued["server"].key,
        issued["root"].certificate,
        (device,),
        port=0,
        poll_rate_s=poll_s,
        post_rate_s=1,
    )
    records: list[Record] = []
    site = Site(UtilityServer(settings, wall, records.append), tmp_path, issued, records=records)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(site.server.run(site.signals.extend))
        await site.server.listening.wait()
        yield site
        task.cancel()


@asynccontextmanager
async def client(site: Site, **more: object) -> AsyncIterator[None]:
    own = site.issued["B"]
    config = {
        "server": {"url": f"https://localhost:{site.server.port}", "server_2018_compat": True},
        "tls": {
            "client_cert": str(own.certificate),
            "client_key": str(own.key),
            "ca_cert": str(site.issued["root"].certificate),
        },
        "devices": [{"type": "print_demo", "lfdi": own.lfdi, "pin": own.pin}],
        "history": {"enabled": False},
        "telemetry": {"reading_profile": "signed_load_convention"},
        **more,
    }
    path = site.files / "client.json"
    path.write_text(json.dumps(config))
    log = site.files / "client.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "py20305", "--config", str(path), stdout=output, stderr=output
        )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.parametrize(("profile", "in_band"), [(Profile.CSIP, False), (Profile.CSIP_AUS, True)])
async def test_an_unchanged_client_registers_obeys_and_reports(tmp_path: Path, profile: Profile, in_band: bool) -> None:
    async with service(tmp_path, profile, in_band=in_band) as site:
        now = wall()
        control = Control("K1", "B", 1, now, now + 8, Bounds(ceiling_w=20_000), fallback=Bounds(ceiling_w=10_000))
        assert (await site.server.apply(control)).outcome is Outcome.PUBLISHED
        async with client(site):
            # It tells its rating only now, so its control is said anew: one event takes over from the other.
            wanted = {Outcome.RECEIVED, Outcome.STARTED, Outcome.COMPLETED}
            await site.until(lambda: site.outcomes()[-1:] == [Outcome.COMPLETED], "the control is completed")
            assert set(site.outcomes()) == wanted
            await site.until(
                lambda: any(
                    isinstance(s, Measurement) and s.point.quantity is Quantity.VOLTAGE_V for s in site.signals
                ),
                "its voltage is posted",
            )
        assert not site.said("Traceback")
        assert not site.said("rejected")


async def test_a_subscribed_client_hears_of_a_control_without_polling(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subscribe = {
        "enabled": True,
        "notification_host": "127.0.0.1",
        "notification_port": port,
        "notification_external_host": "localhost",
        "notification_client_cert_mode": "enforce",
    }
    async with service(tmp_path, Profile.CSIP, in_band=False, poll_s=3_600) as site:
        async with client(site, subscription=subscribe):
            await site.until(lambda: site.said("Starting poll loop"), "the client has subscribed and settled")
            assert site.subscriptions() >= 4
            now = wall()
            await site.server.apply(Control("K1", "B", 1, now, now + 60, Bounds(ceiling_w=20_000)))
            await site.until(lambda: site.outcomes()[-1:] == [Outcome.STARTED], "it has heard of the event")
            assert set(site.outcomes()) == {Outcome.RECEIVED, Outcome.STARTED}
        assert site.said("notification for /derp/B/derc")
        assert not site.said("Traceback")


async def test_a_schedule_is_received_ahead_and_a_control_that_is_taken_back_is_answered_as_cancelled(
    tmp_path: Path,
) -> None:
    async with service(tmp_path, Profile.CSIP, in_band=False, poll_s=2) as site, client(site):
        await site.until(lambda: site.said("Starting poll loop"), "it has discovered the server")
        now = wall()
        await site.server.apply(Control("LATER", "B", 1, now + 600, now + 900, Bounds(ceiling_w=20_000)))
        await site.until(lambda: (Outcome.RECEIVED, 1) in site.answers("LATER"), "it has the schedule")
        assert set(site.answers("LATER")) == {(Outcome.RECEIVED, 1)}
        await site.server.apply(Release("LATER", "B", 2, {}))
        await site.until(lambda: (Outcome.SUPERSEDED, 1) in site.answers("LATER"), "it has heard of the cancellation")
        cancelled = [s for s in site.signals if isinstance(s, Ack) and s.outcome is Outcome.SUPERSEDED]
        assert ["event cancelled: status 6" in ack.detail for ack in cancelled] == [True]
        assert not site.said("Traceback")


async def test_a_newer_control_supersedes_the_one_in_force(tmp_path: Path) -> None:
    async with service(tmp_path, Profile.CSIP, in_band=False, poll_s=2) as site, client(site):
        await site.until(lambda: site.said("Starting poll loop"), "it has discovered the server")
        now = wall()
        await site.server.apply(Control("K1", "B", 1, now, now + 300, Bounds(ceiling_w=20_000)))
        await site.until(lambda: (Outcome.STARTED, 1) in site.answers("K1"), "the first control is in force")
        await site.server.apply(Control("K2", "B", 2, now, now + 300, Bounds(ceiling_w=10_000)))
        await site.until(lambda: (Outcome.STARTED, 2) in site.answers("K2"), "the second control is in force")
        await site.until(lambda: (Outcome.SUPERSEDED, 1) in site.answers("K1"), "the first has given way")
        assert (Outcome.COMPLETED, 1) not in site.answers("K1")
        assert not site.said("Traceback")


async def test_an_emergency_wins_over_the_limit_and_its_end_brings_the_limit_back(tmp_path: Path) -> None:
    async with service(tmp_path, Profile.CSIP, in_band=False, poll_s=2) as site, client(site):
        await site.until(lambda: site.said("Starting poll loop"), "it has discovered the server")
        now = wall()
        await site.server.apply(Control("K1", "B", 1, now, now + 300, Bounds(ceiling_w=20_000)))
        await site.until(lambda: (Outcome.STARTED, 1) in site.answers("K1"), "the limit is in force")
        await site.server.apply(Control("E", "B", 2, now, now + 300, Bounds(ceiling_w=0), urgent=True))
        await site.until(lambda: (Outcome.STARTED, 2) in site.answers("E"), "the emergency is in force")
        await site.until(lambda: (Outcome.SUPERSEDED, 1) in site.answers("K1"), "the limit has given way")
        await site.server.apply(Control("K3", "B", 3, now, now + 300, Bounds(ceiling_w=20_000)))
        await site.until(lambda: (Outcome.SUPERSEDED, 2) in site.answers("E"), "the emergency was cancelled")
        await site.until(lambda: (Outcome.STARTED, 3) in site.answers("K3"), "the limit is in force again")
        assert (Outcome.SUPERSEDED, 3) not in site.answers("K3")
        assert not site.said("Traceback")
