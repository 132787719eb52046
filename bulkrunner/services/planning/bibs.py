"""Bibs, as planning knows them: whether they resolve, and how they are named to people."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bulkrunner.domain.catalogue import Found, Moved
from bulkrunner.domain.identifiers import Identifier, of_canonical
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.plan import BibSummary
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.queries import Query, bears, may_be, queries
from bulkrunner.domain.records import (
    Document,
    held_by,
    is_holding,
    kind_said,
    record_part,
    thing_part,
)
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.text import library_said, shown_of
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.draft import NotFound
from bulkrunner.vocabulary import is_subclass_of

MAX_TEXT = 300

"""Characters kept of a title or name; records are not trusted to be short."""

DOCUMENTS = 64

"""Whole bibs kept; a holding's bib is asked for soon after it was looked up, or never."""

V = TypeVar("V")


class OnceCache(Generic[V]):
    """Computes a value once per key, also when several threads ask at the same time.

    Holds the newest ``size`` values, so that memory does not grow with the plan.
    """

    def __init__(self, compute: Callable[[str], V], *, size: int = 5000) -> None:
        self._compute = compute
        self._size = size
        self._values: OrderedDict[str, Future[V]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> V:
        """Return the value, computing it if nobody has; an error is raised to every waiter."""
        with self._lock:
            future = self._values.get(key)
            mine = future is None
            if future is None:
                future = self._values[key] = Future()
                if len(self._values) > self._size:
                    self._values.popitem(last=False)
            else:
                self._values.move_to_end(key)
        if mine:
            self._fill(key, future)
        return future.result()

    def _fill(self, key: str, future: Future[V]) -> None:
        try:
            future.set_result(self._compute(key))
        except BaseException as error:
            with self._lock:
                self._values.pop(key, None)
            future.set_exception(error)
            raise


@dataclass(frozen=True, kw_only=True)
class BibFacts:
    """A bib that resolves.

    Attributes:
        thing_iri: graph[1].@id as stored, what a holding's ``itemOf`` must be.
        is_bib: False for a holding, an authority record or anything else with that id.
    """

    summary: BibSummary
    thing_iri: str
    is_bib: bool


class Bibs:
    """Looks bibs up by short id or IRI, each once."""

    def __init__(
        self,
        reader: CatalogueReader,
        iris: IriMap,
        known: Callable[[str], BibFacts | None] = lambda _: None,
    ) -> None:
        self._reader = reader
        self._iris = iris
        self._known = known
        self._facts: OnceCache[BibFacts | None] = OnceCache(self._look_up)
        self._documents: OnceCache[Document | None] = OnceCache(self._read, size=DOCUMENTS)

    def document(self, iri_or_id: str) -> Document | None:
        """Return the bib itself, None where it does not resolve."""
        return self._documents.get(self._iris.short_id(iri_or_id) or iri_or_id)

    def find(self, iri_or_id: str) -> BibFacts | None:
        """Return what is known of the bib, None where it does not resolve."""
        return self._facts.get(self._iris.short_id(iri_or_id) or iri_or_id)

    def linked(self, iri: str) -> BibFacts | None:
        """Return what is known of the bib that a stored link names, None where it leads nowhere.

        The base of another environment leads nowhere here, whatever the short id is.
        """
        parts = self._iris.split(iri)
        return None if parts and parts[0] != self._iris.target else self.find(iri)

    def _look_up(self, key: str) -> BibFacts | None:
        if (known := self._known(key)) is not None:
            return known
        document = self._documents.get(key)
        return None if document is None else facts_of(document, self._iris, key)

    def _read(self, key: str) -> Document | None:
        answer = self._reader.read(key)
        if isinstance(answer, Moved):
            target = self._iris.short_id(answer.target)
            answer = self._reader.read(target) if target else answer
        return answer.document if isinstance(answer, Found) else None


def facts_of(document: Document, iris: IriMap, key: str | None = None) -> BibFacts | None:
    """Return what is known of a bib; named ``key`` where its own id is none of an environment."""
    iri, thing_iri = record_part(document).get("@id"), thing_part(document).get("@id")
    record = (iris.short_id(iri) if isinstance(iri, str) else None) or key
    if record is None:
        return None
    return BibFacts(
        summary=summarise(record, document),
        thing_iri=thing_iri if isinstance(thing_iri, str) else "",
        is_bib=is_bib(document),
    )


def is_bib(document: Document) -> bool:
    """Tell whether the main thing is an instance (vocabulary: subclass of ``Instance``)."""
    name = thing_part(document).get("@type")
    return isinstance(name, str) and is_subclass_of(name, "Instance")


def summarise(record: str, document: Document) -> BibSummary:
    """Return title, author and year of a bib, each empty where the record has none."""
    thing = thing_part(document)
    return BibSummary(
        id=record,
        title=_title(thing)[:MAX_TEXT],
        author=_author(thing)[:MAX_TEXT],
        year=_year(thing)[:40],
    )


def _first(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    return str(value).strip() if isinstance(value, (str, int)) else ""


def _title(thing: dict[str, Any]) -> str:
    titles = thing.get("hasTitle")
    for title in titles if isinstance(titles, list) else [titles]:
        if isinstance(title, dict) and title.get("@type", "Title") == "Title":
            parts = [_text(title.get("mainTitle")), _text(title.get("subtitle"))]
            return " : ".join(part for part in parts if part)
    return ""


def _author(thing: dict[str, Any]) -> str:
    work = _first(thing.get("instanceOf"))
    contributions = work.get("contribution")
    for item in contributions if isinstance(contributions, list) else [contributions]:
        if isinstance(item, dict) and item.get("@type") == "PrimaryContribution":
            return _agent_name(_first(item.get("agent")))
    text = thing.get("responsibilityStatement")
    return _text(text)


def _agent_name(agent: dict[str, Any]) -> str:
    name = _text(agent.get("name")) or _text(agent.get("label"))
    family, given = _text(agent.get("familyName")), _text(agent.get("givenName"))
    return name or ", ".join(part for part in (family, given) if part)


def _year(thing: dict[str, Any]) -> str:
    publication = _first(thing.get("publication"))
    return _text(publication.get("year")) or _text(publication.get("date"))


MOST = 50

"""Hits of one identifier that are read; a number that more records bear tells nothing."""

SHOWN = 5

"""Candidates named in a refusal."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A record that bears a number; ``summary`` of a holding has nothing but its id.

    Attributes:
        kind: ``holding`` or ``bib``. sigel: of a holding.
    """

    kind: str
    summary: BibSummary
    sigel: str | None = None

    @property
    def id(self) -> str:
        """Short id."""
        return self.summary.id


Candidates = tuple[Candidate, ...]


class Naming:
    """Looks identifiers up in one environment, each once; thread safe."""

    def __init__(self, reader: CatalogueReader, iris: IriMap) -> None:
        self._reader = reader
        self._iris = iris
        self._found: OnceCache[Candidates] = OnceCache(self._look_up)

    def records(
        self, ref: str, *, on_several: str = "refuse", kind: str | None = None
    ) -> tuple[str, ...]:
        """Return the short ids of the records that a canonical text names, one at least.

        Args:
            ref: an identifier with its scheme, ``isbn:9789170000591`` for instance.
            on_several: ``refuse`` or ``all``.
            kind: what is meant, ``holding`` or ``bib``; None: either.

        Raises:
            NotFound: nothing bears it here.
            Refused: ``several_hits`` where several do and none may be chosen.
        """
        every = self._found.get(ref)
        found = tuple(one for one in every if kind in (None, one.kind))
        if not found:
            raise NotFound("not_found", _none(ref, every))
        if len(found) > 1 and on_several != "all":
            raise Refused.of(several(ref, found))
        return tuple(candidate.id for candidate in found)

    def bearing(self, ref: str) -> tuple[str, ...]:
        """Return the short ids of the records that bear a number, none where the catalogue has none."""
        return tuple(candidate.id for candidate in self._found.get(ref))

    def _look_up(self, ref: str) -> Candidates:
        identifier = of_canonical(ref)
        if identifier is None:
            raise ValueError(f"{ref} is not looked up by search")
        found: dict[str, Candidate] = {}
        for query in queries(identifier):
            for record in self._hits(identifier, query):
                candidate = self._bearing(record, identifier)
                if candidate is not None:
                    found[candidate.id] = candidate
        return tuple(found.values())

    def _hits(self, identifier: Identifier, query: Query) -> list[str]:
        page = self._reader.find(query, limit=MOST)
        if page.total > MOST:
            raise Refused(
                "several_hits",
                Sentence("too_many_hits", total=page.total, identifier=identifier.text),
                Sentence("too_many_hits_hint"),
            )
        return [record for iri in page.iris if (record := self._iris.short_id(iri))]

    def _bearing(self, record: str, identifier: Identifier) -> Candidate | None:
        """Read a hit again: the index lags, and finds words where a number is meant."""
        answer = self._reader.read(record)
        if not isinstance(answer, Found) or not bears(answer.document, identifier):
            return None
        document = answer.document
        if is_bib(document):
            return Candidate(kind="bib", summary=summarise(answer.record, document))
        if is_holding(document) and may_be(identifier, "holding"):
            summary = BibSummary(id=answer.record)
            return Candidate(kind="holding", summary=summary, sigel=held_by(document))
        return None


def _none(ref: str, others: Candidates) -> Sentence:
    if not others:
        return Sentence("number_not_found", ref=ref)
    other = others[0]
    return Sentence("number_of_other", ref=ref, kind=kind_said(other.kind), shown=_shown(other))


def several(what: str, found: Candidates) -> Refusal:
    """Return the refusal of a text that names several records, with the first of them."""
    few = Sentence("joined", parts=[_shown(candidate) for candidate in found[:SHOWN]])
    return Refusal(
        "several_hits",
        Sentence("several_hits", count=len(found), what=what, shown=shown_of(found, few, SHOWN)),
        Sentence("several_hits_hint"),
    )


def _shown(candidate: Candidate) -> str:
    if candidate.kind == "holding":
        return Sentence("holding_of", record=candidate.id, sigel=library_said(candidate.sigel))
    bib = candidate.summary
    parts = [part for part in (bib.title[:60], bib.author[:40], bib.year) if part]
    return f"{candidate.id} ({', '.join(parts)})" if parts else candidate.id
