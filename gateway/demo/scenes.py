"""What the demonstration plays, and what must come true in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import config.zones
from gateway.demo.scene import Record, Scene, Verdict, holds, near

ZONES = Path(config.zones.__file__).parent
RATING_L12_A = 154.2
LIMIT_MW, LOADING_PCT = 0.01, 0.5
"""Tolerances of the reference zone's scenarios."""


def _body(message: Mapping[str, object]) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", message["body"])


def _limited_dispatch(record: Record) -> list[Verdict]:
    """A is dispatched to 2.00 MW where the line takes 1.20 MW of it."""
    last = record.samples[-1]
    limits = record.sent("LIMIT.Issue", "DSO", "AGENT_A")
    notices = record.sent("CAP.Notice", "AGENT_A", "IESO")
    told = [m for m in record.messages if (m["sender"], m["recipient"]) == ("DSO", "IESO")]
    seen = record.log.first("violation.detected", constraint_id="L12")
    done = record.log.first("command.completed", resource="A", outcome="verified")
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


SCENES = (
    Scene(
        title="S01 over Modbus",
        zone=ZONES / "r1_short.yaml",
        story="The system operator dispatches battery A to +2.00 MW; line L12 cannot carry that.",
        resource="A",
        dispatch_mw=2.0,
        lasts_s=33.0,
        judge=_limited_dispatch,
    ),
)
