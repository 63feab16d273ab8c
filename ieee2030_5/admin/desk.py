"""Where the operator's requests are carried out: the tree, the time, and how to find and change things in it."""

from dataclasses import dataclass

from ieee2030_5 import emergencies
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.arrangements import Arrangement, arranged, ended
from ieee2030_5.groups import Group
from ieee2030_5.tree import Tree
from ieee2030_5.utility import Device, Program, Utility, slug_of


@dataclass(frozen=True, slots=True)
class Desk:
    """One request of the operator."""

    tree: Tree
    of_zone: frozenset[str]
    """Resources that the gateway controls."""
    now: int

    @property
    def utility(self) -> Utility:
        """The state."""
        return self.tree.utility

    def arrange(self, item: Arrangement) -> None:
        """Keep an arrangement and carry it out."""
        self.tree.arrange(arranged(item, self.now))

    def end(self, kind: type[Arrangement], name: str) -> None:
        """Keep the end of an arrangement and carry it out."""
        self.tree.arrange(ended(kind, name, self.now))

    def device(self, name: str) -> Device:
        """The client of this name."""
        device = self.utility.by_resource(name)
        if device is None:
            raise unknown("device", name, "`ampacity der list` shows all")
        return device

    def group(self, name: str) -> Group:
        """The group of this name."""
        group = self.utility.groups.get(name)
        if group is None or name.startswith("@"):
            raise unknown("group", name, "`ampacity der group` shows all, and makes one")
        return group

    def program(self, name: str) -> Program:
        """The program of this name."""
        program = self.utility.programs.get(slug_of(name))
        if program is None:
            raise unknown("program", name, "`ampacity der program` shows all, and makes one")
        return program

    def is_gateways(self, program: Program) -> bool:
        """True where the gateway issues the controls of this program."""
        slug = program.group.removeprefix("@") or program.slug
        is_own = not program.group or program.slug == emergencies.name_of(slug)
        return is_own and self.utility.devices[slug].settings.resource in self.of_zone

    def operators(self, program: Program) -> Program:
        """The program, if the operator may issue controls in it."""
        if self.is_gateways(program):
            problem = f"the controls of program {program.slug} are the gateway's"
            remedy = "make a program of its own for the device or its group; primacy decides which wins"
            raise Refusal(409, problem, "program", remedy)
        return program
