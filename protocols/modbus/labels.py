"""What people call SunSpec models and points: labels, units and the names of enumerated values."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Label:
    """Of one point."""

    text: str
    unit: str
    symbols: Mapping[int, str] = field(default_factory=dict)
    """Names of the values of an enumeration, or of the bits of a bit field."""
    is_bits: bool = False

    def meaning(self, value: float | None) -> str:
        """The name of an enumerated value, or of the bits that are set."""
        if value is None or not self.symbols:
            return ""
        if not self.is_bits:
            return self.symbols.get(int(value), "")
        return " ".join(name for bit, name in self.symbols.items() if int(value) >> bit & 1)


@cache
def title(model_id: int) -> str:
    """What a model is called."""
    group = _group(model_id)
    return str(group.get("label", group["name"]))


@cache
def labels(model_id: int) -> Mapping[str, Label]:
    """Labels by path without indices, such as `Crv.Pt.V`."""
    return dict(_labels(_group(model_id), ""))


def label(model_id: int, path: str) -> Label:
    """Of a point of a device, such as `Crv[0].Pt[1].V`."""
    return labels(model_id).get(_INDEX.sub("", path), Label("", ""))


def _group(model_id: int) -> Mapping[str, Any]:
    file = files("sunspec2") / "models" / "json" / f"model_{model_id}.json"
    group: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))["group"]
    return group


def _labels(group: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Label]]:
    for point in group.get("points", ()):
        symbols = {int(symbol["value"]): str(symbol["name"]) for symbol in point.get("symbols", ())}
        is_bits = str(point["type"]).startswith("bitfield")
        text = str(point.get("label", point["name"]))
        yield f"{prefix}{point['name']}", Label(text, str(point.get("units", "")), symbols, is_bits)
    for inner in group.get("groups", ()):
        yield from _labels(inner, f"{prefix}{inner['name']}.")
