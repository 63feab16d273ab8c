"""Emergencies that were declared, and what every resource has to keep to while they last."""

from dataclasses import dataclass, field, replace

from gateway.coordination.lifecycle import ALERT, AlertEvent, AlertState, OrderEvent
from gateway.coordination.messages import Message
from gateway.coordination.operation_messages import EmergencyClear, EmergencyControl, EmergencyDeclare
from gateway.coordination.trade import Trade

KEPT = 1_000


@dataclass(slots=True)
class EmergencyRecord:
    """One emergency."""

    declared: EmergencyDeclare
    controls: dict[str, EmergencyControl] = field(default_factory=dict)
    """By resource."""
    cleared_s: float | None = None


@dataclass(slots=True)
class Emergencies:
    """All of them, the newest last; `sent` is the only mutation."""

    state: AlertState = AlertState.NORMAL
    records: dict[str, EmergencyRecord] = field(default_factory=dict)

    def control(self, resource: str) -> EmergencyControl | None:
        """What a resource has to keep to now, of several the strictest on either side; nothing outside of them."""
        found = [r.controls[resource] for r in self.records.values() if r.cleared_s is None and resource in r.controls]
        if not found:
            return None
        strictest = min(found, key=lambda control: control.ceiling_w)
        return replace(strictest, floor_w=max(control.floor_w for control in found))

    @property
    def lasting(self) -> tuple[EmergencyRecord, ...]:
        """Those that are not over."""
        return tuple(record for record in self.records.values() if record.cleared_s is None)

    def sent(self, message: Message, at_s: float, trade: Trade) -> None:  # noqa: ARG002 - as its siblings
        """Take in what we said; whatever is owed is interrupted, and taken up again afterwards."""
        match message.body:
            case EmergencyDeclare() as body:
                if body.emergency_id not in self.records:
                    self.records[body.emergency_id] = EmergencyRecord(body)
                    self._step(AlertEvent.DECLARE)
                    self.records = dict(list(self.records.items())[-KEPT:])
            case EmergencyControl() as body:
                record = self.records.get(body.emergency_id)
                if record is not None:
                    record.controls[body.resource] = body
                    for instance in trade.of(body.resource):
                        if instance.live:
                            trade.step(instance.id, OrderEvent.EMERGENCY)
            case EmergencyClear() as body:
                self._clear(body, trade)
            case _:
                pass

    def _clear(self, body: EmergencyClear, trade: Trade) -> None:
        record = self.records.get(body.emergency_id)
        if record is None or record.cleared_s is not None:
            return
        record.cleared_s = body.end_s
        for resource in record.controls:
            if self.control(resource) is not None:
                continue  # another one holds it
            for instance in trade.of(resource):
                if instance.before is not None:
                    trade.step(instance.id, OrderEvent.CALM)
        if not self.lasting:
            self._step(AlertEvent.CLEAR)
            self._step(AlertEvent.RESTORED)

    def _step(self, event: AlertEvent) -> None:
        if ALERT.allows(self.state, event):
            self.state = ALERT.step(self.state, event)
