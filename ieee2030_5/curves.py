"""Curves of a program: minted once, referred to by its controls, and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from ieee2030_5 import resources as r
from ieee2030_5.call import Absent, Call, Params, own_program
from ieee2030_5.identity import short_id
from ieee2030_5.paging import paged
from ieee2030_5.utility import Program, Utility, mrid

MODES: Mapping[str, int] = {
    "opModFreqWatt": 0,
    "opModHFRTMayTrip": 1,
    "opModHFRTMustTrip": 2,
    "opModHVRTMayTrip": 3,
    "opModHVRTMomentaryCessation": 4,
    "opModHVRTMustTrip": 5,
    "opModLFRTMayTrip": 6,
    "opModLFRTMustTrip": 7,
    "opModLVRTMayTrip": 8,
    "opModLVRTMomentaryCessation": 9,
    "opModLVRTMustTrip": 10,
    "opModVoltVar": 11,
    "opModVoltWatt": 12,
    "opModWattPF": 13,
    "opModWattVar": 14,
}
"""The modes that a curve describes, with its DERCurve.curveType."""
_MOST_POINTS = 10
_REFERENCES = range(8)
"""DERCurve.yRefType."""


class CurveError(ValueError):
    """There is no such curve, or it can not be as it was asked for; the message says why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes a curve: points before the multipliers, in rising order of x."""

    mode: str
    points: Sequence[tuple[int, int]]
    x_multiplier: int = 0
    y_multiplier: int = 0
    y_reference: int = 0
    """yRefType: what percentages count from."""
    excitation: bool | None = None
    """Of every point; for curves of power factors alone."""
    open_loop_tms: int | None = None
    ramp_pt1_tms: int | None = None
    v_ref: int | None = None
    autonomous_v_ref_enable: bool | None = None
    autonomous_v_ref_time_constant: int | None = None
    description: str = ""


def mint(utility: Utility, program: Program, shape: Shape, now: int) -> r.DERCurve:
    """A curve of this program, to be stored at its href; the same shape is the same curve.

    Raises:
        CurveError: the shape is none that the schema and its devices can hold.
    """
    kind = MODES.get(shape.mode)
    if kind is None:
        raise CurveError(f"{shape.mode} takes no curve, only {', '.join(MODES)} do")
    xs = [x for x, _ in shape.points]
    if not 1 <= len(xs) <= _MOST_POINTS:
        raise CurveError(f"{len(xs)} points: a curve has 1 to {_MOST_POINTS}")
    if any(later < earlier for earlier, later in pairwise(xs)):
        raise CurveError(f"x of the points falls: {xs}")
    if shape.y_reference not in _REFERENCES:
        raise CurveError(f"yRefType {shape.y_reference} is unknown")
    name = short_id("dc", program.mrid, *(getattr(shape, item.name) for item in fields(shape)))
    known = program.curves.get(name)
    if known is not None:
        return known
    return r.DERCurve(
        href=f"{program.href}/dc/{name}",
        mRID=mrid(utility.settings, "dc", program.mrid, name),
        description=shape.description or None,
        version=0,
        autonomousVRefEnable=shape.autonomous_v_ref_enable,
        autonomousVRefTimeConstant=shape.autonomous_v_ref_time_constant,
        creationTime=now,
        points=tuple(r.CurveData(excitation=shape.excitation, xvalue=x, yvalue=y) for x, y in shape.points),
        curveType=kind,
        openLoopTms=shape.open_loop_tms,
        rampPT1Tms=shape.ramp_pt1_tms,
        vRef=shape.v_ref,
        xMultiplier=shape.x_multiplier,
        yMultiplier=shape.y_multiplier,
        yRefType=shape.y_reference,
    )


def link(program: Program, mode: str, name: str) -> r.Link:
    """What a control writes into `mode` to refer to a curve of its program.

    Raises:
        CurveError: there is no such curve, or it is one of another mode.
    """
    curve = program.curves.get(name)
    if curve is None:
        raise CurveError(f"program {program.slug} has no curve {name}")
    if curve.curveType != MODES.get(mode):
        raise CurveError(f"curve {name} has curveType {curve.curveType}, which is not that of {mode}")
    return r.Link(href=curve.href or "")


def in_use(program: Program, href: str) -> bool:
    """True while the default or an event of the program refers to a curve: until then it must stay."""
    bases = [program.default.base, *(event.base for event in program.events)]
    return any(r.Link(href=href) in (getattr(base, mode) for mode in MODES) for base in bases)


def get_list(call: Call) -> r.DERCurveList:
    """All curves of a program."""
    program = own_program(call)
    return paged(r.DERCurveList(href=f"{program.href}/dc"), [*program.curves.values()], call.page)


def get(call: Call) -> r.DERCurve:
    """One curve."""
    found = own_program(call).curves.get(call.params["k"])
    if found is None:
        raise Absent(call.path)
    return found


def keep(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold a curve; one that is there stays as it is."""
    program = utility.programs.get(params["p"])
    if program is not None and isinstance(document, r.DERCurve) and params["k"] not in program.curves:
        program.curves[params["k"]] = document
        utility.touch(program)


def drop(utility: Utility, params: Params, at_s: int) -> None:  # noqa: ARG001
    """Fold the end of a curve; one that a control refers to stays."""
    program = utility.programs.get(params["p"])
    if program is not None and not in_use(program, f"{program.href}/dc/{params['k']}"):
        program.curves.pop(params["k"], None)
        utility.touch(program)
