"""OPC UA face of the simulated world: one server with DERs in folders and a station's points as variables."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from asyncua import ua
from asyncua.common.callback import Callback, CallbackType, ServerItemCallback
from asyncua.common.node import Node
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AddressSpace, AttributeService
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from gateway.testbed.device import Faults, SimulatedDevice
from protocols.points import Point
from protocols.signals import Bounds

logging.getLogger("asyncua").setLevel(logging.CRITICAL)
# It warns about security that a simulated device on loopback does without, and about every client that leaves.

NAMESPACE: Final = "urn:ampacity:testbed"
"""Its index is 2 on this server."""
PER_FOLDER: Final = 100
"""Creating variables in one folder takes quadratic time."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NULL_TIME: Final = datetime(1601, 1, 1, tzinfo=UTC)

_DOUBLES: Final = ("LimitMax", "LimitMin", "Target", "FallbackMax", "FallbackMin")
_WRITABLE: Final[Mapping[str, tuple[object, ua.VariantType]]] = {
    **dict.fromkeys(_DOUBLES, (0.0, ua.VariantType.Double)),
    **{f"{name}Enabled": (False, ua.VariantType.Boolean) for name in _DOUBLES},
    "Disconnect": (False, ua.VariantType.Boolean),
    "ValidUntil": (NULL_TIME, ua.VariantType.DateTime),
    "WatchdogTimeout": (0.0, ua.VariantType.Double),
    "Watchdog": (0, ua.VariantType.UInt32),
    "Version": (0, ua.VariantType.Int64),
}
_ADMIN: Final = User(role=UserRole.Admin)
_MEASURED: Final = ("ActivePower", "AvailablePower", "LimitMaxInForce", "LimitMinInForce")


@dataclass(frozen=True, slots=True)
class ServedPoint:
    """A point of a station and the variable that tells it."""

    point: Point
    node: str
    scale: float = 1.0
    """The variable holds the point's value divided by it."""
    command: str = ""
    """NodeId of the variable that operates it; empty where nothing does."""


class _Attributes(AttributeService):
    """The attribute service with a word of the device on every write."""

    def __init__(self, aspace: AddressSpace, devices: Sequence["_Device"], commands: "_Commands") -> None:
        super().__init__(aspace)
        self._commands = commands
        self._devices = devices

    async def write(self, params: ua.WriteParameters, user: User = _ADMIN) -> list[ua.StatusCode]:
        """Let each device refuse its part; tell it what it accepted."""
        refused: dict[int, ua.StatusCode] = {}
        for device in self._devices:
            mine = [i for i, item in enumerate(params.NodesToWrite) if item.NodeId in device.names]
            code = device.objection({device.names[params.NodesToWrite[i].NodeId]: params.NodesToWrite[i] for i in mine})
            if code:
                refused |= {i: ua.StatusCode(ua.UInt32(code)) for i in mine}
        refused |= {
            i: ua.StatusCode(ua.UInt32(StatusCodes.BadUserAccessDenied))
            for i, item in enumerate(params.NodesToWrite)
            if self._commands.refuses(item.NodeId)
        }
        allowed = [item for i, item in enumerate(params.NodesToWrite) if i not in refused]
        codes = iter(await super().write(ua.WriteParameters(allowed), user))
        for device in self._devices:
            device.written({device.names[item.NodeId] for item in allowed if item.NodeId in device.names})
        for item in allowed:
            self._commands.written(item)
        return [refused[i] if i in refused else next(codes) for i in range(len(params.NodesToWrite))]


class _Commands:
    """Variables that operate the network behind a station."""

    def __init__(self, operate: Callable[[Point, float], None] | None, faults: Faults | None) -> None:
        self._operate, self._faults = operate, faults
        self.points: dict[ua.NodeId, ServedPoint] = {}

    def refuses(self, node_id: ua.NodeId) -> bool:
        """Whether the station takes no commands now."""
        return node_id in self.points and self._faults is not None and self._faults.refuse

    def written(self, item: ua.WriteValue) -> None:
        """Carry a command out, unless the station only says that it does."""
        served = self.points.get(item.NodeId)
        value = item.Value.Value
        lies = self._faults is not None and self._faults.lie
        if served is not None and value is not None and self._operate is not None and not lies:
            self._operate(served.point, float(value.Value) * served.scale)


