"""The project's own format: exact both ways, and every fault named with its element and field."""

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid_engine.exporters.json import text, write
from grid_engine.importers import pandapower
from grid_engine.importers.json import convert, load
from grid_engine.model import NetworkError
from grid_engine.modelling.document import LAYOUTS
from grid_engine.revisions.schema import schema
from tests.grid_engine.r1 import build
from tests.grid_engine.same import differences
from tests.grid_engine.small import small

DOCUMENT: dict[str, Any] = json.loads(text(small()))


@pytest.mark.parametrize("name", ["small.json", "small.json.gz"])
def test_what_is_written_is_read_back_the_same(tmp_path: Path, name: str) -> None:
    write(small(), tmp_path / name)
    assert differences(small(), load(tmp_path / name)) == []


def test_network_of_another_program_is_read_back_the_same() -> None:
    network = pandapower.convert(build(), "r1")
    assert differences(network, convert(json.loads(text(network)))) == []


def test_awkward_numbers_survive() -> None:
    loads = small().loads
    power = loads.power_va.copy()
    power[0, :2] = [complex(0.1 + 0.2, -5e-324), complex(1.7976931348623157e-290, -0.0)]
    network = replace(small(), loads=replace(loads, power_va=power))
    back = convert(json.loads(text(network))).loads.power_va
    assert back.tobytes() == power.tobytes()


def test_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.json.gz", "two.json.gz"):
        write(small(), tmp_path / name)
    assert (tmp_path / "one.json.gz").read_bytes() == (tmp_path / "two.json.gz").read_bytes()


def test_file_is_read_under_the_version_asked_for_or_its_own_or_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    write(small(), path)
    assert load(path, "other").version == "other"
    assert load(path).version == "small-1"
    path.write_text(json.dumps({key: value for key, value in DOCUMENT.items() if key != "version"}))
    assert len(load(path).version) == 12


def test_what_the_format_cannot_say_is_not_written(tmp_path: Path) -> None:
    lines = small().lines
    broken = replace(small(), lines=replace(lines, impedance_ohm=lines.impedance_ohm * np.nan))
    with pytest.raises(NetworkError, match="lines main: impedance_ohm"):
        write(broken, tmp_path / "broken.json")
    assert not (tmp_path / "broken.json").exists()


def put(value: object, *path: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (put("ieee", "format"), '"format" must be "ampacity-network"'),
        (put(2, "format_version"), "format_version 2 cannot be read"),
        (put("60", "frequency_hz"), "frequency_hz: must be a number, not '60'"),
        (put([], "Lines"), "document: unknown field 'Lines', meant lines?"),
        (put({}, "lines"), "lines: must be a list of objects"),
        (put("x", "lines", 0), "lines entry 0: must be an object with an id"),
        (put("", "lines", 0, "id"), "lines entry 0: must be an object with an id"),
        (put("lateral", "lines", 0, "id"), "lines lateral: 2 of that id"),
        (drop("lines", 1, "impedance_ohm"), "lines lateral: impedance_ohm: is missing"),
        (put(1, "lines", 1, "in_servise"), "lines lateral: unknown field 'in_servise', meant in_service?"),
        (put(1, "lines", 1, "in_service"), "lines lateral: in_service: must be true or false, not 1"),
        (put([["nowhere.a"]], "lines", 1, "to_node"), "lines lateral: to_node: there is no node list"),
        (put(["tap.a"], "lines", 1, "to_node"), "lines lateral: to_node: there is no node 'tap.a'"),
        (put(["mid.a", "mid.b"], "lines", 1, "to_node"), "to_node: needs 1 values, one per conductor, there are 2"),
        (put([[[0.9, 0.8], [1, 2]]], "lines", 1, "impedance_ohm"), "impedance_ohm: needs 1 rows of 1 values"),
        (put([[[0.9]]], "lines", 1, "impedance_ohm"), "impedance_ohm: a complex number is [real, imaginary]"),
        (put([[[0.9, None]]], "lines", 1, "impedance_ohm"), "impedance_ohm: must be a number, not None"),
        (put([[[0.9, True]]], "lines", 1, "impedance_ohm"), "impedance_ohm: must be a number, not True"),
        (put("mid.a", "lines", 0, "from_node"), "lines main: from_node: must be a list, not 'mid.a'"),
        (put(7, "transformers", 3, "node"), "transformers service: rated_v: has room for 2 values, one per winding"),
        (put([], "lines", 1, "from_node"), "lines lateral: from_node: 1 to 24 of them are possible"),
        (put(7, "lines", 1, "ratings"), "lines lateral: ratings: must be an object"),
        (put(7, "lines", 1, "ratings", "normal_a"), "lines lateral ratings: unknown field 'normal_a', meant normal?"),
        (put(1.5, "transformers", 0, "tap"), "transformers ra: tap: must be a whole number, not 1.5"),
        (put([1.0], "transformers", 0, "rated_v"), "rated_v: needs 2 values, one per winding, there are 1"),
        (put([1, 2], "loads", 0, "zip_p"), "loads home: zip_p: needs 3 values, there are 2"),
        (put(3, "units", 0, "volt_var"), "units roof: volt_var: must be the position of one of the 1 curves, not 3"),
        (put("rx", "regulators", 0, "transformer"), "regulators ca: transformer: transformers has no 'rx'"),
        (put("volt", "capacitor_controls", 0, "kind"), "kind: must be one of voltage, current, reactive_power"),
        (put("ra", "switches", 0, "element"), "switches sw: element: lines has no 'ra'"),
        (put(["b", "a"], "buses", 0, "terminals"), "buses head: terminals: must be some of a, b, c, n, s1, s2"),
        (put([1], "curves", 0, "x"), "curves entry 0: x has 1 values and y 4"),
        (put(7, "curves"), "curves entry 0: must be an object with x and y"),
    ],
)
def test_faulty_document_is_refused_with_element_and_field(change: Callable[[Any], None], fault: str) -> None:
    document = deepcopy(DOCUMENT)
    change(document)
    with pytest.raises(NetworkError) as caught:
        convert(document)
    assert any(fault in found for found in caught.value.faults), caught.value.faults


