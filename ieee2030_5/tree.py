"""What the tree answers: the whole server but for sockets and clock."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

from ieee2030_5 import arrangements, subscriptions
from ieee2030_5 import resources as r
from ieee2030_5.call import (
    INVALID_FORMAT,
    INVALID_VALUE,
    Absent,
    Call,
    Params,
    Principal,
    Refused,
    principal_of,
)
from ieee2030_5.codec import DocumentError, Extension, InvalidValueError, parse, render
from ieee2030_5.exchange import MEDIA_TYPE, MEDIA_TYPES, Answer, Asked, done
from ieee2030_5.paging import Page, QueryError, page_of
from ieee2030_5.plain import Plain
from ieee2030_5.records import Arranged, Issued, Keep, KeepError, Record, Removed, Stored, Told
from ieee2030_5.rendered import Cache, Rendered
from ieee2030_5.routes import Route, match
from ieee2030_5.subscriptions import Notice
from ieee2030_5.utility import Utility
from ieee2030_5.watch import Watch

CACHED = 64 * 2**20
"""Octets of rendered documents kept at most."""

__all__ = ["CACHED", "MEDIA_TYPE", "MEDIA_TYPES", "Answer", "Asked", "Tree"]


_READINGS = (r.MirrorMeterReading, r.MirrorMeterReadingList)
_PLAIN: Mapping[tuple[type[r.Resource], ...], Plain[r.MirrorMeterReading]] = {_READINGS: Plain(r.MirrorMeterReading)}
"""What is posted most, by the documents that are taken there."""


class Tree:
    """Answers requests from the state and keeps what they leave behind."""

    def __init__(self, utility: Utility, keep: Keep) -> None:
        self.utility = utility
        self._keep = keep
        self._rendered: Cache[Rendered] = Cache(CACHED)
        self._principals: dict[str, tuple[int, Principal]] = {}
        """By LFDI, with the count of changes of people at which each was worked out."""
        self._watch = Watch(utility, self._call)
        self._parting: set[str] = set()
        """Subscriptions of which it is on its way that they have ended."""
        self._renewed: list[str] = []

    def answer(self, lfdi: str, asked: Asked, now: int) -> Answer:
        """Answer one request of the client with this certificate; a bad request is a 4xx with an Error body."""
        try:
            return self._dispatch(lfdi, asked, now)
        except Refused as refused:
            headers = {"Content-Type": MEDIA_TYPE, **refused.headers}
            return Answer(refused.status, render(r.Error(reasonCode=refused.reason)), headers, refused.detail)

    def _dispatch(self, lfdi: str, asked: Asked, now: int) -> Answer:
        path, _, query = asked.target.partition("?")
        if path != "/dcap" and self.utility.refuses(lfdi, now):
            raise Refused(403, INVALID_VALUE, f"{lfdi} is denied")
        found = match(path)
        if found is None:
            raise Absent(path)
        route, params = found
        self.utility.advance(now)
        page = page_of(query)
        call = self._call(lfdi, path, now, params, Page() if isinstance(page, QueryError) else page)
        route.visible(call)
        if asked.method not in route.methods:
            raise Refused(405, INVALID_FORMAT, f"{asked.method} {path}", {"Allow": ", ".join(route.methods)})
        if asked.method in ("GET", "HEAD"):
            if not _accepts_xml(asked.accept):
                raise Refused(406, INVALID_FORMAT, f"only {MEDIA_TYPE} is served, asked for {asked.accept[:80]}")
            if isinstance(page, QueryError):
                raise Refused(400, INVALID_VALUE, f"{path}: {page}") from page
            return self._read(route, call).answer(asked.accept_encoding, asked.if_none_match)
        if asked.method == "DELETE":
            self.remove(path, now)
            return Answer(204)
        return self._write(route, call, asked)

    def _read(self, route: Route, call: Call) -> Rendered:
        """The document asked for; one that has not changed since it was last asked for is not rendered again."""
        aus, edition = call.principal.aus, call.principal.edition
        if route.revision is None:
            return Rendered(render(route.get(call), aus=aus), MEDIA_TYPES[edition])
        key = (call.path, call.page, aus, edition, route.variant(call) if route.variant else None)
        revision = route.revision(call)
        found = self._rendered.get(key, revision)
        if found is None:
            found = Rendered(render(route.get(call), aus=aus), MEDIA_TYPES[edition])
            self._rendered.put(key, revision, found, len(found.body))
        return found

    def _write(self, route: Route, call: Call, asked: Asked) -> Answer:
        types, write = (route.stores, route.put) if asked.method == "PUT" else (route.takes, route.post)
        if asked.content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise Refused(415, INVALID_FORMAT, f"body is {asked.content_type[:60]!r}, not {MEDIA_TYPE}")
        try:
            plain = _PLAIN.get(types)
            body = (None if plain is None else plain.read(asked.body)) or parse(asked.body, types)
        except InvalidValueError as error:
            raise Refused(400, INVALID_VALUE, f"{call.path}: {error}") from error
        except DocumentError as error:
            raise Refused(400, INVALID_FORMAT, f"{call.path}: {error}") from error
        if write is None:
            raise Absent(call.path)
        kept = write(call, body)
        for record in kept.first:
            self.arrange(record)
        if kept.document is not None:
            self.store(kept.href, kept.document, call.principal.lfdi, call.now)
        # A PUT is 204 also where it creates: the link was there before, and clients take 201 for a refusal.
        created = kept.created and asked.method == "POST"
        return done(201 if created else 204, kept.href)

    def _call(self, lfdi: str, path: str, now: int, params: Params, page: Page) -> Call:
        def subscribable(other: str) -> bool:
            found = match(other)
            if found is None or not found[0].tells:
                return False
            try:
                found[0].visible(self._call(lfdi, other, now, found[1], Page()))
            except Absent:
                return False
            return True

        return Call(self.utility, self._principal(lfdi), path, now, params, page, subscribable)

    def _principal(self, lfdi: str) -> Principal:
        known = self._principals.get(lfdi)
        if known is not None and known[0] == self.utility.people:
            return known[1]
        found = principal_of(self.utility, lfdi)
        if found.wards:
            self._principals[lfdi] = (self.utility.people, found)
        else:
            # Strangers are many and have nothing to look up.
            self._principals.pop(lfdi, None)
        return found

    def notices(self, now: int) -> list[Notice]:
        """What subscribers have to be told since the last time.

        A client that is refused learns nothing meanwhile; what it may see no more ends its subscription.
        """
        due, blind = self._watch.notices(now)
        with suppress(KeepError):
            # What cannot be kept is taken out at the next time.
            for href, status in blind:
                self.remove(href, now, status)
        for href, ended in self.utility.farewells.items():
            if href not in self._parting:
                due.append(subscriptions.farewell(ended))
                self._watch.forget(href)
        self._parting = set(self.utility.farewells)
        return due

    def told(self, digests: Mapping[str, str], now: int) -> None:
        """Keep what has arrived at subscribers."""
        record = Told(dict(digests), now)
        self._keep(record)
        self._part(record)

    def _part(self, record: Told) -> None:
        for href, digest in record.digests.items():
            if not digest:
                self.utility.farewells.pop(href, None)

    def store(self, href: str, document: r.Resource, owner: str, now: int) -> None:
        """Keep a document, then fold it into the state."""
        document = replace(document, href=href)
        self._keep(Stored(href, render(document, aus=Extension.STORAGE).decode(), owner, now))
        if isinstance(document, r.Subscription):
            self._renewed.append(href)
        self._fold(href, document, owner, now)

    def take_renewed(self) -> list[str]:
        """Subscriptions that their clients have made or made again since the last call."""
        taken, self._renewed = self._renewed, []
        return taken

    def remove(self, href: str, now: int, status: int = 0) -> None:
        """Keep a removal, then fold it; the removal of an event is its cancellation.

        Args:
            href: what is gone.
            now: since when.
            status: what the client of a subscription has to be told of its end.
        """
        record = Removed(href, now, status)
        self._keep(record)
        self._drop(record)

    def issue(self, issued: Issued) -> None:
        """Keep and remember which control an event carries."""
        self._keep(issued)
        self.utility.remember(issued)

    def arrange(self, record: Arranged) -> None:
        """Keep what the operator arranges, then carry it out."""
        self._keep(record)
        arrangements.fold(self.utility, record)

    def restore(self, records: Iterable[Record]) -> None:
        """Fold what was kept before a restart, in its order; nothing is kept again and nobody is told."""
        for record in records:
            self.utility.advance(record.at_s)
            if isinstance(record, Issued):
                self.utility.remember(record)
            elif isinstance(record, Arranged):
                arrangements.fold(self.utility, record)
            elif isinstance(record, Removed):
                self._drop(record)
            elif isinstance(record, Told):
                self._watch.knows(record.digests)
                self._part(record)
            elif (found := match(record.href)) is not None:
                document = parse(record.document.encode(), found[0].stores)
                self._fold(record.href, document, record.owner, record.at_s)
        self.utility.signals.clear()

    def _fold(self, href: str, document: r.Resource, owner: str, now: int) -> None:
        if isinstance(document, r.Subscription) and not self.utility.is_subscribed(href):
            # Its client knows what it has subscribed to; a renewal changes nothing about that.
            self._watch.begin(href, document, owner, now)
        found = match(href)
        if found is not None and found[0].keep is not None:
            found[0].keep(self.utility, found[1], document, owner, now)

    def _drop(self, record: Removed) -> None:
        found = match(record.href)
        if found is None:
            return
        device = self.utility.devices.get(found[1].get("e", ""))
        if record.status and device is not None:
            self.utility.drop_subscription(device, record.href, record.status)
        elif found[0].drop is not None:
            found[0].drop(self.utility, found[1], record.at_s)


@lru_cache(maxsize=256)
def _accepts_xml(accept: str) -> bool:
    """True where XML is acceptable: no header, any type, or ours with whatever parameters but q=0."""
    wanted = [item.strip().lower() for item in accept.split(",") if item.strip()]
    return not wanted or any(
        item.partition(";")[0].strip() in ("*/*", "application/*", MEDIA_TYPE)
        and "q=0;" not in f"{item};".replace(" ", "")
        for item in wanted
    )
