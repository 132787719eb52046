"""What the seeded catalogue holds: which library has which bib, and in what words.

The layout is the same for both environments; a spot says where it is present and whether its
content differs. Record contents are made from spots by ``seed_documents``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, TypeVar

from bulkrunner.sandbox.documents import ALPHABET


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library of the seed: its sigel, its name, its share (in hundredths) of all holdings."""

    sigel: str
    name: str
    share: int


LIBRARIES: tuple[Library, ...] = (
    Library(sigel="Ylm", name="Yttermalungs bibliotek", share=22),
    Library(sigel="NO", name="Norrköpings stadsbibliotek", share=8),
    Library(sigel="S 62", name="Kungliga biblioteket, specialdepå 62", share=4),
    Library(sigel="Hbg", name="Helsingborgs stadsbibliotek", share=6),
    Library(sigel="S", name="Kungliga biblioteket", share=14),
    Library(sigel="G", name="Göteborgs universitetsbibliotek", share=9),
    Library(sigel="L", name="Lunds universitetsbibliotek", share=9),
    Library(sigel="U", name="Uppsala universitetsbibliotek", share=8),
    Library(sigel="Um", name="Umeå stadsbibliotek", share=5),
    Library(sigel="Lin1", name="Linköpings stadsbibliotek", share=4),
    Library(sigel="Vasb", name="Västerås stadsbibliotek", share=3),
    Library(sigel="Krh", name="Karlshamns bibliotek", share=3),
    Library(sigel="Bors", name="Borås högskolebibliotek", share=3),
    Library(sigel="Tra", name="Tranås stadsbibliotek", share=2),
    Library(sigel="SEK", name="Libris systemavdelning", share=0),
)


@cache
def words(kind: str) -> Any:
    """Return the words of a kind that records are put together from: a list, or names by code."""
    return json.loads(files(__package__).joinpath("words.json").read_text(encoding="utf-8"))[kind]


T = TypeVar("T")

_ONLY_HERE_PER_THOUSAND = 15

_DIFFERING_EVERY = 33

_LARGEST_SHARE_OF_BIBS = 0.75

_SPECIAL = {
    "S": ("no_held_by", "held_by_in_component"),
    "Hbg": ("held_by_in_component", "untidy"),
}

_FAULTY_LIBRARY = "NO"


