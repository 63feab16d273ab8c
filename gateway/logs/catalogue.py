"""Every event that the gateway logs: its name, level, meaning and fields; `docs/log-events.md` is made from this.

An event is an edge, not a state: it is logged when something changes, not for as long as it lasts.
Names are dotted, from general to special, and never contain an id.
"""

from dataclasses import dataclass
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")

COMMON = {
    "time": "When it was logged, UTC, ISO 8601.",
    "level": "`debug`, `info`, `warning` (somebody should know) or `error` (somebody should act).",
    "event": "One of the names below.",
    "zone": "Market zone.",
    "model": "DSO model of the zone: `DP`, `T` or `MF`.",
    "cycle_id": "Cycle that it belongs to, where there is one; the key of its decision in the journal.",
    "corr_id": "Conversation that it belongs to, where there is one; the key of its messages in the journal.",
}
"""What every line may carry without being asked."""

FIELDS = {
    "adapter": "Kind of adapter, and the resources that it speaks for.",
    "amount": "Dollars.",
    "approved": "Whether it may leave.",
    "by": "Who has decided; `patience` where nobody did in time.",
    "case": "`N-0`, or the contingency in which the limit would be broken.",
    "code": "Code of the message (`LIMIT.Issue`) or of the alarm (`NON_RESPONSE`).",
    "consequence": "What that means for the zone.",
    "constraint_id": "Asset or bus whose limit is behind it.",
    "control_id": "Control: `ampacity why` explains it.",
    "cause": "Why the node cannot do what it was dispatched to.",
    "cost_per_h": "Cost of what was chosen, dollars per hour.",
    "count": "How many.",
    "coverage_pct": "Share of the measurements of the network that have a value.",
    "cut_off": "Resources that lose their supply.",
    "cycles": "Cycles that were run.",
    "detail": "What was asked, of whom, and what came back.",
    "delivered_mwh": "Energy that came of what was due, MWh.",
    "device": "Tap changer, capacitor or switch.",
    "draft": "Whether it waits for the host's answer.",
    "duration_ms": "How long it took.",
    "end_s": "When it ends, Unix seconds.",
    "error": "What went wrong, with the class of the error.",
    "exception": "Trace of the error.",
    "excused_mwh": "Energy that did not come and need not, because of a limit or an emergency, MWh.",
    "expected_mwh": "Energy that was due within the limits in force, MWh.",
    "floor_mw": "Lowest power allowed, MW.",
    "grid_switch": "Off the grid (`open`) or on it again (`close`), where the device can be told so.",
    "jain": "Jain's index of what each may inject of what it asked for: 1 where all get the same part.",
    "kind": "What sort of fact.",
    "latency_ms": "From the first issue of the control until now.",
    "lease_s": "How long the device obeys without hearing from us again.",
    "library": "Library that said it.",
    "limit": "The limit, after de-rating, in `unit`.",
    "loading_pct": "Loading of the asset in percent of its limit; for a voltage, percent of nominal.",
    "messages": "Messages sent to parties.",
    "model_version": "Version of the network model.",
    "msg_id": "The message's own id.",
    "mw": "Active power, MW, positive for injection; of a limit, the highest power allowed.",
    "net": "Dollars that the party receives in all; negative where it owes.",
    "outcome": "How it ended: `verified`, `unverified`, `rejected`, `unknown`, `undelivered` or `expired`.",
    "path": "File.",
    "phase": "Conductor.",
    "planned": "Whether it was planned.",
    "point": "Point of the network that was to be moved.",
    "policy": "Rule by which the network is shared.",
    "power_before_mw": "Measured power just before the control was first issued, MW.",
    "power_flows": "AC power flows solved.",
    "problem": "Code and cause of the refusal.",
    "psa_duration_s": "How long the study took.",
    "read_back": "The same names as in `requested`, as read back from the device.",
    "reason": "Why the limit exists: `THERMAL`, `VOLT_HI`, …",
    "reasserted": "Sent again because the link came back.",
    "recipient": "Party that is told.",
    "ref": "Limit or outage behind it.",
    "requested": "Adapter's names and raw values as written to the device.",
    "resource": "DER or asset as written in the zone file.",
    "restart_s": "Seconds until the next attempt.",
    "sender": "Party that told us.",
    "short_mw": "Missing of what was asked, MW.",
    "short_mwh": "Energy that is missing without excuse, MWh.",
    "skew_s": "By which it is ahead, seconds; negative where it is behind.",
    "solved": "Cycles in which the engine had an answer.",
    "source": "Who asks, and through which door.",
    "stale": "Older than what is held: no effect.",
    "start_s": "Start of validity, Unix seconds.",
    "state": "State that was entered.",
    "status": "How the study ended, or what the owner answered.",
    "step": "Step of a plan, from 1.",
    "subject": "Resource, limit or party that it is about.",
    "target_mw": "Set point, MW, positive for injection.",
    "text": "What was said.",
    "unit": "Unit of `value` and `limit`.",
    "value": "Value at the requested powers, in `unit`.",
    "values": "Adapter's names and raw values.",
    "version": "Version of the control or dispatch.",
    "write_ms": "From the first issue of the control until the device was seen to hold it.",
}
"""Meaning of each field, once for all events that have it."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event of the catalogue."""

    name: str
    levels: tuple[Level, ...]
    """The mildest first, where it depends on what happened."""
    meaning: str
    fields: tuple[str, ...] = ()
    """Always present."""
    optional: tuple[str, ...] = ()
    """Present where they apply."""


