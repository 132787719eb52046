"""What the catalogue lists, page by page: searches, dumps of libraries, the feed of changes.

Pages must fit each other: whatever does not is noticed, and the list is read anew or not used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bulkrunner.domain.catalogue import Activity, DumpedRecord, DumpPage, FindPage
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ports import CatalogueReader, Clock, Progress
from bulkrunner.domain.refusals import Refused
from bulkrunner.sentences import Sentence

PAGE = 1_000
"""Hits asked for at a time; the server silently gives 200 where more than 4,000 are asked for."""

DUMP_PAGE = 100
"""Records on a page of a dump; the server's own number."""

TOLD = 5_000
"""Records of a dump after which it is told how far it was read."""

TRIES = 3
"""How often a search or a dump is begun anew where the catalogue changes it meanwhile."""

POLL_SECONDS = 5.0

LONGEST_SECONDS = 1800.0
"""How long the server may take to make the list of a dump."""

MARGIN = timedelta(minutes=1)
"""Changes so long before a moment are looked at too."""

MAX_FEED = 20_000
"""Pages of the feed (100 changes each) that are read at most."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Hits:
    """What a search found.

    Attributes:
        records: short ids, each once.
        total: hits by the index's own count.
        others: IRIs of hits that are no records of this environment.
    """

    records: tuple[str, ...]
    total: int
    others: tuple[str, ...] = ()


class _Unsteady(Exception):
    """The index changed between two pages."""


class _Walk:
    """How far a search has come."""

    def __init__(self, take: Callable[[FindPage], None]) -> None:
        self._take = take
        self.last = ""
        self.count = 0

    def take(self, page: FindPage) -> None:
        for iri in page.iris:
            if iri <= self.last:
                raise _Unsteady
            self.last = iri
        self.count += len(page.iris)
        self._take(page)


def _go_on() -> None:
    """Stop for nothing."""


class Searching:
    """Searches the index of one environment."""

    def __init__(
        self, reader: CatalogueReader, iris: IriMap, heed: Callable[[], None] = _go_on
    ) -> None:
        self._reader = reader
        self._iris = iris
        self._heed = heed

    def count(self, query: Query) -> int:
        """Return the number of hits by the index."""
        return self._reader.find(query, limit=0).total

    def hits(self, query: Query) -> Hits:
        """Return everything that a query finds; raises as ``each`` does."""
        iris: list[str] = []
        total = self.each(query, lambda page: iris.extend(page.iris), begin=iris.clear)
        named = [(iri, self._iris.short_id(iri)) for iri in iris]
        return Hits(
            records=tuple(short_id for _, short_id in named if short_id),
            total=total,
            others=tuple(iri for iri, short_id in named if not short_id),
        )

    def each(
        self,
        query: Query,
        take: Callable[[FindPage], None],
        begin: Callable[[], None] = _go_on,
    ) -> int:
        """Hand out everything that a query finds, page by page; returns how many that are.

        Args:
            query: names and values.
            take: is given each page.
            begin: called before the first page, each time that the search is begun.

        Raises:
            Refused: ``find_window`` where more is found than the server shows, ``find_unsteady``
                where the counts never agree.
        """
        for _ in range(TRIES):
            begin()
            try:
                return self._once(query, _Walk(take))
            except _Unsteady:
                continue
        raise Refused(
            "find_unsteady", Sentence("find_unsteady", tries=TRIES), Sentence("find_unsteady_hint")
        )

    def _once(self, query: Query, walk: _Walk) -> int:
        self._heed()
        first = self._reader.find(query, limit=PAGE)
        total, page, begun, behind = first.total, first, 0, ""
        walk.take(page)
        while walk.count < total:
            if not page.iris:
                raise _Unsteady
            self._heed()
            offset = walk.count - begun
            if offset + PAGE > first.window:
                begun, behind = walk.count, walk.last
                page = self._beyond(query, walk, left=total - begun, total=total)
            else:
                narrowed = _after(query, behind) if begun else query
                page = self._reader.find(narrowed, limit=PAGE, offset=offset)
                if page.total != total - begun:
                    raise _Unsteady
            walk.take(page)
        if walk.count != total:
            raise _Unsteady
        return total

    def _beyond(self, query: Query, walk: _Walk, *, left: int, total: int) -> FindPage:
        """Begin anew behind the last hit; what lies beyond the window is not shown otherwise."""
        page = self._reader.find(_after(query, walk.last), limit=PAGE)
        if page.iris and page.iris[0] > walk.last and page.total == left:
            return page
        if page.iris and page.iris[0] > walk.last:
            raise _Unsteady
        raise Refused(
            "find_window",
            Sentence("find_window", total=total, count=walk.count),
            Sentence("find_window_hint"),
        )


def _after(query: Query, iri: str) -> Query:
    return [*query, ("minEx-@id", iri)]


def literal(value: str) -> str:
    """Return a text as a phrase, so that signs in it are not taken for operators."""
    return '"' + value.replace("\\", " ").replace('"', " ") + '"'


def parameters(find: Sequence[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    """Yield names and values of ``/find`` for a query as a manifest has it."""
    for name, value in find:
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, bool):
                yield name, "true" if one else "false"
            elif not isinstance(one, str) or _is_exact(name):
                yield name, str(one)
            else:
                yield name, one if one.endswith("*") else literal(one)


def _is_exact(name: str) -> bool:
    """Tell whether values of a field are compared whole, not word by word."""
    plain = name.removeprefix("not-").removeprefix("or-").removeprefix("and-")
    ranged = name.startswith(("min", "max", "exists-", "matches-"))
    return ranged or plain.rpartition(".")[2] in ("@id", "@type")


class AnotherList(Exception):
    """The server made another list between two pages, or does not finish it."""


class _Unfit(Exception):
    """A page of a dump does not fit the others."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, kw_only=True)
