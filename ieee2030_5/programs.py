"""DERPrograms, their default, their events, and the responses to them."""

from collections.abc import Mapping
from dataclasses import replace

from ieee2030_5 import events as life
from ieee2030_5 import resources as r
from ieee2030_5.call import (
    INVALID_VALUE,
    Absent,
    Call,
    Kept,
    Params,
    Refused,
    own_device,
    own_program,
    own_programs,
    speaks_for,
)
from ieee2030_5.identity import short_id
from ieee2030_5.paging import paged
from ieee2030_5.responses import outcome_of
from ieee2030_5.settings import Edition
from ieee2030_5.topology import assignments_of, programs_of
from ieee2030_5.utility import Program, Utility, mrid

_STATUSES_2018 = frozenset({*range(1, 15), 252, 253, 254})
RESPONSE_STATUSES: Mapping[Edition, frozenset[int]] = {
    Edition.S1: _STATUSES_2018,
    Edition.S2: _STATUSES_2018 | {15, 251},
}
"""Response.status: 15 (resumed) and 251 (not supported) came with the 2023 edition, 255 is reserved."""


def program_document(call: Call, program: Program) -> r.DERProgram:
    """The document of one program."""
    href, events = program.href, _events(call, program)
    return r.DERProgram(
        href=href,
        subscribable=call.utility.notifies,
        mRID=program.mrid,
        description=program.description,
        version=program.version,
        ActiveDERControlListLink=r.ListLink(href=f"{href}/actderc", all=len(life.active(events))),
        DefaultDERControlLink=r.Link(href=f"{href}/dderc"),
        DERControlListLink=r.ListLink(href=f"{href}/derc", all=len(events)),
        DERCurveListLink=r.ListLink(href=f"{href}/dc", all=len(program.curves)),
        primacy=program.primacy,
    )


def _events(call: Call, program: Program) -> life.Events:
    """The events as the edition of this client has them."""
    return life.listed(program.events, call.principal.edition, call.now)


def _listed(call: Call, programs: list[Program]) -> r.DERProgramList:
    whole = r.DERProgramList(href=call.path, subscribable=call.utility.notifies, pollRate=call.utility.poll_s("derp"))
    return paged(whole, [program_document(call, program) for program in programs], call.page)


def get_list(call: Call) -> r.DERProgramList:
    """All programs of this client."""
    return _listed(call, own_programs(call))


def of_device(call: Call) -> r.DERProgramList:
    """The programs of one device."""
    return _listed(call, programs_of(call.utility, own_device(call)))


def of_assignment(call: Call) -> r.DERProgramList:
    """The programs of one assignment."""
    for item in assignments_of(call.utility, own_device(call)):
        if item.name == call.params["f"]:
            return _listed(call, [*item.programs])
    raise Absent(call.path)


def current(call: Call) -> r.DERProgram:
    """The program of a device that wins now: the lowest primacy with an active event, else the lowest."""
    programs = programs_of(call.utility, own_device(call))
    if not programs:
        raise Absent(call.path)
    return program_document(
        call, min(programs, key=lambda item: (not life.active(_events(call, item)), item.primacy, item.slug))
    )


def get(call: Call) -> r.DERProgram:
    """One program."""
    return program_document(call, own_program(call))


def default(call: Call) -> r.DefaultDERControl:
    """What holds while no event does."""
    return replace(own_program(call).default, subscribable=call.utility.notifies)


