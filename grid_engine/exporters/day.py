"""Writes a day of a zone's customers in the project's own format; what is read back is the same."""

import gzip
import json
from pathlib import Path

from grid_engine.forecasting.day import Day
from grid_engine.importers.day import FORMAT, FORMAT_VERSION


def write(day: Day, path: Path | str) -> None:
    """Put `day` into `path`; compressed where that ends in `.gz`, the same bytes for the same day."""
    target = Path(path)
    content = text(day).encode()
    target.write_bytes(gzip.compress(content, 9, mtime=0) if target.suffix == ".gz" else content)


def text(day: Day) -> str:
    """The document as text, one kind and one member per line."""
    kinds = {
        name: {"share": kind.share.tolist(), "variation": kind.variation.value, "spread": kind.spread}
        for name, kind in day.kinds.items()
    }
    members = [
        {"id": name, "kind": kind, "size_w": size_w}
        for name, kind, size_w in zip(day.ids, day.kind, day.size_w.tolist(), strict=True)
    ]
    kind_lines = ",\n  ".join(f"{json.dumps(name)}: {json.dumps(kind)}" for name, kind in kinds.items())
    member_lines = ",\n  ".join(json.dumps(member) for member in members)
    return (
        f'{{\n "format": "{FORMAT}",\n "format_version": {FORMAT_VERSION},\n "step_s": {day.step_s},\n'
        f' "kinds": {{\n  {kind_lines}\n }},\n "members": [\n  {member_lines}\n ]\n}}\n'
    )
