"""Schedules that replace each other, and what a store can keep up of them."""

import pytest

from gateway.coordination.market_messages import SchedulePoint, SchedulePreDispatch
from gateway.coordination.messages import Header, Message
from gateway.coordination.schedules import Schedules
from gateway.coordination.stored import sustained
from gateway.coordination.zone import Storage

MW = 1e6
BATTERY = Storage(5 * MW, 0.1, 0.95, 0.95)


def test_energy_ends_in_the_middle_of_an_interval() -> None:
    starts_s = tuple(300.0 * k for k in range(18))
    kept_w = sustained(BATTERY, 0.4, (1.2 * MW,) * 18, starts_s, 300.0)
    assert kept_w[:14] == pytest.approx((1.2 * MW,) * 14)
    assert kept_w[14] == pytest.approx(0.3 * MW)
    assert kept_w[15:] == pytest.approx((0.0,) * 3, abs=1e-3)


def test_a_full_store_takes_nothing_more() -> None:
    kept_w = sustained(BATTERY, 0.95, (-2.5 * MW,) * 3, (0.0, 300.0, 600.0), 300.0)
    assert kept_w[0] == -2.5 * MW, "what is now stays as it is"
    assert sum(kept_w) * 300 / 3600 == pytest.approx(-0.25 * MW / 0.95)


def said(version: int, *powers_mw: float) -> Message:
    points = tuple(SchedulePoint(300.0 * k, 300.0 * (k + 1), p * MW) for k, p in enumerate(powers_mw))
    header = Header(f"m{version}", "s", "IESO", "DSO", 0.0, "R1", "DP")
    return Message(header, SchedulePreDispatch("s", version, "A", points))


def test_a_newer_schedule_replaces_what_it_speaks_of() -> None:
    schedules = Schedules()
    schedules.received(said(1, 1.0, 1.0, 1.0), 0.0)
    schedules.received(said(2, 0.5, 0.4), 0.0)
    assert [schedules.expected_w("A", at_s) for at_s in (0.0, 300.0, 600.0, 900.0)] == [0.5 * MW, 0.4 * MW, MW, None]
    assert schedules.is_stale(said(1, 2.0))
    assert not schedules.is_stale(said(2, 2.0))
