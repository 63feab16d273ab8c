import pytest

from gateway.translate.points import point_of
from protocols.points import Phase, Point, Quantity


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("L12.current_a", Point("L12", Quantity.CURRENT_A)),
        ("B4.voltage_pu.a", Point("B4", Quantity.VOLTAGE_PU, Phase.A)),
    ],
)
def test_a_name_becomes_a_point_and_back(text, point):
    assert point_of(text) == point
    assert str(point) == text
