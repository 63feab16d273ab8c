"""Limits are rounded toward safety, and say what they cannot say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ieee2030_5.events import modes
from ieee2030_5.modes import CannotSayError, Ratings, active_power, as_values, control_base, from_values, watts
from ieee2030_5.settings import Profile
from protocols.signals import Bounds

BATTERY = Ratings(2_500_000, 2_500_000)
SOLAR = Ratings(6_000_000, 0)


@given(st.floats(0, 1e12))
def test_a_limit_in_watts_is_never_above_what_was_asked(power_w: float):
    power = active_power(power_w)
    assert 0 <= power.value <= 32_767
    assert watts(power) <= power_w * (1 + 1e-12) + 1e-6
    assert power_w - watts(power) <= 10**power.multiplier
    assert power.multiplier == 0 or power_w / 10 ** (power.multiplier - 1) >= 32_768


@given(st.floats(0, 6_000_000), st.floats(1, 1e9))
def test_a_limit_in_percent_is_never_above_what_was_asked(ceiling_w: float, rating_w: float):
    base = control_base(Bounds(ceiling_w=ceiling_w), None, Ratings(rating_w, 0), Profile.CSIP)
    assert base.opModMaxLimW is not None
    assert base.opModMaxLimW * rating_w / 10_000 <= ceiling_w * (1 + 1e-9) + 1e-6
    assert 0 <= base.opModMaxLimW <= 10_000


def test_round_numbers_survive_floating_point():
    for percent in range(101):
        base = control_base(Bounds(ceiling_w=percent / 100 * 6e6), None, SOLAR, Profile.CSIP)
        assert base.opModMaxLimW == percent * 100


@given(st.floats(-2.5e6, 2.5e6), st.floats(0, 5e6), st.none() | st.floats(-3e6, 3e6))
def test_what_an_australian_client_is_told_keeps_it_inside(floor_w: float, width_w: float, target_w: float | None):
    limit = Bounds(floor_w, floor_w + width_w)
    base = control_base(limit, target_w, BATTERY, Profile.CSIP_AUS)
    assert base.opModExpLimW is not None
    assert base.opModImpLimW is not None
    assert watts(base.opModExpLimW) <= max(0.0, floor_w + width_w) + 1e-6
    assert watts(base.opModImpLimW) <= max(0.0, -floor_w) + 1e-6
    if floor_w > 0:
        assert base.opModFixedW is not None
        assert base.opModFixedW * 250 >= min(floor_w, 2.5e6) - 1e-3
    elif floor_w + width_w < 0:
        assert base.opModFixedW is not None
        assert base.opModFixedW * 250 <= max(floor_w + width_w, -2.5e6) + 1e-3


@pytest.mark.parametrize("profile", Profile)
def test_the_set_of_modes_does_not_depend_on_the_numbers(profile: Profile):
    limits = [Bounds(), Bounds(ceiling_w=0.0), Bounds(ceiling_w=1e6), Bounds(ceiling_w=9e9)]
    assert len({modes(control_base(limit, None, BATTERY, profile)) for limit in limits}) == 1
    assert len({modes(control_base(limit, 5.0, BATTERY, profile)) for limit in limits}) == 1


def test_a_plain_client_cannot_be_told_to_consume_less():
    with pytest.raises(CannotSayError, match="CSIP"):
        control_base(Bounds(floor_w=-5e5), None, BATTERY, Profile.CSIP)
    pinned = control_base(Bounds(floor_w=-5e5), -1e6, BATTERY, Profile.CSIP)
    assert pinned.opModFixedW == -2_000
    assert control_base(Bounds(floor_w=-5e5), None, SOLAR, Profile.CSIP).opModMaxLimW == 10_000
    with pytest.raises(CannotSayError, match="consume"):
        control_base(Bounds(ceiling_w=-1.0), None, SOLAR, Profile.CSIP)


@given(st.floats(0, 2.5e6), st.none() | st.floats(-2e6, 2e6), st.sampled_from(list(Profile)))
def test_the_journal_can_give_a_control_back(ceiling_w: float, target_w: float | None, profile: Profile):
    base = control_base(Bounds(ceiling_w=ceiling_w), target_w, BATTERY, profile)
    assert from_values(as_values(base)) == base


PURE_STORAGE = replace(BATTERY, takes_storage_target=True)


@given(st.floats(-2.4e6, 2.4e6), st.floats(-2.5e6, 2.5e6), st.floats(0, 1e6))
def test_pure_storage_gets_its_set_point_in_watts_inside_its_limits(target_w: float, floor_w: float, width_w: float):
    limit = Bounds(floor_w, floor_w + width_w)
    base = control_base(limit, target_w, PURE_STORAGE, Profile.CSIP_AUS_STORAGE)
    assert base.opModFixedW is None
    assert base.opModStorageTargetW is not None
    told, wanted = watts(base.opModStorageTargetW), limit.clamp(target_w)
    step = 10.0**base.opModStorageTargetW.multiplier
    assert abs(told - wanted) <= step + 1e-6
    assert floor_w <= 0 or told >= floor_w - 1e-6
    assert floor_w + width_w >= 0 or told <= floor_w + width_w + 1e-6
    assert from_values(as_values(base)).opModStorageTargetW is not None


def test_a_storage_target_is_for_clients_of_1_3_alone():
    assert control_base(Bounds(), 5.0, PURE_STORAGE, Profile.CSIP).opModStorageTargetW is None
    assert control_base(Bounds(), 5.0, BATTERY, Profile.CSIP_AUS_STORAGE).opModFixedW == 0
