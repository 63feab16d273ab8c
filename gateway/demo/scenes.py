"""What the demonstration plays, and what must come true in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import config.zones
from gateway.demo.scene import Record, Scene, Verdict, holds, near

ZONES = Path(config.zones.__file__).parent
RATING_L12_A = 154.2
LIMIT_MW, LOADING_PCT, VOLTAGE_PU = 0.01, 0.5, 0.002
"""Tolerances of the reference zone's scenarios."""


def _body(message: Mapping[str, object]) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", message["body"])


def _limited_dispatch(record: Record) -> list[Verdict]:
    """A is dispatched to 2.00 MW where the line takes 1.20 MW of it."""
    last = record.samples[-1]
    limits = record.sent("LIMIT.Issue", "DSO", "AGENT_A")
    notices = record.sent("CAP.Notice", "AGENT_A", "IESO")
    told = [m for m in record.messages if (m["sender"], m["recipient"]) == ("DSO", "IESO")]
    seen = record.logged("violation.detected", constraint_id="L12")
    done = record.logged("command.completed", resource="A", outcome="verified")
    return [
        near("L12 would be overloaded", 120.8, seen["loading_pct"] if seen else None, LOADING_PCT, "%"),
        near("A is limited", 1.20, _body(limits[0])["ceiling_mw"] if limits else None, LIMIT_MW, "MW"),
        near("the limit is in force at A", 1.20, last.ceiling_mw["A"], LIMIT_MW, "MW"),
        near("A's watts moved", 1.20, last.power_mw["A"], LIMIT_MW, "MW"),
        near("measured loading of L12", 100.0, 100 * last.points["L12.current_a"] / RATING_L12_A, LOADING_PCT, "%"),
        near("B is left alone", 4.00, last.power_mw["B"], LIMIT_MW, "MW"),
        holds("the control is verified", done is not None, "verified" if done else "not verified"),
        near(
            "A's agent tells the system operator",
            1.20,
            _body(notices[0])["power_mw"] if notices else None,
            LIMIT_MW,
            "MW",
        ),
        holds("the DSO tells the system operator nothing", not told, f"{len(told)} messages"),
    ]


def _curtailed(record: Record) -> list[Verdict]:
    """B may inject 4.16 MW of the 5.00 MW that the sun offers; its client answers each step."""
    last = record.samples[-1]
    limits = record.sent("LIMIT.Issue", "DSO", "AGENT_B")
    seen = record.logged("violation.detected", constraint_id="B4")
    told = [
        line["detail"]
        for line in record.log.lines[record.begun :]
        if line["event"] == "control.ack" and line["resource"] == "B"
    ]
    answers = [a for a in ("received", "started", "completed") if any(d.startswith(f"event {a}") for d in told)]
    return [
        near("B4 would be too high", 1.057, seen["value"] if seen else None, VOLTAGE_PU, "pu"),
        # Taps and sun change by two requests: a cycle between them may limit to what holds with the first alone.
        near("B is limited", 4.16, _body(limits[-1])["ceiling_mw"] if limits else None, LIMIT_MW, "MW"),
        near("B's watts moved", 4.16, last.power_mw["B"], LIMIT_MW, "MW"),
        near("measured voltage at B4", 1.05, last.points["B4.voltage_pu"], VOLTAGE_PU, "pu"),
        holds("B's Responses: received, started, completed", len(answers) == 3, ", ".join(answers) or "none"),
        holds("no tap was moved", last.points["T1.tap_position"] == TAP, f"tap {last.points['T1.tap_position']:.0f}"),
    ]


def _shared_out(record: Record) -> list[Verdict]:
    """3.00 MW at the node are 1.20 MW of A, which the line limits, 1.00 MW of E and 0.80 MW of C."""
    last = record.samples[-1]
    told = {_body(m)["resource"]: _body(m)["power_mw"] for m in record.messages if m["type"] == "INSTR.Issue"}
    promised = [_body(m) for m in record.sent("ACK.Commit", "DSO", "IESO")]
    accepted = [p["power_mw"] for p in promised if p["status"] == "ACCEPT"]
    chosen = record.logged("selection.done")
    told_above = [_body(m) for m in record.messages if (m["sender"], m["recipient"]) == ("DSO", "IESO")]
    seen = {body.get("resource") or body["node"] for body in told_above}
    powers = {"A": 1.20, "E": 1.00, "C": 0.80}
    return [
        *(near(f"{name} is instructed", mw, told.get(name), LIMIT_MW, "MW") for name, mw in powers.items()),
        *(near(f"{name}'s watts moved", mw, last.power_mw[name], LIMIT_MW, "MW") for name, mw in powers.items()),
        near("the shares cost", 125.0, chosen["cost_per_h"] if chosen else None, 0.5, "$/h"),
        near("measured loading of L12", 99.6, 100 * last.points["L12.current_a"] / RATING_L12_A, LOADING_PCT, "%"),
        near("the node is promised", 3.00, accepted[0] if accepted else None, LIMIT_MW, "MW"),
        holds("the system operator is told of the node alone", seen == {"TD1"}, ", ".join(sorted(seen))),
    ]


TAP = -3


def _dispatched(title: str, zone: str) -> Scene:
    return Scene(
        title=title,
        zone=ZONES / zone,
        story="The system operator dispatches battery A to +2.00 MW; line L12 cannot carry that.",
        resource="A",
        dispatch_mw=2.0,
        lasts_s=21.0,
        judge=_limited_dispatch,
    )


SCENES = (
    _dispatched("S01 over Modbus", "r1_short.yaml"),
    _dispatched("S01 over OPC UA", "r1_short_opcua.yaml"),
    _dispatched("S01 over MQTT", "r1_short_mqtt.yaml"),
    Scene(
        title="S04 over IEEE 2030.5",
        zone=ZONES / "r1_short_sunny.yaml",
        story="The taps stand high and the sun comes out: at 5.00 MW of solar park B, bus B4 rises too far.",
        resource="B",
        available_mw={"B": 5.0},
        tap=TAP,
        lasts_s=34.0,
        judge=_curtailed,
    ),
    Scene(
        title="S09 over four protocols",
        zone=ZONES / "r1_short_total.yaml",
        story="A total DSO: the system operator dispatches node TD1 to 3.00 MW; who does what is the DSO's business.",
        resource="A",
        node="TD1",
        dispatch_mw=3.0,
        offers={"A": [(2.5, 30)], "E": [(1.0, 45)], "C": [(1.0, 55), (2.0, 65)], "D": [(1.5, 120)]},
        lasts_s=38.0,
        judge=_shared_out,
    ),
)
