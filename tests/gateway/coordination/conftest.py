"""For plays of hours in which nobody reads the log."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def unheard() -> Iterator[None]:
    """Nothing is logged."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    yield
    structlog.reset_defaults()
