"""What every part of the zone file is made of: its base, and the types of its values."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Megawatt = Annotated[float, Field(ge=-10_000, le=10_000, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=366 * 86_400, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Identifier = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]
TcpPort = Annotated[int, Field(ge=1, le=65_535)]


class Section(BaseModel):
    """A part of the zone file: unknown keys are faults, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
