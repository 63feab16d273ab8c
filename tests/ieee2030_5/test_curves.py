"""Curves of a program: all types, minted once, referred to, never changed, never taken from under a control."""

from dataclasses import replace

import pytest

from ieee2030_5 import resources as r
from ieee2030_5.curves import MODES, CurveError, Shape, in_use, link, mint
from ieee2030_5.enrolment import build
from ieee2030_5.leases import set_default
from ieee2030_5.records import Record, from_json, to_json
from ieee2030_5.tree import Tree
from tests.ieee2030_5.conftest import NOW, Laboratory, Validate
from tests.ieee2030_5.test_tree import Client

T0 = int(NOW)
VOLT_VAR = Shape("opModVoltVar", ((9_200, 3_000), (9_700, 0), (10_300, 0), (10_800, -3_000)), -2, -2, 2, v_ref=10_000)


@pytest.fixture
def records() -> list[Record]:
    return []


@pytest.fixture
def tree(laboratory: Laboratory, records: list[Record]) -> Tree:
    return Tree(build(laboratory.settings(), laboratory.lfdi("server"), T0), records.append)


def put(tree: Tree, shape: Shape, now: int = T0) -> r.DERCurve:
    curve = mint(tree.utility, tree.utility.programs["B"], shape, now)
    tree.store(curve.href or "", curve, "", now)
    return curve


@pytest.mark.parametrize("mode", MODES)
def test_a_control_of_each_curve_mode_leads_to_its_curve(
    tree: Tree, laboratory: Laboratory, validate: Validate, mode: str
) -> None:
    curve = put(tree, replace(VOLT_VAR, mode=mode, excitation=True if mode == "opModWattPF" else None))
    program = tree.utility.programs["B"]
    name = (curve.href or "").rsplit("/", 1)[1]
    set_default(tree, program, r.DERControlBase(**{mode: link(program, mode, name)}), T0)  # type: ignore[arg-type]
    b = Client(tree, laboratory.lfdi("B"))
    body = b.ask("GET", "/derp/B/dderc").body
    validate(body)
    assert f'<{mode} href="{curve.href}"/>'.encode() in body
    validate(b.ask("GET", curve.href or "").body)
    assert b.get(curve.href or "", r.DERCurve) == curve
    assert curve.curveType == MODES[mode]
    assert b'DERCurveListLink href="/derp/B/dc" all="1"' in b.ask("GET", "/derp/B").body


def test_the_newest_curve_comes_first_and_a_selects_by_creation(tree: Tree, laboratory: Laboratory) -> None:
    made = [put(tree, replace(VOLT_VAR, description=f"{n}"), T0 + n) for n in range(3)]
    b = Client(tree, laboratory.lfdi("B"))
    listed = b.get("/derp/B/dc?l=9", r.DERCurveList)
    assert listed.items == tuple(reversed(made))  # type: ignore[attr-defined]
    assert b.get(f"/derp/B/dc?l=9&a={T0 + 1}", r.DERCurveList).items == (made[2],)  # type: ignore[attr-defined]


def test_a_curve_never_changes_and_stays_while_it_is_referred_to(tree: Tree, laboratory: Laboratory) -> None:
    curve = put(tree, VOLT_VAR)
    program, href = tree.utility.programs["B"], curve.href or ""
    assert mint(tree.utility, program, VOLT_VAR, T0 + 9) == curve
    other = put(tree, replace(VOLT_VAR, v_ref=9_000))
    assert (other.href, other.mRID) != (curve.href, curve.mRID)
    tree.store(href, replace(curve, vRef=1), "", T0)
    b = Client(tree, laboratory.lfdi("B"))
    assert b.get(href, r.DERCurve) == curve
    set_default(tree, program, r.DERControlBase(opModVoltVar=r.Link(href=href)), T0)
    assert in_use(program, href)
    tree.remove(href, T0)
    assert b.ask("GET", href).status == 200
    set_default(tree, program, r.DERControlBase(), T0)
    tree.remove(href, T0)
    assert b.ask("GET", href).status == 404
    for method in ("PUT", "POST", "DELETE"):
        assert b.ask(method, "/derp/B/dc", curve).headers["Allow"] == "GET, HEAD"


def test_another_client_finds_neither_curves_nor_their_list(tree: Tree, laboratory: Laboratory) -> None:
    href = put(tree, VOLT_VAR).href or ""
    a = Client(tree, laboratory.lfdi("A"))
    assert {a.ask("GET", path).status for path in (href, "/derp/B/dc")} == {404}


def test_curves_come_back_after_a_restart(tree: Tree, laboratory: Laboratory, records: list[Record]) -> None:
    curve = put(tree, VOLT_VAR)
    again = Tree(build(laboratory.settings(), laboratory.lfdi("server"), T0), lambda _: None)
    again.restore([from_json(to_json(record)) for record in records])
    assert [*again.utility.programs["B"].curves.values()] == [curve]


@pytest.mark.parametrize(
    ("shape", "word"),
    [
        (replace(VOLT_VAR, mode="opModMaxLimW"), "takes no curve"),
        (replace(VOLT_VAR, points=()), "0 points"),
        (replace(VOLT_VAR, points=((1, 1),) * 11), "11 points"),
        (replace(VOLT_VAR, points=((2, 1), (1, 1))), "falls"),
        (replace(VOLT_VAR, y_reference=8), "yRefType 8"),
    ],
)
def test_a_curve_that_no_device_could_hold_is_refused(tree: Tree, shape: Shape, word: str) -> None:
    with pytest.raises(CurveError, match=word):
        mint(tree.utility, tree.utility.programs["B"], shape, T0)


def test_a_control_refers_only_to_a_curve_of_its_mode_and_program(tree: Tree) -> None:
    name = (put(tree, VOLT_VAR).href or "").rsplit("/", 1)[1]
    for program, mode, word in (("B", "opModVoltWatt", "curveType 11"), ("A", "opModVoltVar", "no curve")):
        with pytest.raises(CurveError, match=word):
            link(tree.utility.programs[program], mode, name)
