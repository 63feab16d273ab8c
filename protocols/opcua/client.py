"""The one file that knows asyncua: a deadline around every call, and nothing queued across an outage."""

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError

from protocols.opcua.model import Kind
from protocols.opcua.settings import OpcUaSettings
from protocols.signals import Quality

T = TypeVar("T")

logging.getLogger("asyncua").setLevel(logging.CRITICAL)
# What the library has to say reaches us as errors; its tracebacks about a lost link would only repeat it.

GOOD = "Good"
PER_CALL = 500
"""Nodes per read; servers limit it, often to 1000."""
KEEP_ALIVES = 10
"""Publishing intervals without a change after which the server says that it lives."""
SILENT_AFTER = 3
"""Missed keep-alives after which the subscription counts as dead."""
CONNECT_CALLS = 5
"""Round trips to connect: socket, hello, channel, session, namespaces."""
UNREADABLE = (ValueError, LookupError, struct.error)
"""What the library raises for bytes that are not what they should be."""


class OpcUaError(Exception):
    """What a server did or failed to do."""


class LinkDownError(OpcUaError):
    """The connection is gone; open a new one."""


class NoAnswerError(OpcUaError):
    """Nothing came back in time; whether the server acted is unknown."""


class UnfitError(OpcUaError):
    """A value does not fit the type of its variable; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value as the server tells it."""

    value: float | None
    """`None` where null, not a number, not finite or of bad quality; times are Unix seconds, 0 for the null time."""
    quality: Quality
    status: str
    """Name of the StatusCode, for people."""
    source_time_s: float | None
    kind: Kind | None
    """`None` where a number cannot be written to it."""


Changed = Callable[[Sequence[tuple[str, Reading]]], None]
"""Takes one publication of a subscription."""


