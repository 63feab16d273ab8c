"""Questions that a decision puts to the engine one after the other, without knowing how they are carried there.

A decision that has to ask is a generator: it yields a question and is sent the answer. Whoever drives it
owns the engine, the deadline and the clock; the decision stays pure.
"""

from collections.abc import Generator

from grid_engine.dispatch.operation_words import Plan
from grid_engine.dispatch.questions import Clear, Cleared, Equivalents, Needed, Question, Reconfigure, Reply, Trace
from grid_engine.dispatch.words import OfferCurve
from grid_engine.results import Answer, Study

Asked = Study | Question
Told = Answer | Reply


def studied(study: Study) -> Generator[Asked, Told, Answer]:
    """The answer to a study."""
    told = yield study
    if not isinstance(told, Answer):
        raise TypeError(f"a study was answered by {type(told).__name__}")
    return told


def cleared(question: Clear) -> Generator[Asked, Told, Cleared]:
    """The schedule of a market."""
    told = yield question
    if not isinstance(told, Cleared):
        raise TypeError(f"a market was answered by {type(told).__name__}")
    return told


def traced(question: Trace) -> Generator[Asked, Told, OfferCurve]:
    """The curve of a node."""
    told = yield question
    if not isinstance(told, OfferCurve):
        raise TypeError(f"a curve was answered by {type(told).__name__}")
    return told


def planned(question: Reconfigure) -> Generator[Asked, Told, Plan]:
    """Operations of the network."""
    told = yield question
    if not isinstance(told, Plan):
        raise TypeError(f"a plan was answered by {type(told).__name__}")
    return told


def needed(question: Equivalents) -> Generator[Asked, Told, Needed]:
    """What the network needs."""
    told = yield question
    if not isinstance(told, Needed):
        raise TypeError(f"a need was answered by {type(told).__name__}")
    return told
