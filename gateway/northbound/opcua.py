"""The gateway as an OPC UA server for SCADA and ADMS: everybody reads the zone, operators instruct devices.

An instruction goes through the operator's desk: journalled first, never around a limit, leased and verified.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway.clock import Now
from gateway.coordination.zone import ZoneFacts
from gateway.desk import Desk
from gateway.northbound import opcua_operator
from gateway.northbound.opcua_space import OPERATOR, Picture, device_node, values, variables
from protocols.opcua.guard import Alarm, GuardError
from protocols.opcua.served import ServerSettings, Value
from protocols.opcua.server import OpcUaServer
from protocols.points import Point

VERSION = "Version"
WRITE_DEADLINE_S = 5.0
"""Longest that an operator's write waits for the journal."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served where, and how often it is brought up to date."""

    settings: ServerSettings
    zone: ZoneFacts
    points: tuple[Point, ...]
    """What the zone's stations measure."""
    step_s: float = 1.0


class ZoneServer:
    """Serves one zone until cancelled."""

    def __init__(self, serving: Serving, picture: Callable[[], Picture], desk: Desk, now: Now, alarm: Alarm) -> None:
        """`picture` is asked once a step; `alarm` hears whom the server turned away."""
        self._settings, self._points, self._step_s = serving.settings, serving.points, serving.step_s
        self._picture, self._desk, self._now, self._alarm = picture, desk, now, alarm
        self._variables = variables(serving.zone, serving.points)
        self._said: dict[str, str] = {}
        self._server = self._new()
        self._is_prepared = False

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    async def prepare(self) -> None:
        """Build the address space; best before the control loop runs, since it takes seconds of a processor.

        Raises:
            GuardError: a certificate or key cannot be read.
        """
        await self._server.prepare()
        await self._show()
        self._is_prepared = True

    async def run(self) -> None:
        """Serve until cancelled; may be called again after a crash.

        Raises:
            GuardError: a certificate or key cannot be read.
            OSError: the address cannot be listened on.
        """
        if not self._is_prepared:
            self._server = self._new()
            await self.prepare()
        self._is_prepared = False  # a server of the library starts once
        await self._server.start()
        try:
            while True:
                await asyncio.sleep(self._step_s)
                await self._show()
                self._review()
        finally:
            await self._server.stop()

    async def _show(self) -> None:
        picture = replace(self._picture(), said=dict(self._said))
        for part in values(picture, self._points):
            await self._server.show(part)

    def _review(self) -> None:
        try:
            self._server.review()
        except GuardError as error:
            self._alarm(f"{error}; the certificates in use stay")

    def _new(self) -> OpcUaServer:
        return OpcUaServer(self._settings, self._variables, self._now, self._written, self._alarm)

    async def _written(self, who: str, wrote: Mapping[str, Value]) -> dict[str, str]:
        """Keep what an operator wrote; where `Version` is among it, take the folder over."""
        refused: dict[str, str] = {}
        for node, version in wrote.items():
            _, resource, _, name = node.split("/")
            if name != VERSION:
                continue
            code, said = await self._taken(who, resource, version, wrote)
            self._said[resource] = said
            if code:
                refused[node] = code
        return refused

    async def _taken(self, who: str, resource: str, version: Value, wrote: Mapping[str, Value]) -> tuple[str, str]:
        newest = self._picture().book.operator.get(resource)
        expected = 1 if newest is None else newest.version + 1
        if version != expected:
            return "BadInvalidState", f"Version {version:g} is not the next one, which is {expected}"
        folder = {name: wrote.get(device_node(resource, name, OPERATOR)) for name in opcua_operator.NAMES}
        held = {name: self._held(resource, name) if value is None else value for name, value in folder.items()}
        try:
            async with asyncio.timeout(WRITE_DEADLINE_S):
                return await opcua_operator.instruct(self._desk, resource, held, who, self._now())
        except TimeoutError:
            return "BadTimeout", f"the journal did not answer within {WRITE_DEADLINE_S:g} s; read back what holds"

    def _held(self, resource: str, name: str) -> Value:
        """What the folder shows, which an operator has seen or written before."""
        return self._server.held(device_node(resource, name, OPERATOR))
