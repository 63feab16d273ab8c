"""Whatever the server says validates: every URI by example, and over generated histories."""

from ieee2030_5.routes import ROUTES, match
from tests.ieee2030_5.conftest import Validate
from tests.ieee2030_5.world import CLIENTS, T0, Caller, world


def test_every_uri_of_the_table_is_reached_and_validates_for_every_kind_of_client(validate: Validate) -> None:
    tree, reached = world(), set()
    for now in (T0, T0 + 45, T0 + 100, T0 + 1_000):
        for name in CLIENTS:
            for href, body in Caller(tree, name, now).walk().items():
                validate(body)
                found = match(href)
                assert found is not None
                reached.add(found[0].template)
    assert reached == {route.template for route in ROUTES}