class _Device:
    """One DER in its folder: keeps the watchdog and takes a control over when `Version` is written."""

    def __init__(self, folder: str, device: SimulatedDevice, now: Callable[[], float]) -> None:
        self.folder = folder
        self.device = device
        self.names: dict[ua.NodeId, str] = {}
        self.nodes: dict[str, ua.NodeId] = {}
        self._now = now
        self._aspace: AddressSpace | None = None
        self._version = 0
        self._targeted = False
        self._watchdog_until_s: float | None = None
        self._shown: Bounds | None = None

    async def create(self, server: Server) -> None:
        self._aspace = server.iserver.aspace
        parent_id = await _own_node_id(server, self.folder)
        parent = await server.nodes.objects.add_object(
            parent_id, ua.QualifiedName(self.folder, parent_id.NamespaceIndex)
        )
        measured = [*_MEASURED, *(["StateOfCharge"] if self.device.spec.energy_wh is not None else [])]
        for name in measured:
            await self._add(parent, name, 0.0, ua.VariantType.Double)
        for name, (value, kind) in _WRITABLE.items():
            node = await self._add(parent, name, value, kind)
            await node.set_writable()
        await self._add(parent, "Result", 0, ua.VariantType.Int32)

    async def _add(self, parent: Node, name: str, value: object, kind: ua.VariantType) -> Node:
        identifier = ua.String(f"{parent.nodeid.Identifier!s}.{name}")
        index = parent.nodeid.NamespaceIndex
        node = await parent.add_variable(ua.NodeId(identifier, index), ua.QualifiedName(name, index), value, kind)
        self.names[node.nodeid], self.nodes[name] = name, node.nodeid
        return node

    def objection(self, items: Mapping[str, ua.WriteValue]) -> int:
        """StatusCode with which this device refuses the write; 0 where it does not."""
        if items and self.device.faults.refuse:
            return StatusCodes.BadUserAccessDenied
        version = items.get("Version")
        if version is not None and version.Value.Value is not None and version.Value.Value.Value < self._version:
            return StatusCodes.BadInvalidState
        return 0

    def written(self, names: set[str]) -> None:
        """Move the watchdog, and take over the control whose `Version` is among `names`."""
        now_s = self._now()
        if "Version" in names:
            self._version = int(self.value("Version"))
            self.device.set_limit(self._bounds("Limit"), now_s, self._remaining_s(now_s), self._bounds("Fallback"))
            self._shown = self.device.limit
            closed = not self.value("Disconnect")
            self.device.connect(now_s, closed=closed, reversion_s=self._remaining_s(now_s))
            targeted = bool(self.value("TargetEnabled"))
            if targeted or self._targeted:
                self.device.set_order(self.value("Target") if targeted else None, now_s)
            self._targeted = targeted
        if names & {"Version", "Watchdog", "WatchdogTimeout"}:
            life_s = self.value("WatchdogTimeout")
            self._watchdog_until_s = now_s + life_s if life_s > 0 and not self.device.reverted else None

    def set_locally(self) -> dict[str, object]:
        """Variables to be shown anew because somebody else than a client set the limit."""
        limit = self.device.limit
        if self.device.is_connected is bool(self.value("Disconnect")) and not self.device.faults.lie:
            return {"Disconnect": not self.device.is_connected}
        if self._shown == limit or self.device.reverted:
            return {}
        self._shown = limit
        return {
            "LimitMax": limit.ceiling_w or 0.0,
            "LimitMaxEnabled": limit.ceiling_w is not None,
            "LimitMin": limit.floor_w or 0.0,
            "LimitMinEnabled": limit.floor_w is not None,
            "ValidUntil": NULL_TIME,
        }

    def advance(self, now_s: float) -> dict[str, float]:
        """Let the device live up to `now_s`; gives what it measures by variable."""
        self.device.advance(now_s)
        if self._watchdog_until_s is not None and now_s >= self._watchdog_until_s:
            self._watchdog_until_s = None
            self.device.set_limit(self.device.fallback, now_s, None, self.device.fallback)
            self.device.reverted = True
        if self.device.reverted and self._targeted:
            self._targeted = False
            self.device.set_order(None, now_s)
        reading, limit, spec = self.device.reading, self.device.limit, self.device.spec
        values = {
            "ActivePower": reading.power_w,
            "AvailablePower": reading.available_w,
            "LimitMaxInForce": spec.p_max_w if limit.ceiling_w is None else limit.ceiling_w,
            "LimitMinInForce": spec.p_min_w if limit.floor_w is None else limit.floor_w,
        }
        if reading.state_of_charge_pu is not None:
            values["StateOfCharge"] = reading.state_of_charge_pu
        return values

    def _bounds(self, prefix: str) -> Bounds:
        floor = self.value(f"{prefix}Min") if self.value(f"{prefix}MinEnabled") else None
        ceiling = self.value(f"{prefix}Max") if self.value(f"{prefix}MaxEnabled") else None
        return Bounds(floor, ceiling)

    def _remaining_s(self, now_s: float) -> float | None:
        value = self._raw("ValidUntil")
        if not isinstance(value, datetime) or value <= NULL_TIME:
            return None
        return (value - EPOCH).total_seconds() - now_s

    def value(self, name: str) -> float:
        """What one of its writable variables holds."""
        value = self._raw(name)
        return float(value) if isinstance(value, int | float) else 0.0

    def _raw(self, name: str) -> object:
        assert self._aspace is not None, "created before it is used"  # noqa: S101 - tells the type checker
        data = self._aspace.read_attribute_value(self.nodes[name], AttributeIds.Value)
        return None if data.Value is None else data.Value.Value


