"""What the 2030.5 server acknowledges, kept in the gateway's journal and given back after a restart."""

from collections.abc import Iterator

import structlog

from gateway.clock import Now
from gateway.journal.entries import Entry, JournalBrokenError, JournalError, Kind
from gateway.journal.store import Journal, JournalReader
from ieee2030_5.records import Keep, KeepError, Record, from_json, to_json


def keeper(journal: Journal, now: Now) -> Keep:
    """Takes the server's records: each is on the disk before the server acknowledges anything.

    It blocks for one write of the disk; what raises there is the server's 503.
    """

    def keep(record: Record) -> None:
        try:
            journal.append_now([Entry(Kind.SERVED, record.kind, now(), "", to_json(record))])
        except JournalError as error:
            raise KeepError(str(error)) from error

    return keep


def acted(detail: str) -> None:
    """The operator has asked the server for something that could change it; what he said stands in the journal."""
    structlog.get_logger().info("operator.acted", detail=detail)


def kept(journal: JournalReader) -> Iterator[Record]:
    """The records of earlier lives, oldest first.

    Raises:
        JournalBrokenError: one of them cannot be read.
    """
    for entry in journal.entries_of(Kind.SERVED):
        try:
            yield from_json(entry.body)
        except (KeyError, TypeError) as error:
            raise JournalBrokenError(f"entry {entry.kind.value} {entry.key!r} of {entry.at_s:.3f}: {error}") from error
