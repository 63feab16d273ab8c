"""One session on one server: a deadline around every call, and nothing queued across an outage."""

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError

from protocols.opcua import channel, trust
from protocols.opcua.errors import LinkDownError, NoAnswerError, UnfitError
from protocols.opcua.sequence import Numbers
from protocols.opcua.settings import Connection
from protocols.opcua.values import UNKNOWN_NODE, Reading, UnfitValueError, as_variant, is_overflow, reading
from protocols.port import Now

T = TypeVar("T")

logging.getLogger("asyncua").setLevel(logging.CRITICAL)
# What the library has to say reaches us as errors; its tracebacks about a lost link would only repeat it.

GOOD = "Good"
OBJECTS = "i=85"
"""The folder under which every server shows what it has."""
PER_CALL = 500
"""Nodes per read; servers limit it, often to 1000."""
KEEP_ALIVES = 10
"""Publishing intervals without a change after which the server says that it lives."""
SILENT_AFTER = 3
"""Missed keep-alives after which the subscription counts as dead."""
EVERY_CHANGE = 0.0
"""Sampling interval that asks a server for its quickest, or for exceptions where it has them."""
CONNECT_CALLS = 5
"""Round trips to connect: socket, hello, channel, session, namespaces."""
UNREADABLE = (ValueError, LookupError, struct.error)
"""What the library raises for bytes that are not what they should be."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One node below another, as browsing finds it."""

    name: str
    """The name part of its BrowseName."""
    node: str
    """`nsu=<namespace URI>;…`, which outlives a restart of the server; `i=…` for those of OPC UA itself."""
    kind: str
    """`Object`, `Variable`, `Method`, …"""


Changed = Callable[[Sequence[tuple[str, Reading]]], None]
"""Takes one publication of a subscription."""


