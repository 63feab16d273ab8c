import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.modbus.codec import OutOfRangeError, Rounding, decode_raw, encode, not_implemented, scaled
from protocols.modbus.models import layout
from protocols.modbus.sunspec import Model

LIMIT = Model.at(704, 40000).points["WMaxLimPct"]
NUMBERS = [p for m in (701, 704, 103, 123) for p in layout(m) if p.type not in {"string", "pad", "acc32"}]


@pytest.mark.parametrize(
    ("value", "exponent", "raw"),
    [(48.0, -2, 4800), (48.009, -2, 4800), (33.333, 0, 33), (99.99, 1, 9), (0.29, -2, 29), (57.0, -1, 570)],
)
def test_limits_round_down(value, exponent, raw):
    assert encode(LIMIT, value, exponent, Rounding.DOWN) == (raw,)


def test_floors_round_up():
    assert encode(LIMIT, 48.001, -2, Rounding.UP) == (4801,)


@given(st.sampled_from(NUMBERS), st.integers(0, 32000), st.integers(-4, 4))
def test_what_is_encoded_is_decoded(point, raw, exponent):
    value = scaled(raw, exponent)
    registers = encode(point, value, exponent)
    assert len(registers) == point.size
    assert scaled(decode_raw(point, registers), exponent) == pytest.approx(value)


@given(st.sampled_from(NUMBERS))
def test_not_implemented_is_none(point):
    assert encode(point, None) == not_implemented(point)
    assert decode_raw(point, not_implemented(point)) is None


@given(st.floats(0, 100), st.integers(-3, 0))
def test_a_limit_that_was_rounded_down_is_never_above(value, exponent):
    raw = decode_raw(LIMIT, encode(LIMIT, value, max(exponent, -2), Rounding.DOWN))
    assert scaled(raw, max(exponent, -2)) <= value + 1e-6


@pytest.mark.parametrize("value", [655.35, -0.02, 1e9, float("nan"), float("inf")])
def test_what_does_not_fit_is_refused(value):
    with pytest.raises(OutOfRangeError):
        encode(LIMIT, value, -2)


@pytest.mark.parametrize("exponent", [None, 11, -11])
def test_a_value_without_a_sane_scale_factor_is_none(exponent):
    assert scaled(100, exponent) is None
