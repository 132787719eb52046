"""Which record of an environment an identifier names: looked up, read, and proved to bear it."""

from __future__ import annotations

from dataclasses import dataclass

from bulkrunner.domain.answers import Found
from bulkrunner.domain.identified import Query, bears, may_be, queries
from bulkrunner.domain.identifiers import Identifier, of_canonical
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import BibSummary
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.records import held_by, is_holding
from bulkrunner.services.planning.bibs import OnceCache, is_bib, summarise
from bulkrunner.services.planning.steps import NotFound, Refused

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
            CatalogueUnreachable: the environment does not answer.
        """
        every = self._found.get(ref)
        found = tuple(one for one in every if kind in (None, one.kind))
        if not found:
            raise NotFound("not_found", _none(ref, every))
        if len(found) > 1 and on_several != "all":
            raise Refused(several(ref, found))
        return tuple(candidate.id for candidate in found)

    def bearing(self, ref: str) -> tuple[str, ...]:
        """Return the short ids of the records that bear a number, none where the catalogue has none.

        Raises:
            Refused: so many may bear it that they are not looked through.
            CatalogueUnreachable: the environment does not answer; that is never none.
        """
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
                Refusal(
                    code="several_hits",
                    message=f"the search finds {page.total:,} records for {identifier.text}",
                    hint="a number of so many records names none of them; give their ids",
                )
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


def _none(ref: str, others: Candidates) -> str:
    if others:
        return f"what bears {ref} is a {others[0].kind}: {_shown(others[0])}"
    return (
        f"the search finds no record that bears {ref}; "
        "one that was made just now may not be in the index yet"
    )


def several(what: str, found: Candidates) -> Refusal:
    """Return the refusal of a text that names several records, with the first of them."""
    shown = "; ".join(_shown(candidate) for candidate in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return Refusal(
        code="several_hits",
        message=f"{len(found)} records bear {what}: {shown}{more}",
        hint="give the id of the one that is meant, or say `on_several: all`",
    )


def _shown(candidate: Candidate) -> str:
    if candidate.kind == "holding":
        return f"{candidate.id} (holding of {candidate.sigel or 'no library'})"
    bib = candidate.summary
    parts = [part for part in (bib.title[:60], bib.author[:40], bib.year) if part]
    return f"{candidate.id} ({', '.join(parts)})" if parts else candidate.id
