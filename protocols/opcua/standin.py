"""A server in place of another one: its NodeIds, names and types, and values as they are given."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from asyncua import ua
from asyncua.common.callback import Callback, CallbackType, ServerItemCallback
from asyncua.common.node import Node
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AddressSpace, AttributeService
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError

from protocols.opcua.errors import UnfitError
from protocols.opcua.guard import GuardedServer
from protocols.opcua.model import Kind
from protocols.opcua.served import MOST_CHILDREN, ServerSettings
from protocols.opcua.server import GOOD, STATUS, WAITING
from protocols.opcua.values import KINDS, Reading, UnfitValueError, as_variant, number_of
from protocols.port import Now

logging.getLogger("asyncua").setLevel(logging.CRITICAL)
# It tells of every client that comes and goes, and warns of the missing security that a stand-in does without.

STANDARD: Final = "http://opcfoundation.org/UA/"
"""Namespace 0 (OPC UA Part 3)."""
MADE_UP: Final = "urn:ampacity:namespace"
"""Namespaces of which only the number is known are called so."""
MOST_NAMESPACES: Final = 100
TYPES: Final[Mapping[Kind, str]] = {
    Kind.BOOLEAN: "Boolean",
    Kind.INTEGER: "Int64",
    Kind.FLOAT: "Float",
    Kind.DOUBLE: "Double",
    Kind.DATE_TIME: "DateTime",
}
"""The type of a variable of which only the kind is known."""
TEXT: Final = "String"
_ADMIN: Final = User(role=UserRole.Admin)

Judge = Callable[[str, float], str]
"""Told a NodeId and what is written to it; gives the name of the StatusCode, and `Good` takes the value over."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a server shows."""

    folders: Mapping[str, Mapping[str, str]]
    """NodeIds of the variables by name, by NodeId of their folder."""
    types: Mapping[str, str]
    """Names of OPC UA's types by NodeId of the variable; empty where nothing is known. Variables in none of the folders
    lie in folders of their own."""
    writable: frozenset[str] = frozenset()


