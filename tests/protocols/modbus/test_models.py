from importlib.resources import files
from itertools import pairwise

import pytest

from protocols.modbus.models import UnknownModelError, definition, known_models, layout
from protocols.modbus.sunspec import Model


def test_every_model_of_the_package_can_be_laid_out():
    shipped = [f for f in (files("sunspec2") / "models" / "json").iterdir() if f.name.startswith("model_")]
    assert len(known_models()) == len(shipped) > 100
    for model_id in known_models():
        points = layout(model_id, counts={"NCrv": 1, "NPt": 2})
        assert [p.name for p in points[:2]] == ["ID", "L"]
        assert all(a.end == b.offset for a, b in pairwise(points))


def test_unknown_model_is_named():
    with pytest.raises(UnknownModelError, match="12345"):
        definition(12345)


def test_nested_groups_repeat_and_find_their_scale_factors_outside():
    model = Model.at(705, 0, counts={"NCrv": 2, "NPt": 4})
    assert model.points["Crv[1].Pt[3].V"].scale == "V_SF"
    assert model.points["Crv[1].Pt[3].Var"].end == model.size
    assert Model.at(704, 0).points["PFWInj.PF"].scale == "PF_SF"


def test_a_group_without_a_count_fills_the_model():
    fixed = definition(160).points
    fixed_size = sum(p.size for p in fixed)
    module = definition(160).groups[0].size
    model = Model.at(160, 0, length=fixed_size - 2 + 3 * module)
    assert [n for n in model.points if n.endswith("].ID")] == ["module[0].ID", "module[1].ID", "module[2].ID"]
