"""Which notifications are missing, by their numbers."""

import pytest

from protocols.opcua.sequence import LARGEST, MOST_MISSING, Numbers


def test_one_after_the_other_nothing_is_missing():
    numbers = Numbers()
    assert [numbers.missing(n, is_keep_alive=False) for n in (1, 2, 3)] == [[], [], []]
    assert numbers.received == 3


def test_a_gap_is_told_number_by_number_once():
    numbers = Numbers()
    numbers.missing(1, is_keep_alive=False)
    assert numbers.missing(5, is_keep_alive=False) == [2, 3, 4]
    assert numbers.missing(6, is_keep_alive=False) == []


def test_a_keep_alive_tells_of_a_gap_and_uses_up_no_number():
    numbers = Numbers()
    numbers.missing(1, is_keep_alive=False)
    assert numbers.missing(2, is_keep_alive=True) == []
    assert numbers.missing(4, is_keep_alive=True) == [2, 3]
    assert numbers.missing(4, is_keep_alive=False) == []
    assert numbers.received == 2


def test_after_the_largest_number_comes_one():
    numbers = Numbers(_next=LARGEST - 1)
    assert numbers.missing(LARGEST - 1, is_keep_alive=False) == []
    assert numbers.missing(2, is_keep_alive=False) == [LARGEST, 1]
    assert numbers.missing(3, is_keep_alive=False) == []


@pytest.mark.parametrize("number", [5 + MOST_MISSING + 1, 3])
def test_a_server_that_counts_anew_has_lost_nothing_by_it(number):
    numbers = Numbers(_next=5)
    assert numbers.missing(number, is_keep_alive=False) == []
    assert numbers.missing(number + 1, is_keep_alive=False) == []