class Dice:
    """Repeatable choices, the same in every version of Python."""

    def __init__(self, *key: object) -> None:
        self._seed = sha256("/".join(map(str, key)).encode()).digest()
        self._state = int.from_bytes(self._seed, "big")

    def below(self, limit: int) -> int:
        """Return a number from 0 to limit - 1."""
        if self._state < 1 << 64:
            self._seed = sha256(self._seed).digest()
            self._state = int.from_bytes(self._seed, "big")
        self._state, number = divmod(self._state, limit)
        return number

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def chance(self, percent: int) -> bool:
        """Whether something that happens in so many cases of a hundred happens now."""
        return self.below(100) < percent

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in another order."""
        result = list(items)
        for index in range(len(result) - 1, 0, -1):
            other = self.below(index + 1)
            result[index], result[other] = result[other], result[index]
        return result


class Presence(StrEnum):
    """In which environment a record exists."""

    BOTH = "both"
    TEST = "test"
    PRODUCTION = "production"


class Shape(StrEnum):
    """How a holding says what it says."""

    ITEM_LABEL = "item_label"
    BARE = "bare"
    ONE_COMPONENT = "one_component"
    SEVERAL_COMPONENTS = "several_components"
    ITEM_AND_COMPONENTS = "item_and_components"
    FOREIGN_COMPONENT = "foreign_component"
    SCALAR_FOR_LIST = "scalar_for_list"
    LIST_FOR_SCALAR = "list_for_scalar"
    SEQUENCE_LINK = "sequence_link"
    LABEL_LIST = "label_list"
    INVENTORY_NUMBER = "inventory_number"
    INVENTORY_TEXT = "inventory_text"
    TEXTUAL = "textual"
    NOTES = "notes"
    MEDIA = "media"
    MARC_LINKS = "marc_links"
    FULL = "full"
    UNTIDY = "untidy"
    NO_HELD_BY = "no_held_by"
    HELD_BY_IN_COMPONENT = "held_by_in_component"
    UNKNOWN_TERM = "unknown_term"
    BAD_IRI = "bad_iri"
    PLAIN_FOR_OBJECT = "plain_for_object"


# Shelf mark on the holding itself, its label a plain string.
LABELLED = frozenset(
    {
        Shape.ITEM_LABEL,
        Shape.INVENTORY_NUMBER,
        Shape.INVENTORY_TEXT,
        Shape.TEXTUAL,
        Shape.NOTES,
        Shape.MEDIA,
        Shape.MARC_LINKS,
    }
)
# Old faults: the server refuses every update of such a record.
FAULTY = (Shape.UNKNOWN_TERM, Shape.BAD_IRI, Shape.PLAIN_FOR_OBJECT)
# The server cannot tell whose holding it is.
HEADLESS = frozenset({Shape.NO_HELD_BY, Shape.HELD_BY_IN_COMPONENT})

_UNCHANGING = frozenset({Shape.BARE, Shape.SEQUENCE_LINK, *FAULTY})

_RARE: tuple[Shape, ...] = (
    Shape.FOREIGN_COMPONENT,
    Shape.SCALAR_FOR_LIST,
    Shape.LIST_FOR_SCALAR,
    Shape.SEQUENCE_LINK,
    Shape.LABEL_LIST,
    Shape.FULL,
)

_DECORATED = tuple(sorted(LABELLED - {Shape.ITEM_LABEL}))

_CYCLE_YLM: tuple[Shape, ...] = (
    *[Shape.ITEM_LABEL] * 16,
    *_DECORATED,
    *[Shape.BARE] * 7,
    *[Shape.ONE_COMPONENT] * 3,
    *[Shape.SEVERAL_COMPONENTS] * 1,
    Shape.ITEM_AND_COMPONENTS,
    *_RARE,
)

_CYCLE: tuple[Shape, ...] = (
    *[Shape.ITEM_LABEL] * 16,
    *_DECORATED * 3,
    *[Shape.BARE] * 8,
    *[Shape.ONE_COMPONENT] * 8,
    *[Shape.SEVERAL_COMPONENTS] * 4,
    *[Shape.ITEM_AND_COMPONENTS] * 3,
    *_RARE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BibSpot:
    """A bib of the seed."""

    index: int
    short_id: str
    presence: Presence
    differs: bool
    faulty: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldingSpot:
    """A holding of the seed."""

    sigel: str
    bib: int
    short_id: str
    shape: Shape
    mark: str
    presence: Presence
    differs: bool


@dataclass(frozen=True, kw_only=True)
class Layout:
    """All bibs (by index) and all holdings."""

    seed: int
    bibs: tuple[BibSpot, ...]
    holdings: tuple[HoldingSpot, ...]


def short_id(*key: object) -> str:
    """Return the system id of the record in this role: 15 characters, for every fourth 16."""
    dice = Dice("id", *key)
    return "".join(dice.pick(ALPHABET) for _ in range(16 if dice.chance(25) else 15))


@lru_cache(maxsize=32)
def layout(seed: int, bibs: int, holdings: int) -> Layout:
    """Lay out a catalogue that has so many bibs and holdings in each of the two environments."""
    if bibs < 2 or holdings < 0:
        raise ValueError("the seed needs at least 2 bibs and no negative number of holdings")
    bib_spots = _bib_spots(seed, bibs)
    only_here = _only_here(holdings)
    common = [spot.index for spot in bib_spots if spot.presence is Presence.BOTH]
    counts = _counts(holdings - only_here, len(common))
    orders = {sigel: Dice(seed, "order", sigel).shuffled(common) for sigel in counts}
    spots = [
        spot
        for sigel, count in counts.items()
        for spot in _holdings_of(seed, sigel, orders[sigel][:count])
    ]
    left = {sigel: orders[sigel][count:] for sigel, count in counts.items()}
    for presence in (Presence.PRODUCTION, Presence.TEST):
        own = [spot.index for spot in bib_spots if spot.presence is presence]
        spots += _only_holdings(seed, presence, only_here, own, left)
    return Layout(seed=seed, bibs=bib_spots, holdings=tuple(spots))


def _only_here(total: int) -> int:
    return -(-total * _ONLY_HERE_PER_THOUSAND // 1000)


def _bib_spots(seed: int, total: int) -> tuple[BibSpot, ...]:
    extra = _only_here(total)
    faulty = set(range(3, total - extra, max(1000, total // 4)))
    dice = Dice(seed, "differing bibs")
    differing = set(dice.shuffled(range(total - extra))[: (total - extra) // _DIFFERING_EVERY])
    spots = []
    for index in range(total + extra):
        presence = Presence.BOTH
        if index >= total - extra:
            presence = Presence.PRODUCTION if index < total else Presence.TEST
        spots.append(
            BibSpot(
                index=index,
                short_id=short_id("bib", index),
                presence=presence,
                differs=index in differing,
                faulty=index in faulty,
            )
        )
    return tuple(spots)


def _counts(total: int, bibs: int) -> dict[str, int]:
    """Share the holdings out; what is too much for a library goes to those with room."""
    ceiling = max(1, int(bibs * _LARGEST_SHARE_OF_BIBS))
    sharing = [library for library in LIBRARIES if library.share]
    if total > ceiling * len(sharing):
        raise ValueError(f"{bibs} bibs have room for at most {ceiling * len(sharing)} holdings")
    counts = {item.sigel: min(ceiling, total * item.share // 100) for item in sharing}
    rest = total - sum(counts.values())
    while rest:
        for sigel, count in counts.items():
            if rest and count < ceiling:
                counts[sigel] += 1
                rest -= 1
    return counts


def _holdings_of(seed: int, sigel: str, held: Sequence[int]) -> list[HoldingSpot]:
    shapes = _shapes(sigel, len(held))
    return [
        _spot(seed, sigel, bib, shape, differs=position % _DIFFERING_EVERY == _DIFFERING_EVERY // 2)
        for position, (bib, shape) in enumerate(zip(held, shapes, strict=True))
    ]


def _shapes(sigel: str, count: int) -> list[Shape]:
    cycle = Dice("shapes", sigel).shuffled(_CYCLE_YLM if sigel == LIBRARIES[0].sigel else _CYCLE)
    shapes = [cycle[position % len(cycle)] for position in range(count)]
    if sigel == _FAULTY_LIBRARY:
        special: list[Shape] = list(FAULTY) * max(1, count // 200)
    else:
        names = _SPECIAL.get(sigel, ())
        special = [Shape(name) for name in names] * max(1, count // 100)
    shapes[: len(special)] = special[:count]
    return shapes


def _spot(
    seed: int,
    sigel: str,
    bib: int,
    shape: Shape,
    *,
    presence: Presence = Presence.BOTH,
    differs: bool = False,
) -> HoldingSpot:
    dice = Dice(seed, "mark", sigel, bib)
    return HoldingSpot(
        sigel=sigel,
        bib=bib,
        short_id=short_id("holding", sigel, bib),
        shape=shape,
        mark=dice.pick(
            words("shelf_marks_ylm") if sigel == LIBRARIES[0].sigel else words("shelf_marks")
        ),
        presence=presence,
        differs=differs and shape not in _UNCHANGING,
    )


def _only_holdings(
    seed: int, presence: Presence, total: int, own: Sequence[int], left: dict[str, list[int]]
) -> list[HoldingSpot]:
    """Half of them on bibs that exist only there, the others on bibs that exist everywhere."""
    sigels = list(left)
    on_own = min(total // 2, len(own) * len(sigels))
    pairs = [(sigels[(k // len(own) + k) % len(sigels)], own[k % len(own)]) for k in range(on_own)]
    pairs = list(dict.fromkeys(pairs))
    if total - len(pairs) > sum(map(len, left.values())):
        raise ValueError("too many holdings for so few bibs")
    turn = 0
    while len(pairs) < total:
        sigel = sigels[turn % len(sigels)]
        turn += 1
        if left[sigel]:
            pairs.append((sigel, left[sigel].pop()))
    return [
        _spot(seed, sigel, bib, _CYCLE[position % len(_CYCLE)], presence=presence)
        for position, (sigel, bib) in enumerate(pairs)
    ]
