"""What all tests share: a quiet log, so that a failing test shows its own words."""

import pytest
import structlog


@pytest.fixture(autouse=True)
def _quiet_log() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("info"))
