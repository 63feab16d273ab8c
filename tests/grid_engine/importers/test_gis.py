"""Assets of a geographic information system: a thousand are taken, and ends that are nowhere are named by line."""

import json
from pathlib import Path

import numpy as np
import pytest

from grid_engine.importers.gis import GisError, read_assets
from grid_engine.revisions.located import located
from tests.grid_engine.studies import NETWORK

HEADER = "id,kind,x,y,from,to\n"


def table(path: Path, *rows: str) -> Path:
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return path


def test_gis_file_of_a_thousand_assets_is_taken(tmp_path: Path) -> None:
    places = [f"P{n},pole,{n}.5,43.25,," for n in range(501)]
    spans = [f"S{n},line,,,P{n},P{n + 1}" for n in range(499)]
    assets = read_assets(table(tmp_path / "gis.csv", *places, *spans))
    assert len(assets) == 1000
    assert (assets[0].x, assets[0].y, assets[501].ends, assets[501].at) == (0.5, 43.25, ("P0", "P1"), "line 503")


def test_gis_dangling_connectivity_is_rejected_with_line_numbers(tmp_path: Path) -> None:
    path = table(
        tmp_path / "gis.csv",
        "B1,bus,1,2,,",
        "B2,bus,2,2,,",
        "L1,line,,,B1,B2",
        "L2,line,,,B2,B9",
        "C1,capacitor,,,L1,",
        "L3,line,,,,B1",
        "L4,line,,,B1,B1",
        "B1,bus,5,5,,",
        "X,bus,5,,,",
        "Y,bus,far,5,,",
        "Z,load,,,,",
        ",bus,1,1,,",
    )
    with pytest.raises(GisError) as error:
        read_assets(path)
    assert error.value.faults == (
        "line 7: L3 ends at B1 and begins nowhere; name a place under from",
        "line 8: L4 begins and ends at B1",
        "line 10: X has one coordinate; give x and y, or neither",
        "line 11: x 'far' is no number",
        "line 11: Y has one coordinate; give x and y, or neither",
        "line 12: Z is nowhere: it has neither coordinates nor ends",
        "line 13: id is missing",
        "line 9: B1 is on line 2 already",
        "line 5: L2 ends at B9, which is not in the file",
        "line 6: C1 ends at L1, a line without coordinates",
    )


def test_gis_geojson_gives_the_same_assets(tmp_path: Path) -> None:
    def feature(kind: str, geometry: object, **properties: str) -> dict[str, object]:
        return {"type": "Feature", "geometry": geometry, "properties": {"kind": kind, **properties}}

    span = {"type": "LineString", "coordinates": [[-79.4, 43.6], [-79.3, 43.7]]}
    features = [
        {**feature("bus", {"type": "Point", "coordinates": [-79.4, 43.6]}), "id": "B1"},
        feature("bus", {"type": "Point", "coordinates": [-79.3, 43.7, 120.0]}, id="B2"),
        feature("line", span, id="L11", **{"from": "B1", "to": "B2"}),
    ]
    path = tmp_path / "gis.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert [(a.id, a.x, a.ends) for a in read_assets(path)] == [
        ("B1", -79.4, ()),
        ("B2", -79.3, ()),
        ("L11", None, ("B1", "B2")),
    ]
    features[2] = feature("line", span, id="L11", **{"from": "B1", "to": "B7"})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with pytest.raises(GisError, match="feature 2: L11 ends at B7, which is not in the file"):
        read_assets(path)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.csv", "name,x\nB1,2\n", "line 1: there is no column 'id'"),
        ("a.csv", HEADER, "it has no assets"),
        ("a.json", "[1]", "not a GeoJSON feature collection"),
        ("a.json", "{", "not JSON"),
        ("a.json", '{"features": [7]}', "feature 0: id is missing"),
    ],
)
def test_gis_file_that_is_none_is_refused(tmp_path: Path, name: str, text: str, what: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(GisError, match=what):
        read_assets(path)
    with pytest.raises(GisError, match="cannot be read"):
        read_assets(tmp_path / "none.csv")


def test_gis_places_are_joined_to_the_network_and_disagreements_named(tmp_path: Path) -> None:
    places = [f"B{n},bus,{n},{10 + n},," for n in range(7)]
    assets = read_assets(table(tmp_path / "gis.csv", *places, "L12,line,,,B2,B4", "L11,line,,,B2,B1", "Q,pole,9,9,,"))
    found = located(NETWORK, assets)
    assert found.placed == 7
    assert found.network.buses.position[NETWORK.buses.ids.index("B3")].tolist() == [3, 13]
    assert np.isnan(found.network.buses.position[NETWORK.buses.ids.index("B7")]).all()
    assert found.disagreements == (
        "line 9: L12 connects B2 and B4, in the network B2 and B3",
        "line 11: pole Q is not in the network",
        "bus B7 of the network has no place",
    )
