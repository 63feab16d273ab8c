"""The one door reads every format, and says what it cannot read."""

from dataclasses import replace
from pathlib import Path

import pandapower as pp
import pytest

from grid_engine.exporters.json import write
from grid_engine.exporters.opendss import translate
from grid_engine.importers.any import is_pandapower, load
from grid_engine.model import NetworkError
from grid_engine.modelling.tables import no_units
from tests.grid_engine.r1 import build
from tests.grid_engine.small import small


def test_formats_are_told_apart_by_what_is_in_them(tmp_path: Path) -> None:
    write(small(), tmp_path / "own")
    write(small(), tmp_path / "packed.gz")
    pp.to_json(build(), str(tmp_path / "net"))
    (tmp_path / "master.DSS").write_text(translate(replace(small(), units=no_units())).text)
    assert load(tmp_path / "own").version == "small-1"
    assert load(tmp_path / "packed.gz", "2").version == "2"
    assert load(tmp_path / "net").sequence_transformers.ids == ("T1", "T2")
    assert load(tmp_path / "master.DSS", "3").version == "3"
    assert [name for name in ("own", "packed.gz", "net", "master.DSS") if is_pandapower(tmp_path / name)] == ["net"]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.json", b"{}", 'neither "format": "ampacity-network" nor a pandapower net'),
        ("a.json", b"\x1f\x8b no", "cannot be read"),
        ("a.json", b'{"_class": "pandapowerNet"', "pandapower cannot read it"),
        ("a.json", b'{"_class": "pandapowerNet", "x": 1}', "pandapower cannot read it"),
        ("a.dss", b"New Nonsense.x", "OpenDSS"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NetworkError, match=fault):
        load(tmp_path / name)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for name in ("none.json", "none.dss"):
        with pytest.raises(NetworkError, match=name):
            load(tmp_path / name)
