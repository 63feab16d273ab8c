"""Fingerprints, check digits and names."""

from hypothesis import given
from hypothesis import strategies as st

from ieee2030_5.identity import PenEncoding, mrid_of, pin_from, pin_is_valid, sfdi_of, short_id

LFDI = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"
"""Worked example of IEEE 2030.5."""


def test_the_worked_example_gives_its_sfdi():
    assert sfdi_of(LFDI) == 167_261_211_391


@given(st.text("0123456789ABCDEF", min_size=40, max_size=40))
def test_the_digits_of_an_sfdi_sum_to_a_multiple_of_ten(lfdi: str):
    sfdi = sfdi_of(lfdi)
    assert sum(map(int, str(sfdi))) % 10 == 0
    assert sfdi // 10 == int(lfdi[:9], 16)
    assert sfdi < 2**40


@given(st.binary(max_size=40))
def test_a_test_pin_satisfies_both_practices(seed: bytes):
    pin = pin_from(seed)
    digits = [int(digit) for digit in f"{pin:06d}"]
    assert pin_is_valid(pin)
    assert sum(digits) % 10 == 0
    assert sum(digits[:5]) % 10 == digits[5]


def test_an_mrid_ends_in_the_number_of_its_organisation():
    assert mrid_of(37250, PenEncoding.HEX, "derp", "A").endswith("00009182")
    assert mrid_of(37250, PenEncoding.DECIMAL, "derp", "A").endswith("00037250")
    assert len(mrid_of(0, PenEncoding.HEX, "x")) == 32
    assert mrid_of(0, PenEncoding.HEX, "derp", "A") != mrid_of(0, PenEncoding.HEX, "fsa", "A")


def test_short_ids_tell_what_and_whose():
    assert short_id("a", "b") == short_id("a", "b")
    assert short_id("a", "b") != short_id("ab")
