"""A server of ours: variables in folders, read by many and written by operators."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC
from pathlib import Path
from typing import Final

from asyncua import ua
from asyncua.common.node import Node
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AddressSpace, AttributeService
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from protocols.opcua import trust
from protocols.opcua.guard import Alarm, GuardedServer, Users
from protocols.opcua.served import ServerSettings, Shown, Type, Value, Variable
from protocols.opcua.values import NULL_TIME, number_of
from protocols.port import Now
from protocols.signals import Quality

logging.getLogger("asyncua").setLevel(logging.CRITICAL)
# It tells of every client that comes and goes; whom we turn away comes to us as an alarm.

GOOD: Final = "Good"
MOST_CLIENTS: Final = 100
AT_ONCE: Final = 500
"""Values written before others get their turn."""
STATUS: Final[Mapping[Quality, str]] = {
    Quality.GOOD: "Good",
    Quality.STALE: "UncertainNoCommunicationLastUsableValue",
    Quality.ESTIMATED: "Uncertain",
    Quality.SUBSTITUTED: "UncertainSubstituteValue",
    Quality.BAD: "BadNoCommunication",
}
"""As the client of this package reads them."""

Written = Callable[[str, Mapping[str, Value]], Awaitable[Mapping[str, str]]]
"""Takes an operator's name and what he writes by node; gives a StatusCode's name for each that is refused."""

_VARIANTS: Final = {
    Type.NUMBER: ua.VariantType.Double,
    Type.COUNT: ua.VariantType.Int64,
    Type.FLAG: ua.VariantType.Boolean,
    Type.TIME: ua.VariantType.DateTime,
    Type.TEXT: ua.VariantType.String,
}
_EMPTY: Final[Mapping[Type, Value]] = {
    Type.NUMBER: 0.0,
    Type.COUNT: 0,
    Type.FLAG: False,
    Type.TIME: 0.0,
    Type.TEXT: "",
}
WAITING: Final = ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(StatusCodes.BadWaitingForInitialData)))
"""Until the first value comes there is none."""
_ADMIN: Final = User(role=UserRole.Admin)


class OpcUaServer:
    """Shows variables on one address. Prepared and started once, stopped once."""

    def __init__(
        self, settings: ServerSettings, variables: Iterable[Variable], now: Now, written: Written, alarm: Alarm
    ) -> None:
        self._settings = settings
        self._variables = {variable.node: variable for variable in variables}
        self._server = GuardedServer(settings, now, alarm)
        self._alarm = alarm
        self._nodes: dict[str, ua.NodeId] = {}
        self._shown: dict[str, Shown] = {}
        self._written = written
        self._seen_files: object = None

    @property
    def url(self) -> str:
        """Where to connect, also where the port was given as 0."""
        bound = self._server.bserver
        return f"opc.tcp://{self._settings.host}:{self._settings.port if bound is None else bound.port}"

    async def prepare(self) -> None:
        """Build the address space, which takes seconds of a processor: best before anything has deadlines.

        Raises:
            GuardError: a certificate or key cannot be read.
        """
        server, settings = self._server, self._settings
        server.name = server.manufacturer_name = settings.name
        server.product_uri = settings.application_uri
        server.set_endpoint(f"opc.tcp://{settings.host}:{settings.port}")
        server.inside.max_connections = MOST_CLIENTS
        server.load_identity()
        self._seen_files = self._files()
        await server.init()
        await server.set_application_uri(settings.application_uri)
        await self._create(await server.register_namespace(settings.namespace))
        names = {node_id: self._variables[node] for node, node_id in self._nodes.items()}
        server.inside.attribute_service = _Attributes(server.inside.aspace, names, server.users, self._written)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken.
        """
        await self._server.start()

    async def stop(self) -> None:
        """Leave; clients see the connection close."""
        await self._server.stop()

    async def show(self, values: Mapping[str, Shown]) -> None:
        """Bring variables up to date by node; what has not changed is not told again."""
        changed = [(node, shown) for node, shown in values.items() if self._shown.get(node) != shown]
        for begin in range(0, len(changed), AT_ONCE):
            for node, shown in changed[begin : begin + AT_ONCE]:
                await self._tell(self._nodes[node], self._data(node, shown))
                self._shown[node] = shown
            await asyncio.sleep(0)

    def held(self, node: str) -> Value:
        """What a writable variable holds now, whoever wrote it last."""
        data = self._server.read_attribute_value(self._nodes[node])
        content = None if data.Value is None else data.Value.Value
        if isinstance(content, str):
            return content
        value = number_of(content)
        return _EMPTY[self._variables[node].type] if value is None else value

    def review(self) -> None:
        """Take over changed certificates, and hang up on clients that are no longer trusted.

        Raises:
            GuardError: the server's own cannot be read; those in use stay.
        """
        files = self._files()
        if files == self._seen_files:
            return
        self._seen_files = files
        for client in list(self._server.bserver.clients if self._server.bserver is not None else ()):
            if client.processor is None or client.transport is None:
                continue
            shown = client.processor._connection.security_policy.peer_certificate  # noqa: SLF001 - no other way
            if shown and (reason := self._server.refusal(shown)):
                self._alarm(f"a client is no longer trusted: {reason}")
                client.transport.close()
        self._server.load_identity()

    def _files(self) -> object:
        """Changes whenever a file that security rests on does."""
        settings = self._settings
        if not settings.policies:
            return None
        singles = [settings.certificate, settings.key, *(user.certificate for user in settings.users)]
        stamps = [trust.stamp(Path(name).parent) for name in singles if name]
        return (trust.stamp(Path(settings.trust)), *stamps)

    async def _create(self, index: int) -> None:
        folders: dict[tuple[str, ...], Node] = {(): self._server.nodes.objects}
        for variable in self._variables.values():
            parent = await self._folder(variable.path[:-1], folders, index)
            node_id = ua.NodeId(ua.String(variable.node), ua.Int16(index))
            name = ua.QualifiedName(ua.String(variable.path[-1]), ua.UInt16(index))
            kind = _VARIANTS[variable.type]
            node = await parent.add_variable(node_id, name, _content(_EMPTY[variable.type], variable.type), kind)
            about = ua.DataValue(ua.Variant(ua.LocalizedText(variable.about), ua.VariantType.LocalizedText))
            await self._tell(node_id, about, AttributeIds.Description)
            if variable.is_writable:
                await node.set_writable()
            else:
                await self._tell(node_id, WAITING)
            self._nodes[variable.node] = node_id

    async def _tell(self, node_id: ua.NodeId, data: ua.DataValue, attribute: AttributeIds = AttributeIds.Value) -> None:
        """Change one attribute; that the library refuses is a defect of ours."""
        code = await self._server.inside.aspace.write_attribute_value(node_id, attribute, data)
        if not code.is_good():
            raise ValueError(f"{node_id.to_string()} cannot be {data}: {code.name}")

    async def _folder(self, path: tuple[str, ...], folders: dict[tuple[str, ...], Node], index: int) -> Node:
        if path not in folders:
            parent = await self._folder(path[:-1], folders, index)
            name = ua.QualifiedName(ua.String(path[-1]), ua.UInt16(index))
            folders[path] = await parent.add_folder(ua.NodeId(ua.String("/".join(path)), ua.Int16(index)), name)
        return folders[path]

    def _data(self, node: str, shown: Shown) -> ua.DataValue:
        kind = self._variables[node].type
        if shown.value is None and shown.quality is not Quality.BAD:
            return WAITING
        content = _content(_EMPTY[kind] if shown.value is None else shown.value, kind)
        status = STATUS[Quality.BAD if shown.value is None else shown.quality]
        return ua.DataValue(
            ua.Variant(content, _VARIANTS[kind]),
            StatusCode=ua.StatusCode(ua.UInt32(getattr(StatusCodes, status))),
            SourceTimestamp=None if shown.at_s is None else _moment(shown.at_s),
        )


