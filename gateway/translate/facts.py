"""The facts that decisions stand on: resources, ratings, clocks and rules, in SI units."""

import hashlib

from config import units
from config.settings import Asset, Clocks, Device, LimitPolicy, Nameplate, Station, ZoneFile
from gateway.coordination import zone as facts
from gateway.translate import market
from gateway.translate.agreements import agreements
from gateway.translate.daily import capacitors, daily, observed
from gateway.translate.points import point_of
from grid_engine.results import Connection, Policy, Preexisting, Rating
from protocols.signals import Bounds

SPLIT = "s1s2"
"""Phases of a split-phase service."""


def zone_facts(zone: ZoneFile, begun_s: float) -> facts.ZoneFacts:
    """What decisions stand on; forecasts of the file begin with the interval after `begun_s`."""
    clocks = _clocks(zone.clocks)
    first_s = clocks.interval_start(begun_s) + clocks.interval_s
    parties = {party: facts.Role(p.role) for party, p in zone.parties.items()}
    return facts.ZoneFacts(
        id=zone.zone.id,
        model=facts.DsoModel(zone.zone.dso_model.value),
        model_version=zone.network.version,
        resources={name: _resource(name, device, clocks, first_s) for name, device in zone.devices.items()},
        parties=parties,
        agreements=agreements(zone),
        load_scale=facts.Forecast(first_s, clocks.interval_s, zone.network.load_scale),
        daily=daily(zone.network),
        forecast_oldest_s=zone.network.forecast_valid_s,
        forecast_id=_issue(zone, first_s),
        forecast_model="zone file" if zone.network.day is None else "day of customers",
        capacitors=capacitors(zone),
        observed=observed(zone),
        contingencies=zone.network.contingencies,
        ratings={name: _rating(asset) for name, asset in zone.assets.items()},
        clocks=clocks,
        limits=_limits(zone.limits),
        market=market.rules(zone),
        settlement=market.settlement(zone),
        room=market.control_room(zone),
        around=market.neighbourhood(zone),
        approval=market.approval(zone),
    )


def _issue(zone: ZoneFile, first_s: float) -> str:
    """Names what the zone expects, so that a study can be traced to it: zone, first interval, digest."""
    expected = (zone.network.load_scale, zone.network.day, [device.forecast_mw for device in zone.devices.values()])
    digest = hashlib.sha256(repr(expected).encode()).hexdigest()[:12]
    return f"{zone.zone.id}-{first_s:.0f}-{digest}"


def _clocks(clocks: Clocks) -> facts.Clocks:
    return facts.Clocks(
        interval_s=clocks.interval_s,
        tick_s=clocks.tick_s,
        look_ahead_intervals=clocks.look_ahead_intervals,
        impact_check_s=clocks.impact_check_s,
        commit_s=clocks.commit_s,
        notice_s=clocks.notice_s,
        limit_expiry_s=clocks.limit_expiry_s,
    )


def _limits(policy: LimitPolicy) -> facts.LimitRules:
    return facts.LimitRules(
        policy=Policy(policy.policy),
        look_ahead=policy.look_ahead,
        joint=policy.envelope_mode == "joint",
        sharing=policy.sharing,
        utilisation=policy.utilisation_pct / 100,
        margin_pct=policy.margin_pct,
        estimated_margin_pct=policy.estimated_margin_pct,
        unbalance_alarm_pct=policy.unbalance_alarm_pct,
        unbalance_max_pct=policy.unbalance_max_pct,
        step_w=units.watts(policy.step_mw),
        voltage_min_pu=policy.voltage_min_pu,
        voltage_max_pu=policy.voltage_max_pu,
        release_w=units.watts(policy.release_mw),
        release_s=policy.release_s,
        preexisting=Preexisting(policy.preexisting),
        failure_shrink_pct=policy.failure_shrink_pct,
    )


def _rating(asset: Asset) -> Rating:
    return Rating(
        ampacity_a=asset.ampacity_a,
        emergency_a=asset.emergency_a,
        apparent_power_va=None if asset.rating_mva is None else units.volt_amperes(asset.rating_mva),
        emergency_va=None if asset.emergency_mva is None else units.volt_amperes(asset.emergency_mva),
        reverse_power_w=units.watts_or_none(asset.reverse_power_mw),
        forward_power_w=units.watts_or_none(asset.forward_power_mw),
        derate_pct=asset.derate_pct,
        condition_score=asset.condition_score,
        short_circuit_a=None if asset.short_circuit_ka is None else units.amperes(asset.short_circuit_ka),
    )


def _resource(name: str, device: Device, clocks: facts.Clocks, first_s: float) -> facts.Resource:
    plate, connection = device.nameplate, device.connection
    forecast = None
    if device.forecast_mw:
        forecast = facts.Forecast(first_s, clocks.interval_s, tuple(units.watts(p) for p in device.forecast_mw))
    return facts.Resource(
        id=name,
        bus=connection.bus,
        phases=connection.phases,
        floor_w=max(units.watts(plate.p_min_mw), -units.watts(connection.import_mw)),
        ceiling_w=min(units.watts(plate.p_max_mw), units.watts(connection.export_mw)),
        controllable=facts.Controllable(device.controllable),
        owner=device.owner,
        connected_on=connection.date.isoformat(),
        lease_s=device.lease_s,
        static=static_bounds(device),
        ramp_w_per_s=None if plate.ramp_mw_per_min is None else units.watts_per_second(plate.ramp_mw_per_min),
        nameplate_w=units.watts(plate.p_max_mw),
        verify_band_w=units.watts(device.verify_band_mw),
        poll_s=poll_s(device),
        forecast=forecast,
        connection=Connection.SPLIT if connection.phases == SPLIT else Connection(connection.wiring),
        storage=_storage(plate),
        availability=device.availability_pct / 100,
        firm=connection.firm,
    )


def _storage(plate: Nameplate) -> facts.Storage | None:
    if plate.energy_mwh is None:
        return None
    return facts.Storage(
        units.watt_hours(plate.energy_mwh),
        units.per_unit(plate.soc_min_pct),
        plate.charge_efficiency,
        plate.discharge_efficiency,
    )


def static_bounds(device: Device) -> Bounds:
    """The envelope of last resort, W."""
    return Bounds(units.watts_or_none(device.static_p_min_mw), units.watts_or_none(device.static_p_max_mw))


def poll_s(source: Device | Station) -> float:
    """How often a fresh value of a device or station may be expected, s."""
    endpoint = source.endpoint
    match endpoint.protocol:
        case "modbus" | "dnp3":
            return endpoint.poll_s
        case "ieee2030_5":
            return endpoint.poll_s if endpoint.post_s is None else endpoint.post_s
        case "opcua":
            return endpoint.publishing_s
        case "mqtt" | "sparkplug":
            return endpoint.telemetry_s


def polls(zone: ZoneFile) -> dict[str, float]:
    """The same for every resource and asset that something measures, s."""
    found = {name: poll_s(device) for name, device in zone.devices.items()}
    for station in zone.stations.values():
        for mapped in station.points:
            found.setdefault(point_of(mapped.point).resource, poll_s(station))
    return found
