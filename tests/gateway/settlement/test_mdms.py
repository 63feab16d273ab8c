"""Meter data as they are exported: a day with a gap and a spike, and files with faults."""

from datetime import UTC, datetime

import pytest

from gateway.metering import MeterStore
from gateway.settlement.mdms import MeterFileError, accounts, readings, validated
from gateway.settlement.vee import MeterFault
from gateway.settlement.words import MeterQuality, MeterSource

HEAD = "resource,meter,start,length_s,kwh_del,kwh_rec\n"
DAY_S = 1_800_000_000.0 // 86_400 * 86_400


def at(n):
    return datetime.fromtimestamp(DAY_S + 300 * n, UTC).isoformat().replace("+00:00", "Z")


def day(missing=100, spike=200):
    """288 intervals that rise slowly, one missing and one twenty times too high."""
    rows = []
    for n in range(288):
        kwh = 50 + n / 10
        rows.append(
            f"A,m-1,{at(n)},300,{'' if n == missing else kwh * 20 if n == spike else kwh},{'' if n == missing else 0}"
        )
    return HEAD + "\n".join(rows) + "\n"


def test_s37_a_gap_and_a_spike_of_a_day_are_found_estimated_and_kept(tmp_path):
    values = validated(readings(day(), ("A",)), MeterSource.LDC, {"A": 30e6})["A"]
    assert len(values) == 288
    wrong = {n: v for n, v in enumerate(values) if v.fault is not None}
    assert {n: v.fault for n, v in wrong.items()} == {100: MeterFault.MISSING, 200: MeterFault.SPIKE}
    assert [v.interval.quality for v in wrong.values()] == [MeterQuality.ESTIMATED] * 2
    assert [v.interval.energy_wh for v in wrong.values()] == [pytest.approx(60e3), pytest.approx(70e3)]
    assert [v.original_wh for v in wrong.values()] == [None, pytest.approx(1400e3)]
    store = MeterStore.open(tmp_path / "meters.sqlite")
    store.add("A", values, "day.csv", 0.0)
    kept = store.values("A", MeterSource.LDC, DAY_S, DAY_S + 86_400)
    store.close()
    assert kept == list(values)


def test_s37_a_value_beyond_the_connection_is_no_reading():
    values = validated(readings(day(), ("A",)), MeterSource.LDC, {"A": 2.5e6})["A"]
    assert values[200].fault is MeterFault.BEYOND_CONNECTION


def test_every_fault_of_a_file_is_told_with_its_line():
    rows = [
        f"Z,m,{at(0)},300,1,0",
        "A,m,2026-01-31T00:00:00,300,1,0",
        f"A,m,{at(1)},301,1,0",
        f"A,m,{at(2)},300,much,0",
        f"A,m,{at(3)},300,-1,0",
        f"A,m,{at(4)},300,1,0",
        f"A,m,{at(4)},300,2,0",
    ]
    with pytest.raises(MeterFileError) as told:
        readings(HEAD + "\n".join(rows) + "\n", ("A", "B"))
    assert [fault.split(":")[0] for fault in told.value.faults] == [f"line {n}" for n in (2, 3, 4, 5, 6, 8)]
    assert "'Z' is no resource of the zone; use one of A, B" in told.value.faults[0]
    assert "no offset from UTC" in told.value.faults[1]
    with pytest.raises(MeterFileError, match="column kwh_rec is missing"):
        readings("resource,meter,start,length_s,kwh_del\n", ("A",))


def test_what_was_drawn_counts_against_what_was_delivered():
    (one,) = readings(HEAD + f"A,m,{at(0)},300,1.5,4\n", ("A",))
    assert one.energy_wh == pytest.approx(-2500)


def test_a_newer_import_counts_and_the_older_stays(tmp_path):
    store = MeterStore.open(tmp_path / "meters.sqlite")
    for kwh in (1, 2):
        values = validated(readings(HEAD + f"A,m,{at(0)},300,{kwh},0\n", ("A",)), MeterSource.LDC, {"A": 1e6})["A"]
        store.add("A", values, f"{kwh}.csv", 0.0)
    assert [v.interval.energy_wh for v in store.values("A", MeterSource.LDC, DAY_S, DAY_S + 1)] == [2000.0]
    assert store._connection.execute("SELECT count(*) FROM reading").fetchone() == (2,)
    with pytest.raises(Exception, match="append-only"):
        store._connection.execute("UPDATE reading SET energy_wh = 0")
    store.close()


def test_accounts_are_told_by_resource():
    assert accounts("resource,account\nA,12-34\n", ("A", "B")) == {"A": "12-34"}
    with pytest.raises(MeterFileError, match="line 3: A has an account already"):
        accounts("resource,account\nA,1\nA,2\n", ("A",))
