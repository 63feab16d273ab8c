from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.coordination.events import Event
from gateway.coordination.messages import Message
from gateway.journal.codec import Codec, CodecError
from grid_engine.results import Answer, Study
from protocols.signals import Bounds, Control, Instruction, Signal

finite = st.floats(allow_nan=False, allow_infinity=False)
bounds = st.tuples(finite, finite, st.booleans(), st.booleans()).map(
    lambda t: Bounds(min(t[:2]) if t[2] else None, max(t[:2]) if t[3] else None)
)
controls = st.builds(
    Control, st.text(), st.text(), st.integers(0, 99), st.floats(0, 1e9), st.floats(2e9, 3e9), bounds, finite, bounds
)

KNOWN = {
    Bounds: bounds,
    Control: controls,
    float: finite,
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(),
    bool: st.booleans(),
    NoneType: st.none(),
}


def values(form):
    """Any value of a type, as its annotations say."""
    origin, parts = get_origin(form), get_args(form)
    if form in KNOWN:
        return KNOWN[form]
    if origin is UnionType:
        return st.one_of([values(part) for part in parts])
    if origin is tuple:
        each = [values(part) for part in parts if part is not Ellipsis]
        return st.lists(each[0], max_size=2).map(tuple) if Ellipsis in parts else st.tuples(*each)
    if origin is Mapping:
        return st.dictionaries(st.text(), values(parts[1]), max_size=2)
    if is_dataclass(form):
        hints = get_type_hints(form)
        return st.builds(form, **{one.name: values(hints[one.name]) for one in fields(form)})
    assert issubclass(form, StrEnum)
    return st.sampled_from(form)


WORDS = {
    name: (Codec(form), values(form))
    for name, form in {
        "event": Event,
        "message": Message,
        "signal": Signal,
        "instruction": Instruction,
        "study": Study,
        "answer": Answer,
    }.items()
}


@pytest.mark.parametrize("word", WORDS)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_every_word_comes_back_equal(word, data):
    codec, strategy = WORDS[word]
    value = data.draw(strategy)
    assert codec.from_json(orjson.loads(orjson.dumps(codec.to_json(value)))) == value


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    number: float


@dataclass(frozen=True, slots=True)
class Other:
    text: str


@dataclass(frozen=True, slots=True)
class Outer:
    colour: Colour
    one: Inner | Other | None
    many: tuple[Inner, ...] = ()
    named: Mapping[str, float | None] | None = None

    def __post_init__(self):
        if self.named == {}:
            raise ValueError("named but nothing in it")


OUTER = Codec[Outer](Outer)


def test_json_reads_as_a_person_would_write_it():
    value = Outer(Colour.RED, Other("x"), (Inner(1),), {"a": 2.5, "b": None})
    assert OUTER.to_json(value) == {
        "colour": "red",
        "one": {"is": "Other", "text": "x"},
        "many": [{"number": 1.0}],
        "named": {"a": 2.5, "b": None},
    }


@dataclass(slots=True)
class Odd:
    lists: list[Inner]
    fixed: tuple[int, str]
    by_pair: dict[tuple[str, str], float]


def test_lists_fixed_tuples_and_mappings_by_anything():
    codec, value = Codec[Odd](Odd), Odd([Inner(1.0)], (1, "a"), {("x", "y"): 2.0})
    data = codec.to_json(value)
    assert data == {"lists": [{"number": 1.0}], "fixed": [1, "a"], "by_pair": [[["x", "y"], 2.0]]}
    assert codec.from_json(data) == value
    for wrong in ({"fixed": [1]}, {"fixed": ["a", 1]}, {"lists": {}}, {"by_pair": [["x", 2.0]]}, {"by_pair": {}}):
        with pytest.raises(CodecError, match=rf"\.{next(iter(wrong))}"):
            codec.from_json(data | wrong)
    for bad in (Odd((), (1, "a"), {}), Odd([], (1, "a", 2), {}), Odd([], (1, "a"), [])):
        with pytest.raises(CodecError):
            codec.to_json(bad)


def test_a_missing_field_takes_its_default():
    assert OUTER.from_json({"colour": "red", "one": None}) == Outer(Colour.RED, None)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "is not an object of Outer"),
        ({"colour": "red"}, "Outer needs one"),
        ({"colour": "red", "one": None, "two": 1}, "Outer has no two"),
        ({"colour": "blue", "one": None}, r"\.colour: 'blue' is not one of red"),
        ({"colour": ["red"], "one": None}, r"\.colour: \['red'\] is not one of red"),
        ({"colour": "red", "one": {"number": 1}}, r"\.one\.is: None is none of Inner, Other"),
        ({"colour": "red", "one": {"is": [], "number": 1}}, r"\.one\.is: \[\] is none of"),
        ({"colour": "red", "one": {"is": "Inner", "number": "1"}}, r"\.one\.number: '1' is not float"),
        ({"colour": "red", "one": {"is": "Inner", "number": True}}, r"\.one\.number: True is not float"),
        ({"colour": "red", "one": 5}, r"\.one: 5 is not"),
        ({"colour": "red", "one": None, "many": {}}, r"\.many: {} is not an array"),
        ({"colour": "red", "one": None, "many": [{"number": 1}, {}]}, r"\.many\.1: Inner needs number"),
        ({"colour": "red", "one": None, "named": {"a": "x"}}, r"\.named\.a: 'x' is not"),
        ({"colour": "red", "one": None, "named": {}}, "named but nothing in it"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(data, message):
    with pytest.raises(CodecError, match=message):
        OUTER.from_json(data)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Outer(Colour.RED, Inner(float("nan"))), r"\.one\.number: nan is not float"),
        (Outer("red", None), r"\.colour: 'red' is not Colour"),
        (Outer(Colour.RED, None, [Inner(1)]), r"\.many: .* is not a tuple"),
        (Outer(Colour.RED, "text"), r"\.one: 'text' is not"),
        (Outer(Colour.RED, None, (Other("x"),)), r"\.many\.0: .* is not Inner"),
        (Inner(1), "is not Outer"),
    ],
)
def test_a_value_that_is_not_what_it_says_is_never_written(value, message):
    with pytest.raises(CodecError, match=message):
        OUTER.to_json(value)


@pytest.mark.parametrize(
    "form",
    [int | float, str | Colour, Inner | Mapping[str, float], tuple[int, ...] | list[int], set[int], bytes],
)
def test_an_ambiguous_type_is_refused_when_the_codec_is_built(form):
    with pytest.raises(TypeError):
        Codec(form)


def test_only_objects_can_stand_at_the_top():
    with pytest.raises(TypeError, match="does not become a JSON object"):
        Codec(float)
