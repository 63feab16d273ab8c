"""What a scenario can say of forecasts from outside."""

from typing import Annotated

from pydantic import Field

from config.section import Identifier, Section
from gateway.scenarios.wanted import Moment, Number


class Forecast(Section):
    """A source issues a forecast, as `ampacity forecast import` takes it."""

    values: Annotated[dict[Identifier, tuple[Number, ...]], Field(min_length=1)]
    """MW injected by a device, MW consumed by a load of the network, or the factor `load` on every load; per step."""
    source: Identifier = "forecaster"
    start_s: Moment = 0
    step_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Length of each step; the market's interval where absent."""
    issued_s: Moment | None = None
    """When it was made; now where absent."""
