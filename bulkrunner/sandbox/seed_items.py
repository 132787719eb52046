"""What a seeded holding says of its copy, in every shape that real holdings have."""

from __future__ import annotations

from typing import Any

from bulkrunner.sandbox import names
from bulkrunner.sandbox.seed_documents import TERMS_BASE, library_uri
from bulkrunner.sandbox.seed_layout import LABELLED, Dice, HoldingSpot, Shape

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
        node["physicalLocation"] = [dice.pick(names.LOCATIONS)]
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
                "hasNote": [{"@type": "Note", "label": dice.pick(names.HOLDING_NOTES)}],
                "cataloguersNote": [dice.pick(names.CATALOGUERS_NOTES)],
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
        "physicalLocation": dice.pick(names.LOCATIONS),
        "availability": {"@type": "ItemAvailability", "label": dice.pick(names.AVAILABILITIES)},
        "hasNote": {"@type": "Note", "label": [dice.pick(names.HOLDING_NOTES)]},
        "cataloguersNote": dice.pick(names.CATALOGUERS_NOTES),
    }


def _lists(spot: HoldingSpot, dice: Dice, mark: str) -> Node:
    component = {
        "@type": "Item",
        "heldBy": [{"@id": library_uri(spot.sigel)}],
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
        "formerShelfLocation": [dice.pick(names.FORMER_LOCATIONS)],
        "copyNumber": "B (original)",
        "itemCondition": dice.pick(names.CONDITIONS),
        "availability": [{"@type": "ItemAvailability", "label": dice.pick(names.AVAILABILITIES)}],
        "hasNote": [{"@type": "Note", "label": note} for note in names.HOLDING_NOTES[:2]],
        "cataloguersNote": list(names.CATALOGUERS_NOTES[:2]),
        "organizationalUnit": [dice.pick(names.UNITS)],
        "immediateAcquisition": [{"@type": "ImmediateAcquisition", "label": "Gåva 1998"}],
        "usageAndAccessPolicy": [{"@type": "UsePolicy", "label": dice.pick(names.USE_POLICIES)}],
        "subject": [{"@type": "Topic", "prefLabel": dice.pick(names.SUBJECTS)}],
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
        "heldBy": {"@id": library_uri(sigel)},
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
