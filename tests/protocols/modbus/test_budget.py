import pytest

from protocols.modbus.budget import DAY_S, WriteBudget


def test_a_register_may_be_written_so_often_in_a_row_and_regains_it_over_the_day():
    budget = WriteBudget(4)
    for _ in range(4):
        assert budget.wait_s([7], 100.0) == 0
        budget.spend([7], 100.0)
    assert budget.wait_s([7], 100.0) == pytest.approx(DAY_S / 4)
    assert budget.wait_s([7, 8], 100.0 + DAY_S / 4) == pytest.approx(0)
    assert budget.left(7, 100.0 + 10 * DAY_S) == 4


def test_registers_are_counted_apart():
    budget = WriteBudget(1)
    budget.spend([7], 0.0)
    assert budget.wait_s([8], 0.0) == 0
    assert budget.wait_s([7, 8], 0.0) == pytest.approx(DAY_S)
    assert budget.wait_s([], 0.0) == 0


def test_what_had_to_be_written_even_so_is_owed():
    budget = WriteBudget(1)
    budget.spend([7], 0.0)
    budget.spend([7], 0.0)
    assert budget.wait_s([7], 0.0) == pytest.approx(2 * DAY_S)


def test_a_clock_that_goes_back_gives_nothing():
    budget = WriteBudget(2)
    budget.spend([7], 1000.0)
    assert budget.left(7, 0.0) == 1
