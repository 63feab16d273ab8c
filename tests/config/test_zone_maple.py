"""The committed files of Maple are what its generator writes, and its zones are good."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from config.loader import load
from grid_engine.feeders.maple.write import DAY, NETWORK, write
from grid_engine.importers import day as day_file
from grid_engine.importers import json as network_file

ZONES = Path(__file__).parents[2] / "config" / "zones"


def same(ours, theirs, where: str = "") -> None:
    """Up to the last digits, which another processor may round otherwise."""
    if is_dataclass(ours):
        for field in fields(ours):
            same(getattr(ours, field.name), getattr(theirs, field.name), f"{where}.{field.name}")
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            same(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(ours, np.ndarray) and ours.dtype.kind in "fc":
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, err_msg=where)
    else:
        assert np.all(ours == theirs), where


def test_the_committed_files_are_what_the_generator_writes(tmp_path):
    write(tmp_path)
    same(network_file.load(ZONES / "networks" / NETWORK), network_file.load(tmp_path / NETWORK))
    same(day_file.load(ZONES / "networks" / DAY), day_file.load(tmp_path / DAY))


@pytest.mark.parametrize("name", ["maple.yaml", "maple_noon.yaml"])
def test_its_zones_are_good(name):
    zone = load(ZONES / name)
    assert zone.network.version == "maple-1"
    assert 8 <= len(zone.devices) <= 20
    assert {device.endpoint.protocol for device in zone.devices.values()} == {"modbus", "opcua", "mqtt", "ieee2030_5"}


def test_it_runs_beside_r1():
    maple, r1 = load(ZONES / "maple.yaml"), load(ZONES / "r1.yaml")
    assert ports(maple) & ports(r1) == set()


def ports(zone) -> set[int]:
    urls = [party.url for party in zone.parties.values()]
    urls += [e.url for e in endpoints(zone) if e.protocol == "opcua"]
    own = {zone.listen.parties_port, zone.listen.ieee2030_5_port, zone.testbed.control_port}
    return own | {e.port for e in endpoints(zone) if hasattr(e, "port")} | {int(url.rsplit(":", 1)[1]) for url in urls}


def endpoints(zone):
    return [entry.endpoint for group in (zone.devices, zone.stations) for entry in group.values()]
