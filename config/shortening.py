"""A market run faster than life: every deadline divided, ramps and the day multiplied by `clocks.shorten_by`."""

from typing import TypeVar

from config.market import Adms, Operable
from config.section import Section
from config.settings import Clocks, Device, Network, ZoneFile


def shortened(zone: ZoneFile) -> ZoneFile:
    """The zone with its clocks, leases, release time, ramps and day shortened, and `shorten_by` back at 1.

    Polling, time-outs and energy contents stay: they belong to devices, not to the market.
    """
    factor = zone.clocks.shorten_by
    if factor == 1:
        return zone
    return zone.model_copy(
        update={
            "clocks": _shortened_clocks(zone.clocks, factor),
            "network": _shortened_day(zone.network, factor),
            "market": _shortened_times(zone.market, factor),
            "settlement": _shortened_times(zone.settlement, factor),
            "adms": None if zone.adms is None else _shortened_adms(zone.adms, factor),
            "interfaces": {name: _shortened_times(one, factor) for name, one in zone.interfaces.items()},
            "approval": _shortened_times(zone.approval, factor),
            "limits": zone.limits.model_copy(update={"release_s": zone.limits.release_s / factor}),
            "devices": {name: _shortened_device(device, factor) for name, device in zone.devices.items()},
        }
    )


_Timed = TypeVar("_Timed", bound=Section)


def _shortened_times(section: _Timed, factor: float, skip: tuple[str, ...] = ()) -> _Timed:
    """A section with every time in it divided."""
    names = [name for name in type(section).model_fields if name.endswith("_s") and name not in skip]
    return section.model_copy(update={name: getattr(section, name) / factor for name in names})


def _shortened_adms(adms: Adms, factor: float) -> Adms:
    """An interval holds so much less energy: a MWh counts as much more against what an operation costs."""
    shorter = _shortened_times(adms, factor, skip=("confirm_s",))
    energy = {name: factor * getattr(adms, name) for name in ("curtailment_per_mwh", "loss_per_mwh")}
    devices = {
        kind: {name: _shortened_duty(device, factor) for name, device in getattr(adms, kind).items()}
        for kind in ("tap_changers", "capacitors", "switches")
    }
    return shorter.model_copy(update={**energy, **devices})


def _shortened_duty(device: Operable, factor: float) -> Operable:
    most = device.max_ops_per_hour
    often = {"max_ops_per_hour": None if most is None else round(factor * most)}
    return device.model_copy(update={**often, "min_dwell_s": device.min_dwell_s / factor})


def _shortened_clocks(clocks: Clocks, factor: float) -> Clocks:
    times = {name: getattr(clocks, name) / factor for name in Clocks.model_fields if name.endswith("_s")}
    return clocks.model_copy(update={**times, "shorten_by": 1.0})


def _shortened_day(network: Network, factor: float) -> Network:
    if network.day is None:
        return network
    return network.model_copy(update={"day": network.day.model_copy(update={"speed": network.day.speed * factor})})


def _shortened_device(device: Device, factor: float) -> Device:
    ramp = device.nameplate.ramp_mw_per_min
    nameplate = device.nameplate.model_copy(
        update={"ramp_mw_per_min": None if ramp is None else ramp * factor},
    )
    return device.model_copy(update={"lease_s": device.lease_s / factor, "nameplate": nameplate})