class OpcUaClient:
    """One session on one server. Opened once, closed once; a lost link needs a new client."""

    def __init__(self, connection: Connection, now: Now) -> None:
        self._connection = connection
        self._now = now
        self._url = connection.url
        self._timeout_s = connection.timeout_s
        self._peer: trust.Peer | None = None
        self._trust_stamp: object = None
        # Its own deadlines behind ours, and its own probe off: a slow answer is not yet a lost link.
        self._client = Client(connection.url, timeout=2 * connection.timeout_s, watchdog_intervall=86_400)
        self._client.connection_lost_callback = self._on_lost
        self._namespaces: list[str] = []
        self._types: dict[str, ua.VariantType] = {}
        self._node_ids: dict[str, ua.NodeId | None] = {}
        self.sequence = Numbers()
        """Of the newest subscription."""
        self._published_at = 0.0
        self._silent_after_s = 0.0
        self._lost: asyncio.Event = asyncio.Event()

    async def open(self) -> None:
        """Connect and open a session.

        Raises:
            LinkDownError: nobody answers, or the server refuses.
            UntrustedError: its certificate is not to be trusted; no session was opened.
        """
        try:
            async with asyncio.timeout(self._timeout_s * CONNECT_CALLS):
                self._namespaces = await _plainly(self._connect())
        except TimeoutError as error:
            raise LinkDownError(f"connecting to {self._url}: no answer") from error
        except (OSError, UaError) as error:
            raise LinkDownError(f"connecting to {self._url}: {_said(error)}") from error
        except AssertionError as error:  # how the library takes a refusal in place of a channel
            raise LinkDownError(
                f"connecting to {self._url}: it opens no channel for us; see whether it trusts our certificate"
            ) from error
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

    def review(self) -> None:
        """Judge the server anew where the trust list has changed.

        Raises:
            UntrustedError: it is no longer trusted.
            LinkDownError: the trust list cannot be read.
        """
        if self._peer is None:
            return
        stamp = trust.stamp(Path(self._connection.trust))
        if stamp != self._trust_stamp:
            channel.judge(self._peer, self._connection, self._now())
            self._trust_stamp = stamp

    async def browse(self, node: str = OBJECTS) -> list[Entry]:
        """What lies below a node; empty where there is no such node.

        Raises:
            LinkDownError, NoAnswerError: nothing was found out.
        """
        return [
            Entry(str(ref.BrowseName.Name), self._lasting(ref.NodeId), ref.NodeClass.name)
            for ref in await self._references(node, ua.NodeClass.Unspecified)
        ]

    async def variables(self, folder: str) -> dict[str, str]:
        """NodeIds of the variables in a folder, by the name part of their BrowseName; empty where there is none."""
        found = await self._references(folder, ua.NodeClass.Variable)
        return {str(ref.BrowseName.Name): ref.NodeId.to_string() for ref in found}

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
                found[node] = self._take(node, value)
        return [found.get(node, UNKNOWN_NODE) for node in nodes]

    async def write(self, values: Mapping[str, float]) -> dict[str, str]:
        """Write all in one call and give the name of each node's StatusCode; each has been read before, for its type.

        Raises:
            UnfitError: a value is out of its variable's range, or that holds no number; nothing was sent.
            NoAnswerError, LinkDownError: unknown what the server did.
        """
        node_ids: list[ua.NodeId] = []
        data: list[ua.DataValue] = []
        for node, value in values.items():
            node_id = self._node_id(node)
            if node_id is None:
                raise UnfitError(f"{node} is not a NodeId of {self._url}")
            node_ids.append(node_id)
            if node not in self._types:
                raise UnfitError(f"{node} has not been read as a number; nothing was sent")
            try:
                data.append(ua.DataValue(as_variant(value, self._types[node])))
            except UnfitValueError as error:
                raise UnfitError(f"{node}: {error}; nothing was sent") from error
        codes = await self._ask(
            f"writing {len(values)} nodes at {self._url}",
            self._client.uaclient.session.write_attributes(node_ids, data, AttributeIds.Value),
        )
        return {node: str(code.name) for node, code in zip(values, codes, strict=True)}

    async def subscribe(
        self, nodes: Sequence[str], publishing_s: float, changed: Changed, *, queue: int = 1
    ) -> dict[str, str]:
        """Have every change of value, status or source timestamp handed to `changed`; gives what was refused, and why.

        Args:
            queue: with 1, values are sampled once per publication and the newest counts; with more, all that
                change in between come, up to that many.

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
        self.sequence = Numbers()
        keep_alive_s = created.RevisedPublishingInterval / 1000 * created.RevisedMaxKeepAliveCount
        self._published_at = asyncio.get_running_loop().time()
        self._silent_after_s = keep_alive_s * SILENT_AFTER + self._timeout_s
        for begin in range(0, len(items), PER_CALL):
            part = items[begin : begin + PER_CALL]
            request = ua.CreateMonitoredItemsParameters(
                SubscriptionId=created.SubscriptionId,
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=[self._item(node, begin + i, publishing_s, queue) for i, node in enumerate(part)],
            )
            results = await self._ask(f"monitoring nodes at {self._url}", session.create_monitored_items(request))
            refused |= {
                node: str(result.StatusCode.name)
                for node, result in zip(part, results, strict=True)
                if not result.StatusCode.is_good()
            }
        return refused

    def _item(self, node: str, handle: int, publishing_s: float, queue: int) -> ua.MonitoredItemCreateRequest:
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=self._node_id(node), AttributeId=AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(
                ClientHandle=handle,
                SamplingInterval=publishing_s * 1000 if queue == 1 else EVERY_CHANGE,
                Filter=ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp),
                QueueSize=queue,
                DiscardOldest=True,
            ),
        )

    async def _on_publish(self, result: ua.PublishResult, items: Sequence[str], changed: Changed) -> None:
        """Hand over what came, after what was missing before it."""
        self._published_at = asyncio.get_running_loop().time()
        message = result.NotificationMessage
        is_keep_alive = not message.NotificationData
        for number in self.sequence.missing(message.SequenceNumber, is_keep_alive=is_keep_alive):
            if (found := await self._again(result.SubscriptionId, number)) is None:
                self.sequence.lost += 1
            else:
                self.sequence.recovered += 1
                self._hand_over(found, items, changed)
        self._hand_over(message, items, changed)

    async def _again(self, subscription: int, number: int) -> ua.NotificationMessage | None:
        """A notification that did not arrive; None where the server has it no longer."""
        what = f"fetching notification {number} of {self._url} again"
        try:
            found = await self._ask(what, self._client.uaclient.session.republish(subscription, number))
        except (LinkDownError, NoAnswerError):
            return None
        return found if found.NotificationData else None

    def _hand_over(self, message: ua.NotificationMessage, items: Sequence[str], changed: Changed) -> None:
        batch: list[tuple[str, Reading]] = []
        for data in message.NotificationData or ():
            if isinstance(data, ua.DataChangeNotification):
                mine = [item for item in data.MonitoredItems if item.ClientHandle < len(items)]
                batch += [(items[item.ClientHandle], self._take(items[item.ClientHandle], item.Value)) for item in mine]
                self.sequence.overflows += sum(is_overflow(item.Value) for item in mine)
            elif isinstance(data, ua.StatusChangeNotification):
                self._lost.set()
        if batch:
            changed(batch)

    async def _connect(self) -> list[str]:
        self._trust_stamp = trust.stamp(Path(self._connection.trust))
        self._peer = await channel.secure(self._client, self._connection, self._now())
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

    async def _references(self, node: str, classes: ua.NodeClass) -> list[ua.ReferenceDescription]:
        node_id = self._node_id(node)
        if node_id is None:
            return []
        return await self._ask(
            f"browsing {node}",
            self._client.get_node(node_id).get_references(
                refs=ObjectIds.HierarchicalReferences,
                direction=ua.BrowseDirection.Forward,
                nodeclassmask=classes,
            ),
        )

    def _node_id(self, text: str) -> ua.NodeId | None:
        """The NodeId on this server, whose numbering of namespaces holds for this session alone."""
        if text not in self._node_ids:
            self._node_ids[text] = self._parsed(text)
        return self._node_ids[text]

    def _parsed(self, text: str) -> ua.NodeId | None:
        try:
            parsed = ua.NodeId.from_string(text)
        except UaError:
            return None
        if not isinstance(parsed, ua.ExpandedNodeId):
            return parsed
        if parsed.NamespaceUri not in self._namespaces:
            return None
        return ua.NodeId(parsed.Identifier, ua.Int16(self._namespaces.index(parsed.NamespaceUri)))

    def _lasting(self, node_id: ua.NodeId) -> str:
        """The NodeId with the URI of its namespace in place of the number."""
        index = node_id.NamespaceIndex
        plain = ua.NodeId(node_id.Identifier, ua.Int16(0), node_id.NodeIdType).to_string()
        return f"nsu={self._namespaces[index]};{plain}" if 0 < index < len(self._namespaces) else node_id.to_string()

    def _take(self, node: str, data: ua.DataValue) -> Reading:
        """A value as the server tells it, whose type is remembered for writing."""
        found = reading(data)
        if found.kind is not None and data.Value is not None:
            self._types[node] = data.Value.VariantType
        return found


async def _plainly(answer: Awaitable[T]) -> T:
    """The same, cancelled like anything else.

    An answer that comes in the very moment of a cancellation makes the library raise a subclass of
    `CancelledError`, which `asyncio.timeout` does not take for its own and lets out as a cancellation.
    """
    try:
        return await answer
    except asyncio.CancelledError as error:
        raise asyncio.CancelledError from error


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
