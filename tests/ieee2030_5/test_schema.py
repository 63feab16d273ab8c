"""Whatever the server says validates: every URI by example, and over generated histories."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ieee2030_5 import resources as r
from ieee2030_5.codec import Extension, render
from ieee2030_5.curves import MODES, Shape, mint
from ieee2030_5.routes import ROUTES, match
from ieee2030_5.tree import Tree
from tests.ieee2030_5.conftest import Validate
from tests.ieee2030_5.test_codec import of_class
from tests.ieee2030_5.world import CLIENTS, LIVE, T0, Caller, issue, lfdi, order, world


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


def test_every_refusal_of_every_uri_validates(validate: Validate) -> None:
    tree = world()
    caller = Caller(tree, "A")
    for href in caller.walk():
        for method, body, media in (
            ("DELETE", b"", ""),
            ("POST", b"<x/>", "text/xml"),
            ("PUT", b"<", "application/sep+xml"),
            ("GET", b"", ""),
        ):
            answer = Caller(tree, "nobody" if method == "GET" else "B").ask(method, href, body, media)
            if answer.status >= 400:
                validate(answer.body)


SENT = [r.DERCapability, r.DERSettings, r.DERStatus, r.DERAvailability, r.Configuration, r.DeviceInformation]
SENT += [r.DeviceStatus, r.PowerStatus, r.LogEvent, r.DERControlResponse, r.MirrorUsagePoint, r.MirrorMeterReading]
SENT += [r.EndDevice, r.ConnectionPoint, r.Subscription]


@st.composite
def bases(draw: st.DrawFn) -> r.DERControlBase:
    """A control of any modes but those of curves, which are put in where there is a curve."""
    base = draw(of_class(r.DERControlBase))
    return replace(base, **dict.fromkeys(MODES))


def send(tree: Tree, data: st.DataObject, now: int) -> None:
    """A client sends some document, about itself as far as it must, to a row that takes its kind."""
    name = data.draw(st.sampled_from(LIVE))
    cls = data.draw(st.sampled_from(SENT))
    document = data.draw(of_class(cls))
    subject = data.draw(st.sampled_from(sorted(tree.utility.issued)))
    mine = {"lFDI": lfdi(name), "deviceLFDI": lfdi(name), "endDeviceLFDI": lfdi(name), "subject": subject, "status": 1}
    mine |= dict.fromkeys(("readingTime", "updatedTime", "changedTime", "createdDateTime"), now)
    own = {field: value for field, value in mine.items() if getattr(document, field, None) is not None}
    document = replace(document, **(own if cls is not r.MirrorUsagePoint else {"deviceLFDI": lfdi(name)}))
    rows = [route for route in ROUTES if cls in (*(route.stores if route.put else ()), *route.takes)]
    path = data.draw(st.sampled_from(rows)).template.replace("{e}", name).replace("{p}", name)
    meters = sorted(tree.utility.meters)
    path = path.replace("{m}", data.draw(st.sampled_from(meters))) if meters else path
    caller = Caller(tree, "AGG" if name in ("M", "N") else name, now)
    for method in ("PUT", "POST"):
        assert caller.ask(method, path, render(document, aus=Extension.STORAGE)).status < 500


def control(tree: Tree, data: st.DataObject, number: int, now: int) -> None:
    """The operator or the gateway controls somebody, or takes a control back."""
    match data.draw(st.sampled_from(["lease", "order", "curve", "cancel"])):
        case "lease":
            issue(tree, data.draw(st.sampled_from(LIVE)), 4, now + data.draw(st.integers(0, 900)))
        case "order":
            spread = {part: data.draw(st.none() | st.integers(-60, 60)) for part in ("randomizeStart",)}
            order(tree, "flex", number, now + data.draw(st.integers(0, 900)), data.draw(bases()), **spread)
        case "curve":
            mode = data.draw(st.sampled_from(sorted(MODES)))
            xs = sorted(data.draw(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=10)))
            program = tree.utility.programs["club"]
            curve = mint(tree.utility, program, Shape(mode, tuple((x, -x // 2) for x in xs), -2, 1, 3), now)
            tree.store(curve.href or "", curve, "", now)
            base = replace(data.draw(bases()), **{mode: r.Link(href=curve.href or "")})
            order(tree, "club", number, now + 5, base)
        case _:
            events = [event for program in tree.utility.programs.values() for event in program.events]
            if events:
                tree.remove(data.draw(st.sampled_from(events)).href or "", now)


@pytest.mark.parametrize("seed", range(2))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_has_happened_all_that_is_said_validates(data: st.DataObject, validate: Validate, seed: int) -> None:
    """Documents of clients, controls of every mode, time, notifications: then everybody reads everything."""
    tree, now = world(), T0 + 500 * seed
    tree.notices(now)
    for number in range(10, 10 + data.draw(st.integers(1, 12))):
        if data.draw(st.integers(0, 2)):
            send(tree, data, now)
        else:
            control(tree, data, number, now)
        now += data.draw(st.integers(0, 120))
        tree.utility.advance(now)
        for notice in tree.notices(now):
            validate(render(notice.notification, aus=notice.aus))
    for name in (*CLIENTS, "C", "nobody"):
        for body in Caller(tree, name, now).walk().values():
            validate(body)
