import sqlite3

import pytest
from structlog.testing import capture_logs

from gateway.historian import Historian, HistorianError, TelemetryReader
from protocols.points import Phase, Point, Quantity
from protocols.signals import Measurement, Quality

POWER = Point("A", Quantity.ACTIVE_POWER_W)
VOLTAGE = Point("B4", Quantity.VOLTAGE_PU, Phase.B)
T = 1_790_000_000.0


def reading(at_s: float, value: float = 1.0, point: Point = POWER, lag_s: float = 0.05) -> Measurement:
    return Measurement(point, value, Quality.GOOD, at_s - lag_s, at_s)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "telemetry.sqlite"


@pytest.fixture
def historian(path):
    historian = Historian.open(path)
    yield historian
    historian.close()


async def test_measurements_come_back_with_times_and_quality(historian):
    given = [
        Measurement(POWER, 1.25e6, Quality.GOOD, T + 0.001, T + 0.125),
        Measurement(POWER, -3.5, Quality.STALE, T - 86_400.0, T + 30.0),
        Measurement(POWER, 0.0, Quality.BAD, T + 100.0, T + 61.999),
    ]
    historian.offer(given[:1])
    historian.offer(given[1:])
    await historian.flush()
    assert await historian.query(POWER, T, T + 100) == given


async def test_a_query_takes_its_begin_and_leaves_its_end(historian):
    historian.offer([reading(T + 30 * k, k) for k in range(10)])
    await historian.flush()
    assert [m.value for m in await historian.query(POWER, T + 60, T + 150)] == [2, 3, 4]
    assert [m.value for m in await historian.query(POWER, 0, 1e11)] == [*range(10)]
    assert await historian.query(POWER, T + 150, T + 60) == []


async def test_points_are_kept_apart(historian):
    historian.offer([reading(T, 1, POWER), reading(T, 2, VOLTAGE), reading(T, 3, Point("B4", Quantity.VOLTAGE_PU))])
    await historian.flush()
    assert [m.value for m in await historian.query(VOLTAGE, T, T + 1)] == [2]
    assert await historian.query(Point("X", Quantity.VOLTAGE_PU), T, T + 1) == []


async def test_an_empty_store_answers(historian):
    assert await historian.query(POWER, T, T + 1) == []
    await historian.prune(T)


async def test_what_is_queued_on_closing_is_written_and_found_again(path):
    async with Historian.open(path) as historian:
        historian.offer([reading(T)])
    async with Historian.open(path) as historian:
        assert await historian.query(POWER, T, T + 1) == [reading(T)]
        historian.offer([reading(T + 1)])
    async with Historian.open(path) as historian:
        assert len(await historian.query(POWER, T, T + 5)) == 2


async def test_a_device_clock_that_is_nonsense_does_no_harm(historian):
    for wrong_s in (float("nan"), float("inf"), -1e300):
        historian.offer([Measurement(POWER, 1.0, Quality.GOOD, wrong_s, T)])
        await historian.flush()
        (kept,) = await historian.query(POWER, T, T + 1)
        assert kept.source_time_s == kept.received_time_s == T


async def test_pruning_drops_whole_minutes_and_keeps_the_rest(historian):
    start_s = T - T % 60
    historian.offer([reading(start_s + 20 * k, k) for k in range(120)])
    await historian.flush()
    await historian.prune(start_s + 35 * 60 + 30)
    kept = await historian.query(POWER, 0, 1e11)
    assert [m.value for m in kept] == [*range(105, 120)]


async def test_when_too_much_waits_the_oldest_is_dropped_counted_and_logged(path):
    with capture_logs() as logs:
        historian = Historian.open(path, capacity=10)
        historian._writing.execute("PRAGMA query_only = ON")
        for k in range(8):
            historian.offer([reading(T + k, k), reading(T + k + 0.5, k)])
        await historian.flush()
        assert await historian.query(POWER, T, T + 100) == []
        historian._writing.execute("PRAGMA query_only = OFF")
        historian.close()
        historian = Historian.open(path)
        assert [m.value for m in await historian.query(POWER, T, T + 100)] == [3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
        historian.close()
    assert [(log["event"], log.get("count")) for log in logs] == [("historian.failed", None), ("historian.dropped", 6)]


async def test_a_full_disk_loses_nothing_that_the_queue_can_hold(historian):
    historian.offer([reading(T, 0)])
    await historian.flush()
    pages = historian._writing.execute("PRAGMA page_count").fetchone()[0]
    historian._writing.execute(f"PRAGMA max_page_count = {pages + 1}")
    with capture_logs() as logs:
        historian.offer([reading(T + k, k, Point(f"D{k}", Quantity.CURRENT_A)) for k in range(2000)])
        await historian.flush()
        historian._writing.execute("PRAGMA max_page_count = 100000")
        historian.offer([reading(T + 1, 1)])
        await historian.flush()
    assert [log["event"] for log in logs] == ["historian.failed"]
    assert "full" in logs[0]["detail"]
    assert [m.value for m in await historian.query(POWER, T, T + 2)] == [0, 1]
    assert len(await historian.query(Point("D1999", Quantity.CURRENT_A), T, T + 9999)) == 1


async def test_a_reader_sees_what_was_flushed_while_the_gateway_writes(historian, path):
    historian.offer([reading(T)])
    await historian.flush()
    reader = TelemetryReader.open(path)
    assert reader.query(POWER, T, T + 1) == [reading(T)]
    reader.close()


def test_a_missing_store_is_refused_and_not_made(path):
    with pytest.raises(HistorianError, match="cannot read the telemetry store"):
        TelemetryReader.open(path)
    assert not path.exists()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "telemetry.sqlite"
    path.write_text("no database " * 100)
    with pytest.raises(HistorianError, match=r"cannot open the telemetry store .*telemetry\.sqlite: file is not"):
        Historian.open(path)


def test_a_store_of_a_newer_program_is_refused(path):
    Historian.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(HistorianError, match="schema 9"):
        Historian.open(path)


async def test_offering_to_a_closed_historian_is_harmless(path):
    historian = Historian.open(path)
    historian.close()
    historian.offer([reading(T)])
