"""The books of a running zone, as its journal keeps them and as commands show them."""

import csv
import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from gateway import record
from gateway.__main__ import main
from gateway.coordination.events import Assessed
from gateway.coordination.lifecycle import OrderState
from gateway.coordination.market_messages import Block, MarketSide
from gateway.coordination.settlement_messages import DisputeOpen
from gateway.journal.entries import Kind
from gateway.journal.store import JournalReader
from gateway.settlement.words import LineKind
from protocols.points import Point, Quantity
from tests.scenarios.stage import EPOCH_S, MW, ZONES, Stage, play, zone_file

START_S = EPOCH_S + 120.0
QUICK = {
    "clocks": {"interval_s": 60, "tick_s": 10, "limit_expiry_s": 180},
    "market": {
        "local_gate_s": 0,
        "wholesale_gate_s": 0,
        "nodes": ["TD1"],
        "programs": {"DSO": {"penalty_per_mwh": 660, "availability_per_mwh": 6, "notice_s": 90}},
    },
    "settlement": {"period_s": 60, "statement_after_s": 0, "verify_after_s": 20},
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zone whose resource A made 1 MW of the 2 MW ordered, restarted once, and what it logged."""
    folder = tmp_path_factory.mktemp("books")
    zone = zone_file(**QUICK, devices={"A": {"controllable": "limit"}}, testbed={"initial_mw": {"B": 0.0}})

    async def scene() -> None:
        async with Stage(zone, folder) as stage:
            await stage.open_gateway()
            await stage.pass_time(60)
            agent = stage.parties.agent("AGENT_A")
            for offer_id, start_s in (("flex", START_S), ("late", START_S + 60)):
                blocks = (Block(2 * MW, 420.0),)
                offer = agent.offer(
                    "A",
                    blocks,
                    start_s,
                    start_s + 60,
                    now_s=stage.now(),
                    market=MarketSide.DISTRIBUTION,
                    offer_id=offer_id,
                )
                await stage.deliver(stage.parties.note([offer], stage.now()))
                await stage.loop.exchange.order(offer_id, 2 * MW)
            await stage.pass_time(START_S - stage.now())
            stage.world.devices["A"].set_target(1 * MW, stage.now())
            await stage.loop.exchange.revoke("late:order", "no longer needed")
            await stage.kill_gateway()
            await stage.open_gateway()
            await stage.pass_time(180)
            book = stage.loop.book
            assert book.trade.instances["flex:order"].state is OrderState.SETTLED

    base = ZONES.resolve() / "r1.yaml"
    (folder / "zone.yaml").write_text(f"extends: {base}\nstorage: {{directory: {folder}}}\n")
    with capture_logs() as logged:
        play(scene)
    (folder / "log.json").write_text(json.dumps(logged, default=str))
    structlog.reset_defaults()
    return folder


def when(offset_s: float) -> str:
    return datetime.fromtimestamp(START_S + offset_s, UTC).isoformat()


def test_settle_prints_and_writes_statements_that_add_up(directory: Path, tmp_path: Path, capsys) -> None:
    times = ["--from", when(0), "--to", when(120)]
    assert main(["settle", str(directory / "zone.yaml"), *times, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "flex:order" in shown
    assert "AGENT_A" in shown
    (made,) = [p for p in tmp_path.glob("*.csv") if f"{START_S:.0f}" in p.name]
    rows = list(csv.DictReader(made.open()))
    amounts = {row["kind"]: float(row["amount"]) for row in rows if row["reference"] == "flex:order"}
    assert amounts["utilisation"] == pytest.approx(7.0, abs=0.1)
    assert amounts["penalty"] == pytest.approx(11.0, abs=0.1)
    assert amounts["availability"] == pytest.approx(0.2, abs=0.01)
    paid = {row["statement"]: row for row in csv.DictReader((tmp_path / "payments.csv").open())}
    row = paid[rows[0]["statement"]]
    assert (row["payer"], row["payee"], row["state"]) == ("AGENT_A", "DSO", "due")
    assert float(row["amount"]) == pytest.approx(amounts["penalty"] - amounts["utilisation"] - amounts["availability"])
    page = made.with_suffix(".html").read_text()
    assert page.count("<svg") == 1
    assert "baseline zero, meter SCADA" in page


def test_an_order_revoked_too_late_is_paid_for_its_availability(directory: Path, capsys) -> None:
    assert main(["settle", str(directory / "zone.yaml"), "--from", when(-60), "--to", when(200), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    lines = [line for one in found for line in one["lines"] if line["reference"] == "late:order"]
    assert [(line["kind"], line["amount"]) for line in lines] == [("availability", pytest.approx(0.2))]


def test_sys13_accounts_are_on_statements_and_nowhere_in_the_log(directory: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "cis.csv"
    file.write_text("resource,account\nA,4711-0815\n")
    assert main(["meter", "accounts", str(directory / "zone.yaml"), str(file)]) == 0
    times = ["--from", when(0), "--to", when(120), "--out", str(tmp_path)]
    assert main(["settle", str(directory / "zone.yaml"), *times]) == 0
    assert any("4711-0815" in page.read_text() for page in tmp_path.glob("*.html"))
    log = (directory / "log.json").read_text()
    assert "mv.report" in log
    assert not {"4711-0815", "account", "customer"} & set(log.lower().replace('"', " ").split())
    capsys.readouterr()


def test_s37_import_flags_alarms_and_keeps(directory: Path, tmp_path: Path, capsys) -> None:
    rows = [
        f"A,{{}},{datetime.fromtimestamp(EPOCH_S + 300 * n, UTC).isoformat()},300,{100 + n % 7},0" for n in range(288)
    ]
    ours = list(rows)
    ours[100] = ours[100].rsplit(",", 2)[0] + ",,"
    ours[200] = ours[200].rsplit(",", 2)[0] + ",2000,0"
    head = "resource,meter,start,length_s,kwh_del,kwh_rec\n"
    (tmp_path / "ldc.csv").write_text(head + "\n".join(row.format("m-1") for row in ours) + "\n")
    (tmp_path / "mp.csv").write_text(head + "\n".join(row.format("p-1").replace(",10", ",11") for row in rows) + "\n")
    zone = str(directory / "zone.yaml")
    assert main(["meter", "import", zone, str(tmp_path / "ldc.csv"), "--meter", "ldc"]) == 0
    shown = capsys.readouterr().out
    assert "MISSING, nothing → " in shown
    assert "BEYOND_CONNECTION, 2000.000 kWh → " in shown
    assert main(["meter", "import", zone, str(tmp_path / "mp.csv"), "--meter", "mp"]) == 3
    assert "ALARM METER_MISMATCH A" in capsys.readouterr().out
    (tmp_path / "bad.csv").write_text(head + "Z,m,2026-01-01T00:00:00Z,300,1,0\n")
    assert main(["meter", "import", zone, str(tmp_path / "bad.csv"), "--meter", "ldc"]) == 1
    assert "line 2: 'Z' is no resource of the zone" in capsys.readouterr().err


def test_sys14_planning_export_agrees_with_historian_and_journal(tmp_path: Path, capsys) -> None:
    """A is ordered 2.0 MW, L12 lets 1.2 through: what the export says is what limits and telemetry say."""
    zone = zone_file(**QUICK)
    end_s = START_S + 240
    found: dict[str, float] = {}

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            await stage.open_gateway()
            await stage.pass_time(60)
            agent, blocks = stage.parties.agent("AGENT_A"), (Block(2 * MW, 420.0),)
            window = (START_S, end_s)
            offer = agent.offer(
                "A", blocks, *window, now_s=stage.now(), market=MarketSide.DISTRIBUTION, offer_id="flex"
            )
            await stage.deliver(stage.parties.note([offer], stage.now()))
            await stage.loop.exchange.order("flex", 2 * MW)
            await stage.pass_time(end_s + 60 - stage.now())
            sent = [m for m in stage.messages("LIMIT.Issue") if m.body.resource == "A" and m.body.start_s < end_s]
            began_s = min(EPOCH_S + stage.at(m) for m in sent)
            samples = await stage.telemetry.query(Point("A", Quantity.ACTIVE_POWER_W), began_s, end_s)
            mean_w = sum(one.value for one in samples if one.received_time_s > began_s + 5) / sum(
                one.received_time_s > began_s + 5 for one in samples
            )
            found["hours"] = (end_s - began_s) / 3600
            found["curtailed"] = (2 * MW - mean_w) / 1e6 * (end_s - began_s) / 3600

    play(scene)
    base = ZONES.resolve() / "r1.yaml"
    (tmp_path / "zone.yaml").write_text(f"extends: {base}\nstorage: {{directory: {tmp_path}}}\n")
    capsys.readouterr()
    assert main(["export", "planning", str(tmp_path / "zone.yaml"), "--from", when(0), "--to", when(240)]) == 0
    (row,) = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert (row["asset"], row["resources"]) == ("L12", "A")
    assert float(row["curtailed_mwh"]) == pytest.approx(found["curtailed"], rel=0.001)
    assert float(row["constraint_hours"]) == pytest.approx(found["hours"], rel=0.001)


def test_sys14_energy_that_nobody_had_ordered_is_in_the_planning_export(tmp_path: Path, capsys) -> None:
    """S04: B could make 5.0 MW and B4 stands 4.16, without any order or dispatch: the rest is curtailed energy."""
    zone = zone_file(**QUICK, devices={"B": {"forecast_mw": [5.0]}})
    end_s = START_S + 240
    found: dict[str, float] = {}

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            for transformer in ("T1", "T2"):
                stage.world.plant.set_tap(transformer, -3)
            stage.world.devices["B"].set_available(5.0 * MW, stage.now())
            await stage.open_gateway()
            await stage.pass_time(end_s + 20 - stage.now())
            samples = await stage.telemetry.query(Point("B", Quantity.ACTIVE_POWER_W), START_S, end_s)
            mean_w = sum(one.value for one in samples) / len(samples)
            found["curtailed"] = (5.0 * MW - mean_w) / 1e6 * (end_s - START_S) / 3600
            (first, *_) = stage.messages("LIMIT.Issue", recipient="AGENT_B")
            assert (first.body.resource, first.body.constraint_id) == ("B", "B4")

    play(scene)
    base = ZONES.resolve() / "r1.yaml"
    (tmp_path / "zone.yaml").write_text(f"extends: {base}\nstorage: {{directory: {tmp_path}}}\n")
    capsys.readouterr()
    assert main(["export", "planning", str(tmp_path / "zone.yaml"), "--from", when(0), "--to", when(240)]) == 0
    (row,) = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert (row["asset"], row["resources"]) == ("B4", "B")
    assert float(row["curtailed_mwh"]) == pytest.approx(found["curtailed"], rel=0.001)
    assert float(row["curtailed_mwh"]) == pytest.approx(0.84 * 240 / 3600, rel=0.01)
    assert float(row["constraint_hours"]) == pytest.approx(240 / 3600, rel=0.001)


def test_a_total_dso_passes_charges_on_and_carries_disputes_up(tmp_path: Path) -> None:
    """E delivers nothing of its part: the system operator's charge is its own, and its dispute is mirrored."""
    zone = zone_file(zone={"dso_model": "T"}, **QUICK)

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            await stage.open_gateway()
            await stage.pass_time(60)
            for name, price in (("A", 30.0), ("E", 45.0)):
                agent = stage.parties.agent(f"AGENT_{name}")
                offer = agent.offer(
                    name, (Block(1 * MW, price),), START_S, START_S + 3600, now_s=stage.now(), market=MarketSide.BOTH
                )
                await stage.deliver(stage.parties.note([offer], stage.now()))
            await stage.pass_time(START_S - stage.now())
            ref = await stage.dispatch("TD1", 1.5, START_S)
            await stage.pass_time(5)
            stage.world.faults["E"].switch("lie", on=True)
            stage.world.devices["E"].set_available(0.0, stage.now())
            await stage.pass_time(80)
            await stage.deliver(stage.parties.note([stage.parties.system_operator.charge(ref, 50.0, stage.now())], 0.0))
            await stage.pass_time(60)
            accounts = stage.loop.book.accounts
            by_resource = {one.resource: one for one in accounts.assessed.values() if one.part_of == ref}
            assert by_resource["A"].shortfall_mwh < 0.001
            assert by_resource["E"].shortfall_mwh > 0.003
            charged = {line.payer: line.amount for line in accounts.charges.values()}
            assert charged["AGENT_E"] > 45.0
            assert sum(charged.values()) == pytest.approx(50.0)
            paid = [line for line in by_resource["A"].lines if line.kind is LineKind.UTILISATION]
            assert [(line.payer, line.payee, line.price_per_mwh) for line in paid] == [("DSO", "AGENT_A", 30.0)]
            (report,) = stage.messages("MV.Report", "DSO", "IESO")
            assert report.resource == "TD1"
            statement = next(v[-1] for v in accounts.statements.values() if v[-1].party == "AGENT_E")
            opened = DisputeOpen("d-1", statement.statement_id, 1, "our meter shows more")
            message = stage.parties.agent("AGENT_E").say("d-1", opened, stage.now())
            await stage.deliver(stage.parties.note([message], stage.now()))
            await stage.pass_time(1)
            (mirror,) = stage.messages("DISPUTE.Open", "DSO", "IESO")
            assert mirror.body.dispute_id == "d-1:mirror"
            assert accounts.disputes["d-1:mirror"].mirrors == "d-1"

    play(scene)


def test_what_is_measured_is_in_the_journal_before_anybody_is_told(directory: Path) -> None:
    with closing(JournalReader.open(directory / "journal.sqlite")) as journal:
        order = [entry.kind for entry in journal.replay()]
        measured = [record.fact(entry) for entry in journal.entries_of(Kind.ASSESSED)]
    assert order.index(Kind.ASSESSED) < order.index(Kind.STATED)
    assert all(isinstance(one, Assessed) for one in measured)
