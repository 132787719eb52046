"""All holdings of a library: a dump up to five days old, the changes since, and the index.

None of the three is complete by itself. What any of them names is selected; every record is read
and its library proved before anything is planned for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.ports import CatalogueReader, Clock, Progress
from bulkrunner.domain.queries import HELD_BY, ITEM
from bulkrunner.domain.records import library_iri
from bulkrunner.domain.searches import Activity, DumpPage
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.services.planning.finding import Searching
from bulkrunner.services.planning.steps import Refused

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
        """Select.

        Args:
            reader: of the environment.
            iris: of the environment.
            clock: to wait by.
            progress: told what is waited for.
            heed: called before each page; raises where the selection is to stop.
        """
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
            CatalogueUnreachable: the environment does not answer.
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
        """Return how many holdings a library has by the index and by the dump, or why not by that."""
        held: list[tuple[str, str]] = [("@type", ITEM), (HELD_BY, library_iri(sigel))]
        index = self._searching.count(held)
        try:
            page = self._when_done(sigel)
        except _AnotherList:
            return {"index_total": index, "unread": "the server is still making it"}
        except CatalogueUnreachable as error:
            return {"index_total": index, "unread": error.message}
        listed = page.total or 0
        return {"index_total": index, "dump_listed": listed, "dump_started": page.started}

    # The dump

    def _dump(self, sigel: str) -> _Dump:
        for _ in range(TRIES):
            try:
                return self._whole_dump(sigel)
            except _AnotherList:
                continue
        raise Refused(
            Refusal(
                code="dump_unsteady",
                message=f"the server made another list of {sigel}'s holdings under each of "
                f"{TRIES} readings",
                hint="plan again later",
            )
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
            self._progress.waiting(f"the list of {sigel}'s holdings is being made", POLL_SECONDS)
            self._clock.sleep(POLL_SECONDS)
            self._heed()
            waited += POLL_SECONDS
        self._progress.waiting("", None)
        return page

    def _short(self, iri: str) -> str:
        record = self._iris.short_id(iri)
        if record is None:
            raise Refused(
                Refusal(
                    code="foreign_base",
                    message=f"the dump names {iri[:200]}, no record of this environment",
                    hint="is base_uri right for this environment?",
                )
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

    def _feed(self, since: datetime) -> Iterator[Activity]:
        # The server's clock counts, as far as it is known.
        now = self._clock.now()
        until = _milliseconds(max(now, self._reader.server_time() or now) + MARGIN)
        for _ in range(MAX_FEED):
            self._heed()
            page = self._reader.feed_page(until=until)
            yield from (activity for activity in page if activity.published >= since)
            if not page or page[-1].published < since:
                return
            # Changes of the same millisecond may stand on the next page, so it is asked for again.
            oldest = _milliseconds(page[-1].published)
            until = oldest + 1 if oldest + 1 < until else oldest
        raise Refused(
            Refusal(
                code="dump_stale",
                message=f"more than {MAX_FEED * 100:,} changes were made since the server's list "
                f"of {since:%Y-%m-%d %H:%M}",
                hint="plan again in some days, when the server makes a new list",
            )
        )

    @staticmethod
    def _brought_up_to_date(records: set[str], changed: Mapping[str, str]) -> set[str]:
        gone = {record for record, kind in changed.items() if kind == "Delete"}
        return (records | changed.keys()) - gone


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