class SimulatedOpcUaServer:
    """A real server on a real socket; the devices need nobody to keep their timers."""

    def __init__(
        self,
        host: str,
        port: int,
        now: Callable[[], float],
        *,
        devices: Mapping[str, SimulatedDevice] | None = None,
        points: Sequence[ServedPoint] = (),
        measure: Callable[[Point], float] | None = None,
        operate: Callable[[Point, float], None] | None = None,
        faults: Faults | None = None,
        step_s: float = 0.2,
    ) -> None:
        """`devices` by NodeId of their folder; `measure` tells the points, `operate` moves them.

        `faults` are the station's own.
        """
        self._commands = _Commands(operate, faults)
        self._host, self._port = host, port
        self._now = now
        self._devices = [_Device(folder, device, now) for folder, device in (devices or {}).items()]
        self._points = points
        self._measure = measure
        self._faults = [*(device.device.faults for device in self._devices), *([faults] if faults else [])]
        self._step_s = step_s
        self._server = Server()
        self.started = asyncio.Event()
        """Set once clients can connect."""

    @property
    def port(self) -> int:
        """The port it listens on, also when it was given 0."""
        return self._port if self._server.bserver is None else self._server.bserver.port

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"opc.tcp://{self._host}:{self.port}"

    def told(self, resource: str, name: str) -> float:
        """What a client last wrote to a variable of a device."""
        device = next(device for device in self._devices if device.device.spec.resource == resource)
        return device.value(name)

    async def run(self) -> None:
        """Serve until cancelled. The library builds its address space first, which takes seconds."""
        server = self._server
        await server.init()
        server.set_endpoint(f"opc.tcp://{self._host}:{self._port}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await server.register_namespace(NAMESPACE)
        server.iserver.attribute_service = _Attributes(server.iserver.aspace, self._devices, self._commands)
        for call in (CallbackType.PreRead, CallbackType.PreWrite):
            server.iserver.callback_service.addListener(
                call,  # type: ignore[arg-type]  # the library declares str and passes the enumeration
                self._hesitate,
            )
        for device in self._devices:
            await device.create(server)
        await self._create_points()
        await self._publish()
        await server.start()
        self.started.set()
        try:
            await self._live()
        finally:
            await server.stop()

    async def _live(self) -> None:
        dropped = False
        while True:
            await asyncio.sleep(self._step_s)
            await self._publish()
            drop = any(faults.drop_link for faults in self._faults)
            if drop != dropped and self._server.bserver is not None:
                dropped = drop
                await (self._server.bserver.stop() if drop else self._server.bserver.start())

    async def _create_points(self) -> None:
        folder: Node | None = None
        for i, served in enumerate(self._points):
            if folder is None or i % PER_FOLDER == 0:
                folder = await self._server.nodes.objects.add_folder(2, f"Points{i // PER_FOLDER}")
            node_id = await _own_node_id(self._server, served.node)
            name = ua.QualifiedName(str(served.point), node_id.NamespaceIndex)
            await folder.add_variable(node_id, name, 0.0, ua.VariantType.Double)
            if served.command:
                told_id = await _own_node_id(self._server, served.command)
                told = ua.QualifiedName(f"{served.point}.command", told_id.NamespaceIndex)
                node = await folder.add_variable(told_id, told, 0.0, ua.VariantType.Double)
                await node.set_writable()
                self._commands.points[node.nodeid] = served

    async def _publish(self) -> None:
        """Write every measured variable with the time of this step."""
        now_s = self._now()
        moment = _date_time(now_s)
        for device in self._devices:
            for name, value in device.advance(now_s).items():
                await self._tell(device.nodes[name], value, moment)
            for name, shown in device.set_locally().items():
                variant = ua.Variant(shown, _WRITABLE[name][1])
                await self._server.write_attribute_value(device.nodes[name], ua.DataValue(variant))
        if self._measure is not None:
            for served in self._points:
                node_id = await _own_node_id(self._server, served.node)
                await self._tell(node_id, self._measure(served.point) / served.scale, moment)

    async def _tell(self, node_id: ua.NodeId, value: float, moment: ua.DateTime) -> None:
        data = ua.DataValue(ua.Variant(value, ua.VariantType.Double), SourceTimestamp=moment)
        await self._server.write_attribute_value(node_id, data)

    async def _hesitate(self, event: Callback, _service: object) -> None:
        """Before a client reads or writes: as late as the fault says, and with fresh values."""
        late_s = max((faults.delay_s for faults in self._faults if faults.delay), default=0.0)
        if not isinstance(event, ServerItemCallback) or not event.is_external:
            return
        if late_s:
            await asyncio.sleep(late_s)
        await self._publish()


async def _own_node_id(server: Server, text: str) -> ua.NodeId:
    """A NodeId of this server; a namespace given by URI is registered, one given by index made up."""
    parsed = ua.NodeId.from_string(text)
    if isinstance(parsed, ua.ExpandedNodeId) and parsed.NamespaceUri is not None:
        return ua.NodeId(parsed.Identifier, ua.Int16(await server.register_namespace(parsed.NamespaceUri)))
    for index in range(3, parsed.NamespaceIndex + 1):
        await server.register_namespace(f"{NAMESPACE}:{index}")
    return parsed


def _date_time(at_s: float) -> ua.DateTime:
    at = EPOCH + timedelta(seconds=at_s)
    return ua.DateTime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, at.tzinfo)