class StandIn:
    """Prepared and started once, stopped once; no security, and everybody may write what is writable."""

    def __init__(self, host: str, port: int, likeness: Likeness, now: Now, judge: Judge) -> None:
        """`port` 0 takes a free one.

        Raises:
            UnfitError: something is no NodeId, or of a namespace beyond reason.
        """
        texts = (
            *likeness.folders,
            *likeness.types,
            *(n for names in likeness.folders.values() for n in names.values()),
        )
        self._parsed = {text: _parsed(text) for text in texts}
        self._namespaces = _namespaces(likeness, self._parsed)
        settings = ServerSettings(host, port, "", self._namespaces[1], "Ampacity, in place of another server")
        self._server = GuardedServer(settings, now, lambda _: None)
        self._settings, self._likeness, self._judge = settings, likeness, judge
        self._nodes: dict[str, ua.NodeId] = {}
        self._variants: dict[str, ua.VariantType] = {}
        self._is_up = False
        self._speaks = asyncio.Event()
        self._speaks.set()

    @property
    def url(self) -> str:
        """Where to connect, also where the port was given as 0."""
        bound = self._server.bserver
        return f"opc.tcp://{self._settings.host}:{self._settings.port if bound is None else bound.port}"

    async def prepare(self) -> None:
        """Build the address space."""
        server = self._server
        server.name = self._settings.name
        server.set_endpoint(f"opc.tcp://{self._settings.host}:{self._settings.port}")
        await server.init()
        await server.set_application_uri(self._namespaces[1])
        for uri in self._namespaces[2:]:
            await server.register_namespace(uri)
        for folder, names in self._likeness.folders.items():
            parent = await self._folder(self._id(folder))
            for name, node in names.items():
                await self._variable(parent, node, name)
        alone = [node for node in self._likeness.types if node not in self._nodes]
        for begin in range(0, len(alone), MOST_CHILDREN):
            parent = await server.nodes.objects.add_folder(1, f"Points{begin // MOST_CHILDREN}")
            for node in alone[begin : begin + MOST_CHILDREN]:
                await self._variable(parent, node, str(self._id(node).Identifier))
        names_of = {node_id: node for node, node_id in self._nodes.items() if node in self._likeness.writable}
        server.inside.attribute_service = _Attributes(server.inside.aspace, names_of, self._variants, self._judge)
        for call in (CallbackType.PreRead, CallbackType.PreWrite):
            server.inside.callback_service.addListener(
                call,  # type: ignore[arg-type]  # the library declares str and passes the enumeration
                self._hesitate,
            )

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken.
        """
        await self._server.start()
        self._is_up = True

    async def stop(self) -> None:
        """Leave."""
        self._speaks.set()
        await self._server.stop()

    async def reach(self, *, is_up: bool, is_silent: bool = False) -> None:
        """Be there or not, and answer or not; what is not there hangs up on its clients."""
        if is_silent and is_up:
            self._speaks.clear()
        else:
            self._speaks.set()
        if is_up != self._is_up and self._server.bserver is not None:
            self._is_up = is_up
            await (self._server.bserver.start() if is_up else self._server.bserver.stop())

    async def show(self, node: str, shown: Reading) -> None:
        """Let a variable say what was read; nodes of OPC UA itself speak for themselves."""
        if node in self._nodes:
            node_id, data = self._nodes[node], _data(shown, self._variants[node])
            await self._server.inside.aspace.write_attribute_value(node_id, AttributeIds.Value, data)

    async def _hesitate(self, event: Callback, _service: object) -> None:
        """Before a client reads or writes."""
        if isinstance(event, ServerItemCallback) and event.is_external:
            await self._speaks.wait()

    def _id(self, text: str) -> ua.NodeId:
        """On this server."""
        node_id = self._parsed[text]
        if isinstance(node_id, ua.ExpandedNodeId) and node_id.NamespaceUri is not None:
            return ua.NodeId(node_id.Identifier, ua.Int16(self._namespaces.index(node_id.NamespaceUri)))
        return node_id

    async def _folder(self, node_id: ua.NodeId) -> Node:
        if node_id in self._server.inside.aspace:
            return self._server.get_node(node_id)
        name = ua.QualifiedName(ua.String(node_id.Identifier), ua.UInt16(node_id.NamespaceIndex))
        return await self._server.nodes.objects.add_folder(node_id, name)

    async def _variable(self, parent: Node, node: str, name: str) -> None:
        node_id = self._id(node)
        if node_id in self._server.inside.aspace:
            await parent.add_reference(node_id, ObjectIds.Organizes)
            return
        variant = ua.VariantType[self._likeness.types.get(node) or "Null"]
        called = ua.QualifiedName(ua.String(name), ua.UInt16(node_id.NamespaceIndex))
        if variant is ua.VariantType.Null:
            kind = ua.NodeId(ua.Int32(ObjectIds.BaseDataType))
            made = await parent.add_variable(node_id, called, ua.Variant(None, variant), datatype=kind)
        else:
            made = await parent.add_variable(node_id, called, _empty(variant), variant)
        await self._server.inside.aspace.write_attribute_value(node_id, AttributeIds.Value, WAITING)
        if node in self._likeness.writable:
            await made.set_writable()
        self._nodes[node], self._variants[node] = node_id, variant


class _Attributes(AttributeService):
    """The library's service of reading and writing, which asks whether a value is taken."""

    def __init__(
        self,
        aspace: AddressSpace,
        writable: Mapping[ua.NodeId, str],
        variants: Mapping[str, ua.VariantType],
        judge: Judge,
    ) -> None:
        super().__init__(aspace)
        self._inside, self._writable, self._variants, self._judge = aspace, writable, variants, judge

    async def write(self, params: ua.WriteParameters, user: User = _ADMIN) -> list[ua.StatusCode]:
        """Refuse what is refused, and keep what is taken."""
        if user.role is UserRole.Admin:
            return await super().write(params, user)
        codes = [self._judged(item) for item in params.NodesToWrite]
        kept = [item for item, code in zip(params.NodesToWrite, codes, strict=True) if code == GOOD]
        await super().write(ua.WriteParameters(kept), _ADMIN)
        return [_status(code, StatusCodes.BadUnexpectedError) for code in codes]

    def _judged(self, item: ua.WriteValue) -> str:
        if item.NodeId not in self._inside:
            return "BadNodeIdUnknown"
        node = self._writable.get(item.NodeId)
        if node is None or item.AttributeId != AttributeIds.Value:
            return "BadNotWritable"
        content = item.Value.Value
        if item.IndexRange or content is None or content.is_array or content.VariantType != self._variants[node]:
            return "BadTypeMismatch"
        value = number_of(content.Value)
        return "BadOutOfRange" if value is None else self._judge(node, value)


