"""The admin API as one table: method, path, what it takes, what it gives, and who does it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ieee2030_5.admin import control_words as c
from ieee2030_5.admin import controls, curves, network, people, reservations, tariffs
from ieee2030_5.admin import curve_words as k
from ieee2030_5.admin import reservation_words as f
from ieee2030_5.admin import tariff_words as t
from ieee2030_5.admin import words as w
from ieee2030_5.admin.api import Api, Do, Endpoint
from ieee2030_5.admin.desk import Desk


def _get(path: str, summary: str, gives: type[w.Word], do: Do[Desk], query: Sequence[str] = ()) -> Endpoint[Desk]:
    return Endpoint("GET", path, summary, do, gives=gives, query=query)


def _put(path: str, summary: str, takes: type[w.Word], gives: type[w.Word], do: Do[Desk]) -> Endpoint[Desk]:
    return Endpoint("PUT", path, summary, do, takes, gives)


def _delete(path: str, summary: str, do: Do[Desk]) -> Endpoint[Desk]:
    return Endpoint("DELETE", path, summary, do, status=204)


_PAGED = ("start", "limit")

ENDPOINTS: tuple[Endpoint[Desk], ...] = (
    _get("/state", "Counts of everything that is kept", w.Page, lambda d, _, __: network.summary(d)),
    _get(
        "/devices",
        "Devices and aggregators",
        w.DeviceList,
        lambda d, a, _: people.listed(d, a.start, a.limit),
        _PAGED,
    ),
    Endpoint(
        "POST",
        "/devices",
        "Register many devices at once: all of them, or none",
        lambda d, _, b: people.register_all(d, b),
        w.DevicesIn,
        w.Count,
    ),
    _get(
        "/devices/{device}",
        "One device or aggregator",
        w.DeviceOut,
        lambda d, a, _: people.seen(d, d.device(a.names["device"])),
    ),
    _put(
        "/devices/{device}",
        "Register a device, or change what is known about it",
        w.DeviceIn,
        w.DeviceOut,
        lambda d, a, b: people.register(d, a.names["device"], b),
    ),
    _delete(
        "/devices/{device}",
        "Forget a device or an aggregator and everything below it",
        lambda d, a, _: people.remove(d, a.names["device"]),
    ),
    _put(
        "/devices/{device}/pin",
        "Set a registration PIN",
        w.PinIn,
        w.DeviceOut,
        lambda d, a, b: people.set_pin(d, a.names["device"], b),
    ),
    _put(
        "/devices/{device}/registration",
        "Register a known device, or end its registration",
        w.RegistrationIn,
        w.DeviceOut,
        lambda d, a, b: people.set_registration(d, a.names["device"], b),
    ),
    _put(
        "/devices/{device}/groups",
        "Put a device into groups",
        w.GroupsIn,
        w.DeviceOut,
        lambda d, a, b: people.set_groups(d, a.names["device"], b),
    ),
    _put(
        "/devices/{device}/assignments/{assignment}",
        "Give a device a FunctionSetAssignments",
        w.AssignmentIn,
        w.DeviceOut,
        lambda d, a, b: network.put_device_assignment(d, a.names["device"], a.names["assignment"], b),
    ),
    _delete(
        "/devices/{device}/assignments/{assignment}",
        "Take a FunctionSetAssignments from a device",
        lambda d, a, _: network.remove_device_assignment(d, a.names["device"], a.names["assignment"]),
    ),
    _get(
        "/devices/{device}/reservations",
        "What a device asks for in advance, and what it gets",
        f.ReservationList,
        lambda d, a, _: reservations.listed(d, a.names["device"]),
    ),
    _put(
        "/devices/{device}/reservations/{reservation}",
        "Grant a flow reservation, or a part of it",
        f.GrantIn,
        f.ReservationOut,
        lambda d, a, b: reservations.grant(d, a.names["device"], a.names["reservation"], b),
    ),
    _delete(
        "/devices/{device}/reservations/{reservation}",
        "Take the grant of a flow reservation back",
        lambda d, a, _: reservations.cancel(d, a.names["device"], a.names["reservation"]),
    ),
    _put(
        "/aggregators/{aggregator}",
        "Register an aggregator, or change what is known about it",
        w.AggregatorIn,
        w.DeviceOut,
        lambda d, a, b: people.register_aggregator(d, a.names["aggregator"], b),
    ),
    Endpoint(
        "PUT",
        "/aggregators/{aggregator}/members/{device}",
        "Let an aggregator speak for a device",
        lambda d, a, _: people.add_member(d, a.names["aggregator"], a.names["device"]),
        gives=w.DeviceOut,
    ),
    _delete(
        "/aggregators/{aggregator}/members/{device}",
        "Let an aggregator speak for a device no more",
        lambda d, a, _: people.remove_member(d, a.names["aggregator"], a.names["device"]),
    ),
    _get("/groups", "Groups of devices", w.GroupList, lambda d, _, __: network.groups(d)),
    _get("/groups/{group}", "One group", w.GroupOut, lambda d, a, _: network.group(d, a.names["group"])),
    _put(
        "/groups/{group}",
        "Make a group, or change what it is and where it hangs",
        w.GroupIn,
        w.GroupOut,
        lambda d, a, b: network.put_group(d, a.names["group"], b),
    ),
    _delete(
        "/groups/{group}",
        "Take a group out with its programs",
        lambda d, a, _: network.remove_group(d, a.names["group"]),
    ),
    _put(
        "/groups/{group}/assignments/{assignment}",
        "Give everybody in a group a FunctionSetAssignments",
        w.AssignmentIn,
        w.GroupOut,
        lambda d, a, b: network.put_group_assignment(d, a.names["group"], a.names["assignment"], b),
    ),
    _delete(
        "/groups/{group}/assignments/{assignment}",
        "Take a FunctionSetAssignments from a group",
        lambda d, a, _: network.remove_group_assignment(d, a.names["group"], a.names["assignment"]),
    ),
    _get(
        "/programs",
        "DERPrograms",
        w.ProgramList,
        lambda d, a, _: network.programs(d, a.start, a.limit),
        _PAGED,
    ),
    _get("/programs/{program}", "One DERProgram", w.ProgramOut, lambda d, a, _: network.program(d, a.names["program"])),
    _put(
        "/programs/{program}",
        "Make a DERProgram, or change primacy, description and assignment",
        w.ProgramIn,
        w.ProgramOut,
        lambda d, a, b: network.put_program(d, a.names["program"], b),
    ),
    _delete(
        "/programs/{program}",
        "Take a DERProgram out with its events",
        lambda d, a, _: network.remove_program(d, a.names["program"]),
    ),
    _get(
        "/programs/{program}/default",
        "The DefaultDERControl of a program",
        c.DefaultOut,
        lambda d, a, _: controls.default(d, a.names["program"]),
    ),
    _put(
        "/programs/{program}/default",
        "Replace the DefaultDERControl of a program",
        c.DefaultIn,
        c.DefaultOut,
        lambda d, a, b: controls.set_default(d, a.names["program"], b),
    ),
    _get(
        "/programs/{program}/controls",
        "The events of a program that have not ended",
        c.ControlList,
        lambda d, a, _: controls.listed(d, a.names["program"]),
    ),
    Endpoint(
        "POST",
        "/programs/{program}/controls",
        "Issue a control",
        lambda d, a, b: controls.issue(d, a.names["program"], b),
        c.ControlIn,
        c.ControlOut,
        201,
    ),
    Endpoint(
        "POST",
        "/programs/{program}/clear",
        "Cancel every live control of a program",
        lambda d, a, _: controls.clear(d, a.names["program"]),
        gives=w.Count,
    ),
    _get(
        "/programs/{program}/curves",
        "The curves of a program",
        k.CurveList,
        lambda d, a, _: curves.listed(d, a.names["program"]),
    ),
    Endpoint(
        "POST",
        "/programs/{program}/curves",
        "Make a curve; the same shape is the same curve",
        lambda d, a, b: curves.make(d, a.names["program"], b),
        k.CurveIn,
        k.CurveOut,
        201,
    ),
    _delete(
        "/programs/{program}/curves/{curve}",
        "Take a curve out that no control refers to",
        lambda d, a, _: curves.remove(d, a.names["program"], a.names["curve"]),
    ),
    _get(
        "/controls/{control}", "One control, by mRID", c.ControlOut, lambda d, a, _: controls.one(d, a.names["control"])
    ),
    Endpoint(
        "POST",
        "/controls/{control}/cancel",
        "Cancel a control; it stays listed to its end",
        lambda d, a, _: controls.cancel(d, a.names["control"]),
        gives=c.ControlOut,
    ),
    Endpoint(
        "POST",
        "/controls/{control}/supersede",
        "Issue a control in the place of another one",
        lambda d, a, b: controls.supersede(d, a.names["control"], b),
        c.ControlIn,
        c.ControlOut,
        201,
    ),
    _get(
        "/controls/{control}/answers",
        "Who has to answer a control, and who has not",
        c.AnswersOut,
        lambda d, a, _: controls.answers(d, a.names["control"]),
    ),
    _get("/tariffs", "Tariffs and their prices", t.TariffList, lambda d, _, __: tariffs.listed(d)),
    _put(
        "/tariffs/{tariff}",
        "Make a tariff of a group, or change what is said about it",
        t.TariffIn,
        t.TariffOut,
        lambda d, a, b: tariffs.put(d, a.names["tariff"], b),
    ),
    _delete(
        "/tariffs/{tariff}",
        "Take a tariff out with its prices",
        lambda d, a, _: tariffs.remove(d, a.names["tariff"]),
    ),
    Endpoint(
        "POST",
        "/tariffs/{tariff}/prices",
        "Give an interval a price",
        lambda d, a, b: tariffs.price(d, a.names["tariff"], b),
        t.PriceIn,
        t.TariffOut,
        201,
    ),
    _delete(
        "/tariffs/{tariff}/prices/{price}",
        "Take a price back; it stays listed as cancelled to its end",
        lambda d, a, _: tariffs.take_back(d, a.names["tariff"], a.names["price"]),
    ),
    _get("/rates", "Poll and post rates", w.Rates, lambda d, _, __: network.rates(d)),
    _put(
        "/rates/poll/{kind}",
        "Set the poll rate of a kind of resource",
        w.RateIn,
        w.Rates,
        lambda d, a, b: network.set_poll_rate(d, a.names["kind"], b),
    ),
    _delete(
        "/rates/poll/{kind}",
        "Go back to the default poll rate",
        lambda d, a, _: network.reset_poll_rate(d, a.names["kind"]),
    ),
    _put(
        "/rates/post/{kind}",
        "Set the post rate of a kind of resource",
        w.RateIn,
        w.Rates,
        lambda d, a, b: network.set_post_rate(d, a.names["kind"], b),
    ),
    _delete(
        "/rates/post/{kind}",
        "Go back to the post rate that clients propose",
        lambda d, a, _: network.reset_post_rate(d, a.names["kind"]),
    ),
    _get("/access", "Clients that are denied, or admitted for a time", w.AccessList, lambda d, _, __: people.access(d)),
    _put(
        "/access/{lfdi}",
        "Admit or deny a client by its certificate",
        w.AccessIn,
        w.AccessOut,
        lambda d, a, b: people.set_access(d, a.names["lfdi"], b),
    ),
    _delete("/access/{lfdi}", "Admit a client as any other", lambda d, a, _: people.reset_access(d, a.names["lfdi"])),
    _get("/meters", "Mirrored meters", w.MeterList, lambda d, _, __: people.meters(d)),
    Endpoint(
        "POST",
        "/meters/clear",
        "Forget all mirrored meters, or those of one client",
        lambda d, a, _: people.clear_meters(d, a.device),
        gives=w.Count,
        query=("device",),
    ),
)

NAMES: Final[Mapping[str, Any]] = {
    "device": w.Name,
    "aggregator": w.Name,
    "group": w.Name,
    "assignment": w.Slug,
    "program": w.Name,
    "control": c.MRID,
    "curve": w.Slug,
    "reservation": w.Slug,
    "tariff": w.Slug,
    "price": w.Slug,
    "lfdi": w.Lfdi,
    "kind": w.Slug,
}
"""Types of the variable parts of a path."""

ADMIN: Final = Api("Ampacity: operating the IEEE 2030.5 server", ENDPOINTS, NAMES)
