"""Controls in the admin API: modes by the schema's names, powers in W and var, shares in percent."""

from typing import Annotated

from pydantic import Field

from ieee2030_5.admin.words import (
    FixedVar,
    FreqDroop,
    Hour,
    Limit,
    PowerFactor,
    Seconds,
    Share,
    Signed16,
    SignedShare,
    Slug,
    Text,
    Watts,
    Word,
    Word16,
    Word32,
)

MRID = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{32}$")]


class Modes(Word):
    """What a control asks for; a mode that is left out is not driven. Curves are named by their id in the program."""

    opModConnect: bool | None = None
    opModEnergize: bool | None = None
    opModFixedPFAbsorbW: PowerFactor | None = None
    opModFixedPFInjectW: PowerFactor | None = None
    opModFixedVar: FixedVar | None = None
    opModFixedW: SignedShare | None = None
    """Percent of setMaxW, negative of setMaxChargeRateW."""
    opModFreqDroop: FreqDroop | None = None
    opModFreqWatt: Slug | None = None
    opModHFRTMayTrip: Slug | None = None
    opModHFRTMustTrip: Slug | None = None
    opModHVRTMayTrip: Slug | None = None
    opModHVRTMomentaryCessation: Slug | None = None
    opModHVRTMustTrip: Slug | None = None
    opModLFRTMayTrip: Slug | None = None
    opModLFRTMustTrip: Slug | None = None
    opModLVRTMayTrip: Slug | None = None
    opModLVRTMomentaryCessation: Slug | None = None
    opModLVRTMustTrip: Slug | None = None
    opModMaxLimW: Share | None = None
    """Percent of setMaxW."""
    opModTargetVar: Watts | None = None
    """var."""
    opModTargetW: Watts | None = None
    """W."""
    opModVoltVar: Slug | None = None
    opModVoltWatt: Slug | None = None
    opModWattPF: Slug | None = None
    opModWattVar: Slug | None = None
    rampTms: Word16 | None = None
    """Hundredths of a second."""
    opModImpLimW: Limit | None = None
    """W at the connection point, CSIP-AUS; so are the next three."""
    opModExpLimW: Limit | None = None
    opModGenLimW: Limit | None = None
    opModLoadLimW: Limit | None = None
    opModStorageTargetW: Watts | None = None
    """W of the storage of a device, positive for discharge; CSIP-AUS 1.3."""


class ControlIn(Word):
    """An event of a program."""

    modes: Modes
    start_s: Seconds | None = None
    """Unix seconds UTC; left out: now. May lie in the past while the end does not."""
    duration_s: Annotated[int, Field(ge=1, le=2**32 - 1)]
    randomize_start_s: Hour | None = None
    randomize_duration_s: Hour | None = None
    response_required: Annotated[int, Field(ge=0, le=7)] = 3
    """Bits: 1 received, 2 started, completed and the like, 4 answers of a customer."""
    device_category: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{1,8}$")] | None = None
    description: Text = "Operator"


class ControlOut(Word):
    """An event and what has become of it."""

    mrid: str
    href: str
    program: str
    primacy: int
    status: str
    potentially_superseded: bool
    created_s: int
    start_s: int
    duration_s: int
    randomize_start_s: int | None
    randomize_duration_s: int | None
    modes: Modes
    description: str | None
    by_gateway: bool


class ControlList(Word):
    """Events that have not ended, also cancelled ones, by start."""

    controls: list[ControlOut]


class DefaultIn(Word):
    """The DefaultDERControl of a program: what holds while no event does."""

    modes: Modes = Modes()
    setESDelay: Word32 | None = None
    setESHighFreq: Word16 | None = None
    setESHighVolt: Signed16 | None = None
    setESLowFreq: Word16 | None = None
    setESLowVolt: Signed16 | None = None
    setESRampTms: Word32 | None = None
    setESRandomDelay: Word32 | None = None
    setGradW: Word16 | None = None
    """Hundredths of a percent of setMaxW per second."""
    setSoftGradW: Word16 | None = None


class DefaultOut(DefaultIn):
    """The same with its identity."""

    mrid: str
    href: str
    version: int


class AnswerOut(Word):
    """The last answer of one device to one event."""

    lfdi: str
    device: str
    status: int | None
    """Response.status; nothing has come where absent."""
    meaning: str
    at_s: int | None


class AnswersOut(Word):
    """Who has to answer an event, and who has not."""

    mrid: str
    program: str
    expected: int
    waiting: list[AnswerOut]
    """Devices that have answered nothing."""
    answered: list[AnswerOut]
