"""The catalogue that a sandbox starts with: realistic, and the same for the same arguments.

A test and a production environment made from one seed share most records (same short ids, own
base URI); a few exist in one of them only, and a few have older content in the test environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from bulkrunner.sandbox import names
from bulkrunner.sandbox.names import LIBRARIES, Library
from bulkrunner.sandbox.seed_documents import SeedRecord, Writer, authority_indexes
from bulkrunner.sandbox.seed_items import item
from bulkrunner.sandbox.seed_layout import (
    FAULTY,
    HEADLESS,
    LABELLED,
    BibSpot,
    HoldingSpot,
    Layout,
    Presence,
    Shape,
    layout,
)

__all__ = [
    "BIBS",
    "DEFAULT_SEED",
    "FAULTY",
    "GLOBAL_SIGEL",
    "HOLDINGS",
    "LABELLED",
    "LIBRARIES",
    "OTHER_SIGEL",
    "SUPPLIER_SIGELS",
    "Library",
    "SeedRecord",
    "Shape",
    "differing_ids",
    "example_ids",
    "faulty_bib_ids",
    "ids_only_in",
    "seed_records",
]

DEFAULT_SEED = 1
BIBS = 2000
HOLDINGS = 6000
SUPPLIER_SIGELS = ("Ylm", "NO", "S 62", "Hbg")
OTHER_SIGEL = "S"
GLOBAL_SIGEL = "SEK"

_SHOWN_IN = {"test": Presence.TEST, "production": Presence.PRODUCTION}


def seed_records(
    *, base_uri: str, kind: str, seed: int, bibs: int = BIBS, holdings: int = HOLDINGS
) -> Iterator[SeedRecord]:
    """Yield the records of one environment: libraries and authorities, bibs, holdings.

    Args:
        base_uri: what the ids of the environment's records start with, with its last slash.
        kind: ``"test"`` or ``"production"``.
        seed: another seed gives another catalogue.
        bibs: how many bibs the environment has.
        holdings: how many holdings it has.
    """
    here = _SHOWN_IN[kind]
    plan = layout(seed, bibs, holdings)
    writer = Writer(base_uri=base_uri, seed=seed, outdated=kind == "test")
    yield from _authorities(writer)
    for bib in plan.bibs:
        if bib.presence in {here, Presence.BOTH}:
            yield writer.bib(bib)
    for spot in plan.holdings:
        if spot.presence in {here, Presence.BOTH}:
            sequence = writer.sequence_link(spot.sigel)
            content = item(spot, seed=seed, outdated=kind == "test", sequence=sequence)
            yield writer.holding(spot, content)


def example_ids(
    *,
    kind: Literal["bib", "holding"],
    n: int | None = None,
    sigel: str | None = None,
    shape: Shape | None = None,
    shelf_mark: str | None = None,
    without: str | None = None,
    seed: int = DEFAULT_SEED,
    bibs: int = BIBS,
    holdings: int = HOLDINGS,
) -> list[str]:
    """Return short ids of records that both environments have, with the same content.

    Args:
        kind: holdings or bibs.
        n: how many are wanted; all when left out.
        sigel: holdings of this library.
        shape: holdings of this shape; when left out, any that the server can save.
        shelf_mark: holdings whose own ``shelfMark.label`` is this text.
        without: bibs of which this library has no holding anywhere.
        seed: as given to ``seed_records``.
        bibs: as given to ``seed_records``.
        holdings: as given to ``seed_records``.

    Raises:
        LookupError: there are fewer than n.
    """
    plan = layout(seed, bibs, holdings)
    if kind == "bib":
        found = _bib_examples(plan, without)
    else:
        wanted = {shape} if shape else set(Shape) - set(FAULTY) - HEADLESS
        if shelf_mark is not None:
            wanted &= LABELLED
        found = [
            spot.short_id
            for spot in plan.holdings
            if _is_alike(spot)
            and spot.shape in wanted
            and sigel in {None, spot.sigel}
            and shelf_mark in {None, spot.mark}
        ]
    if n is not None and len(found) < n:
        raise LookupError(f"the seed has {len(found)} such records, not {n}")
    return found[:n]


def ids_only_in(
    kind: str, *, seed: int = DEFAULT_SEED, bibs: int = BIBS, holdings: int = HOLDINGS
) -> list[str]:
    """Return short ids of the bibs and holdings that only this environment has."""
    return [
        spot.short_id for spot in _spots(seed, bibs, holdings) if spot.presence is _SHOWN_IN[kind]
    ]


def differing_ids(
    *, seed: int = DEFAULT_SEED, bibs: int = BIBS, holdings: int = HOLDINGS
) -> list[str]:
    """Return short ids of the bibs and holdings whose content is older in the test environment."""
    return [
        spot.short_id
        for spot in _spots(seed, bibs, holdings)
        if spot.presence is Presence.BOTH and spot.differs
    ]


def faulty_bib_ids(
    *, seed: int = DEFAULT_SEED, bibs: int = BIBS, holdings: int = HOLDINGS
) -> list[str]:
    """Return short ids of the bibs that the server refuses to save as they stand."""
    return [spot.short_id for spot in layout(seed, bibs, holdings).bibs if spot.faulty]


def _authorities(writer: Writer) -> Iterator[SeedRecord]:
    for library in LIBRARIES:
        yield writer.library(library)
    yield writer.library(Library(sigel="NB", name="Nationalbibliografin", share=0))
    for code, label in names.LANGUAGES.items():
        yield writer.language(code, label)
    for code, label in names.COUNTRIES.items():
        yield writer.country(code, label)
    for index in authority_indexes():
        yield writer.person(index)
    for library in LIBRARIES:
        if library.share:
            yield writer.sequence(library.sigel)


def _spots(seed: int, bibs: int, holdings: int) -> list[BibSpot | HoldingSpot]:
    plan = layout(seed, bibs, holdings)
    return [*plan.bibs, *plan.holdings]


def _is_alike(spot: HoldingSpot) -> bool:
    return spot.presence is Presence.BOTH and not spot.differs


def _bib_examples(plan: Layout, without: str | None) -> list[str]:
    """Bibs without faults, on which every holding says whose it is."""
    barred = {spot.bib for spot in plan.holdings if spot.shape in HEADLESS or spot.sigel == without}
    return [
        spot.short_id
        for spot in plan.bibs
        if spot.presence is Presence.BOTH
        and not spot.differs
        and not spot.faulty
        and spot.index not in barred
    ]