class OpcUaClient:
    """One session on one server. Opened once, closed once; a lost link needs a new client."""

    def __init__(self, settings: OpcUaSettings) -> None:
        self._url = settings.url
        self._timeout_s = settings.timeout_s
        self._security = settings.security
        # Its own deadlines behind ours, and its own probe off: a slow answer is not yet a lost link.
        self._client = Client(settings.url, timeout=2 * settings.timeout_s, watchdog_intervall=86_400)
        self._client.connection_lost_callback = self._on_lost
        self._namespaces: list[str] = []
        self._types: dict[str, ua.VariantType] = {}
        self._published_at = 0.0
        self._silent_after_s = 0.0
        self._lost: asyncio.Event = asyncio.Event()

    async def open(self) -> None:
        """Connect and open a session.

        Raises:
            LinkDownError: nobody answers, or the server refuses.
        """
        try:
            async with asyncio.timeout(self._timeout_s * CONNECT_CALLS):
                self._namespaces = await _plainly(self._connect())
        except TimeoutError as error:
            raise LinkDownError(f"connecting to {self._url}: no answer") from error
        except (OSError, UaError) as error:
            raise LinkDownError(f"connecting to {self._url}: {_said(error)}") from error
        except UNREADABLE as error:
            raise LinkDownError(f"connecting to {self._url}: the answer cannot be read: {_said(error)}") from error

    async def close(self) -> None:
        """Leave in good order where the server still listens, and drop the socket in any case."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await _plainly(self._client.disconnect())
        except (OSError, UaError):
            pass  # whatever it answers, we are gone
        finally:
            self._client.disconnect_socket()

    async def idle(self, for_s: float) -> None:
        """Wait that long; raise as soon as the link is lost.

        Raises:
            LinkDownError: the peer closed the connection, or its subscription fell silent.
        """
        try:
            async with asyncio.timeout(max(for_s, 0.0)):
                await self._lost.wait()
        except TimeoutError:
            silent_s = asyncio.get_running_loop().time() - self._published_at
            if not self._silent_after_s or silent_s < self._silent_after_s:
                return
            raise LinkDownError(f"{self._url} published nothing for {silent_s:.0f} s") from None
        raise LinkDownError(f"{self._url} closed the connection")

    async def variables(self, folder: str) -> dict[str, str]:
        """NodeIds of the variables in a folder, by the name part of their BrowseName; empty where there is none."""
        node_id = self._node_id(folder)
        if node_id is None:
            return {}
        references = await self._ask(
            f"browsing {folder}",
            self._client.get_node(node_id).get_references(
                refs=ObjectIds.HierarchicalReferences,
                direction=ua.BrowseDirection.Forward,
                nodeclassmask=ua.NodeClass.Variable,
            ),
        )
        return {str(ref.BrowseName.Name): ref.NodeId.to_string() for ref in references}

    async def read(self, nodes: Sequence[str]) -> list[Reading]:
        """Values of `nodes`, in their order; a node that the server does not know has a bad one.

        Raises:
            LinkDownError, NoAnswerError: nothing was read.
        """
        known = [(node, node_id) for node in nodes if (node_id := self._node_id(node)) is not None]
        found: dict[str, Reading] = {}
        for begin in range(0, len(known), PER_CALL):
            part = known[begin : begin + PER_CALL]
            values = await self._ask(
                f"reading {len(part)} nodes from {self._url}",
                self._client.uaclient.session.read_attributes([node_id for _, node_id in part], AttributeIds.Value),
            )
            for (node, _), value in zip(part, values, strict=True):
                found[node] = self._reading(node, value)
        return [found.get(node, UNKNOWN_NODE) for node in nodes]

    async def write(self, values: Mapping[str, float]) -> dict[str, str]:
        """Write all in one call and give the name of each node's StatusCode; types are those last read.

        Raises:
            UnfitError: a value is out of its variable's range; nothing was sent.
            NoAnswerError, LinkDownError: unknown what the server did.
        """
        node_ids: list[ua.NodeId] = []
        data: list[ua.DataValue] = []
        for node, value in values.items():
            node_id = self._node_id(node)
            if node_id is None:
                raise UnfitError(f"{node} is not a NodeId of {self._url}")
            node_ids.append(node_id)
            data.append(ua.DataValue(_variant(node, value, self._types.get(node, ua.VariantType.Double))))
        codes = await self._ask(
            f"writing {len(values)} nodes at {self._url}",
            self._client.uaclient.session.write_attributes(node_ids, data, AttributeIds.Value),
        )
        return {node: str(code.name) for node, code in zip(values, codes, strict=True)}

    async def subscribe(self, nodes: Sequence[str], publishing_s: float, changed: Changed) -> dict[str, str]:
        """Have every change of value, status or source timestamp handed to `changed`; gives what was refused, and why.

        Raises:
            LinkDownError, NoAnswerError: there is no subscription.
        """
        refused = {node: UNKNOWN_NODE.status for node in nodes if self._node_id(node) is None}
        items = [node for node in nodes if node not in refused]
        parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=publishing_s * 1000,
            RequestedLifetimeCount=KEEP_ALIVES * SILENT_AFTER * 2,
            RequestedMaxKeepAliveCount=KEEP_ALIVES,
            PublishingEnabled=True,
        )
        session = self._client.uaclient.session
        created = await self._ask(
            f"subscribing at {self._url}",
            session.create_subscription(parameters, lambda result: self._on_publish(result, items, changed)),
        )
        keep_alive_s = created.RevisedPublishingInterval / 1000 * created.RevisedMaxKeepAliveCount
        self._published_at = asyncio.get_running_loop().time()
        self._silent_after_s = keep_alive_s * SILENT_AFTER + self._timeout_s
        for begin in range(0, len(items), PER_CALL):
            part = items[begin : begin + PER_CALL]
            request = ua.CreateMonitoredItemsParameters(
                SubscriptionId=created.SubscriptionId,
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=[self._item(node, begin + i, publishing_s) for i, node in enumerate(part)],
            )
            results = await self._ask(f"monitoring nodes at {self._url}", session.create_monitored_items(request))
            refused |= {
                node: str(result.StatusCode.name)
                for node, result in zip(part, results, strict=True)
                if not result.StatusCode.is_good()
            }
        return refused

    def _item(self, node: str, handle: int, publishing_s: float) -> ua.MonitoredItemCreateRequest:
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=self._node_id(node), AttributeId=AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(
                ClientHandle=handle,
                SamplingInterval=publishing_s * 1000,
                Filter=ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp),
                QueueSize=1,
                DiscardOldest=True,
            ),
        )

    async def _on_publish(self, result: ua.PublishResult, items: Sequence[str], changed: Changed) -> None:
        self._published_at = asyncio.get_running_loop().time()
        batch: list[tuple[str, Reading]] = []
        for data in result.NotificationMessage.NotificationData or ():
            if isinstance(data, ua.DataChangeNotification):
                batch += [
                    (items[item.ClientHandle], self._reading(items[item.ClientHandle], item.Value))
                    for item in data.MonitoredItems
                    if item.ClientHandle < len(items)
                ]
            elif isinstance(data, ua.StatusChangeNotification):
                self._lost.set()
        if batch:
            changed(batch)

    async def _connect(self) -> list[str]:
        if self._security:
            await self._client.set_security_string(self._security)
        await self._client.connect()
        return list(await self._client.get_namespace_array())

    async def _on_lost(self, _error: Exception) -> None:
        self._lost.set()

    async def _ask(self, what: str, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await _plainly(answer)
        except TimeoutError as error:
            raise NoAnswerError(f"{what}: no answer within {self._timeout_s:g} s") from error
        except (OSError, UaError) as error:
            raise LinkDownError(f"{what}: {_said(error)}") from error
        except UNREADABLE as error:
            raise LinkDownError(f"{what}: the answer cannot be read: {_said(error)}") from error

    def _node_id(self, text: str) -> ua.NodeId | None:
        """The NodeId on this server, whose numbering of namespaces may change with every start."""
        try:
            parsed = ua.NodeId.from_string(text)
        except UaError:
            return None
        if not isinstance(parsed, ua.ExpandedNodeId):
            return parsed
        if parsed.NamespaceUri not in self._namespaces:
            return None
        return ua.NodeId(parsed.Identifier, ua.Int16(self._namespaces.index(parsed.NamespaceUri)))

    def _reading(self, node: str, data: ua.DataValue) -> Reading:
        status = data.StatusCode or ua.StatusCode()
        variant_type = data.Value.VariantType if data.Value is not None else None
        kind = KINDS.get(variant_type) if variant_type is not None else None
        if kind is not None and isinstance(variant_type, ua.VariantType):
            self._types[node] = variant_type
        value = None if status.is_bad() or data.Value is None else _number(data.Value.Value)
        return Reading(
            value=value,
            quality=Quality.BAD if value is None else _quality(status),
            status=str(status.name),
            source_time_s=_unix(data.SourceTimestamp) if data.SourceTimestamp is not None else None,
            kind=kind,
        )


UNKNOWN_NODE = Reading(None, Quality.BAD, "BadNodeIdUnknown", None, None)

KINDS: Mapping[ua.VariantType, Kind] = {
    ua.VariantType.Boolean: Kind.BOOLEAN,
    ua.VariantType.SByte: Kind.INTEGER,
    ua.VariantType.Byte: Kind.INTEGER,
    ua.VariantType.Int16: Kind.INTEGER,
    ua.VariantType.UInt16: Kind.INTEGER,
    ua.VariantType.Int32: Kind.INTEGER,
    ua.VariantType.UInt32: Kind.INTEGER,
    ua.VariantType.Int64: Kind.INTEGER,
    ua.VariantType.UInt64: Kind.INTEGER,
    ua.VariantType.Float: Kind.FLOAT,
    ua.VariantType.Double: Kind.DOUBLE,
    ua.VariantType.DateTime: Kind.DATE_TIME,
}
INTEGER_BITS: Mapping[ua.VariantType, tuple[int, bool]] = {
    ua.VariantType.SByte: (8, True),
    ua.VariantType.Byte: (8, False),
    ua.VariantType.Int16: (16, True),
    ua.VariantType.UInt16: (16, False),
    ua.VariantType.Int32: (32, True),
    ua.VariantType.UInt32: (32, False),
    ua.VariantType.Int64: (64, True),
    ua.VariantType.UInt64: (64, False),
}
"""Width and whether signed."""
QUALITIES: Mapping[str, Quality] = {
    "GoodLocalOverride": Quality.SUBSTITUTED,
    "UncertainSubstituteValue": Quality.SUBSTITUTED,
    "UncertainLastUsableValue": Quality.STALE,
    "UncertainNoCommunicationLastUsableValue": Quality.STALE,
    "UncertainInitialValue": Quality.STALE,
}
"""StatusCodes of OPC UA Part 8 that say how a value came about; other uncertain ones are estimates."""
NULL_TIME = datetime(1601, 1, 1, tzinfo=UTC)
"""The DateTime that means none (OPC UA Part 6)."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def _plainly(answer: Awaitable[T]) -> T:
    """The same, cancelled like anything else.

    An answer that comes in the very moment of a cancellation makes the library raise a subclass of
    `CancelledError`, which `asyncio.timeout` does not take for its own and lets out as a cancellation.
    """
    try:
        return await answer
    except asyncio.CancelledError as error:
        raise asyncio.CancelledError from error


def _quality(status: ua.StatusCode) -> Quality:
    return QUALITIES.get(str(status.name), Quality.GOOD if status.is_good() else Quality.ESTIMATED)


def _number(value: object) -> float | None:
    match value:
        case bool() | int() | float():
            return float(value) if isfinite(value) else None
        case datetime():
            return _unix(value)
        case _:
            return None


def _unix(moment: datetime) -> float:
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return 0.0 if moment <= NULL_TIME else moment.timestamp()


def _variant(node: str, value: float, variant_type: ua.VariantType) -> ua.Variant:
    kind = KINDS[variant_type]
    if kind is Kind.BOOLEAN:
        return ua.Variant(bool(value), variant_type)
    if kind is Kind.DATE_TIME:
        return ua.Variant(EPOCH + timedelta(seconds=value) if value else NULL_TIME, variant_type)
    if kind is Kind.INTEGER:
        bits, signed = INTEGER_BITS[variant_type]
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        if not low <= value <= high:
            raise UnfitError(f"{value:g} does not fit {node}, which is {variant_type.name}; nothing was sent")
        return ua.Variant(int(value), variant_type)
    return ua.Variant(value, variant_type)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
