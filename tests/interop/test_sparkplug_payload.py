"""The npm package sparkplug-payload reads what we write, and we read what it writes."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.testbed.broker import EmbeddedBroker, free_port
from protocols.mqtt.sparkplug.messages import DataSet, Metric, Parameter, Payload, Row, Template
from protocols.mqtt.sparkplug.values import (
    DataType,
    PayloadError,
    Value,
    cell_of,
    metric_of,
    quality_of,
    read_payload,
    value_of,
    write_payload,
)
from tests.gateway.tape.sparkplug_follower import follows_in_order
from tests.gateway.tape.sparkplug_session import ALIASES, ORDER, POWERS, whole

NODE, NPM = shutil.which("node"), shutil.which("npm")

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(NODE is None or NPM is None, reason="node and npm are not installed"),
]

SOURCES = Path(__file__).parent / "sparkplug_payload"
INSTALLED = Path("build/sparkplug_payload").resolve()
INSTALL_S = 300
NOW_MS = 1_764_000_000_123

SCALARS: list[tuple[DataType, Value, str, Any]] = [
    (DataType.INT8, -128, "Int8", -128),
    (DataType.INT16, -32_768, "Int16", -32_768),
    (DataType.INT32, -(2**31), "Int32", -(2**31)),
    (DataType.INT64, -(2**63), "Int64", {"long": str(-(2**63))}),
    (DataType.UINT8, 255, "UInt8", 255),
    (DataType.UINT16, 65_535, "UInt16", 65_535),
    (DataType.UINT32, 2**31 - 1, "UInt32", 2**31 - 1),
    (DataType.UINT64, 2**64 - 1, "UInt64", {"long": str(2**64 - 1)}),
    (DataType.FLOAT, 0.5, "Float", 0.5),
    (DataType.DOUBLE, -1234567.875, "Double", -1234567.875),
    (DataType.BOOLEAN, True, "Boolean", True),
    (DataType.STRING, "Übergabe ½", "String", "Übergabe ½"),
    (DataType.DATE_TIME, NOW_MS, "DateTime", {"long": str(NOW_MS)}),
    (DataType.TEXT, "text", "Text", "text"),
    (DataType.UUID, "0b4b8d1e-0000-4000-8000-000000000001", "UUID", "0b4b8d1e-0000-4000-8000-000000000001"),
    (DataType.BYTES, b"\x00\xff", "Bytes", {"base64": "AP8="}),
]


class Peer:
    """Their codec in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def decode(self, data: bytes) -> dict[str, Any]:
        return self._ask(f"decode {base64.b64encode(data).decode()}")

    def encode(self, payload: dict[str, Any]) -> bytes:
        return base64.b64decode(self._ask(f"encode {json.dumps(payload)}"))

    def _ask(self, line: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """sparkplug-payload at the version of the lock file."""
    stamp, lock = INSTALLED / "installed.json", (SOURCES / "package-lock.json").read_text()
    if not stamp.exists() or stamp.read_text() != lock:
        shutil.rmtree(INSTALLED, ignore_errors=True)
        shutil.copytree(SOURCES, INSTALLED)
        command = [str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=INSTALLED, check=True, timeout=INSTALL_S)
        stamp.write_text(lock)
    shutil.copy(SOURCES / "codec.js", INSTALLED)
    pipe = subprocess.PIPE
    with subprocess.Popen([str(NODE), "codec.js"], cwd=INSTALLED, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Peer(process)
        finally:
            process.kill()


@pytest.mark.parametrize(("datatype", "ours", "name", "theirs"), SCALARS, ids=[row[2] for row in SCALARS])
def test_they_read_each_datatype_as_we_write_it(peer, datatype, ours, name, theirs):
    metric = metric_of("m", datatype, ours, alias=7, timestamp_ms=NOW_MS)
    read = peer.decode(write_payload(Payload(NOW_MS, (metric,), 3)))
    (found,) = read["metrics"]
    assert (found["name"], found["type"], found["value"]) == ("m", name, theirs)
    assert found["alias"] == {"long": "7"}
    assert found["timestamp"] == {"long": str(NOW_MS)}
    assert read["seq"] == {"long": "3"}


@pytest.mark.parametrize(("datatype", "ours", "name", "theirs"), SCALARS, ids=[row[2] for row in SCALARS])
def test_we_read_each_datatype_as_they_write_it(peer, datatype, ours, name, theirs):
    sent = {"name": "m", "alias": 7, "type": name, "value": theirs, "timestamp": NOW_MS}
    payload = read_payload(peer.encode({"timestamp": NOW_MS, "seq": 3, "metrics": [sent]}))
    (metric,) = payload.metrics
    assert (payload.timestamp, payload.seq) == (NOW_MS, 3)
    assert (metric.name, metric.alias, metric.timestamp, metric.datatype) == ("m", 7, NOW_MS, datatype)
    assert value_of(metric, datatype) == ours


def test_null_historical_and_quality_cross_both_ways(peer):
    null = metric_of("m", DataType.DOUBLE, None, timestamp_ms=NOW_MS, quality=500)
    (read,) = peer.decode(write_payload(Payload(NOW_MS, (null,), 0)))["metrics"]
    assert read["value"] is None
    assert read["properties"]["Quality"] == {"type": "Int32", "value": 500}
    sent = {
        "name": "m",
        "type": "Double",
        "value": 1.5,
        "isHistorical": True,
        "properties": {"Quality": {"type": "Int32", "value": 0}},
    }
    (metric,) = read_payload(peer.encode({"timestamp": NOW_MS, "metrics": [sent]})).metrics
    assert metric.is_historical
    assert quality_of(metric) == 0


def test_data_sets_cross_both_ways(peer):
    cells = (cell_of("a", DataType.STRING), cell_of(1.5, DataType.DOUBLE))
    table = DataSet(2, ("name", "value"), (DataType.STRING, DataType.DOUBLE), (Row(cells),))
    (read,) = peer.decode(write_payload(Payload(NOW_MS, (metric_of("t", DataType.DATA_SET, table),), 0)))["metrics"]
    assert read["value"]["rows"] == [["a", 1.5]]
    assert read["value"]["types"] == ["String", "Double"]
    theirs = {"numOfColumns": 2, "columns": ["name", "value"], "types": ["String", "Double"], "rows": [["a", 1.5]]}
    sent = {"name": "t", "type": "DataSet", "value": theirs}
    (metric,) = read_payload(peer.encode({"timestamp": NOW_MS, "metrics": [sent]})).metrics
    assert metric.dataset_value == table


def test_templates_cross_both_ways(peer):
    inner = metric_of("power", DataType.DOUBLE, 2.5)
    parameter = Parameter(name="rated", type=DataType.STRING, string_value="5 MW")
    template = Template("1.0", (inner,), (parameter,), "meter", is_definition=False)
    (read,) = peer.decode(write_payload(Payload(NOW_MS, (metric_of("t", DataType.TEMPLATE, template),), 0)))["metrics"]
    assert read["value"]["templateRef"] == "meter"
    assert read["value"]["parameters"] == [{"name": "rated", "type": "String", "value": "5 MW"}]
    assert read["value"]["metrics"][0]["value"] == 2.5
    theirs = {
        "version": "1.0",
        "templateRef": "meter",
        "isDefinition": False,
        "metrics": [{"name": "power", "type": "Double", "value": 2.5}],
        "parameters": [{"name": "rated", "type": "String", "value": "5 MW"}],
    }
    sent = {"name": "t", "type": "Template", "value": theirs}
    (metric,) = read_payload(peer.encode({"timestamp": NOW_MS, "metrics": [sent]})).metrics
    assert metric.template_value == template


def test_what_they_write_cut_short_is_refused_and_never_a_crash(peer):
    whole = peer.encode({"timestamp": NOW_MS, "seq": 1, "metrics": [{"name": "m", "type": "Int32", "value": -5}]})
    outcomes = set()
    for end in range(len(whole)):
        try:
            outcomes.add(type(read_payload(whole[:end])))
        except PayloadError:
            outcomes.add(PayloadError)
    assert outcomes == {Payload, PayloadError}
    assert isinstance(read_payload(whole).metrics[0], Metric)


async def test_they_follow_a_recorded_node_that_is_played_at_a_broker(peer, tmp_path):
    port = free_port()
    broker = EmbeddedBroker("127.0.0.1", port)
    await broker.start()
    try:
        follower = await follows_in_order(whole(is_typed=True).recording(tmp_path / "node.jsonl"), port)
    finally:
        await broker.stop()
    read = [peer.decode(message.payload) for message in follower.messages[: len(ORDER)]]
    alias = {"long": str(ALIASES["active_power_w"])}
    assert [m["value"] for payload in read for m in payload["metrics"] if m.get("alias") == alias] == POWERS
    numbers = [int(payload["seq"]["long"]) if "seq" in payload else None for payload in read]
    assert numbers == [0, 1, 2, 3, 4, 5, None, 0, 1, 2, 3]