def _event(name: str, levels: str, meaning: str, fields: str = "", optional: str = "") -> LogEvent:
    known = tuple(level for level in LEVELS if level in levels.split())
    return LogEvent(name, known, meaning, tuple(fields.split()), tuple(optional.split()))


EVENTS = (
    # The process
    _event("gateway.started", "info", "The gateway works: adapters run and cycles begin."),
    _event("gateway.stopped", "info", "The gateway has ended in good order.", "", "detail"),
    _event("config.loaded", "info", "The zone file was read and found good.", "path model_version"),
    _event("model.proposed", "info", "A network model was uploaded and has no fault.", "model_version count detail"),
    _event("model.failed", "error", "Uploaded models do not follow the clock; it restarts.", "detail restart_s"),
    _event(
        "model.adopted",
        "info",
        "A new network model is in force from the next study on.",
        "model_version count detail",
        "duration_ms",
    ),
    _event(
        "model.unchanged",
        "info",
        "The network model was read again and is the one in force.",
        "model_version",
    ),
    _event(
        "model.rejected",
        "error",
        "A new network model is not valid; the one in force stays.",
        "model_version count detail",
    ),
    _event("adapter.crashed", "error", "An adapter ended; it alone restarts.", "adapter error restart_s", "exception"),
    _event(
        "operator.acted",
        "info",
        "A request to an operator's API that could change something, and its status.",
        "detail",
    ),
    _event(
        "console.failed", "error", "The operator's API ended; it restarts, and control goes on.", "detail restart_s"
    ),
    _event("groups.changed", "info", "Devices hang elsewhere in the network, and see other programs.", "count detail"),
    _event("groups.failed", "error", "IEEE 2030.5 groups do not follow the network; it restarts.", "detail restart_s"),
    _event("journal.failed", "error", "The journal cannot be written.", "detail consequence"),
    _event("journal.recovered", "info", "The journal can be written again."),
    _event("journal.replayed", "info", "What was agreed before the restart is known again.", "count duration_ms"),
    _event("historian.dropped", "warning", "Telemetry came faster than it could be stored.", "count"),
    _event("historian.failed", "warning error", "Telemetry could not be stored or pruned; control goes on.", "detail"),
    _event("telemetry.refused", "warning", "The system operator's master asked for what it is not given.", "detail"),
    _event("telemetry.failed", "error", "The system operator cannot read us; control goes on.", "detail restart_s"),
    _event("facade.failed", "error", "The SunSpec façade ended; it restarts, and control goes on.", "detail restart_s"),
    _event("opcua_server.refused", "warning", "The OPC UA server turned a client or user away.", "detail"),
    _event(
        "opcua_server.failed", "error", "The OPC UA server ended; it restarts, control goes on.", "detail restart_s"
    ),
    _event("log.lost", "warning", "Log lines were dropped because nobody read them.", "count"),
    _event("library.message", "warning", "A library warned of something by itself.", "library text"),
    # The cycle
    _event("cycle.start", "debug", "A cycle has frozen what it looks at."),
    _event("cycle.end", "debug", "A cycle is done.", "status power_flows psa_duration_s messages"),
    _event(
        "interval.closed",
        "info warning",
        "A market interval is over and recorded; a warning where no cycle was run in it.",
        "start_s cycles solved",
    ),
    _event("snapshot.complete", "info", "The power of every resource is known.", "count"),
    _event("snapshot.gap", "warning", "The power of a resource is not known any more.", "resource consequence"),
    _event(
        "snapshot.estimated",
        "warning",
        "The voltage of a bus is not measured any more.",
        "resource coverage_pct consequence",
    ),
    _event(
        "violation.detected",
        "warning",
        "The requested powers would break a limit that they did not in the cycle before.",
        "constraint_id reason phase case value limit unit loading_pct",
    ),
    _event(
        "psa.ready", "info", "The engine holds the network and has answered its first study.", "status model_version"
    ),
    _event("psa.failed", "error", "The study has no usable answer; the last good limits are shrunk.", "status detail"),
    _event("psa.deadline", "warning", "A study took longer than it may, or was given up.", "latency_ms"),
    _event("psa.recovered", "info", "The study has a usable answer again."),
    _event("alarm.raised", "warning", "Something that an operator should look at.", "code subject detail"),
    # The parties
    _event("dispatch.rx", "info", "A dispatch, or the copy of one, arrived.", "resource mw version stale sender"),
    _event(
        "limit.issue",
        "info",
        "An operating envelope is issued.",
        "recipient resource mw floor_mw reason constraint_id loading_pct start_s",
    ),
    _event(
        "limit.shares",
        "info",
        "Limits are issued that share out what the network can take among several resources.",
        "policy jain count",
    ),
    _event(
        "limit.unconfirmed",
        "warning",
        "The owner has not answered to a limit in time; it is told once more.",
        "resource mw constraint_id detail",
    ),
    _event("limit.ack", "info", "The owner answered to a limit.", "resource mw status sender"),
    _event("limit.clear", "info", "An operating envelope no longer holds.", "resource"),
    _event("cap.notice", "info", "A reduced capability was told to the system operator.", "resource mw ref sender"),
    _event("outage.notice", "info", "A resource cannot do what it promised.", "resource mw planned sender"),
    _event("party.rx", "info", "Some other message arrived.", "code sender", "resource mw status constraint_id"),
    _event("party.tx", "info", "Some other message is sent.", "code recipient", "resource mw status constraint_id"),
    _event("instr.tx", "info", "A resource is told its part of a dispatch.", "resource mw version ref recipient"),
    _event("dispatch.relay", "info", "A dispatch is passed on unchanged.", "resource version recipient"),
    _event(
        "shortfall.notice", "warning", "The node cannot do what it was dispatched to.", "subject mw cause recipient"
    ),
    _event("host.include", "info", "The host utility gets a copy, or a draft to object to.", "code mw draft recipient"),
    _event(
        "host.timeout",
        "warning",
        "The host has not answered to a draft in time; it goes ahead within the last limit.",
        "subject detail",
    ),
    _event("need.posted", "info", "Power is asked for at a place of the network.", "constraint_id mw kind recipient"),
    _event("offer.accepted", "info", "An offer is valid; nothing is bought yet.", "resource version recipient"),
    _event("offer.rejected", "info", "An offer is not taken.", "resource reason detail recipient"),
    _event("order.issue", "info", "A distribution service is ordered.", "resource mw ref recipient"),
    _event(
        "mv.report",
        "info",
        "What was asked is over: what was due, what came, what is excused.",
        "resource kind expected_mwh delivered_mwh short_mwh excused_mwh detail",
    ),
    _event("mv.failed", "error", "Telemetry or meters cannot be read; measuring waits, control goes on.", "detail"),
    _event("settle.line", "info", "An amount follows from it.", "resource kind amount detail"),
    _event("settle.statement", "info", "A statement, or a new version of one, holds.", "subject version net detail"),
    _event("dispute.moved", "warning", "A dispute was opened, answered or resolved.", "subject state detail"),
    _event("order.revoke", "info", "An order is taken back.", "resource detail recipient"),
    _event(
        "selection.done",
        "info",
        "A dispatch was shared out, or who meets a need was chosen.",
        "status mw short_mw cost_per_h detail",
    ),
    _event("emerg.declare", "warning", "An emergency begins.", "subject detail recipient"),
    _event(
        "emerg.control", "warning", "A resource has to keep off while the emergency lasts.", "resource mw recipient"
    ),
    _event("emerg.clear", "info", "The emergency is over; limits hold as before.", "subject recipient"),
    _event("approval.waiting", "warning", "An action waits for an operator.", "detail"),
    _event("approval.ruled", "info", "An operator, or the clock, has decided about it.", "approved by", "detail"),
    _event("netop.plan", "info", "The network gives way, or was found not to help.", "detail"),
    _event("netop.request", "info", "A step of a plan goes to the control room.", "device"),
    _event("netop.confirm", "info", "The field shows the step.", "step"),
    _event("netop.unconfirmed", "error", "The field does not show the step in time.", "step detail"),
    _event("netop.rollback", "warning", "What was done of a plan is taken back.", "detail"),
    _event("netop.failed", "error", "A command did not reach the control room, or was refused.", "point detail"),
    _event("party.duplicate", "debug", "The same message came again and had no effect.", "msg_id"),
    _event("party.undelivered", "warning", "A message did not reach its recipient.", "code recipient detail"),
    _event("party.delivered", "info", "A message that was told of as undelivered has arrived.", "code recipient"),
    _event("parties.failed", "error", "Parties are told nothing; it restarts, control goes on.", "detail restart_s"),
    _event("webhook.failed", "warning", "A webhook takes nothing; the journal keeps what it misses.", "subject detail"),
    _event("webhook.recovered", "info", "A webhook takes messages again, from the first that it missed.", "subject"),
    _event(
        "platform.link",
        "info warning",
        "The platform carries messages again; or it took one not, and they go from party to party.",
        "recipient state detail",
    ),
    _event("party.denied", "warning", "Somebody without the right credentials was turned away.", "source detail"),
    _event(
        "route.forbidden", "warning", "A message was refused, or stopped on its way.", "code sender recipient problem"
    ),
    _event("registration.accepted", "info", "A resource may take part in the market.", "resource recipient"),
    _event("registration.rejected", "warning", "A resource may not take part.", "resource reason detail recipient"),
    # The network's schedule
    _event("forecast.issued", "info", "Somebody said what they expect.", "source count"),
    _event("needs.imported", "info", "Planners said what will be needed in years to come.", "source count"),
    _event(
        "work.scheduled",
        "warning",
        "The network is to differ from its model for a while.",
        "kind detail start_s end_s source cut_off",
    ),
    _event("work.refused", "warning", "A work on the network is not taken.", "problem source"),
    _event("work.cancelled", "warning", "A work on the network will not be, or is over.", "by"),
    _event(
        "state.violation",
        "warning",
        "A message was refused: what it says cannot happen now.",
        "code sender recipient problem",
    ),
    # The operator
    _event(
        "operator.instruction",
        "info",
        "An operator asks something of a resource; where every power is empty, nothing any more.",
        "resource mw floor_mw target_mw lease_s source",
    ),
    _event("operator.refused", "warning", "An operator's instruction was not taken.", "resource problem source"),
    # The field
    _event("device.link", "info warning", "The link to a resource changed its state.", "resource state detail"),
    _event(
        "clock.skewed",
        "warning",
        "Our clock was set or is behind the journal, or a device's is off: what is told by it may come late.",
        "subject skew_s consequence",
        "detail",
    ),
    _event("clock.agrees", "info", "A clock that was off agrees again.", "subject"),
    _event("baseline.kept", "info", "What a device held before it was ever written is known.", "resource values"),
    _event(
        "control.tx",
        "debug info",
        "A control leaves for its device; a mere refresh of its lease is `debug`.",
        "resource control_id version mw floor_mw target_mw lease_s reasserted",
        "grid_switch",
    ),
    _event("control.release", "info", "A device gets its baseline back.", "resource control_id version", "grid_switch"),
    _event("control.ack", "info debug", "A device answered; more is to come.", "resource control_id outcome detail"),
    _event(
        "command.completed",
        "info warning",
        "One control action from cause to effect; a warning where it was not verified.",
        "resource control_id outcome detail constraint_id requested read_back power_before_mw write_ms latency_ms",
    ),
    _event("answer.dropped", "error", "An answer was lost: too many wait for the journal.", "kind"),
    _event("fallback.enter", "warning", "The flows show that a lost device has fallen back.", "resource mw"),
    _event("fallback.exit", "info", "A device that had fallen back is heard again.", "resource"),
)

BY_NAME = {event.name: event for event in EVENTS}


def markdown() -> str:
    """The catalogue as a page of documentation."""
    lines = [
        "# Log events",
        "",
        "Made from `gateway/logs/catalogue.py` by `python -m gateway.logs`; change it there.",
        "",
        "The gateway writes one JSON object per line, or an aligned line when it writes to a terminal.",
        "`ampacity tail` shows the one as the other. Fields in brackets are present where they apply.",
        "",
        "| Event | Level | Meaning | Fields |",
        "|---|---|---|---|",
    ]
    for event in EVENTS:
        names = [*(f"`{name}`" for name in event.fields), *(f"[`{name}`]" for name in event.optional)]
        lines.append(f"| `{event.name}` | {', '.join(event.levels)} | {event.meaning} | {' '.join(names)} |")
    for title, table in (("On every line", COMMON), ("Fields", FIELDS)):
        lines += ["", f"## {title}", "", "| Field | Meaning |", "|---|---|"]
        lines += [f"| `{name}` | {meaning} |" for name, meaning in sorted(table.items())]
    return "\n".join(lines) + "\n"
