"""What a scenario can say of meters, money and disputes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.section import Identifier, Section
from gateway.scenarios.wanted import Moment, Number


class MeterImport(Section):
    """Our own meter of a resource is read."""

    resource: Identifier
    energies_mwh: tuple[Number | None, ...]
    """One per interval; positive for injection; null where the meter said nothing."""
    start_s: Moment = 0
    length_min: Annotated[float, Field(gt=0)] = 5


class Dispute(Section):
    """A party contests its newest statement."""

    party: Identifier
    dispute_id: Identifier
    claim: str = "our meter says otherwise"


class ResolveDispute(Section):
    """The DSO's operator ends a dispute."""

    id: Identifier
    meter: Literal["LDC", "MP"] = "MP"
    """Whose meter is right."""
    reason: str = "by the scenario"


class Charge(Section):
    """The system operator charges the DSO for what was missing (total DSO)."""

    ref: Identifier
    """The dispatch."""
    amount: Number


class Settlement(Section):
    """What was asked of a resource comes to when it is settled, summed over everything that is measured by then."""

    resource: Identifier | None = None
    ref: Identifier | None = None
    """One order, instruction or dispatch of it; all of them where absent."""
    paid: Number | None = None
    """Dollars for what was delivered, emergencies included."""
    penalty: Number | None = None
    availability: Number | None = None
    compensation: Number | None = None
    """For what limits took from a firm connection."""
    charged: Number | None = None
    """Of the system operator's charges (total DSO)."""
    net: Number | None = None
    """What its owner receives in all."""
    expected_mwh: Number | None = None
    delivered_mwh: Number | None = None
    short_mwh: Number | None = None
    curtailed_mwh: Number | None = None
    excused_by: str | None = None
    """A limit or emergency whose id begins so excuses something."""
    intervals: Annotated[int, Field(ge=0)] | None = None
    tolerance_money: Annotated[float, Field(ge=0)] = 0.01
    tolerance_mwh: Annotated[float, Field(ge=0)] = 0.001

    @model_validator(mode="after")
    def _about(self) -> "Settlement":
        if self.resource is None and self.ref is None:
            raise ValueError("name the `resource`, the `ref` of an order or dispatch, or both")
        return self


class StatementCheck(Section):
    """The newest statement of a party."""

    party: Identifier
    net: Number | None = None
    version: Annotated[int, Field(ge=1)] | None = None
    versions_net: tuple[Number, ...] | None = None
    """Of every version that is kept, in their order."""
    tolerance_money: Annotated[float, Field(ge=0)] = 0.01