class Listed:
    """The list of a dump that was read to its end; ``started`` is when the server made it."""

    started: str
    total: int

    @property
    def moment(self) -> datetime:
        """When the server made the list."""
        return datetime.fromisoformat(self.started)


class Dumps:
    """Reads the dumps of libraries, whole: every page must fit the others."""

    def __init__(
        self,
        reader: CatalogueReader,
        clock: Clock,
        progress: Progress,
        heed: Callable[[], None] = _go_on,
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._progress = progress
        self._heed = heed

    def each(
        self, sigel: str, take: Callable[[Sequence[DumpedRecord]], int], begin: Callable[[], None]
    ) -> Listed:
        """Hand out every record of a library's dump.

        Args:
            sigel: of the library.
            take: is given each page; returns how many of its records came before.
            begin: called before the first page, each time that the dump is begun.

        Raises:
            Refused: ``dump_unsteady`` where the list changes under every reading, ``dump_broken``
                where its pages never fit each other.
        """
        why: Sentence | None = None
        for _ in range(TRIES):
            begin()
            try:
                return self._whole(sigel, take)
            except AnotherList:
                why = None
            except _Unfit as unfit:
                why = unfit.why
        if why is not None:
            message = Sentence("dump_broken", sigel=sigel, tries=TRIES, why=why)
            raise Refused("dump_broken", message, Sentence("plan_again_later"))
        raise Refused(
            "dump_unsteady",
            Sentence("dump_unsteady", sigel=sigel, tries=TRIES),
            Sentence("plan_again_later"),
        )

    def _whole(self, sigel: str, take: Callable[[Sequence[DumpedRecord]], int]) -> Listed:
        page = self.first(sigel)
        listed = Listed(started=page.started, total=page.total or 0)
        offset = 0
        while True:
            if (page.started, page.total) != (listed.started, listed.total) or not page.done:
                raise AnotherList
            self._demand_fit(page, offset, listed.total)
            if repeated := take(page.records):
                raise _Unfit(Sentence("dump_repeats", count=repeated, offset=offset))
            offset += DUMP_PAGE
            self._tell(sigel, offset, page, listed.total)
            if not page.more:
                return listed
            self._heed()
            page = self._reader.dump_page(sigel, offset=offset)

    def _tell(self, sigel: str, count: int, page: DumpPage, total: int) -> None:
        if not page.more:
            self._progress.waiting("", None)
        elif count % TOLD == 0:
            said = Sentence("reading_dump", sigel=sigel, count=count, total=total)
            self._progress.waiting(said, None)

    @staticmethod
    def _demand_fit(page: DumpPage, offset: int, total: int) -> None:
        if page.offset not in (None, offset):
            raise _Unfit(Sentence("dump_out_of_order", asked=offset, got=page.offset))
        most = max(0, min(DUMP_PAGE, total - offset))
        if len(page.records) > most:
            count = len(page.records)
            raise _Unfit(Sentence("dump_overfull", count=count, most=most, offset=offset))
        if page.more != (offset + DUMP_PAGE < total):
            count = offset + DUMP_PAGE
            raise _Unfit(
                Sentence(
                    "dump_endless" if page.more else "dump_ends_early", count=count, total=total
                )
            )

    def first(self, sigel: str) -> DumpPage:
        """Return the first page, once the server has made the list.

        Raises:
            AnotherList: it takes the server too long.
        """
        waited = 0.0
        while not (page := self._reader.dump_page(sigel, offset=0)).done:
            if waited >= LONGEST_SECONDS:
                raise AnotherList
            self._progress.waiting(Sentence("waiting_for_list", sigel=sigel), POLL_SECONDS)
            self._clock.sleep(POLL_SECONDS)
            self._heed()
            waited += POLL_SECONDS
        self._progress.waiting("", None)
        return page


class Feed:
    """Reads the feed of changes."""

    def __init__(
        self, reader: CatalogueReader, clock: Clock, heed: Callable[[], None] = _go_on
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._heed = heed

    def now(self) -> datetime:
        """Return the time by the server's clock, as far as it is known and ahead of ours."""
        now = self._clock.now()
        return max(now, self._reader.server_time() or now)

    def since(self, moment: datetime, *, most: int | None = None) -> Iterator[Activity]:
        """Yield every change since a moment, newest first.

        Raises:
            Refused: ``dump_stale`` where there are more than can be read.
        """
        until = milliseconds(self.now() + MARGIN)
        most = most or MAX_FEED
        for _ in range(most):
            self._heed()
            page = self._reader.feed_page(until=until)
            yield from (activity for activity in page if activity.published >= moment)
            if not page or page[-1].published < moment:
                return
            # Changes of the same millisecond may stand on the next page, so it is asked for again.
            oldest = milliseconds(page[-1].published)
            until = oldest + 1 if oldest + 1 < until else oldest
        raise Refused(
            "dump_stale",
            Sentence("dump_stale", most=most * 100, since=moment),
            Sentence("dump_stale_hint"),
        )


def milliseconds(moment: datetime) -> int:
    """Return a moment as the feed counts them, since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
