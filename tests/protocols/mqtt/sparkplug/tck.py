"""Names a test by the assertions of the Sparkplug 3.0 specification that it shows."""

import pytest


def tck(*assertions: str) -> pytest.MarkDecorator:
    """Run the test once under each name; `assertion` is an argument of it."""
    names = [f"tck-id-{assertion}" for assertion in assertions]
    return pytest.mark.parametrize("assertion", names)
