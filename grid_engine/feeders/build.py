"""Makes the shipped feeders anew from a folder of the originals: `python -m grid_engine.feeders.build FOLDER`.

FOLDER is OpenDSS's folder of IEEE test cases, whose files are named in `MASTERS`. Needs the extra `opendss`.
"""

import gzip
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from grid_engine.exporters.json import write
from grid_engine.feeders.public import NETWORKS, node_names
from grid_engine.importers.opendss import load_solved
from grid_engine.importers.opendss.thevenin import load_short_circuits
from grid_engine.model import ComplexArray

MASTERS: Mapping[str, str] = {
    "ieee13": "13Bus/IEEE13Nodeckt.dss",
    "ieee37": "37Bus/ieee37.dss",
    "ieee123": "123Bus/IEEE123Master.dss",
    "european_lv": "LVTestCase/Master.dss",
    "ieee8500": "8500-Node/Master.dss",
    "ieee8500_unbalanced": "8500-Node/Master-unbal.dss",
}
SHORT_CIRCUITS = 24
"""Buses per feeder whose short-circuit impedance is kept."""


def build(originals: Path, target: Path = NETWORKS) -> None:
    """Write every feeder and its reference into `target`.

    Raises:
        NetworkError: an original cannot be read.
    """
    target.mkdir(exist_ok=True)
    for name, master in MASTERS.items():
        solved = load_solved(originals / master, name)
        write(solved.network, target / f"{name}.json.gz")
        places = node_names(solved.network)
        found = {
            "original": master,
            "voltage_pu": dict(zip(places, _pairs(np.round(solved.voltage_pu, 12)), strict=True)),
            "short_circuits": [
                {"nodes": [places[node] for node in case.node], "impedance_ohm": _pairs(case.impedance_ohm)}
                for case in load_short_circuits(originals / master, SHORT_CIRCUITS)
            ],
        }
        packed = gzip.compress(json.dumps(found, separators=(",", ":")).encode(), 9, mtime=0)
        (target / f"{name}.reference.json.gz").write_bytes(packed)


def _pairs(values: ComplexArray) -> list[object]:
    """The same with a last dimension of real and imaginary part."""
    told: list[object] = np.stack([values.real, values.imag], axis=-1).tolist()
    return told


if __name__ == "__main__":
    build(Path(sys.argv[1]))
