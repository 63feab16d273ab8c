"""National Metering Identifiers: the form and the check digit."""

import pytest

from ieee2030_5.nmi import check_digit, is_nmi


@pytest.mark.parametrize("text", ["4102000000", "41020000002", "41020000026", "NEM1205082", "nem1205082"])
def test_an_identifier_is_taken_with_and_without_its_check_digit(text: str):
    assert is_nmi(text)


@pytest.mark.parametrize(
    "text", ["", "410200000", "41020000003", "410200000021", "NOTAVALIDID", "NOTAVALID0", "4102 00000", "４102000000"]
)
def test_anything_else_is_none(text: str):
    assert not is_nmi(text)


def test_check_digits_are_those_that_the_market_gives():
    assert [check_digit(text) for text in ("4102000000", "4102000002")] == [2, 6]
