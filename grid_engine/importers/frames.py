"""Columns of pandapower's tables as arrays; missing entries are what pandapower takes for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from grid_engine.model import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from pandas import DataFrame


def ids(frame: DataFrame) -> tuple[str, ...]:
    """Names, or table position where there is none."""
    unnamed = frame["name"].isna() | (frame["name"] == "")
    rows = zip(frame.index, frame["name"], unnamed, strict=True)
    return tuple(f"#{key}" if missing else str(name) for key, name, missing in rows)


def column(frame: DataFrame, name: str, default: float | None = None) -> FloatArray:
    """One column as floats; the default also replaces missing entries."""
    if name not in frame:
        return np.full(len(frame), np.nan if default is None else default)
    values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return values if default is None else np.where(np.isnan(values), default, values)


def whole(frame: DataFrame, name: str) -> IntArray:
    """One column as whole numbers, 0 where missing."""
    return column(frame, name, 0.0).astype(np.int64)


def flag(frame: DataFrame, name: str) -> BoolArray:
    """One column as flags."""
    return np.asarray(frame[name], dtype=np.bool_)


def position(frame: DataFrame, name: str, index: dict[Any, int]) -> IntArray:
    """Positions of what a column refers to by pandapower's index; -1 of what is not there."""
    return np.array([index.get(key, -1) for key in frame[name]], dtype=np.int64)


def types(frame: DataFrame) -> list[object]:
    """How loads are connected; None where pandapower leaves it open."""
    return list(frame["type"]) if "type" in frame else [None] * len(frame)


def tap_changers(frame: DataFrame) -> list[str]:
    """Kind of tap changer per transformer; empty where there is none and a position has no effect."""
    if "tap_changer_type" not in frame:
        return ["Ratio"] * len(frame)
    return [kind if isinstance(kind, str) else "" for kind in frame["tap_changer_type"]]
