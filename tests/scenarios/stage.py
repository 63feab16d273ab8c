"""Short ways to set the stage of `gateway.scenarios` for tests written in Python."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.loader import load
from config.settings import ZoneFile
from gateway.scenarios.stage import EPOCH_S, MW, Stage, play

__all__ = ["EPOCH_S", "MW", "ZONES", "Stage", "play", "zone_file"]

ZONES = Path(__file__).parents[2] / "config" / "zones"


def zone_file(base: str = "r1.yaml", **sections: Mapping[str, Any]) -> ZoneFile:
    """A zone of the project with some settings changed, as a zone file would change them."""
    document = _merged(load(ZONES / base).model_dump(mode="json"), sections)
    return ZoneFile.model_validate(document)


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, Mapping) and over.get("protocol") in (None, base.get("protocol")):
        return {k: _merged(base.get(k), over[k]) if k in over else base[k] for k in {**base, **over}}
    return over
