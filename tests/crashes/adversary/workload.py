"""The soak's job: changes of every kind, and what each is to make of its record.

Nothing here calls the code under test: what a change means is written out once more.
"""

from __future__ import annotations

import copy
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from bulkrunner.sandbox import seed as seeding
from bulkrunner.sandbox.seed_layout import (
    FAULTY,
    HEADLESS,
    LABELLED,
    HoldingSpot,
    Layout,
    Presence,
    Shape,
    layout,
)

Document: TypeAlias = dict[str, Any]

OWN = seeding.SUPPLIER_SIGELS
NOTE = "adversary"
ISBN = 9_786_100_000_000

UNTOUCHED = {*FAULTY, *HEADLESS, Shape.FOREIGN_COMPONENT, Shape.UNTIDY}
"""Shapes that the plan refuses, or that the server tidies up beside what is changed."""

SHARES = {
    "note": 0.16,
    "label": 0.14,
    "resave": 0.06,
    "several": 0.06,
    "bib note": 0.05,
    "delete": 0.18,
    "delete bib": 0.02,
    "create": 0.27,
    "create bib": 0.06,
}
"""Of all changes; a bib's deletion brings the deletions of its holdings with it."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of the sandbox that a job of so many changes needs."""

    bibs: int
    holdings: int

    @classmethod
    def of(cls, changes: int) -> Size:
        return cls(bibs=max(600, changes * 6 // 10), holdings=max(2400, changes * 24 // 10))


@dataclass(frozen=True, kw_only=True)
class Task:
    """One change of the job.

    Attributes:
        how: a key of ``SHARES``. record: short id; of a new holding its bib's, of a new bib its ISBN.
        operation: as it stands in the manifest.
    """

    how: str
    record: str
    operation: Document
    sigel: str = ""

    @property
    def action(self) -> str:
        return next(name for name in ("update", "delete", "create") if name in self.operation)

    @property
    def kind(self) -> str:
        return "bib" if self.how in ("bib note", "delete bib", "create bib") else "holding"

    def wanted(self, document: Document) -> Document:
        """What an update should make of a record."""
        return _MEANING[self.how](copy.deepcopy(document), self)


def tasks(dice: random.Random, changes: int, size: Size) -> list[Task]:
    """The whole job, in the order of its manifest."""
    stock = _Stock(dice, layout(seeding.DEFAULT_SEED, size.bibs, size.holdings))
    keyed: list[tuple[float, Task]] = []
    for how, share in SHARES.items():
        for _ in range(max(1, round(changes * share))):
            keyed += _placed(dice, list(_MAKING[how](stock, how)))
    return [task for _, task in sorted(keyed, key=lambda pair: pair[0])]


def _placed(dice: random.Random, together: list[Task]) -> list[tuple[float, Task]]:
    """Anywhere in the job, but what belongs together in its order."""
    places = sorted(dice.random() for _ in together)
    return list(zip(places, together, strict=True))


class _Stock:
    """Hands out records, each once."""

    def __init__(self, dice: random.Random, plan: Layout) -> None:
        self._isbn = iter(range(ISBN, ISBN + 10**7))
        by_bib: dict[int, list[HoldingSpot]] = defaultdict(list)
        for spot in plan.holdings:
            by_bib[spot.bib].append(spot)
        bibs = [
            bib
            for bib in plan.bibs
            if bib.presence is Presence.BOTH
            and not (bib.differs or bib.faulty)
            and not any(spot.shape in HEADLESS for spot in by_bib[bib.index])
        ]
        dice.shuffle(bibs)
        ours = [bib for bib in bibs if all(map(_usable, by_bib[bib.index]))]
        self._deletable = iter([(bib.short_id, by_bib[bib.index]) for bib in ours])
        barred = {bib.index for bib in ours}
        left = [bib for bib in bibs if bib.index not in barred]
        self._bibs = iter(bib.short_id for bib in left)
        free = [
            (bib.short_id, sigel)
            for bib in left
            for sigel in OWN
            if all(spot.sigel != sigel for spot in by_bib[bib.index])
        ]
        dice.shuffle(free)
        self._free = iter(free)
        spots = [spot for spot in plan.holdings if _usable(spot) and spot.bib not in barred]
        dice.shuffle(spots)
        self._labelled = iter([spot for spot in spots if spot.shape in LABELLED])
        self._others = iter([spot for spot in spots if spot.shape not in LABELLED])

    def labelled(self) -> HoldingSpot:
        return next(self._labelled)

    def any(self) -> HoldingSpot:
        return next(self._others, None) or next(self._labelled)

    def bib(self) -> str:
        return next(self._bibs)

    def deletable(self) -> tuple[str, list[HoldingSpot]] | None:
        """A bib that nobody but us has holdings of, with these; None where there is no more."""
        return next(self._deletable, None)

    def free(self) -> tuple[str, str]:
        return next(self._free)

    def isbn(self) -> str:
        return str(next(self._isbn))


def _usable(spot: HoldingSpot) -> bool:
    return (
        spot.sigel in OWN
        and spot.presence is Presence.BOTH
        and not spot.differs
        and spot.shape not in UNTOUCHED
    )


def _update(how: str, record: str, **operation: Any) -> Task:
    return Task(how=how, record=record, operation={"update": record, **operation})


def _deletion(how: str, record: str) -> Task:
    return Task(how=how, record=record, operation={"delete": record})


def _notes(stock: _Stock, how: str) -> Iterator[Task]:
    changes = [{"append": {"at": "cataloguersNote", "value": NOTE}}]
    yield _update(how, stock.any().short_id, changes=changes)


def _labels(stock: _Stock, how: str) -> Iterator[Task]:
    changes = [{"set": {"at": "shelfMark.label", "to": f"{NOTE} 1"}}]
    yield _update(how, stock.labelled().short_id, changes=changes)


def _several(stock: _Stock, how: str) -> Iterator[Task]:
    changes = [
        {"set": {"at": "shelfMark.label", "to": f"{NOTE} 2"}},
        {"remove": {"at": "physicalLocation"}},
        {"append": {"at": "cataloguersNote", "value": NOTE}},
        {"set": {"at": "inventoryLevel", "to": 3}},
    ]
    yield _update(how, stock.labelled().short_id, changes=changes)


def _resaves(stock: _Stock, how: str) -> Iterator[Task]:
    yield _update(how, stock.any().short_id, resave=True)


def _bib_notes(stock: _Stock, how: str) -> Iterator[Task]:
    note = {"@type": "Note", "label": NOTE}
    yield _update(how, stock.bib(), changes=[{"append": {"at": "hasNote", "value": note}}])


def _deletions(stock: _Stock, how: str) -> Iterator[Task]:
    yield _deletion(how, stock.any().short_id)


def _bib_deletions(stock: _Stock, how: str) -> Iterator[Task]:
    found = stock.deletable()
    if found is not None:
        bib, spots = found
        for spot in spots:
            yield _deletion("delete", spot.short_id)
        yield _deletion(how, bib)


def _creations(stock: _Stock, how: str) -> Iterator[Task]:
    bib, sigel = stock.free()
    body = {"physicalLocation": ["MAG"], "cataloguersNote": [NOTE]}
    operation = {"create": "holding", "of": bib, "sigel": sigel, "body": body}
    yield Task(how=how, record=bib, operation=operation, sigel=sigel)


def _bib_creations(stock: _Stock, how: str) -> Iterator[Task]:
    isbn = stock.isbn()
    body = {
        "@type": "Instance",
        "hasTitle": [{"@type": "Title", "mainTitle": f"{NOTE} {isbn}"}],
        "identifiedBy": [{"@type": "ISBN", "value": isbn}],
    }
    operation = {"create": "bib", "sigel": "Ylm", "body": body}
    yield Task(how=how, record=isbn, operation=operation, sigel="Ylm")


_MAKING: dict[str, Callable[[_Stock, str], Iterator[Task]]] = {
    "note": _notes,
    "label": _labels,
    "resave": _resaves,
    "several": _several,
    "bib note": _bib_notes,
    "delete": _deletions,
    "delete bib": _bib_deletions,
    "create": _creations,
    "create bib": _bib_creations,
}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _with_note(document: Document, _: Task) -> Document:
    thing = document["@graph"][1]
    thing["cataloguersNote"] = [*_listed(thing.get("cataloguersNote", [])), NOTE]
    return document


def _with_label(document: Document, _: Task) -> Document:
    document["@graph"][1]["shelfMark"]["label"] = f"{NOTE} 1"
    return document


def _with_several(document: Document, task: Task) -> Document:
    thing = document["@graph"][1]
    thing["shelfMark"]["label"] = f"{NOTE} 2"
    thing.pop("physicalLocation", None)
    thing["inventoryLevel"] = "3" if isinstance(thing.get("inventoryLevel"), str) else 3
    return _with_note(document, task)


def _with_bib_note(document: Document, _: Task) -> Document:
    thing = document["@graph"][1]
    thing["hasNote"] = [*_listed(thing.get("hasNote", [])), {"@type": "Note", "label": NOTE}]
    return document


_MEANING: dict[str, Callable[[Document, Task], Document]] = {
    "note": _with_note,
    "label": _with_label,
    "several": _with_several,
    "resave": lambda document, _: document,
    "bib note": _with_bib_note,
}
