"""A network in pandapower's format with some cells changed, for worlds that differ from the one on the shelf."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandapower as pp

TABLES: Final = ("bus", "line", "trafo", "switch", "shunt", "ext_grid", "load", "sgen")

Edits = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Table, name of the element, column, value."""


def edited(network: Path, edits: Edits, into: Path) -> Path:
    """Write the network with `edits` into a file and return its path.

    Raises:
        ValueError: a table, an element or a column is not there, or a value does not fit its column.
    """
    net: Any = pp.from_json(str(network))
    for table, elements in edits.items():
        if table not in TABLES:
            raise ValueError(f"network.{table}: no such table; use one of {', '.join(TABLES)}")
        rows = net[table]
        for name, cells in elements.items():
            found = rows.index[rows["name"] == name]
            if len(found) == 0:
                known = ", ".join(str(one) for one in rows["name"])
                raise ValueError(f"network.{table}.{name}: no such element; use one of {known}")
            for column, value in cells.items():
                _set(rows, int(found[0]), column, value, f"network.{table}.{name}")
    pp.to_json(net, str(into))
    return into


def _set(rows: Any, index: int, column: str, value: Any, where: str) -> None:  # noqa: ANN401 - a table of pandas
    if column not in rows.columns:
        raise ValueError(f"{where}.{column}: no such column; use one of {', '.join(rows.columns)}")
    if isinstance(value, dict | list):
        raise ValueError(f"{where}.{column}: give one number, text or truth value")  # noqa: TRY004 - a user's mistake
    numeric = rows[column].dtype.kind in "iuf"
    if numeric and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"{where}.{column}: {value!r} is not a number")
    rows.at[index, column] = value
