"""A simulated system operator: sends dispatches when they are due and collects what it is told; no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.coordination.market_messages import BidAggregate, BidForward, ScheduleDayAhead, SchedulePreDispatch
from gateway.coordination.messages import (
    AckCommit,
    AckReceipt,
    CapabilityNotice,
    Dispatch,
    DispatchCopy,
    LimitInfo,
    Message,
    OutageNotice,
)
from gateway.coordination.operation_messages import ShortfallNotice
from gateway.coordination.settlement_messages import SettlementReport
from gateway.testbed.mailbox import Identity, Mailbox


@dataclass(slots=True)
class Heard:
    """Everything that the system operator was told, each message once and in order."""

    messages: list[Message] = field(default_factory=list)
    receipts: list[AckReceipt] = field(default_factory=list)
    commits: list[AckCommit] = field(default_factory=list)
    capabilities: list[CapabilityNotice] = field(default_factory=list)
    outages: list[OutageNotice] = field(default_factory=list)
    shortfalls: list[ShortfallNotice] = field(default_factory=list)
    bids: list[BidForward | BidAggregate] = field(default_factory=list)
    limits: list[LimitInfo] = field(default_factory=list)


class SystemOperator:
    """Dispatches resources: to their owners with a copy to the DSO in dual participation, else to the DSO."""

    def __init__(self, identity: Identity, owners: Mapping[str, str]) -> None:
        """`owners` gives the party of every resource or node that may be dispatched."""
        self.heard = Heard()
        self._owners = dict(owners)
        self._mail = Mailbox(identity)
        self._versions: dict[str, int] = {}
        self._planned: list[tuple[float, Dispatch]] = []

    @property
    def party(self) -> str:
        """Own party id."""
        return self._mail.identity.party

    def schedule(
        self,
        resource: str,
        power_w: float,
        start_s: float,
        end_s: float,
        at_s: float | None = None,
        *,
        version: int | None = None,
    ) -> str:
        """Plan a dispatch, to be sent at `at_s` (its start where not given); return its id.

        A second one for the same resource and start is the next version of the first, unless `version` is given.

        Raises:
            ValueError: the resource is unknown, or the interval ends before it starts.
        """
        if resource not in self._owners:
            raise ValueError(f"resource {resource!r} is unknown; known are {', '.join(sorted(self._owners))}")
        if end_s <= start_s:
            raise ValueError(f"the interval ends at {end_s}, not after its start {start_s}")
        dispatch_id = f"{self.party}-{resource}-{round(start_s)}"
        self._versions[dispatch_id] = self._versions.get(dispatch_id, 0) + 1 if version is None else version
        dispatch = Dispatch(dispatch_id, self._versions[dispatch_id], resource, power_w, start_s, end_s)
        self._planned.append((start_s if at_s is None else at_s, dispatch))
        return dispatch_id

    def charge(self, dispatch_id: str, amount: float, now_s: float) -> Message:
        """Charge the DSO for what was missing of a dispatch, in a statement as a CSV of one line."""
        lines = f"kind,reference,amount\npenalty,{dispatch_id},{amount:.2f}\n"
        report = SettlementReport(f"{self.party}-{dispatch_id}", 1, now_s, now_s, -amount, lines)
        return self._mail.write(self._mail.identity.dso, report.statement_id, report, now_s)

    def selected(self, schedule: ScheduleDayAhead | SchedulePreDispatch, now_s: float) -> list[Message]:
        """Publish what was selected of a resource's bids: to its owner in dual participation, and to the DSO.

        Raises:
            ValueError: the resource is unknown.
        """
        if schedule.resource not in self._owners:
            raise ValueError(f"resource {schedule.resource!r} is unknown; known are {', '.join(sorted(self._owners))}")
        identity = self._mail.identity
        audience = (self._owners[schedule.resource], identity.dso) if identity.dual else (identity.dso,)
        return [self._mail.write(party, schedule.schedule_id, schedule, now_s) for party in audience]

    def due(self, now_s: float) -> list[Message]:
        """Dispatches whose time has come."""
        ready = [dispatch for at_s, dispatch in self._planned if at_s <= now_s]
        self._planned = [(at_s, dispatch) for at_s, dispatch in self._planned if at_s > now_s]
        return [message for dispatch in ready for message in self._dispatch(dispatch, now_s)]

    def handle(self, message: Message, now_s: float) -> list[Message]:  # noqa: ARG002 - every party is told the time
        """Take note of a message; the system operator answers none."""
        if self._mail.answered(message) is not None:
            return []
        self._mail.remember(message, ())
        self.heard.messages.append(message)
        match message.body:
            case AckReceipt() as body:
                self.heard.receipts.append(body)
            case AckCommit() as body:
                self.heard.commits.append(body)
            case CapabilityNotice() as body:
                self.heard.capabilities.append(body)
            case OutageNotice() as body:
                self.heard.outages.append(body)
            case ShortfallNotice() as body:
                self.heard.shortfalls.append(body)
            case BidForward() | BidAggregate() as body:
                self.heard.bids.append(body)
            case LimitInfo() as body:
                self.heard.limits.append(body)
            case _:
                pass
        return []

    def _dispatch(self, dispatch: Dispatch, now_s: float) -> list[Message]:
        identity, corr_id = self._mail.identity, dispatch.dispatch_id
        if not identity.dual:
            return [self._mail.write(identity.dso, corr_id, dispatch, now_s)]
        copy = DispatchCopy(
            dispatch.dispatch_id,
            dispatch.version,
            dispatch.resource,
            dispatch.power_w,
            dispatch.start_s,
            dispatch.end_s,
        )
        return [
            self._mail.write(self._owners[dispatch.resource], corr_id, dispatch, now_s),
            self._mail.write(identity.dso, corr_id, copy, now_s),
        ]
