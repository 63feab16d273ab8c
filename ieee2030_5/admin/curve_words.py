"""What the admin API takes and gives about curves."""

from typing import Annotated, Literal

from pydantic import Field

from ieee2030_5.admin.words import Slug, Word, Word16, Word32

CurveMode = Literal[
    "opModFreqWatt",
    "opModHFRTMayTrip",
    "opModHFRTMustTrip",
    "opModHVRTMayTrip",
    "opModHVRTMomentaryCessation",
    "opModHVRTMustTrip",
    "opModLFRTMayTrip",
    "opModLFRTMustTrip",
    "opModLVRTMayTrip",
    "opModLVRTMomentaryCessation",
    "opModLVRTMustTrip",
    "opModVoltVar",
    "opModVoltWatt",
    "opModWattPF",
    "opModWattVar",
]
Number = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Power = Annotated[int, Field(ge=-9, le=9)]


class Point(Word):
    """One point of a curve, before the multipliers."""

    x: Number
    y: Number


class CurveIn(Word):
    """A curve of a program; it never changes, make another one instead."""

    mode: CurveMode
    points: Annotated[list[Point], Field(min_length=1, max_length=10)]
    """In rising order of x."""
    x_multiplier: Power = 0
    """Powers of ten, by which x and y are multiplied."""
    y_multiplier: Power = 0
    y_reference: Annotated[int, Field(ge=0, le=7)] = 0
    """yRefType: 0 not applicable, 1 percent of setMaxW, 2 of setMaxVar, 3 of statVarAvail, 4 of setEffectiveV,
    5 of setMaxChargeRateW, 6 of setMaxDischargeRateW, 7 of statWAvail."""
    excitation: bool | None = None
    """For opModWattPF: true where the power factors are over-excited."""
    open_loop_tms: Word16 | None = None
    """Hundredths of a second; so is the next one."""
    ramp_pt1_tms: Word16 | None = None
    v_ref: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Hundredths of a percent."""
    autonomous_v_ref_enable: bool | None = None
    autonomous_v_ref_time_constant: Word32 | None = None
    """Hundredths of a second."""
    description: Annotated[str, Field(max_length=31)] = ""


class CurveOut(CurveIn):
    """A curve as it is served."""

    id: Slug
    """What controls name it by."""
    mrid: str
    href: str
    created_s: int
    in_use: bool
    """A control refers to it; until none does, it cannot be removed."""


class CurveList(Word):
    """The curves of a program, the newest first."""

    curves: list[CurveOut]
