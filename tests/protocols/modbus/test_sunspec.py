import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.modbus.codec import decode_text
from protocols.modbus.models import SunSpecError
from protocols.modbus.sunspec import BASES, READ_MAX, IllegalAddressError, Model, ModelImage, discover, writes

LIMIT = Model.at(704, 40000).points["WMaxLimPct"]


def test_points_behind_a_short_model_do_not_exist():
    model = Model.at(704, 0, length=15)
    assert "WMaxLimPctRvrtTms" not in model
    assert model.span().decode([1] * 17).values["WMaxLimPct"] is None


def test_a_value_is_scaled_by_the_factor_of_the_same_read():
    image = ModelImage((1, 701))
    image.set("701.W_SF", 2)
    image.set("701.W", -2.5e6)
    span = image.models[701].span(("W", "Hz", "LLV"))
    assert span.count <= READ_MAX
    reading = span.decode(image.read(span.address, span.count))
    assert reading.values["W"] == -2.5e6
    assert reading.values["Hz"] is None
    image.set("701.W_SF", 3)
    image.set("701.W", -2.4e6)
    assert span.decode(image.read(span.address, span.count)).values["W"] == -2.4e6


def test_a_short_answer_is_refused():
    span = ModelImage((1, 704)).models[704].span()
    with pytest.raises(SunSpecError, match="asked for"):
        span.decode([0] * (span.count - 1))


@pytest.mark.parametrize("base", BASES)
def test_discovers_the_chain_wherever_it_begins(base):
    image = ModelImage((1, 701, 702, 704), base=base)
    found = _drive(image)
    assert [m.model_id for m in found] == [1, 701, 702, 704]
    assert [m.address for m in found] == [m.address for m in image.models.values()]
    text = found[0].points["Mn"]
    image.set("1.Mn", "Ampacity")
    assert decode_text(image.read(found[0].address + text.offset, text.size)) == "Ampacity"


def test_passes_over_models_of_a_vendor():
    image = ModelImage((1, 701, 704))
    image.registers[image.models[701].address - image.base] = 64999
    assert [m.model_id for m in _drive(image)] == [1, 704]


def test_accepts_an_end_model_without_a_length():
    image = ModelImage((1, 704))
    del image.registers[-1]
    assert [m.model_id for m in _drive(image)] == [1, 704]


def test_a_chain_that_breaks_off_or_goes_nowhere_is_refused():
    image = ModelImage((1, 704))
    del image.registers[-2:]
    with pytest.raises(SunSpecError):
        _drive(image)
    image = ModelImage((1, 704))
    image.registers[3] = 0
    with pytest.raises(SunSpecError, match="impossible length 0"):
        _drive(image)


def test_no_marker_is_said():
    image = ModelImage((1,))
    image.registers[0] = 0
    with pytest.raises(SunSpecError, match="no SunSpec marker"):
        _drive(image)


@given(st.lists(st.integers(0, 0xFFFF), min_size=4, max_size=300))
def test_discovery_ends_on_any_content(registers):
    image = ModelImage((1,))
    image.registers[2:] = registers
    try:
        _drive(image)
    except SunSpecError:
        return


def test_neighbouring_points_go_out_in_one_write():
    model = Model.at(704, 40100)
    found = writes(model, {"WMaxLimPct": (4800,), "WMaxLimPctEna": (1,), "WSet": (0, 1)})
    start = 40100 + model.points["WMaxLimPctEna"].offset
    assert [(w.address, w.registers) for w in found] == [
        (start, (1, 4800)),
        (40100 + model.points["WSet"].offset, (0, 1)),
    ]


def test_an_image_takes_writes_only_where_a_device_would():
    image = ModelImage((1, 701, 704))
    limit = image.models[704].address + LIMIT.offset
    image.set("704.WMaxLimPct_SF", -2)
    assert image.write(limit, [4800]) == ("704.WMaxLimPct",)
    assert image.get("704.WMaxLimPct") == 48
    with pytest.raises(IllegalAddressError, match="read-only"):
        image.write(image.models[701].address + 2, [1])
    with pytest.raises(IllegalAddressError):
        image.write(image.base + len(image.registers), [1])
    with pytest.raises(IllegalAddressError):
        image.read(image.base - 1, 2)


def _drive(image):
    steps = discover()
    request = next(steps)
    while True:
        try:
            answer = image.read(request.address, request.count)
        except IllegalAddressError:
            answer = None
        try:
            request = steps.send(answer)
        except StopIteration as end:
            return end.value
