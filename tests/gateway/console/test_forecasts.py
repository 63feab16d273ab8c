"""Forecasts at the desk: taken from CSV, shown, and refused where they speak of nothing here."""

from pathlib import Path

import pytest

from gateway.__main__ import main
from tests.gateway.console.office import NOW, office
from tests.gateway.coordination.build import MW, T

pytestmark = pytest.mark.sockets


def test_f10_a_forecast_is_uploaded_as_csv_and_counts_from_then_on(tmp_path: Path, capsys) -> None:
    path = tmp_path / "forecast.csv"
    path.write_text(f"time,B,load\n{T:.0f},3.5,0.8\n{T + 300:.0f},3.0,0.9\n")
    with office(tmp_path) as room:

        def forecast(*words: str) -> int:
            return main(["forecast", words[0], str(room.directory), *words[1:]])

        assert forecast("import", str(path), "--source", "sky") == 0
        (issue,) = room.ground.book.topology.issues.newest.values()
        assert (issue.issued_s, issue.values) == (NOW, {"B": (3.5 * MW, 3.0 * MW), "load": (0.8, 0.9)})
        assert forecast("list") == 0
        assert "B, load" in capsys.readouterr().out
        assert forecast("import", str(path), "--source", "sky", "--issued", f"{NOW + 3600:.0f}") == 1
        assert "which is yet to come" in capsys.readouterr().err
        path.write_text(f"time,LD99\n{T:.0f},3.5\n{T + 300:.0f},3.0\n")
        assert forecast("import", str(path), "--source", "sky") == 1
        assert "load LD99: not in the network" in capsys.readouterr().err
        path.write_text(f"time,B\n{T:.0f},3.5\n{T + 300:.0f},\n")
        assert forecast("import", str(path), "--source", "sky") == 1
        assert "B has gaps" in capsys.readouterr().err
