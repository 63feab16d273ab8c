"""Controls of the operator: events of his own programs, the defaults behind them, and who has answered."""

from dataclasses import replace

from ieee2030_5 import events as life
from ieee2030_5 import resources as r
from ieee2030_5.admin import control_words as w
from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.modes import base_of, modes_of
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.admin.words import Count
from ieee2030_5.curves import CurveError, link
from ieee2030_5.records import Issued
from ieee2030_5.settings import Edition
from ieee2030_5.topology import devices_of
from ieee2030_5.utility import Program, mrid

OPERATOR = "operator"
"""Control id of what the gateway knows nothing of."""
_STATUS = {
    life.Status.SCHEDULED: "scheduled",
    life.Status.ACTIVE: "active",
    life.Status.CANCELLED: "cancelled",
    life.Status.CANCELLED_RANDOMIZED: "cancelled with randomization",
    life.Status.SUPERSEDED: "superseded",
    life.Status.COMPLETED: "completed",
}
_MEANING = {
    None: "nothing received",
    1: "received",
    2: "started",
    3: "completed",
    4: "opted out",
    5: "opted in",
    6: "cancelled",
    7: "superseded",
    8: "partly opted out",
    9: "partly opted in",
    10: "completed without participation",
    11: "acknowledged by the user",
    12: "cannot be shown",
    13: "superseded by another server",
    14: "superseded by another program",
    252: "not applicable",
    253: "invalid",
    254: "expired",
}
"""Response.status of the 2018 edition."""


def listed(desk: Desk, name: str) -> w.ControlList:
    """The events of a program that have not ended."""
    program = desk.program(name)
    running = life.listed(program.events, Edition.S1, desk.now)
    ordered = sorted(running, key=lambda event: (event.interval.start, -event.creationTime))
    return w.ControlList(controls=[_seen(desk, program, event) for event in ordered])


def one(desk: Desk, name: str) -> w.ControlOut:
    """One event."""
    return _seen(desk, *_found(desk, name))


def issue(desk: Desk, name: str, what: w.ControlIn) -> w.ControlOut:
    """Publish an event; what it supersedes follows from the modes and the time."""
    program = desk.operators(desk.program(name))
    return _seen(desk, program, _publish(desk, program, what))


def supersede(desk: Desk, name: str, what: w.ControlIn) -> w.ControlOut:
    """Publish an event in the place of another one.

    One with the same modes supersedes the old one when it starts. Otherwise the old one is cancelled, as it
    would go on beside the new one.
    """
    program, old = _found(desk, name)
    desk.operators(program)
    if not life.is_live(old):
        raise Refusal(409, f"{name} is {_STATUS[life.Status(old.status.currentStatus)]}", "mrid", "issue a new control")
    event = _publish(desk, program, what)
    standing = next((item for item in program.events if item.mRID == old.mRID), None)
    same = life.modes(old.base) == life.modes(event.base) and old.deviceCategory == event.deviceCategory
    if standing is not None and life.is_live(standing) and not same:
        desk.tree.remove(standing.href or "", desk.now)
    return one(desk, event.mRID)


def cancel(desk: Desk, name: str) -> w.ControlOut:
    """Cancel an event; it stays listed to its end, so that every client learns of it."""
    program, event = _found(desk, name)
    desk.operators(program)
    if life.is_live(event):
        desk.tree.remove(event.href or "", desk.now)
    return one(desk, event.mRID)


def clear(desk: Desk, name: str) -> Count:
    """Cancel every live event of a program."""
    program = desk.operators(desk.program(name))
    live = [event for event in program.events if life.is_live(event)]
    for event in live:
        desk.tree.remove(event.href or "", desk.now)
    return Count(count=len(live))


def default(desk: Desk, name: str) -> w.DefaultOut:
    """What holds in a program while no event does."""
    held = desk.program(name).default
    settings = {
        part: getattr(held, part) for part in w.DefaultIn.model_fields if part != "modes" and hasattr(held, part)
    }
    modes = modes_of(held.base)
    return w.DefaultOut(modes=modes, mrid=held.mRID, href=held.href or "", version=held.version or 0, **settings)


def set_default(desk: Desk, name: str, what: w.DefaultIn) -> w.DefaultOut:
    """Replace the default of a program: same mRID, next version."""
    program = desk.operators(desk.program(name))
    settings = {part: getattr(what, part) for part in w.DefaultIn.model_fields if part != "modes"}
    wanted = replace(
        program.default, base=base_of(what.modes, lambda mode, curve: _curve(program, mode, curve)), **settings
    )
    if wanted != program.default:
        version = ((program.default.version or 0) + 1) % 65_536
        desk.tree.store(f"{program.href}/dderc", replace(wanted, version=version), "", desk.now)
    return default(desk, name)


