"""What a client may ask, and what it is told when that was too much."""

import pytest

from ieee2030_5.load import Allowances, overloaded, too_frequent
from tests.ieee2030_5.conftest import Laboratory, Validate
from tests.ieee2030_5.test_server import running


def test_a_client_may_ask_much_at_once_and_little_for_long() -> None:
    allowances = Allowances(per_s=2, burst=10)
    admitted = sum(not allowances.wait_s("A", 1, 100.0) for _ in range(50))
    assert admitted == 11, "a burst, and the one that fills it"
    assert allowances.wait_s("A", 1, 100.0) == pytest.approx(0.5)
    assert not allowances.wait_s("A", 1, 100.5)
    later = sum(not allowances.wait_s("A", 1, 100.5 + step / 10) for step in range(1, 101))
    assert later == pytest.approx(20, abs=1), "two a second for ten seconds"


def test_nobody_pays_for_another_and_whoever_speaks_for_many_may_ask_for_each() -> None:
    allowances = Allowances(per_s=1, burst=5)
    counts = {name: sum(not allowances.wait_s(name, share, 0.0) for _ in range(100)) for name, share in SHARES.items()}
    assert counts == {"A": 6, "B": 6, "aggregator": 51}


SHARES = {"A": 1, "B": 1, "aggregator": 10}


def test_the_memory_is_bounded_by_who_has_asked_lately() -> None:
    allowances = Allowances(per_s=1, burst=5)
    for number in range(30_000):
        allowances.wait_s(str(number), 1, number)
    assert len(allowances) <= 10_001


def test_whoever_is_turned_away_is_told_when_to_come_back(validate: Validate) -> None:
    answer = too_frequent(0.2)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    assert b"<reasonCode>4</reasonCode>" in answer.body
    validate(answer.body)
    validate(overloaded("A").body)
    times = {overloaded(f"{number:040X}").headers["Retry-After"] for number in range(1_000)}
    assert len(times) == 56, "not all at the same time"


@pytest.mark.sockets
async def test_a_client_that_asks_too_much_gets_429_and_its_neighbour_does_not(
    laboratory: Laboratory, validate: Validate
) -> None:
    async with (
        running(laboratory, requests_per_s=0.01, requests_at_once=3) as site,
        site.client("B") as greedy,
        site.client("A") as modest,
    ):
        statuses = []
        for _ in range(6):
            async with greedy.get("/dcap") as response:
                statuses.append(response.status)
        assert statuses == [200] * 4 + [429] * 2
        async with greedy.get("/dcap") as response:
            assert 1 <= int(response.headers["Retry-After"]) <= 100
            validate(await response.read())
        async with modest.get("/dcap") as response:
            assert response.status == 200
