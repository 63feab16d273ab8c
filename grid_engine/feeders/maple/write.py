"""Writes the zone's network and its day: `python -m grid_engine.feeders.maple.write config/zones/networks`."""

import sys
from pathlib import Path

from grid_engine.exporters import day as day_file
from grid_engine.exporters import json as network_file
from grid_engine.feeders.maple.network import SEED, build
from grid_engine.feeders.maple.profiles import build_day

NETWORK, DAY = "maple.json.gz", "maple_day.json.gz"


def write(directory: Path, seed: int = SEED) -> None:
    """Put `NETWORK` and `DAY` into `directory`; the same bytes for the same seed."""
    directory.mkdir(parents=True, exist_ok=True)
    network_file.write(build(seed), directory / NETWORK)
    day_file.write(build_day(seed), directory / DAY)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