class _Attributes(AttributeService):
    """The library's service of reading and writing, in which only operators write, and hear what became of it."""

    def __init__(
        self, aspace: AddressSpace, variables: Mapping[ua.NodeId, Variable], users: Users, written: Written
    ) -> None:
        super().__init__(aspace)
        self._variables = variables
        self._users = users
        self._written = written

    async def write(self, params: ua.WriteParameters, user: User = _ADMIN) -> list[ua.StatusCode]:
        """Refuse what may not be written; hand the rest over as a whole, and keep what is taken."""
        if user.role is UserRole.Admin:
            return await super().write(params, user)
        judged = [self._judged(item, user) for item in params.NodesToWrite]
        wanted = {node: value for node, value, _ in judged if value is not None}
        refused = await self._written(user.name or "", wanted) if wanted else {}
        codes = [code or refused.get(node, GOOD) for node, _, code in judged]
        kept = [item for item, code in zip(params.NodesToWrite, codes, strict=True) if code == GOOD]
        await super().write(ua.WriteParameters(kept), _ADMIN)
        return [ua.StatusCode(ua.UInt32(getattr(StatusCodes, code))) for code in codes]

    def _judged(self, item: ua.WriteValue, user: User) -> tuple[str, Value | None, str]:
        """Node, value and, where it is refused before anybody is asked, the name of the StatusCode."""
        variable = self._variables.get(item.NodeId)
        if variable is None or not variable.is_writable or item.AttributeId != AttributeIds.Value:
            return "", None, "BadNotWritable"
        if not self._users.is_operator(user):
            return variable.node, None, "BadUserAccessDenied"
        content = item.Value.Value
        if item.IndexRange or content is None or content.is_array or content.VariantType != _VARIANTS[variable.type]:
            return variable.node, None, "BadTypeMismatch"
        value = content.Value if variable.type is Type.TEXT else number_of(content.Value)
        if value is None:
            return variable.node, None, "BadOutOfRange"
        return variable.node, value, ""


def _moment(at_s: float) -> ua.DateTime:
    return ua.DateTime.fromtimestamp(at_s, UTC)


def _content(value: Value, kind: Type) -> object:
    """As the library wants it."""
    match kind:
        case Type.TIME:
            return _moment(float(value)) if value else NULL_TIME
        case Type.COUNT:
            return int(value)
        case _:
            return value
