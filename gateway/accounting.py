"""The books of a running zone: measures what is over, tells the parties, makes statements, settles disputes.

It asks the telemetry and the meters, calls pure functions, journals what follows, and only then tells anybody.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from gateway.coordination import contesting, settling
from gateway.coordination.baselining import Wanted
from gateway.coordination.events import Alarmed, Assessed, Event, Sent, Stated
from gateway.coordination.situation import Situation
from gateway.exchange import CannotRecord, Exchange, RefusedMessage
from gateway.ground import Ground
from gateway.historian import HistorianError
from gateway.metering import MeteringError
from gateway.settlement.assessment import Assessment, measured_again
from gateway.settlement.metered import energies, power_at, resampled
from gateway.settlement.schedule import Asked
from gateway.settlement.words import MeterInterval, MeterSource
from protocols.points import Point, Quantity
from protocols.signals import Measurement, Quality

GAP_POLLS = 3
"""Power is unknown between samples further apart than so many polls."""
LEAST_GAP_S = 15.0
BATCH = 200
"""At most so much is measured at once, so that the loop is never held up for long."""


class Telemetry(Protocol):
    """The part of a historian that is asked here."""

    async def query(self, point: Point, from_s: float, to_s: float) -> list[Measurement]:
        """What was received of a point between two moments, oldest first."""
        ...


class Meters(Protocol):
    """Meter data that were imported."""

    async def read(self, resource: str, source: MeterSource, from_s: float, to_s: float) -> list[MeterInterval]:
        """Verified intervals of a resource that overlap a time."""
        ...


class NoTelemetry:
    """For zones that keep none."""

    async def query(self, point: Point, from_s: float, to_s: float) -> list[Measurement]:  # noqa: ARG002
        """Nothing."""
        return []


class NoMeters:
    """For zones that have imported none."""

    async def read(self, resource: str, source: MeterSource, from_s: float, to_s: float) -> list[MeterInterval]:  # noqa: ARG002
        """Nothing."""
        return []


@dataclass(slots=True)
class Accounting:
    """The books of one zone."""

    ground: Ground
    exchange: Exchange
    telemetry: Telemetry = field(default_factory=NoTelemetry)
    meters: Meters = field(default_factory=NoMeters)

    async def run(self) -> None:
        """Keep the books until cancelled."""
        while True:
            try:
                await self.close()
            except (HistorianError, MeteringError) as error:
                self.ground.say.unmeasured(error)
            await asyncio.sleep(self.ground.zone.clocks.tick_s)

    async def close(self) -> None:
        """Measure and state everything whose time has come."""
        ground = self.ground
        due = settling.due(at := ground.situation())[:BATCH]
        if due:
            found = [await self._measured(at, asked) for asked in due]
            told = self.exchange.outgoing(at, settling.reports(at, [assessment for assessment, _ in found]))
            alarms = [alarm for _, raised in found for alarm in raised]
            await self._commit(at, [Assessed(tuple(a for a, _ in found), at.now_s), *told, *alarms])
        if (period := settling.period_due(at := ground.situation())) is not None:
            if again := await self._read_again(at, period[1]):
                await self._commit(at, [Assessed(again, at.now_s)])
            made = settling.stated(at := ground.situation(), period)
            await self._commit(
                at, [made, *self.exchange.outgoing(at, settling.settlement_reports(at, made.statements))]
            )
        if over := settling.closing(at := ground.situation()):
            await self._commit(at, [Stated((), at.now_s, closes=over)])

    async def _read_again(self, at: Situation, before_s: float) -> tuple[Assessment, ...]:
        """What telemetry had measured and our own meter, read since, measures otherwise."""
        found = []
        for one in at.book.accounts.unstated(before_s)[0]:
            windows = [(p.start_s, p.length_s) for p in one.performances]
            read = await self.meters.read(one.resource, MeterSource.LDC, one.start_s, one.end_s)
            again = measured_again(one, {m.start_s: m for m in resampled(read, windows)})
            if again.performances != one.performances:
                found.append(replace(again, at_s=at.now_s))
        return tuple(found)

    async def respond(self, dispute_id: str, answer: str) -> None:
        """Answer a dispute.

        Raises:
            RefusedMessage: there is none, or its life does not allow it now.
            CannotRecord: the journal cannot be written now.
        """
        await self._decide(lambda at: contesting.responded(at, dispute_id, answer))

    async def resolve(self, dispute_id: str, meter: MeterSource, reason: str) -> None:
        """End a dispute: for the participant's meter, with a corrected statement, or for ours, without.

        Raises:
            RefusedMessage: there is none, its life does not allow it now, or that meter said nothing.
            CannotRecord: the journal cannot be written now.
        """
        imported: dict[str, list[MeterInterval]] = {}
        if meter is MeterSource.MARKET_PARTICIPANT:
            for resource, from_s, to_s in contesting.spans(self.ground.situation(), dispute_id):
                imported.setdefault(resource, []).extend(await self.meters.read(resource, meter, from_s, to_s))
        await self._decide(lambda at: contesting.resolved(at, dispute_id, meter, reason, imported))

    async def _decide(self, decide: contesting.Decide) -> None:
        at = self.ground.situation()
        try:
            decided = decide(at)
        except ValueError as error:
            raise RefusedMessage(str(error)) from error
        sent = self.exchange.outgoing(at, decided.messages)
        if not await self._commit(at, [*decided.events, *sent]):
            raise CannotRecord("the journal cannot be written; nothing was decided")

    async def _commit(self, at: Situation, events: Sequence[Event]) -> bool:
        if not await self.ground.ledger.commit(events):
            return False
        self.ground.say.settled(events)
        sent = [event for event in events if isinstance(event, Sent)]
        self.ground.say.sent(at, [one.message for one in sent])
        self.exchange.post(sent)
        return True

    async def _measured(self, at: Situation, asked: Asked) -> tuple[Assessment, tuple[Alarmed, ...]]:
        series: dict[Wanted, Sequence[MeterInterval]] = {}
        for wanted in settling.wanted(at, asked):
            series[wanted] = await self._read(wanted)
        gap_s = self._gap_s(asked.resource)
        told_s = max(asked.start_s, asked.sent_s) if asked.wholesale else asked.start_s
        from_w = power_at(await self._samples(asked.resource, asked.start_s - gap_s, told_s + gap_s), told_s) or 0.0
        found = settling.measured(at, asked, series, from_w)
        ours = series[settling.own(at, asked)]
        return found, settling.disagreements(at, at.zone.resources[asked.resource], ours)

    async def _read(self, wanted: Wanted) -> Sequence[MeterInterval]:
        """The distributor's meter where it has been read; else what telemetry says."""
        if not wanted.windows:
            return ()
        from_s, to_s = wanted.windows[0][0], sum(wanted.windows[-1])
        metered = await self.meters.read(wanted.resource, MeterSource.LDC, from_s, to_s)
        known = {one.start_s: one for one in resampled(metered, wanted.windows)}
        rest = [window for window in wanted.windows if window[0] not in known]
        if rest:
            gap_s = self._gap_s(wanted.resource)
            samples = await self._samples(wanted.resource, from_s - gap_s, to_s + gap_s)
            known.update({one.start_s: one for one in energies(samples, wanted.resource, rest, gap_s)})
        return [known[start_s] for start_s, _ in wanted.windows if start_s in known]

    def _gap_s(self, resource: str) -> float:
        return max(GAP_POLLS * self.ground.zone.resources[resource].poll_s, LEAST_GAP_S)

    async def _samples(self, resource: str, from_s: float, to_s: float) -> list[tuple[float, float]]:
        point = Point(resource, Quantity.ACTIVE_POWER_W)
        found = await self.telemetry.query(point, from_s, to_s)
        return [(one.received_time_s, one.value) for one in found if one.quality is not Quality.BAD]
