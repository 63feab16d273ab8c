"""One door for networks of every format that can be read; what a file is shows in itself."""

import zlib
from pathlib import Path

from grid_engine.importers import json, opendss, pandapower
from grid_engine.model import Network, NetworkError
from grid_engine.modelling.document import FORMAT

OPENDSS_SUFFIX = ".dss"
_PANDAPOWER = b"pandapowerNet"
_PEEK = 4096
"""Bytes that tell one format from the other."""


def load(path: Path | str, version: str = "") -> Network:
    """The network in `path`: this project's own JSON, compressed or not, pandapower's JSON, or an OpenDSS master file.

    Raises:
        NetworkError: with every fault found, among them that the file is none of these.
    """
    source = Path(path)
    if source.suffix.lower() == OPENDSS_SUFFIX:
        return opendss.load(source, version)
    start = _start(source)
    if _PANDAPOWER in start:
        return pandapower.load(source, version)
    if FORMAT.encode() in start:
        return json.load(source, version)
    raise NetworkError(
        source.name,
        (f'neither "format": "{FORMAT}" nor a pandapower net shows at its beginning; OpenDSS files end in .dss',),
    )


def is_pandapower(path: Path | str) -> bool:
    """True for a file in pandapower's format.

    Raises:
        NetworkError: the file cannot be read.
    """
    return _PANDAPOWER in _start(Path(path))


def _start(source: Path) -> bytes:
    try:
        with source.open("rb") as file:
            raw = file.read(_PEEK)
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(raw, _PEEK) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, zlib.error) as error:
        raise NetworkError(source.name, (f"cannot be read: {error}",)) from error