def test_all_faults_are_told_at_once_up_to_a_bound() -> None:
    document = deepcopy(DOCUMENT)
    document["loads"] = [{"id": f"load {n}"} for n in range(80)]
    with pytest.raises(NetworkError) as caught:
        convert(document)
    assert len(caught.value.faults) == 101
    assert caught.value.faults[-1] == "and 140 more"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'{"format": "ampacity-network", "format": 1}', "field 'format' is there twice"),
        (b'{"format": "ampacity-network", "format_version": 1, "frequency_hz": NaN}', "NaN is not a number of JSON"),
        (
            b'{"format": "ampacity-network", "format_version": 1, "frequency_hz": 1e999}',
            "frequency_hz: must be a number",
        ),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 10_000, "not JSON"),
        (b"[]", '"format" must be'),
        (b"\x1f\x8bnonsense", "cannot be read"),
        (gzip.compress(b"{}", mtime=0)[:-6], "cannot be read"),
    ],
)
def test_file_that_is_no_document_is_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "network.json"
    path.write_bytes(content)
    with pytest.raises(NetworkError, match=r"^network\.json") as caught:
        load(path)
    assert fault in str(caught.value)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="cannot be read"):
        load(tmp_path / "none.json")


def test_document_longer_than_the_bound_is_refused_without_unpacking_it(tmp_path: Path) -> None:
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b" " * 100_000, mtime=0))
    with pytest.raises(NetworkError, match="longer than the 1000 bytes"):
        load(path, max_bytes=1000)


JUNK = st.sampled_from(
    [None, True, -1, 0, 10**30, 1e308, "", "head.a", "earth", [], [[]], {}, [1, 2], [None], ["mid.a"] * 30]
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [p for key, child in children for p in places(child, (*path, key))]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(places(DOCUMENT)), JUNK), min_size=1, max_size=3))
def test_junk_anywhere_is_refused_or_read_but_never_breaks_the_reader(
    junk: list[tuple[tuple[Any, ...], object]],
) -> None:
    document = deepcopy(DOCUMENT)
    for path, value in junk:
        at: Any = document
        try:
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    with suppress(NetworkError):
        convert(document)


def test_schema_knows_every_field_that_is_written() -> None:
    tables = schema()["properties"]
    assert isinstance(tables, dict)
    for layout in LAYOUTS:
        for entry in DOCUMENT[layout.name]:
            own = tables[layout.name]["items"]
            assert entry.keys() <= own["properties"].keys()
            assert entry.keys() >= set(own["required"])
