"""The program of an emergency: one for each device that is in one, of a primacy that nothing of a utility's beats.

It is made with the first urgent control of a device and goes when its last event has ended: an event that is
cancelled stays listed until then, so that every client learns of it.
"""

from typing import Final

from ieee2030_5.arrangements import Programmed, arranged, ended
from ieee2030_5.groups import own_group
from ieee2030_5.identity import short_id
from ieee2030_5.tree import Tree
from ieee2030_5.utility import Device, Program, Utility

PRIMACY: Final = 1
"""PrimacyType: 0 is left to the energy manager of the premises."""


def name_of(slug: str) -> str:
    """The program of a device, in URIs."""
    return short_id("emergency", slug)


def standing(utility: Utility, device: Device) -> Program | None:
    """The emergency program of a device, where it has one."""
    return utility.programs.get(name_of(device.slug))


def opened(tree: Tree, device: Device, now: int) -> Program:
    """The emergency program of a device, made where there is none.

    Raises:
        KeepError: it cannot be kept; there is none then.
    """
    name = name_of(device.slug)
    if name not in tree.utility.programs:
        tree.arrange(arranged(Programmed(name, own_group(device.slug), PRIMACY, "Emergency"), now))
    return tree.utility.programs[name]


def retired(tree: Tree, device: Device, now: int) -> bool:
    """Take the emergency program of a device out once its events have all ended; True where there is none any more.

    Raises:
        KeepError: that cannot be kept; the program stays for another try.
    """
    program = standing(tree.utility, device)
    if program is not None and not program.events:
        tree.arrange(ended(Programmed, program.slug, now))
    return program is None or not program.events
