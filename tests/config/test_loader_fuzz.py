"""Whatever is done to a zone file, it loads or is refused with faults: it never breaks the loader."""

import copy
import json
from importlib.resources import files
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.document import read_document
from config.loader import ConfigError, load
from config.settings import ZoneFile

R1 = Path(str(files("config.zones"))) / "r1.yaml"
DOCUMENT = read_document(R1).root.plain()
DOCUMENT["network"]["source"] = str(R1.parent / "networks" / "r1.json")

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["A", "B3", "L12.current_a", "x.y", "http://[", "http://h:0/", "opc.tcp://", "a\0b", "\ud800", "é"]
    ),
    st.just("x" * 5000),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(0, 3), max_size=2),
    st.sampled_from(
        [
            {"protocol": "mqtt", "host": "h", "topic": "t"},
            {"protocol": "opcua", "url": "opc.tcp://["},
            {"protocol": "opcua", "url": "opc.tcp://h:99999"},
            {"protocol": "ieee2030_5", "certificate": "c" * 300},
            {"protocol": "ieee2030_5"},
            {"protocol": 3},
        ]
    ),
)


def paths(node, path=()):
    yield path
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in entries:
        yield from paths(child, (*path, key))


PLACES = [path for path in paths(DOCUMENT) if path]


def put(document, path, key, value):
    for step in path[:-1]:
        document = document[step]
    if key is not None and isinstance(document, dict):
        document.pop(path[-1])
        document[key] = value
    else:
        document[path[-1]] = value


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(PLACES), key=st.none() | st.text(max_size=6), value=ODD)
def test_one_odd_value_never_breaks_the_loader(tmp_path_factory, path, key, value):
    document = copy.deepcopy(DOCUMENT)
    put(document, path, key, value)
    file = tmp_path_factory.getbasetemp() / "odd.yaml"
    file.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
    faults = ()
    try:
        zone = load(file)
    except ConfigError as error:
        faults = error.faults
        str(error).encode("utf-8")
    assert (faults and all(fault.problem and fault.remedy for fault in faults)) or isinstance(zone, ZoneFile)
