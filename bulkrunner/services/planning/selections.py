"""What an environment answers to the selection of a step, and records that are read beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import repeat
from threading import Event
from typing import Any, TypeAlias

from bulkrunner.domain.catalogue import DumpedRecord, DumpRow, FindPage, Found
from bulkrunner.domain.expressions import parse_span
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.expressions.values import resolve
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.ports import CatalogueReader, Clock, DumpStorage, Progress
from bulkrunner.domain.queries import HELD_BY, ITEM, in_moments, libraries_named, localised
from bulkrunner.domain.records import (
    Document,
    held_by,
    is_holding,
    item_of,
    library_iri,
    modified,
    thing_part,
)
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.steps import StepSelection
from bulkrunner.errors import CatalogueUnreachable, Interrupted
from bulkrunner.sentences import Sentence, stored_text
from bulkrunner.services.planning.bibs import facts_of
from bulkrunner.services.planning.listings import (
    DUMP_PAGE,
    MARGIN,
    AnotherList,
    Dumps,
    Feed,
    Listed,
    Searching,
    milliseconds,
    parameters,
)

AUTO, DUMP, GET = READS = ("auto", "dump", "get")
"""How records are read: from a dump where that saves requests, wherever there is one, or singly."""

_Change: TypeAlias = tuple[str, int]
"""Kind and moment (ms since 1970)."""

COUNTED_FEED = 200
"""Pages of the feed (100 changes each) that are read where numbers are compared."""

LARGE = 500
"""Records of a list that are worth asking how long a dump is."""

WORTH = 4
"""Records that must be wanted for each page of a dump that is read for a list's sake."""

TRIED = 10
"""Records of a dump that are read singly, too, before it is believed."""

PROBED = 5
"""Records of a list that are read before it is taken for a library's holdings."""


@dataclass(frozen=True, kw_only=True)
class LibraryHoldings:
    """The holdings of a library.

    Attributes:
        records: short ids in order, each once.
        facts: where they come from, for the report: ``dump_started``, ``dump_listed``,
            ``dump_shown``, ``since_created``, ``since_deleted``, ``index_total``,
            ``index_only``, ``dump_only``.
    """

    records: Iterable[str]
    facts: Mapping[str, str | int]


