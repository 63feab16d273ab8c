"""The reference zone with some settings changed, as its file would change them."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from config.loader import load
from config.settings import ZoneFile

R1 = Path(str(files("config.zones"))) / "r1.yaml"


def zone(devices: dict[str, dict[str, Any]] | None = None, **sections: dict[str, Any]) -> ZoneFile:
    document = load(R1).model_dump(mode="json")
    for name, changed in (devices or {}).items():
        document["devices"][name].update(changed)
    for section, changed in sections.items():
        document[section].update(changed)
    return ZoneFile.model_validate(document)
