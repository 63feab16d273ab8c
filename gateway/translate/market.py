"""The market, the control room and the neighbours of a zone file in SI units."""

from math import inf

from config import market as file
from config import units
from config.settings import ZoneFile
from gateway.coordination import market as facts
from gateway.settlement.words import Terms
from grid_engine.dispatch.operation_words import (
    CapacitorSwitch,
    Controls,
    Duty,
    RemoteSwitch,
    TapChanger,
    Weights,
)
from protocols.points import Point, Quantity
from protocols.signals import Bounds


def rules(zone: ZoneFile) -> facts.MarketRules:
    """How the zone's own market works."""
    market = zone.market
    return facts.MarketRules(
        nodes=market.nodes,
        programs={name: _program(name, program) for name, program in market.programs.items()},
        program=market.program,
        wholesale_gate_s=market.wholesale_gate_s,
        local_gate_s=market.local_gate_s,
        standby_s=market.standby_s,
        standby_ahead_s=market.standby_ahead_s,
        shortfall_s=market.shortfall_s,
        minimum_w=units.watts(market.minimum_mw),
        registration=market.registration == "required",
        procure=market.procure,
        network_selection=market.selection == "opf",
        certainty=market.certainty_pct / 100,
        least_effect=market.least_effect_pct / 100,
    )


def control_room(zone: ZoneFile) -> facts.ControlRoom | None:
    """What of the network may be operated; nothing in dual participation, where nobody searches for it."""
    adms = zone.adms
    if adms is None or zone.zone.dso_model == "DP":
        return None
    taps = {
        name: tuple(Point(t, Quantity.TAP_POSITION) for t in tap.transformers)
        for name, tap in adms.tap_changers.items()
    }
    switched = {name: (Point(name, Quantity.SWITCH_CLOSED),) for name in (*adms.capacitors, *adms.switches)}
    return facts.ControlRoom(
        Controls(
            tuple(TapChanger(name, tap.transformers, _duty(tap), tap.reach) for name, tap in adms.tap_changers.items()),
            tuple(CapacitorSwitch(name, _duty(one)) for name, one in adms.capacitors.items()),
            tuple(RemoteSwitch(name, _duty(one), one.sync_checked) for name, one in adms.switches.items()),
        ),
        {**taps, **switched},
        adms.confirm_s,
        adms.guard_s,
        Weights(curtailment_per_mwh=adms.curtailment_per_mwh, loss_per_mwh=adms.loss_per_mwh),
    )


def neighbourhood(zone: ZoneFile) -> facts.Neighbourhood:
    """Other utilities, and the platform."""
    return facts.Neighbourhood(
        {name: _interface(name, interface) for name, interface in zone.interfaces.items()}, zone.platform or ""
    )


def approval(zone: ZoneFile) -> facts.Approval:
    """What waits for an operator."""
    asked = zone.approval
    return facts.Approval(
        facts.Mode(asked.mode), units.watts(asked.threshold_mw), asked.patience_s, asked.operation_patience_s
    )


def settlement(zone: ZoneFile) -> facts.SettlementRules:
    """When is measured and stated."""
    asked = zone.settlement
    return facts.SettlementRules(
        asked.verify_after_s,
        asked.period_s,
        asked.statement_after_s,
        asked.dispute_window_s,
        asked.tolerance_pct,
        asked.wholesale_per_mwh,
        asked.imbalance_per_mwh,
        3_600 * zone.zone.utc_offset_h,
        frozenset(asked.holidays),
        dict(asked.temperatures_c),
    )


def _program(name: str, program: file.Program) -> facts.Program:
    ramp = program.ramp_mw_per_min
    return facts.Program(
        name,
        facts.Service(program.service),
        program.notice_s,
        stackable=program.stackable,
        uniform_price=program.payment == "uniform",
        terms=Terms(
            utilisation_per_mwh=program.utilisation_per_mwh,
            penalty_per_mwh=program.penalty_per_mwh,
            availability_per_mwh=program.availability_per_mwh,
            emergency_per_mwh=program.emergency_per_mwh,
            curtailment_per_mwh=program.curtailment_per_mwh,
            grace_pct=program.grace_pct,
            ramp_profile=program.ramp_profile,
            ramp_w_per_s=None if ramp is None else units.watts_per_second(ramp),
            stackable=program.stackable,
            payment_scale=program.payment_scale,
        ),
        baseline=program.baseline,
        control_group=program.control_group,
    )


def _duty(operable: file.Operable) -> Duty:
    most = inf if operable.max_ops_per_hour is None else operable.max_ops_per_hour
    return Duty(operable.cost, most, min_dwell_s=operable.min_dwell_s, locked=operable.locked)


def _interface(name: str, interface: file.Interface) -> facts.Interface:
    import_w = units.watts_or_none(interface.import_mw)
    return facts.Interface(
        name,
        interface.party,
        interface.branch,
        frozenset(interface.devices),
        facts.Side(interface.side),
        Bounds(None if import_w is None else -import_w, units.watts_or_none(interface.export_mw)),
        units.watts(interface.notify_mw),
        interface.patience_s,
    )
