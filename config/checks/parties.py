"""Who acts for whom, and what the testbed is told to play."""

from collections.abc import Iterator

from config.checks.finding import Finding, Subject
from config.faults import listed, suggestion

_MAY_OWN = frozenset({"dera", "host"})


OPENDER_KINDS = frozenset({"bess", "pv", "wind"})
"""The words of `gateway.testbed.opender`, which this room may not import; a test compares them."""


def owners_are_parties(subject: Subject) -> Iterator[Finding]:
    """Every device has an owner that is a party and may act in the market."""
    known = subject.declared["parties"]
    for device_id, device in subject.zone.devices.items():
        at = ("devices", device_id, "owner")
        party = subject.zone.parties.get(device.owner)
        if device.owner not in known:
            remedy = suggestion(device.owner, known, f"use one of {listed(known)}, or add it under `parties`")
            yield Finding(at, f"{device_id} is owned by `{device.owner}`, who is not a party", remedy)
        elif party is not None and party.role not in _MAY_OWN:
            yield Finding(
                at,
                f"{device_id} is owned by `{device.owner}`, a party with the role {party.role}",
                "name a party with the role dera or host",
            )


def one_system_operator(subject: Subject) -> Iterator[Finding]:
    """There is at most one system operator."""
    operators = [name for name, party in subject.zone.parties.items() if party.role == "system_operator"]
    for extra in operators[1:]:
        yield Finding(
            ("parties", extra, "role"),
            f"`{extra}` is a second system operator beside `{operators[0]}`",
            "keep one, or correct the role",
        )


def testbed_starts_what_it_plays(subject: Subject) -> Iterator[Finding]:
    """The testbed's initial powers belong to simulated devices and fit their nameplates."""
    devices, declared = subject.zone.devices, subject.declared["devices"]
    for device_id, power_mw in subject.zone.testbed.initial_mw.items():
        at = ("testbed", "initial_mw", device_id)
        device = devices.get(device_id)
        if device_id not in declared:
            remedy = suggestion(device_id, declared, f"use one of: {listed(declared)}")
            yield Finding(at, f"`{device_id}` is not a device", remedy)
        elif device is not None and not device.simulated:
            yield Finding(at, f"{device_id} is not simulated: the testbed cannot set its power", "remove it")
        elif device is not None and not device.nameplate.p_min_mw <= power_mw <= device.nameplate.p_max_mw:
            yield Finding(
                at,
                f"{device_id} cannot start at {power_mw:g} MW, outside its nameplate "
                f"({device.nameplate.p_min_mw:g} to {device.nameplate.p_max_mw:g} MW)",
                "choose a value inside it",
            )


def testbed_has_the_physics(subject: Subject) -> Iterator[Finding]:
    """OpenDER plays simulated devices of its kinds, with a nameplate that injects."""
    devices, declared = subject.zone.devices, subject.declared["devices"]
    for device_id in subject.zone.testbed.physics:
        at = ("testbed", "physics", device_id)
        device = devices.get(device_id)
        if device_id not in declared:
            remedy = suggestion(device_id, declared, f"use one of: {listed(declared)}")
            yield Finding(at, f"`{device_id}` is not a device", remedy)
        elif device is not None and not device.simulated:
            yield Finding(at, f"{device_id} is not simulated: it has physics of its own", "remove it")
        elif device is not None and (device.kind not in OPENDER_KINDS or device.nameplate.p_max_mw <= 0):
            problem = f"OpenDER has no model of {device_id}, a {device.kind} of {device.nameplate.p_max_mw:g} MW"
            yield Finding(at, problem, f"it plays {listed(OPENDER_KINDS)} that inject")


def testbed_follows_the_day(subject: Subject) -> Iterator[Finding]:
    """What the testbed lets devices follow is a kind of the day, and the devices are simulated."""
    devices, declared = subject.zone.devices, subject.declared["devices"]
    for device_id, kind in subject.zone.testbed.follows.items():
        at, device = ("testbed", "follows", device_id), devices.get(device_id)
        if device_id not in declared:
            remedy = suggestion(device_id, declared, f"use one of: {listed(declared)}")
            yield Finding(at, f"`{device_id}` is not a device", remedy)
        elif device is not None and not device.simulated:
            yield Finding(at, f"{device_id} is not simulated: the testbed cannot let it follow anything", "remove it")
        if subject.zone.network.day is None:
            yield Finding(at, f"{device_id} follows `{kind}`, but the network has no day", "add `network.day`")
        elif subject.day is not None and kind not in subject.day.kinds:
            remedy = suggestion(kind, subject.day.kinds, f"use one of: {listed(subject.day.kinds)}")
            yield Finding(at, f"`{kind}` is not a kind of the day", remedy)
