"""What a client's Response means for the control behind the event."""

from collections.abc import Mapping, Sequence

from ieee2030_5.events import earliest_start
from ieee2030_5.records import Issued
from ieee2030_5.resources import Response
from ieee2030_5.utility import Utility
from protocols.signals import Ack, Outcome

_MEANING: Mapping[int, tuple[Outcome, str]] = {
    1: (Outcome.RECEIVED, "event received"),
    2: (Outcome.STARTED, "event started"),
    3: (Outcome.COMPLETED, "event completed"),
    4: (Outcome.REJECTED, "user opted out"),
    5: (Outcome.STARTED, "user opted in"),
    6: (Outcome.SUPERSEDED, "event cancelled"),
    7: (Outcome.SUPERSEDED, "event superseded"),
    8: (Outcome.REJECTED, "completed, but partly opted out"),
    9: (Outcome.COMPLETED, "completed, partly opted in"),
    10: (Outcome.REJECTED, "completed without participation"),
    12: (Outcome.REJECTED, "cannot be shown to the user"),
    13: (Outcome.SUPERSEDED, "superseded by an event of another server"),
    14: (Outcome.SUPERSEDED, "superseded by an event of another program"),
    15: (Outcome.STARTED, "event resumed"),
    251: (Outcome.REJECTED, "not supported"),
    252: (Outcome.REJECTED, "not applicable"),
    253: (Outcome.REJECTED, "invalid"),
    254: (Outcome.REJECTED, "expired before it was received"),
}
"""Response.status of both editions; 11 (acknowledged by the user) says nothing about the control."""


def outcome_of(response: Response, issued: Issued, utility: Utility, now: float) -> Sequence[Ack]:
    """The acknowledgement that a Response amounts to.

    A lease is extended by adjacent events, and a control is said anew when its device changes its rating:
    the end of an event ends its control only where no other event goes on with it; otherwise the control
    is still `STARTED`, or `RECEIVED` where it has not begun.
    """
    found = _MEANING.get(response.status or 0)
    if found is None or not issued.resource:
        return ()
    outcome, word = found
    if outcome in (Outcome.COMPLETED, Outcome.SUPERSEDED) and utility.goes_on(issued):
        outcome = Outcome.RECEIVED if _is_to_come(issued, utility, now) else Outcome.STARTED
        word = f"{word}, another one goes on with it"
    detail = f"{word}: status {response.status} to event {issued.mrid} from {response.endDeviceLFDI}"
    at = float(response.createdDateTime) if response.createdDateTime else now
    return (Ack(issued.control_id, issued.resource, issued.version, outcome, min(at, now), detail),)


def _is_to_come(issued: Issued, utility: Utility, now: float) -> bool:
    """True where the event that goes on with a control begins later."""
    newest = utility.carriers[(issued.resource, issued.control_id, issued.version)]
    events = utility.programs[issued.program].events
    return any(event.mRID == newest and earliest_start(event) > now for event in events)
