"""What an environment answers to the selection of a step, searches and whole libraries; asked once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Any

from bulkrunner.domain.catalogue import Activity, DumpPage
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.expressions.values import resolve
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.ports import CatalogueReader, Clock, Progress
from bulkrunner.domain.queries import HELD_BY, ITEM, in_moments, libraries_named, localised
from bulkrunner.domain.records import library_iri
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.steps import StepSelection
from bulkrunner.errors import CatalogueUnreachable, Interrupted
from bulkrunner.sentences import Sentence, stored_text
from bulkrunner.services.planning.search import Searching, parameters

PAGE = 100

"""Records on a page of a dump; the server's own number."""

TRIES = 3

"""How often a dump is begun anew because the server made another list meanwhile."""

POLL_SECONDS = 5.0

LONGEST_SECONDS = 1800.0

"""How long the server may take to make the list."""

MARGIN = timedelta(minutes=1)

"""Changes so long before the list was made are looked at too."""

MAX_FEED = 20_000

"""Pages of the feed (100 changes each) that are read at most."""


COUNTED_FEED = 200

"""The same where numbers are compared."""


class _AnotherList(Exception):
    """The server made another list between two pages."""


@dataclass(frozen=True, kw_only=True)
class LibraryHoldings:
    """The holdings of a library.

    Attributes:
        records: short ids in order, each once.
        facts: where they come from, for the report: ``dump_started``, ``dump_listed``,
            ``dump_shown``, ``since_created``, ``since_deleted``, ``index_total``,
            ``index_only``, ``dump_only``.
    """

    records: tuple[str, ...]
    facts: Mapping[str, str | int]


@dataclass(kw_only=True)
class _Dump:
    started: str
    listed: int = 0
    records: set[str] = field(default_factory=set)


