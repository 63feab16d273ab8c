"""The resource tree as one table: every URI, who may know of it, and what each method does."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ieee2030_5 import curves, end_devices, entry, metering, programs, reservations, subscriptions, tariffs, usage
from ieee2030_5 import resources as r
from ieee2030_5.call import Call, Kept, Params, anyone, expected, own_device, own_meter, own_program, registered
from ieee2030_5.utility import Utility

Get = Callable[[Call], r.Resource]
Write = Callable[[Call, r.Resource], Kept]
Fold = Callable[[Utility, Params, r.Resource, str, int], None]
Drop = Callable[[Utility, Params, int], None]
Types = tuple[type[r.Resource], ...]


@dataclass(frozen=True)
class Route:
    """One row: a URI template, who may know of it, and what each method does.

    A write answers what to keep and at which URI; the row of that URI folds it (`keep`, `drop`), now
    and again after a restart. A row without `put` or `post` answers those methods with 405.
    """

    template: str
    visible: Callable[[Call], object]
    """Raises `Absent` for a client that may not know of the resource."""
    get: Get
    stores: Types = ()
    """Documents that can be kept here."""
    put: Write | None = None
    delete: bool = False
    keep: Fold | None = None
    drop: Drop | None = None
    takes: Types = ()
    """Documents that can be posted here."""
    post: Write | None = None
    revision: Callable[[Call], Hashable] | None = None
    """Where given, the rendered answer is reused while this stays the same."""
    variant: Callable[[Call], Hashable] | None = None
    """What makes the answer differ between clients, besides their dialect; where absent, they share it."""
    tells: bool = False
    """Clients may subscribe to it."""

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """For the Allow header."""
        extra = (("PUT", self.put is not None), ("POST", self.post is not None), ("DELETE", self.delete))
        return ("GET", "HEAD", *(name for name, there in extra if there))


def _der_document(name: str, cls: type[r.Resource]) -> Route:
    return _device_document(f"der/1/{name}", cls, end_devices.own_der)


def _device_document(name: str, cls: type[r.Resource], visible: Callable[[Call], object] = own_device) -> Route:
    return Route(
        f"/edev/{{e}}/{name}",
        visible,
        end_devices.get_document,
        stores=(cls,),
        put=end_devices.put_document,
        keep=end_devices.keep_document,
        revision=end_devices.revision,
        tells=True,
    )


_E, _P, _T = end_devices.revision, programs.revision, tariffs.revision


def _layout(call: Call) -> int:
    return call.utility.layout


def _client(call: Call) -> str:
    return call.principal.lfdi


ROUTES: tuple[Route, ...] = (
    Route("/dcap", anyone, entry.device_capability, revision=_layout, variant=entry.counts),
    Route("/tm", expected, entry.time, revision=entry.second),
    Route("/sdev", registered, entry.self_device, revision=_layout),
    Route("/sdev/di", registered, entry.self_information, revision=_layout),
    Route(
        "/edev",
        anyone,
        end_devices.get_list,
        takes=(r.EndDevice,),
        post=end_devices.register,
        revision=end_devices.list_revision,
        variant=_client,
        tells=True,
    ),
    Route(
        "/edev/{e}",
        own_device,
        end_devices.get,
        stores=(r.EndDevice,),
        put=end_devices.put,
        delete=True,
        keep=end_devices.keep,
        drop=end_devices.drop,
        revision=_E,
        tells=True,
    ),
    Route(
        "/edev/{e}/rg",
        end_devices.registration,
        end_devices.registration,
        stores=(r.Registration,),
        put=end_devices.put_registration,
    ),
    Route(
        "/edev/{e}/cp",
        end_devices.connection_point,
        end_devices.connection_point,
        stores=(r.ConnectionPoint,),
        put=end_devices.put_connection_point,
        keep=end_devices.keep_document,
    ),
    Route("/edev/{e}/fsa", end_devices.own_der, end_devices.assignments, revision=_E, variant=_client, tells=True),
    Route(
        "/edev/{e}/fsa/{f}",
        end_devices.assignment,
        end_devices.assignment,
        revision=_E,
        variant=_client,
        tells=True,
    ),
    Route(
        "/edev/{e}/fsa/{f}/derp",
        end_devices.assignment,
        programs.of_assignment,
        revision=programs.device_list_revision,
        tells=True,
    ),
    Route("/edev/{e}/der", end_devices.own_der, end_devices.ders, revision=_E),
    Route("/edev/{e}/der/1", end_devices.own_der, end_devices.der, revision=_E),
    Route("/edev/{e}/der/1/derp", end_devices.own_der, programs.of_device, revision=programs.device_list_revision),
    Route("/edev/{e}/der/1/cdp", end_devices.own_der, programs.current),
    _device_document("cfg", r.Configuration),
    _device_document("di", r.DeviceInformation),
    _device_document("dstat", r.DeviceStatus),
    _device_document("ps", r.PowerStatus),
    _der_document("dercap", r.DERCapability),
    _der_document("derg", r.DERSettings),
    _der_document("ders", r.DERStatus),
    _der_document("dera", r.DERAvailability),
    Route(
        "/edev/{e}/lel",
        own_device,
        end_devices.logs,
        takes=(r.LogEvent,),
        post=end_devices.post_log,
        revision=_E,
        tells=True,
    ),
    Route(
        "/edev/{e}/lel/{l}",
        end_devices.log,
        end_devices.log,
        stores=(r.LogEvent,),
        delete=True,
        keep=end_devices.keep_log,
        drop=end_devices.drop_log,
    ),
    Route(
        "/edev/{e}/frq",
        end_devices.own_der,
        reservations.requests,
        takes=(r.FlowReservationRequest,),
        post=reservations.post,
        revision=_E,
    ),
    Route(
        "/edev/{e}/frq/{q}",
        reservations.request,
        reservations.request,
        stores=(r.FlowReservationRequest,),
        put=reservations.put,
        keep=reservations.keep_request,
        revision=_E,
    ),
    Route("/edev/{e}/frp", end_devices.own_der, reservations.grants, revision=_E, tells=True),
    Route(
        "/edev/{e}/frp/{q}",
        reservations.grant,
        reservations.grant,
        stores=(r.FlowReservationResponse,),
        keep=reservations.keep_grant,
        drop=reservations.drop_grant,
        revision=_E,
    ),
    Route(
        "/edev/{e}/sub",
        subscriptions.get_list,
        subscriptions.get_list,
        takes=(r.Subscription,),
        post=subscriptions.post,
    ),
    Route(
        "/edev/{e}/sub/{s}",
        subscriptions.get,
        subscriptions.get,
        stores=(r.Subscription,),
        put=subscriptions.put,
        delete=True,
        keep=subscriptions.keep,
        drop=subscriptions.drop,
    ),
    Route("/derp", registered, programs.get_list, revision=programs.list_revision, variant=_client, tells=True),
    Route("/derp/{p}", own_program, programs.get, revision=_P, tells=True),
    Route(
        "/derp/{p}/dderc",
        own_program,
        programs.default,
        stores=(r.DefaultDERControl,),
        keep=programs.keep_default,
        revision=_P,
        tells=True,
    ),
    Route("/derp/{p}/derc", own_program, programs.controls, revision=_P, tells=True),
    Route("/derp/{p}/actderc", own_program, programs.active_controls, revision=_P, tells=True),
    Route(
        "/derp/{p}/derc/{c}",
        programs.control,
        programs.control,
        stores=(r.DERControl,),
        keep=programs.keep_control,
        drop=programs.drop_control,
        revision=_P,
    ),
    Route("/derp/{p}/dc", own_program, curves.get_list, revision=_P),
    Route(
        "/derp/{p}/dc/{k}",
        curves.get,
        curves.get,
        stores=(r.DERCurve,),
        keep=curves.keep,
        drop=curves.drop,
        revision=_P,
    ),
    Route("/rsps", registered, programs.response_sets),
    Route("/rsps/{p}", own_program, programs.response_set),
    Route(
        "/rsps/{p}/rsp",
        own_program,
        programs.responses,
        takes=(r.DERControlResponse, r.Response),
        post=programs.post_response,
    ),
    Route(
        "/rsps/{p}/rsp/{x}",
        programs.response,
        programs.response,
        stores=(r.DERControlResponse, r.Response),
        keep=programs.keep_response,
    ),
    Route("/mup", expected, metering.get_list, takes=(r.MirrorUsagePoint,), post=metering.post),
    Route(
        "/mup/{m}",
        own_meter,
        metering.get,
        stores=(r.MirrorUsagePoint,),
        put=metering.put,
        delete=True,
        keep=metering.keep,
        drop=metering.drop,
        takes=(r.MirrorMeterReading, r.MirrorMeterReadingList),
        post=metering.post_readings,
    ),
    Route("/tp", registered, tariffs.get_list, revision=_layout, variant=_client, tells=True),
    Route("/tp/{t}", tariffs.own_tariff, tariffs.get, revision=_T),
    Route("/tp/{t}/rc", tariffs.own_tariff, tariffs.components, revision=_T),
    Route("/tp/{t}/rc/1", tariffs.own_tariff, tariffs.component, revision=_T),
    Route("/tp/{t}/rc/1/rt", tariffs.own_tariff, tariffs.reading_type, revision=_T),
    Route("/tp/{t}/rc/1/tti", tariffs.own_tariff, tariffs.intervals, revision=_T, tells=True),
    Route("/tp/{t}/rc/1/acttti", tariffs.own_tariff, tariffs.active_intervals, revision=_T, tells=True),
    Route(
        "/tp/{t}/rc/1/tti/{i}",
        tariffs.interval,
        tariffs.interval,
        stores=(r.TimeTariffInterval,),
        keep=tariffs.keep,
        drop=tariffs.drop,
        revision=_T,
    ),
    Route("/tp/{t}/rc/1/tti/{i}/cti", tariffs.interval, tariffs.blocks, revision=_T),
    Route(
        "/tp/{t}/rc/1/tti/{i}/cti/{n}",
        tariffs.block,
        tariffs.block,
        stores=(r.ConsumptionTariffInterval,),
        keep=tariffs.keep_block,
        revision=_T,
    ),
    Route("/upt", registered, usage.get_list, revision=usage.revision, variant=_client, tells=True),
    Route("/upt/{m}", own_meter, usage.get),
    Route("/upt/{m}/mr", own_meter, usage.meter_readings, revision=usage.revision, tells=True),
    Route("/upt/{m}/mr/{r}", usage.meter_reading, usage.meter_reading),
    Route("/upt/{m}/mr/{r}/rt", usage.meter_reading, usage.reading_type),
    Route("/upt/{m}/mr/{r}/r", usage.meter_reading, usage.reading, revision=usage.revision, tells=True),
    Route("/upt/{m}/mr/{r}/rs", usage.meter_reading, usage.reading_sets, revision=usage.revision, tells=True),
    Route("/upt/{m}/mr/{r}/rs/{s}", usage.reading_set, usage.reading_set),
    Route("/upt/{m}/mr/{r}/rs/{s}/r", usage.reading_set, usage.readings, revision=usage.revision, tells=True),
    Route("/upt/{m}/mr/{r}/rs/{s}/r/{x}", usage.one_reading, usage.one_reading),
)
"""Every URI. What is not here is 404: function sets that we do not serve, and whatever else is asked for."""


def match(path: str) -> tuple[Route, Params] | None:
    """The row of a path and the variable parts in it."""
    return _remembered(path) if len(path) <= _LONGEST else _search(path)


def _search(path: str) -> tuple[Route, Params] | None:
    segments = path.split("/")
    for route, parts in _BY_LENGTH.get(len(segments), ()):
        if all(
            part == segment or (part[0:1] == "{" and segment) for part, segment in zip(parts, segments, strict=True)
        ):
            named = zip(parts, segments, strict=True)
            return route, {part[1:-1]: segment for part, segment in named if part[0:1] == "{"}
    return None


_BY_LENGTH: Mapping[int, Sequence[tuple[Route, list[str]]]] = {
    length: [(route, route.template.split("/")) for route in ROUTES if route.template.count("/") + 1 == length]
    for length in range(2, 11)
}
_LONGEST = 64
"""Paths that we hand out are shorter; longer ones are not remembered."""
_remembered = lru_cache(maxsize=16_384)(_search)