def _parsed(text: str) -> ua.NodeId:
    try:
        return ua.NodeId.from_string(text)
    except UaError as error:
        raise UnfitError(f"{text} is not a NodeId") from error


def _namespaces(likeness: Likeness, parsed: Mapping[str, ua.NodeId]) -> list[str]:
    """URIs by number. One that a folder is named by gets the number of the variables in it, which come numbered."""
    numbers = {node_id.NamespaceIndex for node_id in parsed.values() if not _uri(node_id)}
    if max(numbers, default=0) > MOST_NAMESPACES:
        raise UnfitError(f"a NodeId is of namespace {max(numbers)}; more than {MOST_NAMESPACES} are not made")
    found = {0: STANDARD}
    for uri, number in _hints(likeness, parsed):
        if uri not in found.values():
            found.setdefault(number, uri)
    for uri in dict.fromkeys(filter(None, map(_uri, parsed.values()))):
        if uri not in found.values():
            found[next(n for n in range(2, MOST_NAMESPACES + len(parsed) + 2) if n not in found.keys() | numbers)] = uri
    top = max((1, *numbers, *found))
    return [found.get(number, f"{MADE_UP}:{number}") for number in range(top + 1)]


def _hints(likeness: Likeness, parsed: Mapping[str, ua.NodeId]) -> Iterator[tuple[str, int]]:
    for folder, names in likeness.folders.items():
        for node in names.values():
            if (uri := _uri(parsed[folder])) and not _uri(parsed[node]) and parsed[node].NamespaceIndex:
                yield uri, parsed[node].NamespaceIndex


def _uri(node_id: ua.NodeId) -> str:
    return (node_id.NamespaceUri or "") if isinstance(node_id, ua.ExpandedNodeId) else ""


def _data(shown: Reading, variant: ua.VariantType) -> ua.DataValue:
    """A value as the variable's type has it; one that its type cannot hold has no value."""
    moment = None if shown.source_time_s is None else as_variant(shown.source_time_s, ua.VariantType.DateTime).Value
    status = _status(shown.status, getattr(StatusCodes, STATUS[shown.quality]))
    try:
        content = _variant(shown, variant)
    except UnfitValueError:
        content, status = ua.Variant(None, ua.VariantType.Null), ua.StatusCode(ua.UInt32(StatusCodes.BadOutOfRange))
    return ua.DataValue(content, StatusCode=status, SourceTimestamp=moment)


def _variant(shown: Reading, variant: ua.VariantType) -> ua.Variant:
    if variant is ua.VariantType.String:
        return ua.Variant(shown.text, variant)
    if shown.value is not None and variant in KINDS:
        return as_variant(shown.value, variant)
    if shown.kind in (Kind.FLOAT, Kind.DOUBLE) and variant in (ua.VariantType.Float, ua.VariantType.Double):
        return ua.Variant(float("nan"), variant)  # it was there, and not finite
    return ua.Variant(None, ua.VariantType.Null)


def _empty(variant: ua.VariantType) -> object:
    return "" if variant is ua.VariantType.String else as_variant(0.0, variant).Value


def _status(name: str, otherwise: int) -> ua.StatusCode:
    return ua.StatusCode(ua.UInt32(getattr(StatusCodes, name, otherwise)))
