"""Deadlines that must follow one another within an interval, and what is foreseen for the intervals ahead."""

from collections.abc import Iterator

from config.checks.finding import Finding, Subject

_ORDER = (
    ("receipt_s", "impact_check_s"),
    ("impact_check_s", "limit_issue_s"),
    ("limit_issue_s", "commit_s"),
    ("limit_issue_s", "notice_s"),
    ("commit_s", "interval_s"),
    ("notice_s", "interval_s"),
    ("tick_s", "interval_s"),
    ("interval_s", "limit_expiry_s"),
)
"""The first must not be later than the second."""


def deadlines_follow(subject: Subject) -> Iterator[Finding]:
    """Each deadline is due no later than the one that builds on it."""
    clocks = subject.zone.clocks
    for earlier, later in _ORDER:
        first, second = getattr(clocks, earlier), getattr(clocks, later)
        if first > second:
            yield Finding(
                ("clocks", later if later in clocks.model_fields_set else earlier),
                f"clocks.{earlier} ({first:g} s) is later than clocks.{later} ({second:g} s)",
                "shorten the first or lengthen the second",
            )


def loads_are_foreseen(subject: Subject) -> Iterator[Finding]:
    """The expected load covers the look-ahead and no more."""
    intervals, values = subject.zone.clocks.look_ahead_intervals, len(subject.zone.network.load_scale)
    if values > intervals:
        yield Finding(
            ("network", "load_scale"),
            f"{values} values of load_scale for {intervals} intervals of look-ahead",
            "shorten the list, or raise clocks.look_ahead_intervals",
        )
