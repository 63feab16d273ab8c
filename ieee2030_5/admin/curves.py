"""Curves of the operator's programs: minted, shown, and removed once nothing refers to them."""

from collections.abc import Mapping
from typing import get_args

from ieee2030_5 import resources as r
from ieee2030_5.admin import curve_words as k
from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.curves import MODES, CurveError, Shape, in_use, mint
from ieee2030_5.utility import Program


def listed(desk: Desk, name: str) -> k.CurveList:
    """The curves of a program."""
    program = desk.program(name)
    ordered = sorted(program.curves.items(), key=lambda pair: (-pair[1].creationTime, pair[0]))
    return k.CurveList(curves=[_seen(program, slug, curve) for slug, curve in ordered])


def make(desk: Desk, name: str, what: k.CurveIn) -> k.CurveOut:
    """Mint a curve; the same shape is the same curve."""
    program = desk.program(name)
    shape = Shape(
        **{part: value for part, value in what.model_dump().items() if part != "points"},
        points=tuple((point.x, point.y) for point in what.points),
    )
    try:
        curve = mint(desk.utility, program, shape, desk.now)
    except CurveError as error:
        raise Refusal(400, str(error), "points", "give 1 to 10 points in rising order of x") from error
    href = curve.href or ""
    slug = href.rsplit("/", 1)[1]
    if slug not in program.curves:
        desk.tree.store(href, curve, "", desk.now)
    return _seen(program, slug, curve)


def remove(desk: Desk, name: str, slug: str) -> None:
    """Take a curve out; one that a control refers to stays."""
    program = desk.program(name)
    if slug not in program.curves:
        raise unknown("curve", slug, f"GET /v1/programs/{program.slug}/curves shows all")
    href = f"{program.href}/dc/{slug}"
    if in_use(program, href):
        raise Refusal(
            409, f"curve {slug} is in use", "curve", "cancel the controls that refer to it, wait for their end"
        )
    desk.tree.remove(href, desk.now)


def _seen(program: Program, slug: str, curve: r.DERCurve) -> k.CurveOut:
    href = curve.href or ""
    return k.CurveOut(
        id=slug,
        mrid=curve.mRID,
        href=href,
        created_s=curve.creationTime,
        in_use=in_use(program, href),
        mode=_MODE_OF[curve.curveType],
        points=[k.Point(x=point.xvalue, y=point.yvalue) for point in curve.points],
        x_multiplier=curve.xMultiplier,
        y_multiplier=curve.yMultiplier,
        y_reference=curve.yRefType,
        excitation=curve.points[0].excitation,
        open_loop_tms=curve.openLoopTms,
        ramp_pt1_tms=curve.rampPT1Tms,
        v_ref=curve.vRef,
        autonomous_v_ref_enable=curve.autonomousVRefEnable,
        autonomous_v_ref_time_constant=curve.autonomousVRefTimeConstant,
        description=curve.description or "",
    )


_MODE_OF: Mapping[int, k.CurveMode] = {MODES[mode]: mode for mode in get_args(k.CurveMode)}