def keep_default(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold a new default."""
    program = utility.programs.get(params["p"])
    if program is not None and isinstance(document, r.DefaultDERControl):
        program.default = document
        utility.touch(program)


def controls(call: Call) -> r.DERControlList:
    """All events that have not ended, also the cancelled ones; in the 2023 edition also what has just ended."""
    program = own_program(call)
    whole = r.DERControlList(href=f"{program.href}/derc", subscribable=call.utility.notifies)
    return paged(whole, _events(call, program), call.page)


def active_controls(call: Call) -> r.DERControlList:
    """The events in force."""
    program = own_program(call)
    whole = r.DERControlList(href=f"{program.href}/actderc", subscribable=call.utility.notifies)
    return paged(whole, life.active(_events(call, program)), call.page)


def control(call: Call) -> r.DERControl:
    """One event."""
    for event in _events(call, own_program(call)):
        if event.href == call.path:
            return event
    raise Absent(call.path)


def keep_control(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold a new event."""
    program = utility.programs.get(params["p"])
    if program is None or not isinstance(document, r.DERControl):
        return
    if all(event.mRID != document.mRID for event in program.events):
        program.events = life.publish(program.events, document, at_s)
        program.created_s = max(program.created_s, document.creationTime)
        utility.touch(program)


def drop_control(utility: Utility, params: Params, at_s: int) -> None:
    """Fold a cancellation: the event stays listed as cancelled, so that every client learns of it."""
    program = utility.programs.get(params["p"])
    if program is not None:
        href = f"{program.href}/derc/{params['c']}"
        program.events = life.cancel(program.events, [e.mRID for e in program.events if e.href == href], at_s)
        utility.touch(program)


def list_revision(call: Call) -> tuple[int, int, int]:
    """Of all programs of this client."""
    return call.utility.people, call.utility.layout, sum(program.revision for program in own_programs(call))


def device_list_revision(call: Call) -> tuple[int, int, int]:
    """Of the programs of the device named in the URI."""
    utility = call.utility
    return utility.people, utility.layout, sum(item.revision for item in programs_of(utility, own_device(call)))


def revision(call: Call) -> tuple[int, int, int, int]:
    """Of the program named in the URI, of what shows in all of them, and of who is who.

    A device that comes back has a new program at the old URI, which counts from the beginning. What a client
    of 2023 sees also depends on the time (see `events.listed`), so its pages last for a second.
    """
    utility = call.utility
    second = 0 if call.principal.edition is Edition.S1 else call.now
    return utility.people, utility.layout, own_program(call).revision, second


def response_sets(call: Call) -> r.ResponseSetList:
    """One set per program."""
    items = [_response_set(call, program) for program in own_programs(call)]
    return paged(r.ResponseSetList(href="/rsps", pollRate=call.utility.poll_s("rsps")), items, call.page)


def response_set(call: Call) -> r.ResponseSet:
    """The set of one program."""
    return _response_set(call, own_program(call))


def _response_set(call: Call, program: Program) -> r.ResponseSet:
    return r.ResponseSet(
        href=f"/rsps/{program.slug}",
        mRID=mrid(call.utility.settings, "rsps", program.mrid),
        ResponseListLink=r.ListLink(href=program.reply_to, all=len(_own_responses(call, program))),
    )


def _own_responses(call: Call, program: Program) -> dict[str, r.Response]:
    return {name: item for name, item in program.responses.items() if speaks_for(call, item.endDeviceLFDI)}


def responses(call: Call) -> r.ResponseList:
    """What this client has answered."""
    program = own_program(call)
    items = [replace(item, href=f"{program.reply_to}/{name}") for name, item in _own_responses(call, program).items()]
    return paged(r.ResponseList(href=program.reply_to), items, call.page)


def response(call: Call) -> r.Response:
    """One answer."""
    found = _own_responses(call, own_program(call)).get(call.params["x"])
    if found is None:
        raise Absent(call.path)
    return replace(found, href=call.path)


def post_response(call: Call, body: r.Resource) -> Kept:
    """An answer to an event, also to one that has been cancelled or has ended."""
    program = own_program(call)
    if not isinstance(body, r.Response):
        raise Absent(call.path)
    issued = call.utility.issued.get(body.subject)
    if issued is None or issued.program != program.slug:
        raise Refused(400, INVALID_VALUE, f"subject {body.subject} is no event of this program")
    if not speaks_for(call, body.endDeviceLFDI):
        raise Refused(400, INVALID_VALUE, f"endDeviceLFDI {body.endDeviceLFDI} is not the client's")
    if body.status not in RESPONSE_STATUSES[call.principal.edition]:
        raise Refused(400, INVALID_VALUE, f"status {body.status} is unknown at level {call.principal.edition.value}")
    name = short_id("rsp", body.subject, body.endDeviceLFDI, body.status, body.createdDateTime)
    if name not in program.responses:
        call.utility.signals.extend(outcome_of(body, issued, call.utility, call.now))
    return Kept(f"{program.reply_to}/{name}", body, created=True)


def keep_response(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold an answer."""
    program = utility.programs.get(params["p"])
    if program is not None and isinstance(document, r.Response):
        program.responses[params["x"]] = document
        if document.status is not None and document.subject in utility.issued:
            latest = (document.status, document.createdDateTime or at_s)
            utility.answered.setdefault(document.subject, {})[document.endDeviceLFDI] = latest
        if len(program.responses) > utility.settings.responses:
            del program.responses[next(iter(program.responses))]
