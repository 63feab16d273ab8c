"""Where forecasts of others come in: held against the zone and its network, then journalled."""

from dataclasses import dataclass, replace

from gateway.coordination import study
from gateway.coordination.forecasts import LOADS, ForecastIssued
from gateway.engine import Engine
from gateway.exchange import CannotRecord
from gateway.ground import Ground
from grid_engine.results import Status

AHEAD_S = 60.0
"""A clock of somebody else may be so far ahead of ours."""


class RefusedForecast(Exception):  # noqa: N818 - a decision, not a defect
    """An issue is not taken; says why."""


@dataclass(frozen=True, slots=True)
class ForecastDesk:
    """The forecasts of one zone."""

    ground: Ground
    engine: Engine

    async def take(self, issue: ForecastIssued) -> None:
        """Take an issue; returns once it is on the disk. An issue that is older than the one held is kept, not used.

        Raises:
            RefusedForecast: it speaks of nothing here, or comes from the future.
            CannotRecord: the journal cannot be written now.
        """
        problem = self._odd(issue) or await self._unknown(issue)
        if problem:
            raise RefusedForecast(problem)
        if not await self.ground.ledger.commit([issue]):
            raise CannotRecord("the journal cannot be written; nothing was taken")
        self.ground.say.forecast(issue)
        self.ground.wake.set()

    def _odd(self, issue: ForecastIssued) -> str:
        if issue.issued_s > self.ground.now() + AHEAD_S:
            return f"it was issued at {issue.issued_s:.0f} s, which is yet to come"
        if len({len(series) for series in issue.values.values()}) != 1 or not all(issue.values.values()):
            return "every target needs as many values as the others, at least one"
        factors = issue.values.get(LOADS, ())
        if any(not 0 <= factor <= 10 for factor in factors):
            return f"{LOADS} is a factor between 0 and 10"
        return ""

    async def _unknown(self, issue: ForecastIssued) -> str:
        """What is neither a resource nor a load of the network."""
        loads = {t: s[:1] for t, s in issue.values.items() if t != LOADS and t not in self.ground.zone.resources}
        if not loads:
            return ""
        question = study.only_now(study.impact(self.ground.situation("forecast")))
        answer = await self.engine.answer(replace(question, load_w={**question.load_w, **loads}))
        return answer.detail if answer.status is Status.BAD_INPUT else ""