def answers(desk: Desk, name: str) -> w.AnswersOut:
    """Who has to answer an event, also one that has ended, and who has not."""
    issued = desk.utility.issued.get(name.upper())
    program = None if issued is None else desk.utility.programs.get(issued.program)
    if issued is None or program is None:
        raise _no_control(name)
    given = desk.utility.answered.get(issued.mrid, {})
    waiting: list[w.AnswerOut] = []
    answered: list[w.AnswerOut] = []
    for device in sorted(devices_of(desk.utility, program), key=lambda item: item.slug):
        if device.registered_s is None:
            continue
        status, at_s = given.get(device.settings.lfdi, (None, None))
        found = w.AnswerOut(
            lfdi=device.settings.lfdi,
            device=device.settings.resource,
            status=status,
            meaning=_MEANING.get(status, f"status {status}"),
            at_s=at_s,
        )
        (waiting if status is None else answered).append(found)
    expected = len(waiting) + len(answered)
    return w.AnswersOut(mrid=issued.mrid, program=program.slug, expected=expected, waiting=waiting, answered=answered)


def _publish(desk: Desk, program: Program, what: w.ControlIn) -> r.DERControl:
    base = base_of(what.modes, lambda mode, curve: _curve(program, mode, curve))
    if not life.modes(base):
        raise Refusal(400, "the control drives no mode", "modes", "give one at least, such as opModExpLimW in W")
    start = desk.now if what.start_s is None else what.start_s
    created = max(desk.now, program.created_s + 1)
    name = mrid(desk.utility.settings, "derc", program.mrid, created)
    event = r.DERControl(
        href=f"{program.href}/derc/{name[:16].lower()}",
        replyTo=program.reply_to if what.response_required else None,
        responseRequired=f"{what.response_required:02X}" if what.response_required else None,
        subscribable=desk.utility.notifies,
        mRID=name,
        description=what.description or None,
        version=0,
        creationTime=created,
        status=r.EventStatus(currentStatus=life.Status.SCHEDULED, dateTime=created, potentiallySuperseded=False),
        interval=r.DateTimeInterval(duration=what.duration_s, start=start),
        randomizeDuration=what.randomize_duration_s,
        randomizeStart=what.randomize_start_s,
        base=base,
        deviceCategory=what.device_category and what.device_category.upper(),
    )
    end = life.latest_end(event)
    if end <= desk.now:
        problem = f"the control ended {desk.now - end} s ago"
        raise Refusal(400, problem, "start_s", "give a later start, or a longer duration")
    desk.tree.issue(Issued(name, program.slug, "", OPERATOR, 0, end, desk.now))
    desk.tree.store(event.href or "", event, "", desk.now)
    return next(item for item in program.events if item.mRID == name)


def _curve(program: Program, mode: str, name: str) -> r.Link:
    try:
        return link(program, mode, name)
    except CurveError as error:
        remedy = f"POST /v1/programs/{program.slug}/curves makes one, GET shows all"
        raise Refusal(400, str(error), mode, remedy) from error


def _found(desk: Desk, name: str) -> tuple[Program, r.DERControl]:
    issued = desk.utility.issued.get(name.upper())
    program = None if issued is None else desk.utility.programs.get(issued.program)
    if program is not None:
        for event in program.events:
            if event.mRID == name.upper():
                return program, event
    raise _no_control(name)


def _no_control(name: str) -> Refusal:
    return unknown("control", name, "`ampacity der control list PROGRAM` shows those that have not ended")


def _seen(desk: Desk, program: Program, event: r.DERControl) -> w.ControlOut:
    return w.ControlOut(
        mrid=event.mRID,
        href=event.href or "",
        program=program.slug,
        primacy=program.primacy,
        status=_STATUS[life.Status(event.status.currentStatus)],
        potentially_superseded=event.status.potentiallySuperseded,
        created_s=event.creationTime,
        start_s=event.interval.start,
        duration_s=event.interval.duration,
        randomize_start_s=event.randomizeStart,
        randomize_duration_s=event.randomizeDuration,
        modes=modes_of(event.base),
        description=event.description,
        by_gateway=desk.is_gateways(program),
    )
