"""What planning knows of bibs: whether they resolve, and how they are named to people."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bulkrunner.domain.answers import Found, Moved
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.plan import BibSummary
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.records import Document, record_part, thing_part
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

    def __init__(self, reader: CatalogueReader, iris: IriMap) -> None:
        self._reader = reader
        self._iris = iris
        self._facts: OnceCache[BibFacts | None] = OnceCache(self._look_up)
        self._documents: OnceCache[Document | None] = OnceCache(self._read, size=DOCUMENTS)

    def document(self, iri_or_id: str) -> Document | None:
        """Return the bib itself, None where it does not resolve.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        return self._documents.get(self._iris.short_id(iri_or_id) or iri_or_id)

    def find(self, iri_or_id: str) -> BibFacts | None:
        """Return what is known of the bib, None where it does not resolve.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        return self._facts.get(self._iris.short_id(iri_or_id) or iri_or_id)

    def linked(self, iri: str) -> BibFacts | None:
        """Return what is known of the bib that a stored link names, None where it leads nowhere.

        The base of another environment leads nowhere here, whatever the short id is.
        """
        parts = self._iris.split(iri)
        return None if parts and parts[0] != self._iris.target else self.find(iri)

    def _look_up(self, key: str) -> BibFacts | None:
        document = self._documents.get(key)
        if document is None:
            return None
        thing_iri = thing_part(document).get("@id")
        return BibFacts(
            summary=summarise(self._name(document, key), document),
            thing_iri=thing_iri if isinstance(thing_iri, str) else "",
            is_bib=is_bib(document),
        )

    def _name(self, document: Document, key: str) -> str:
        iri = record_part(document).get("@id")
        return (self._iris.short_id(iri) if isinstance(iri, str) else None) or key

    def _read(self, key: str) -> Document | None:
        answer = self._reader.read(key)
        if isinstance(answer, Moved):
            target = self._iris.short_id(answer.target)
            answer = self._reader.read(target) if target else answer
        return answer.document if isinstance(answer, Found) else None


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
