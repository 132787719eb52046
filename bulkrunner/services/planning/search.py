"""Every record that a query finds: pages in a total order, the window, counts that must agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from bulkrunner.domain.catalogue import FindPage
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.refusals import Refused
from bulkrunner.sentences import Sentence

PAGE = 1_000
"""Hits asked for at a time; the server silently gives 200 where more than 4,000 are asked for."""

TRIES = 3
"""How often a search is begun anew where the index changes meanwhile."""

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


@dataclass(kw_only=True)
class _Walk:
    """How far a search has come."""

    last: str = ""
    iris: list[str] = field(default_factory=list)

    def take(self, iris: Sequence[str]) -> None:
        for iri in iris:
            if iri <= self.last:
                raise _Unsteady
            self.last = iri
            self.iris.append(iri)


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
        """Return everything that a query finds.

        Raises:
            Refused: ``find_window`` where more is found than the server shows, ``find_unsteady``
                where the counts never agree.
        """
        for _ in range(TRIES):
            try:
                return self._once(query)
            except _Unsteady:
                continue
        raise Refused(
            "find_unsteady", Sentence("find_unsteady", tries=TRIES), Sentence("find_unsteady_hint")
        )

    def _once(self, query: Query) -> Hits:
        walk = _Walk()
        self._heed()
        first = self._reader.find(query, limit=PAGE)
        total, page, begun = first.total, first, 0
        walk.take(page.iris)
        while len(walk.iris) < total:
            if not page.iris:
                raise _Unsteady
            self._heed()
            offset = len(walk.iris) - begun
            if offset + PAGE > first.window:
                begun = len(walk.iris)
                page = self._beyond(query, walk, left=total - begun, total=total)
            else:
                narrowed = _after(query, walk.iris[begun - 1]) if begun else query
                page = self._reader.find(narrowed, limit=PAGE, offset=offset)
                if page.total != total - begun:
                    raise _Unsteady
            walk.take(page.iris)
        if len(walk.iris) != total:
            raise _Unsteady
        named = [(iri, self._iris.short_id(iri)) for iri in walk.iris]
        return Hits(
            records=tuple(short_id for _, short_id in named if short_id),
            total=total,
            others=tuple(iri for iri, short_id in named if not short_id),
        )

    def _beyond(self, query: Query, walk: _Walk, *, left: int, total: int) -> FindPage:
        """Begin anew behind the last hit; what lies beyond the window is not shown otherwise."""
        page = self._reader.find(_after(query, walk.last), limit=PAGE)
        if page.iris and page.iris[0] > walk.last and page.total == left:
            return page
        if page.iris and page.iris[0] > walk.last:
            raise _Unsteady
        raise Refused(
            "find_window",
            Sentence("find_window", total=total, count=len(walk.iris)),
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
