"""The catalogue that a sandbox starts with: realistic, and the same for the same arguments.

A test and a production environment made from one seed share most records (same short ids, own
base URI); a few exist in one of them only, and a few have older content in the test environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from bulkrunner.sandbox import seed_layout
from bulkrunner.sandbox.documents import library_iri
from bulkrunner.sandbox.seed_documents import (
    TERMS_BASE,
    SeedRecord,
    Writer,
    authority_indexes,
)
from bulkrunner.sandbox.seed_layout import (
    FAULTY,
    HEADLESS,
    LABELLED,
    LIBRARIES,
    BibSpot,
    Dice,
    HoldingSpot,
    Layout,
    Library,
    Presence,
    Shape,
    layout,
)

Node = dict[str, Any]


def item(spot: HoldingSpot, *, seed: int, outdated: bool, sequence: Node) -> Node:
    """Return the properties of the holding's thing that its shape asks for.

    ``heldBy: None`` means that the thing has none. ``outdated`` gives the content of an
    environment that missed the latest edit; ``sequence`` is the link to a shelf mark sequence.
    """
    dice = Dice(seed, "item", spot.sigel, spot.bib)
    mark = f"{spot.mark} gammal" if outdated and spot.differs else spot.mark
    if spot.shape in LABELLED:
        return {**_placement(dice, mark), **_decoration(spot.shape, dice)}
    return _other(spot, dice, mark, sequence)


def _other(spot: HoldingSpot, dice: Dice, mark: str, sequence: Node) -> Node:
    match spot.shape:
        case Shape.BARE:
            return {}
        case Shape.SCALAR_FOR_LIST:
            return _scalars(dice, mark)
        case Shape.LIST_FOR_SCALAR:
            return _lists(spot, dice, mark)
        case Shape.SEQUENCE_LINK:
            return {"shelfMark": sequence, "shelfControlNumber": str(dice.below(400) + 1)}
        case Shape.LABEL_LIST:
            return {"shelfMark": {"@type": "ShelfMark", "label": [mark, "Tvärstor"]}}
        case Shape.FULL:
            return _full(spot, dice, mark)
        case Shape.UNTIDY:
            return _untidy(dice, mark)
        case Shape.UNKNOWN_TERM | Shape.BAD_IRI | Shape.PLAIN_FOR_OBJECT:
            return {**_placement(dice, mark), **_fault(spot.shape)}
        case _:
            return _with_components(spot, dice, mark)


def _placement(dice: Dice, mark: str) -> Node:
    node: Node = {"shelfMark": _shelf_mark(mark)}
    if dice.chance(70):
        node["physicalLocation"] = [dice.pick(seed_layout.words("locations"))]
    if dice.chance(30):
        node["shelfLabel"] = f"{dice.pick('ABCDEFGH')}{dice.below(40)}"
    if dice.chance(20):
        node["shelfControlNumber"] = str(dice.below(9000) + 100)
    if dice.chance(10):
        node["callNumberSuffix"] = [f"({dice.below(60) + 1960})"]
    return node


def _shelf_mark(mark: str) -> Node:
    return {"@type": "ShelfMark", "label": mark}


def _decoration(shape: Shape, dice: Dice) -> Node:
    match shape:
        case Shape.INVENTORY_NUMBER:
            return {"inventoryLevel": dice.below(4)}
        case Shape.INVENTORY_TEXT:
            return {"inventoryLevel": str(dice.below(4))}
        case Shape.TEXTUAL:
            return {"marc:hasTextualHoldingsBasicBibliographicUnit": [_textual(dice)]}
        case Shape.NOTES:
            return {
                "hasNote": [
                    {"@type": "Note", "label": dice.pick(seed_layout.words("holding_notes"))}
                ],
                "cataloguersNote": [dice.pick(seed_layout.words("cataloguers_notes"))],
            }
        case Shape.MEDIA:
            return {"associatedMedia": [_media(dice)]}
        case Shape.MARC_LINKS:
            return _marc_links()
        case _:
            return {}


def _textual(dice: Dice) -> Node:
    first = 1900 + dice.below(90)
    return {
        "@type": "marc:TextualHoldingsBasicBibliographicUnit",
        "marc:textualString": f"{first}-{first + dice.below(30)}",
        "marc:publicNote": ["Enstaka nummer saknas"],
        "marc:cataloguersNote": ["Delarna specificerade"],
    }


def _media(dice: Dice) -> Node:
    number = dice.below(90_000) + 10_000
    return {
        "@type": "MediaObject",
        "uri": [f"https://urn.example.org/resolve?urn=urn:nbn:se:sandbox-{number}&lang=sv"],
        "marc:publicNote": ["Fritt tillgänglig via nätet"],
    }


def _marc_links() -> Node:
    values = {
        "acquisitionStatus": "CurrentlyReceived",
        "acquisitionMethod": "Gift",
        "retentionPolicy": "PermanentlyRetained",
        "completeness": "CompletenessType-1",
        "lendingPolicy": "WillNotLend",
        "reproductionPolicy": "WillReproduce",
        "copyReport": "Separate",
    }
    return {f"marc:{key}": {"@id": f"{TERMS_BASE}marc/{value}"} for key, value in values.items()}


def _scalars(dice: Dice, mark: str) -> Node:
    return {
        "shelfMark": _shelf_mark(mark),
        "physicalLocation": dice.pick(seed_layout.words("locations")),
        "availability": {
            "@type": "ItemAvailability",
            "label": dice.pick(seed_layout.words("availabilities")),
        },
        "hasNote": {"@type": "Note", "label": [dice.pick(seed_layout.words("holding_notes"))]},
        "cataloguersNote": dice.pick(seed_layout.words("cataloguers_notes")),
    }


def _lists(spot: HoldingSpot, dice: Dice, mark: str) -> Node:
    component = {
        "@type": "Item",
        "heldBy": [{"@id": library_iri(spot.sigel)}],
        "shelfLabel": [f"Rb {dice.below(90)}"],
    }
    return {
        "shelfMark": [_shelf_mark(mark)],
        "shelfControlNumber": [str(dice.below(900))],
        "copyNumber": ["1", "2"],
        "hasComponent": [component],
    }


def _untidy(dice: Dice, mark: str) -> Node:
    """Return content from before the server cleaned up what it stores: the next save does."""
    return {
        **_placement(dice, mark),
        "hasNote": [{"@type": "Note", "label": "Ha\u0308ftet saknas \ufb01nns i magasin "}],
        "itemCondition": None,
    }


def _full(spot: HoldingSpot, dice: Dice, mark: str) -> Node:
    return {
        **_placement(dice, mark),
        **_marc_links(),
        "inventoryLevel": 1,
        "callNumberPrefix": ["MF"],
        "formerShelfLocation": [dice.pick(seed_layout.words("former_locations"))],
        "copyNumber": "B (original)",
        "itemCondition": dice.pick(seed_layout.words("conditions")),
        "availability": [
            {"@type": "ItemAvailability", "label": dice.pick(seed_layout.words("availabilities"))}
        ],
        "hasNote": [
            {"@type": "Note", "label": note} for note in seed_layout.words("holding_notes")[:2]
        ],
        "cataloguersNote": list(seed_layout.words("cataloguers_notes")[:2]),
        "organizationalUnit": [dice.pick(seed_layout.words("units"))],
        "immediateAcquisition": [{"@type": "ImmediateAcquisition", "label": "Gåva 1998"}],
        "usageAndAccessPolicy": [
            {"@type": "UsePolicy", "label": dice.pick(seed_layout.words("use_policies"))}
        ],
        "subject": [{"@type": "Topic", "prefLabel": dice.pick(seed_layout.words("subjects"))}],
        "associatedMedia": [_media(dice)],
        "marc:hasTextualHoldingsBasicBibliographicUnit": [_textual(dice)],
        "marc:hasTextualHoldingsSupplementaryMaterial": {
            "@type": "marc:TextualHoldingsSupplementaryMaterial",
            "marc:textualString": "Bilaga 1-3",
        },
        "hasComponent": [_component(spot.sigel, dice, mark)],
    }


def _fault(shape: Shape) -> Node:
    match shape:
        case Shape.UNKNOWN_TERM:
            return {"utgallradTerm": "fanns i en äldre version av vokabulären"}
        case Shape.BAD_IRI:
            return {"subject": [{"@id": "https://id.kb.se/term/sao/Stadsliv i litteraturen"}]}
        case _:
            return {"availability": ["Ej fjärrlån"]}


def _component(sigel: str, dice: Dice, mark: str) -> Node:
    return {
        "@type": "Item",
        "heldBy": {"@id": library_iri(sigel)},
        **_placement(dice, mark),
        "copyNumber": dice.pick("12345"),
    }


def _with_components(spot: HoldingSpot, dice: Dice, mark: str) -> Node:
    own = _component(spot.sigel, dice, mark)
    match spot.shape:
        case Shape.SEVERAL_COMPONENTS:
            others = [_component(spot.sigel, dice, m) for m in ("REF", mark)[: dice.below(2) + 1]]
            return {"hasComponent": [own, *others]}
        case Shape.ITEM_AND_COMPONENTS:
            return {**_placement(dice, mark), "inventoryLevel": 2, "hasComponent": [own]}
        case Shape.FOREIGN_COMPONENT:
            foreign = "S" if spot.sigel != "S" else "G"
            return {"hasComponent": [own, _component(foreign, dice, mark)]}
        case Shape.HELD_BY_IN_COMPONENT:
            return {"heldBy": None, "hasComponent": [own]}
        case Shape.NO_HELD_BY:
            return {"heldBy": None, **_placement(dice, mark)}
        case _:
            return {"hasComponent": [own]}


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
    for code, label in seed_layout.words("languages").items():
        yield writer.language(code, label)
    for code, label in seed_layout.words("countries").items():
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