class Libraries:
    """Selects all holdings of a library; keeps what its dump says of them."""

    def __init__(
        self,
        reader: CatalogueReader,
        iris: IriMap,
        clock: Clock,
        progress: Progress,
        heed: Callable[[], None],
        storage: DumpStorage,
        reads: str = AUTO,
    ) -> None:
        self._reader = reader
        self._iris = iris
        self._progress = progress
        self._storage = storage
        self._reads = reads
        self._searching = Searching(reader, iris, heed)
        self._dumps = Dumps(reader, clock, progress, heed)
        self._feed = Feed(reader, clock, heed)
        self._seen: dict[str, datetime] = {}

    def holdings(self, sigel: str) -> LibraryHoldings:
        """Return every holding of a library.

        Raises:
            Refused: ``dump_unsteady``, ``dump_broken`` or ``dump_stale``, or what a search is
                refused for.
        """
        listed = self._read_dump(sigel, wanted=self._reads == GET)
        changed = self._catch_up([sigel], listed.moment - MARGIN)[sigel]
        total = self._index(sigel)
        self._try(sigel)
        kinds = [kind for kind, _ in changed.values()]
        return LibraryHoldings(
            records=self._storage.named([sigel]),
            facts={
                "dump_started": listed.started,
                "dump_listed": listed.total,
                "since_created": sum(kind != "Delete" for kind in kinds),
                "since_deleted": kinds.count("Delete"),
                "index_total": total,
                **self._storage.counts(sigel),
            },
        )

    def _index(self, sigel: str) -> int:
        """Note what the search index has of a library; returns how many that are."""
        return self._searching.each(
            [("@type", ITEM), (HELD_BY, library_iri(sigel))],
            lambda page: self._storage.index(sigel, self._linked(page)),
        )

    def _linked(self, page: FindPage) -> Iterator[tuple[str, str | None]]:
        for iri, link in zip(page.iris, page.links or repeat(None), strict=False):
            if record := self._iris.short_id(iri):
                yield record, link

    def counted(self, sigel: str) -> dict[str, str | int]:
        """Return how many holdings a library has by the index, by the dump, and made since."""
        held: list[tuple[str, str]] = [("@type", ITEM), (HELD_BY, library_iri(sigel))]
        index = self._searching.count(held)
        try:
            page = self._dumps.first(sigel)
        except AnotherList:
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
        for activity in self._feed.since(since, most=COUNTED_FEED):
            if activity.library == library:
                newest.setdefault(activity.iri, activity.kind)
                created |= {activity.iri} if activity.kind == "Create" else set()
        deleted = {iri for iri, kind in newest.items() if kind == "Delete"}
        return {"since_created": len(created - deleted), "since_deleted": len(deleted - created)}

    # --- records that a list names -------------------------------------------------------------

    def gather(self, sigel: str, records: Iterable[str], *, done: int = 0) -> None:
        """Read the dump of a library for records that will be asked for, where that saves requests.

        Args:
            sigel: of the library.
            records: short ids.
            done: so many of them are planned already.
        """
        if self._reads == GET:
            return
        wanted = self._storage.want(sigel, records) - done
        why = ""
        try:
            if wanted > 0 and (self._reads == DUMP or self._is_worth(sigel, wanted)):
                listed = self._read_dump(sigel, wanted=True)
                self._catch_up([sigel], listed.moment - MARGIN)
                with suppress(Refused):
                    self._index(sigel)
                self._try(sigel)
                return
        except AnotherList:
            why = "dump_unsteady"
        except Refused as refused:
            why = refused.refusal.code
        except CatalogueUnreachable:
            why = "dump_unread"
        self._storage.drop(sigel, why)

    def _is_worth(self, sigel: str, wanted: int) -> bool:
        if wanted < LARGE:
            return False
        pages = -(-(self._dumps.first(sigel).total or 0) // DUMP_PAGE)
        if (pages + TRIED + PROBED) * WORTH > wanted:
            return False
        probed = self._storage.spread(sigel, PROBED, wanted=True)
        return sum(self._is_of(sigel, record) for record in probed) * 2 > len(probed)

    def _is_of(self, sigel: str, record: str) -> bool:
        answer = self._reader.read(record)
        return isinstance(answer, Found) and held_by(answer.document) == sigel

    def refresh(self) -> None:
        """Find out what was changed since the dumps were read; it is read singly."""
        if not self._seen or self._reads == GET:
            return
        try:
            self._catch_up(list(self._seen), min(self._seen.values()) - MARGIN)
        except Refused as refused:
            for sigel in self._seen:
                self._storage.drop(sigel, refused.refusal.code)
            self._seen.clear()

    # --- dumps -----------------------------------------------------------------------------

    def _read_dump(self, sigel: str, *, wanted: bool) -> Listed:
        def take(page: Sequence[DumpedRecord]) -> int:
            return self._storage.put(sigel, [self._kept(sigel, one) for one in page], wanted=wanted)

        return self._dumps.each(sigel, take, lambda: self._storage.begin(sigel))

    def _kept(self, sigel: str, dumped: DumpedRecord) -> DumpRow:
        """Return a record to be kept; without content where a GET could give another."""
        record = self._iris.short_id(dumped.iri)
        if record is None:
            raise Refused(
                "foreign_base",
                Sentence("dump_foreign", iri=dumped.iri[:200]),
                Sentence("dump_foreign_hint"),
            )
        document, bib = dumped.document, None
        own = dumped.iri == self._iris.record_iri(record) and is_holding(document or {})
        if document is None or not own or held_by(document) != sigel:
            return DumpRow(record=record, document=None, modified=0, bib=None)
        facts = facts_of(dumped.bib or {}, self._iris)
        if facts is not None:
            bib = {"id": facts.summary.id, "modified": _moment(dumped.bib or {}), **asdict(facts)}
        return DumpRow(
            record=record,
            document=document,
            modified=_moment(document),
            bib=bib,
            link=item_of(document),
        )

    def _catch_up(self, sigels: Sequence[str], since: datetime) -> dict[str, dict[str, _Change]]:
        """Note what was changed since a moment; returns by library the newest change of each."""
        now = self._feed.now()
        changed: dict[str, dict[str, _Change]] = {sigel: {} for sigel in sigels}
        of = {library_iri(sigel): found for sigel, found in changed.items()}
        others: dict[str, int] = {}
        for activity in self._feed.since(since):
            record, at = self._iris.short_id(activity.iri), milliseconds(activity.published)
            if record is not None and activity.library in of:
                of[activity.library].setdefault(record, (activity.kind, at))
            elif record is not None and activity.library is None:
                others.setdefault(record, at)
                if len(others) >= 1_000:
                    self._storage.forget_bibs(others)
                    others.clear()
        self._storage.forget_bibs(others)
        for sigel, found in changed.items():
            self._storage.change(sigel, found)
            self._seen[sigel] = now
        return changed

    def _try(self, sigel: str) -> None:
        """Read some records singly too; where one is another, nothing of the dump is believed."""
        count = min(TRIED, -(-self._storage.counts(sigel)["dump_shown"] // 10))
        for record in self._storage.spread(sigel, count):
            answer = self._reader.read(record)
            dumped, _ = self._storage.record(record)
            if dumped is None or (isinstance(answer, Found) and answer.document == dumped):
                continue
            self._storage.drop(sigel, "changed", record)
            if isinstance(answer, Found) and _moment(answer.document) == _moment(dumped):
                if _without_bib(answer.document) != _without_bib(dumped):
                    self._storage.drop(sigel, "dump_differs")
                    return
                self._storage.drop(sigel, "form", record)


def _without_bib(document: Document) -> Document:
    """Return a holding without the link that a dump shows in one form only."""
    thing = {key: value for key, value in thing_part(document).items() if key != "itemOf"}
    return {"@graph": [*document["@graph"][:1], thing, *document["@graph"][2:]]}


def _moment(document: Document) -> int:
    """Return when a record was saved, in ms since 1970; 0 where it does not say."""
    span = parse_span(modified(document) or "")
    return milliseconds(span.start) if span is not None else 0


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
        storage: DumpStorage,
        reads: str,
    ) -> None:
        self._iris = iris
        self._ledger = ledger
        self._progress = progress
        self._stop = stop
        self._searching = Searching(reader, iris, self._heed)
        self._storage = storage
        self.libraries = Libraries(reader, iris, clock, progress, self._heed, storage, reads)

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
            count = self._ledger.selections.keep(plan, step, records, note=lambda: note)
            self._progress.note(
                Sentence("selected", step=step, what=what, count=count),
                action="selected",
                step=step,
            )
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
    ) -> tuple[Iterable[str], dict[str, Any]]:
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
            note["compared"] = {sigel: self.libraries.counted(sigel) for sigel in named}
        return hits.records, note

    def _held(self, sigels: tuple[str, ...]) -> tuple[Iterator[str], dict[str, Any]]:
        facts = {sigel: dict(self.libraries.holdings(sigel).facts) for sigel in sigels}
        return self._storage.named(sigels), {"libraries": facts}


def _sigels(selection: StepSelection) -> tuple[str, ...]:
    named = selection.selects["library"]
    return (named,) if isinstance(named, str) else tuple(named)