class Libraries:
    """Selects all holdings of a library."""

    def __init__(
        self,
        reader: CatalogueReader,
        iris: IriMap,
        clock: Clock,
        progress: Progress,
        heed: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._heed = heed
        self._iris = iris
        self._clock = clock
        self._progress = progress
        self._searching = Searching(reader, iris, heed)

    def holdings(self, sigel: str) -> LibraryHoldings:
        """Return every holding of a library.

        Raises:
            Refused: ``dump_unsteady`` or ``dump_stale``, or what a search is refused for.
        """
        library = library_iri(sigel)
        dump = self._dump(sigel)
        shown = len(dump.records)
        changed = self._since(library, datetime.fromisoformat(dump.started))
        known = self._brought_up_to_date(dump.records, changed)
        hits = self._searching.hits([("@type", ITEM), (HELD_BY, library)])
        index = {record for record in hits.records if changed.get(record) != "Delete"}
        return LibraryHoldings(
            records=tuple(sorted(known | index)),
            facts={
                "dump_started": dump.started,
                "dump_listed": dump.listed,
                "dump_shown": shown,
                "since_created": sum(kind != "Delete" for kind in changed.values()),
                "since_deleted": sum(kind == "Delete" for kind in changed.values()),
                "index_total": hits.total,
                "index_only": len(index - known),
                "dump_only": len(known - index),
            },
        )

    def counted(self, sigel: str) -> dict[str, str | int]:
        """Return how many holdings a library has by the index, by the dump, and made since."""
        held: list[tuple[str, str]] = [("@type", ITEM), (HELD_BY, library_iri(sigel))]
        index = self._searching.count(held)
        try:
            page = self._when_done(sigel)
        except _AnotherList:
            return {"index_total": index, "unread": stored_text(Sentence("list_being_made"))}
        except CatalogueUnreachable as error:
            return {"index_total": index, "unread": stored_text(error.said)}
        facts: dict[str, str | int] = {
            "index_total": index,
            "dump_listed": page.total or 0,
            "dump_started": page.started,
        }
        try:
            return facts | self._births(library_iri(sigel), datetime.fromisoformat(page.started))
        except (Refused, CatalogueUnreachable):
            return facts

    def _births(self, library: str, since: datetime) -> dict[str, int]:
        """Return how many of a library's holdings were made and how many were deleted since."""
        newest: dict[str, str] = {}
        created: set[str] = set()
        for activity in self._feed(since, most=COUNTED_FEED):
            if activity.library == library:
                newest.setdefault(activity.iri, activity.kind)
                created |= {activity.iri} if activity.kind == "Create" else set()
        deleted = {iri for iri, kind in newest.items() if kind == "Delete"}
        return {"since_created": len(created - deleted), "since_deleted": len(deleted - created)}

    # The dump

    def _dump(self, sigel: str) -> _Dump:
        for _ in range(TRIES):
            try:
                return self._whole_dump(sigel)
            except _AnotherList:
                continue
        raise Refused(
            "dump_unsteady",
            Sentence("dump_unsteady", sigel=sigel, tries=TRIES),
            Sentence("plan_again_later"),
        )

    def _whole_dump(self, sigel: str) -> _Dump:
        page = self._when_done(sigel)
        dump = _Dump(started=page.started, listed=page.total or 0)
        offset = 0
        while True:
            if page.started != dump.started or not page.done:
                raise _AnotherList
            dump.records.update(self._short(iri) for iri in page.records)
            if not page.more:
                return dump
            offset += PAGE
            self._heed()
            page = self._reader.dump_page(sigel, offset=offset)

    def _when_done(self, sigel: str) -> DumpPage:
        waited = 0.0
        while not (page := self._reader.dump_page(sigel, offset=0)).done:
            if waited >= LONGEST_SECONDS:
                raise _AnotherList
            self._progress.waiting(Sentence("waiting_for_list", sigel=sigel), POLL_SECONDS)
            self._clock.sleep(POLL_SECONDS)
            self._heed()
            waited += POLL_SECONDS
        self._progress.waiting("", None)
        return page

    def _short(self, iri: str) -> str:
        record = self._iris.short_id(iri)
        if record is None:
            raise Refused(
                "foreign_base",
                Sentence("dump_foreign", iri=iri[:200]),
                Sentence("dump_foreign_hint"),
            )
        return record

    # Changes since

    def _since(self, library: str, started: datetime) -> dict[str, str]:
        """Return by record the newest kind of change of the library's holdings since a time."""
        changed: dict[str, str] = {}
        for activity in self._feed(started - MARGIN):
            record = self._iris.short_id(activity.iri)
            if activity.library == library and record is not None:
                changed.setdefault(record, activity.kind)
        return changed

    def _feed(self, since: datetime, *, most: int | None = None) -> Iterator[Activity]:
        # The server's clock counts, as far as it is known.
        now = self._clock.now()
        until = _milliseconds(max(now, self._reader.server_time() or now) + MARGIN)
        most = most or MAX_FEED
        for _ in range(most):
            self._heed()
            page = self._reader.feed_page(until=until)
            yield from (activity for activity in page if activity.published >= since)
            if not page or page[-1].published < since:
                return
            # Changes of the same millisecond may stand on the next page, so it is asked for again.
            oldest = _milliseconds(page[-1].published)
            until = oldest + 1 if oldest + 1 < until else oldest
        raise Refused(
            "dump_stale",
            Sentence("dump_stale", most=most * 100, since=since),
            Sentence("dump_stale_hint"),
        )

    @staticmethod
    def _brought_up_to_date(records: set[str], changed: Mapping[str, str]) -> set[str]:
        gone = {record for record, kind in changed.items() if kind == "Delete"}
        return (records | changed.keys()) - gone


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


OTHERS = 20

"""Hits that are no records of the environment, named in the note."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A selection as it was answered.

    Attributes:
        count: records.
        note: what it is made of, for the report; ``refused`` {code, message} where it is refused.
    """

    count: int
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refused(self) -> Mapping[str, str] | None:
        """Code and message of why the selection was refused, None where it was not."""
        found = self.note.get("refused")
        return found if isinstance(found, dict) else None


class Choosing:
    """Answers selections and keeps the answers in the ledger."""

    def __init__(
        self,
        reader: CatalogueReader,
        iris: IriMap,
        ledger: Ledger,
        clock: Clock,
        progress: Progress,
        stop: Event,
    ) -> None:
        self._iris = iris
        self._ledger = ledger
        self._progress = progress
        self._stop = stop
        self._searching = Searching(reader, iris, self._heed)
        self._libraries = Libraries(reader, iris, clock, progress, self._heed)

    def _heed(self) -> None:
        if self._stop.is_set():
            raise Interrupted(Sentence("selecting_stopped"))

    def choose(self, plan: str, selection: StepSelection, values: Mapping[str, Any]) -> Chosen:
        """Return what a selection names, asking the environment where the plan has no answer yet."""
        step = selection.step.number
        if self._ledger.selections.get(plan, step) is None:
            what = next(iter(selection.selects))
            self._progress.note(
                Sentence("selecting", step=step, what=what), action="selecting", step=step
            )
            records, note = self._answer(selection, values)
            self._progress.note(
                Sentence("selected", step=step, what=what, count=len(records)),
                action="selected",
                step=step,
            )
            self._ledger.selections.keep(plan, step, records, note=lambda: note)
        kept = self._ledger.selections.get(plan, step) or {}
        return Chosen(count=kept.get("count", 0), note=kept.get("note") or {})

    def query(self, selection: StepSelection, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what every record of a selection must fit."""
        if "library" in selection.selects:
            libraries = [library_iri(sigel) for sigel in _sigels(selection)]
            return {"@type": ITEM, HELD_BY: libraries}
        context = Context(document={}, iris=self._iris, parameters=values)
        found = resolve(parse_value(dict(selection.selects["find"])), context)
        return localised(found, self._iris)

    def _answer(
        self, selection: StepSelection, values: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        try:
            if "library" in selection.selects:
                return self._held(_sigels(selection))
            query = self.query(selection, values)
            hits = self._searching.hits(list(parameters(list(in_moments(query).items()))))
        except Refused as refused:
            fault = refused.refusal
            return (), {"refused": {"code": fault.code, "message": stored_text(fault.whole)}}
        note: dict[str, Any] = {"index_total": hits.total}
        if hits.others:
            note |= {"others": len(hits.others), "other_iris": list(hits.others[:OTHERS])}
        if named := libraries_named(query):
            note["compared"] = {sigel: self._libraries.counted(sigel) for sigel in named}
        return hits.records, note

    def _held(self, sigels: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, Any]]:
        records: set[str] = set()
        facts: dict[str, Any] = {}
        for sigel in sigels:
            found = self._libraries.holdings(sigel)
            records.update(found.records)
            facts[sigel] = dict(found.facts)
        return tuple(sorted(records)), {"libraries": facts}


def _sigels(selection: StepSelection) -> tuple[str, ...]:
    named = selection.selects["library"]
    return (named,) if isinstance(named, str) else tuple(named)
