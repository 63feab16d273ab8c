"""What the product is to be capable of, and by what each row is demonstrated: the words of `capabilities.yaml`.

The rows are those of the published requirements on the coordination of transmission and distribution: systems, models
and journeys, processes, capabilities by level, further requirements.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

import yaml
from pydantic import Field, TypeAdapter, model_validator

from config.section import Section

FILE: Final = Path(__file__).with_name("capabilities.yaml")
LEVELS: Final = ("systems", "models", "processes", "L1", "L2", "L3", "L4", "L5", "L6", "L7", "L8", "requirements")
"""In the order in which they are shown: L1 is the foundation of a small utility, L8 a whole DSO."""


class Target(StrEnum):
    """When a row is to be fulfilled."""

    NOW = "now"
    LATER = "later"
    OUT = "out"
    """Never by us."""


class Capability(Section):
    """One row."""

    id: str = Field(min_length=2, max_length=8, pattern=r"^[A-Z]+[A-Z0-9-]*[a-d]?$")
    level: str
    words: str = Field(min_length=3, max_length=160)
    """What it is, in short."""
    target: Target = Target.NOW
    shown_by: tuple[str, ...] = ()
    """Tests as pytest names them, scenario files and benchmarks: paths from the top of the project."""
    why_not: str = ""
    """What is missing, where nothing demonstrates it."""

    @model_validator(mode="after")
    def _shown_or_explained(self) -> "Capability":
        if self.level not in LEVELS:
            raise ValueError(f"{self.id}: level {self.level!r} is none of {', '.join(LEVELS)}")
        if bool(self.shown_by) == bool(self.why_not):
            raise ValueError(f"{self.id}: give either what it is shown by or why it is not")
        return self

    @property
    def is_shown(self) -> bool:
        """Whether something demonstrates it."""
        return bool(self.shown_by)


_ROWS: Final = TypeAdapter(tuple[Capability, ...])


def capabilities(file: Path = FILE) -> tuple[Capability, ...]:
    """All rows, in the order of the file."""
    return _ROWS.validate_python(yaml.safe_load(file.read_text(encoding="utf-8")))
