"""Turn the spots of the seed's layout into records as the server stores them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bulkrunner.sandbox import seed_layout
from bulkrunner.sandbox.documents import library_iri
from bulkrunner.sandbox.seed_layout import BibSpot, Dice, HoldingSpot, short_id

Node = dict[str, Any]

LEGACY_BASE = "http://libris.kb.se/"
TERMS_BASE = "https://id.kb.se/"
_ZONE = ZoneInfo("Europe/Stockholm")
_FIRST_LEGACY = datetime(1995, 1, 9, 8, tzinfo=_ZONE)
_FIRST_PRESENT = datetime(2018, 6, 18, 8, tzinfo=_ZONE)
_LEGACY_MINUTES = 12_000_000
_PRESENT_MINUTES = 3_900_000
_LEGACY_PERCENT = 80
_ODD_EVERY = 97
_AUTHORITIES = 40


@dataclass(frozen=True, kw_only=True)
class SeedRecord:
    """A record as the server stores it, with the times that its database columns keep."""

    document: dict[str, Any]
    created: datetime
    modified: datetime


def _link(iri: str) -> Node:
    return {"@id": iri}


def _term(path: str) -> Node:
    return _link(TERMS_BASE + path)


class Writer:
    """Writes the records of one environment."""

    def __init__(self, *, base_uri: str, seed: int, outdated: bool) -> None:
        self._base = base_uri
        self._seed = seed
        self._outdated = outdated

    def library(self, library: seed_layout.Library) -> SeedRecord:
        """Return the library's own record: read-only data, its thing outside the environment."""
        thing = {
            "@id": library_iri(library.sigel),
            "@type": "Library",
            "sigel": library.sigel,
            "name": library.name,
        }
        return self._dataset_record("library", library.sigel, "libraries", thing)

    def language(self, code: str, label: str) -> SeedRecord:
        """Return a language of the vocabulary."""
        return self._concept("language", "Language", code, label)

    def country(self, code: str, label: str) -> SeedRecord:
        """Return a country of the vocabulary."""
        return self._concept("country", "Country", code, label)

    def person(self, index: int) -> SeedRecord:
        """Return an authority record about a person."""
        given, family, born = _person(self._seed, index)
        thing = {
            "@id": self._thing("person", index),
            "@type": "Person",
            "givenName": given,
            "familyName": family,
            "lifeSpan": f"{born}-",
        }
        return self._record("person", index, "auth", thing, Dice(self._seed, "person", index))

    def sequence(self, sigel: str) -> SeedRecord:
        """Return the library's shelf mark sequence: numbers that it gives out in order."""
        thing = {
            "@id": self._thing("sequence", sigel),
            "@type": "ShelfMarkSequence",
            "label": f"{sigel} 2020/",
            "nextShelfControlNumber": "417",
            "shelfMarkStatus": "ActiveShelfMark",
            "qualifier": ["Monografier"],
        }
        dice = Dice(self._seed, "sequence", sigel)
        return self._record("sequence", sigel, "auth", thing, dice, sigel=sigel)

    def bib(self, spot: BibSpot) -> SeedRecord:
        dice = Dice(self._seed, "bib", spot.index)
        english = dice.chance(30)
        outdated = self._outdated and spot.differs
        author = dice.below(_AUTHORITIES * 8)
        born = _person(self._seed, author)[2]
        thing: Node = {
            "@id": self._thing("bib", spot.index),
            "@type": "PhysicalResource",
            "category": [_term("term/saobf/Print"), _term("term/rda/Volume")],
            "hasTitle": [_title(dice, spot.index, english=english)],
            "instanceOf": self._work(dice, author, english=english),
            "publication": [_publication(dice, born, english=english)],
            "extent": [{"@type": "Extent", "label": [f"{dice.below(900) + 24} s."]}],
            "identifiedBy": [{"@type": "ISBN", "value": _isbn(spot.index)}],
        }
        if dice.chance(60):
            thing["dimensions"] = f"{dice.below(12) + 18} cm"
        if dice.chance(20):
            thing["editionStatement"] = [dice.pick(["2. uppl.", "[Ny utg.]", "Rev. ed."])]
        if dice.chance(15):
            thing["hasNote"] = [{"@type": "Note", "label": "Med litteraturhänvisningar"}]
        if spot.faulty:
            thing["gammalTermSomInteFinns"] = "ur en tidigare version av vokabulären"
        if outdated:
            thing["extent"] = [{"@type": "Extent", "label": ["1 vol."]}]
            thing.pop("dimensions", None)
        record: Node = {"encodingLevel": dice.pick(["marc:FullLevel", "marc:MinimalLevel"])}
        if dice.chance(30):
            record["bibliography"] = [_link(library_iri("NB"))]
        return self._record("bib", spot.index, "bib", thing, dice, extra=record, outdated=outdated)

    def holding(self, spot: HoldingSpot, item: Node) -> SeedRecord:
        """Return a holding whose thing says what ``item`` says of it."""
        dice = Dice(self._seed, "holding", spot.sigel, spot.bib)
        thing = {
            "@id": f"{self._base}{spot.short_id}#it",
            "@type": "Item",
            "heldBy": _link(library_iri(spot.sigel)),
            "itemOf": _link(self._thing("bib", spot.bib)),
            **item,
        }
        if thing["heldBy"] is None:
            del thing["heldBy"]
        record: Node = {"encodingLevel": "marc:FullLevel"} if dice.chance(30) else {}
        if dice.chance(40):
            record["marc:holdingType"] = "marc:SinglePartItemHolding"
        if dice.chance(5):
            record["cataloguersNote"] = [dice.pick(seed_layout.words("cataloguers_notes"))]
        return self._record(
            "holding",
            f"{spot.sigel}/{spot.bib}",
            "hold",
            thing,
            dice,
            extra=record,
            sigel=spot.sigel,
            outdated=self._outdated and spot.differs,
        )

    def sequence_link(self, sigel: str) -> Node:
        """Return the link to the library's shelf mark sequence."""
        return _link(self._thing("sequence", sigel))

    def _thing(self, *role: object) -> str:
        return f"{self._base}{short_id(*role)}#it"

    def _concept(self, kind: str, class_name: str, code: str, label: str) -> SeedRecord:
        thing = {
            "@id": f"{TERMS_BASE}{kind}/{code}",
            "@type": class_name,
            "code": code,
            "prefLabelByLang": {"sv": label},
        }
        return self._dataset_record(
            kind, code, "languages" if kind == "language" else "countries", thing
        )

    def _dataset_record(self, kind: str, key: str, dataset: str, thing: Node) -> SeedRecord:
        base = "https://libris.kb.se/" if kind == "library" else TERMS_BASE
        extra = {"inDataset": [_link(f"{base}dataset/{dataset}")]}
        sigel = key if kind == "library" else "SEK"
        dice = Dice("dataset", kind, key)
        return self._record(kind, key, "auth", thing, dice, extra=extra, sigel=sigel)

    def _record(
        self,
        kind: str,
        key: object,
        collection: str,
        thing: Node,
        dice: Dice,
        *,
        extra: Node | None = None,
        sigel: str | None = None,
        outdated: bool = False,
    ) -> SeedRecord:
        is_own = thing["@id"].endswith("#it")
        identifier = thing["@id"][len(self._base) : -len("#it")] if is_own else short_id(kind, key)
        legacy = kind in {"bib", "holding", "person"} and dice.chance(_LEGACY_PERCENT)
        number = _legacy_number(kind, key)
        created, modified = _times(dice, legacy=legacy, outdated=outdated)
        maker = sigel or dice.pick([library.sigel for library in seed_layout.LIBRARIES])
        record: Node = {
            "@id": self._base + identifier,
            "@type": "Record",
            "mainEntity": _link(thing["@id"]),
            "controlNumber": number if legacy else identifier,
            "created": _iso(created),
            "modified": _iso(modified),
            "recordStatus": "marc:New" if created == modified else "marc:CorrectedOrRevised",
            "descriptionCreator": _link(library_iri(maker)),
            "descriptionLastModifier": _link(library_iri(maker)),
            **(extra or {}),
        }
        if legacy:
            record["sameAs"] = [_link(f"{LEGACY_BASE}{collection}/{number}")]
            thing = {**thing, "sameAs": [_link(f"{LEGACY_BASE}resource/{collection}/{number}")]}
        return SeedRecord(document={"@graph": [record, thing]}, created=created, modified=modified)

    def _work(self, dice: Dice, author: int, *, english: bool) -> Node:
        code = "eng" if english else dice.pick(["swe"] * 9 + sorted(seed_layout.words("languages")))
        work: Node = {
            "@type": "Monograph",
            "category": [
                _term("term/rda/Text"),
                _term(f"term/saogf/{dice.pick(seed_layout.words('genres'))}".replace(" ", "%20")),
            ],
            "language": [_term(f"language/{code}")],
            "contribution": [
                {
                    "@type": "PrimaryContribution",
                    "agent": self._agent(author),
                    "role": [_term("relator/author")],
                }
            ],
            "classification": [
                {
                    "@type": "Classification",
                    "code": dice.pick(seed_layout.words("shelf_marks")),
                    "inScheme": {"@type": "ConceptScheme", "code": "kssb/8"},
                }
            ],
        }
        if dice.chance(50):
            work["subject"] = [
                {
                    "@type": "Topic",
                    "prefLabel": dice.pick(seed_layout.words("subjects")),
                    "inScheme": _term("term/sao"),
                }
            ]
        return work

    def _agent(self, index: int) -> Node:
        if index < _AUTHORITIES:
            return _link(self._thing("person", index))
        given, family, born = _person(self._seed, index)
        return {
            "@type": "Person",
            "givenName": given,
            "familyName": family,
            "lifeSpan": f"{born}-",
        }


def authority_indexes() -> range:
    """Return the indexes of the persons that have a record of their own."""
    return range(_AUTHORITIES)


def _person(seed: int, index: int) -> tuple[str, str, int]:
    dice = Dice(seed, "name", index)
    return (
        dice.pick(seed_layout.words("given_names")),
        dice.pick(seed_layout.words("family_names")),
        1870 + dice.below(120),
    )


def _title(dice: Dice, index: int, *, english: bool) -> Node:
    beginnings = (
        seed_layout.words("english_beginnings")
        if english
        else seed_layout.words("swedish_beginnings")
    )
    endings = (
        seed_layout.words("english_endings") if english else seed_layout.words("swedish_endings")
    )
    title: Node = {"@type": "Title", "mainTitle": f"{dice.pick(beginnings)} {dice.pick(endings)}"}
    if index % _ODD_EVERY == _ODD_EVERY // 2:
        title["mainTitle"] = seed_layout.words("odd_titles")[
            index // _ODD_EVERY % len(seed_layout.words("odd_titles"))
        ]
    if dice.chance(45):
        title["subtitle"] = dice.pick(
            seed_layout.words("english_subtitles")
            if english
            else seed_layout.words("swedish_subtitles")
        )
    return title


def _publication(dice: Dice, born: int, *, english: bool) -> Node:
    place = dice.pick(
        seed_layout.words("english_places") if english else seed_layout.words("places")
    )
    country = "sw" if not english else "xxu" if place == "New York" else "xxk"
    return {
        "@type": "PrimaryPublication",
        "agent": {"@type": "Agent", "label": [dice.pick(seed_layout.words("publishers"))]},
        "country": [_term(f"country/{country}")],
        "place": [{"@type": "Place", "label": [place]}],
        "year": str(min(2025, born + 22 + dice.below(50))),
    }


def _isbn(index: int) -> str:
    digits = f"97891{index:07d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return digits + str(-total % 10)


def _legacy_number(kind: str, key: object) -> str:
    """Return the record's number in the old system."""
    match kind:
        case "bib":
            return str(7_100_000 + int(str(key)) * 13)
        case "holding":
            sigel, _, bib = str(key).rpartition("/")
            place = [library.sigel for library in seed_layout.LIBRARIES].index(sigel)
            return str(12_000_000 + int(bib) * 20 + place)
        case _:
            return str(180_000 + Dice("number", kind, key).below(10**6))


def _times(dice: Dice, *, legacy: bool, outdated: bool) -> tuple[datetime, datetime]:
    first, span = (_FIRST_LEGACY, _LEGACY_MINUTES) if legacy else (_FIRST_PRESENT, _PRESENT_MINUTES)
    created = _later(first, dice.below(span), dice.below(60_000))
    end = _FIRST_PRESENT + timedelta(minutes=_PRESENT_MINUTES + 1)
    minutes = int((end - created) / timedelta(minutes=1))
    changed, offset = dice.chance(70), dice.below(minutes)
    if outdated or not changed:
        return created, created
    return created, _later(created, offset + 1, dice.below(60_000))


def _later(moment: datetime, minutes: int, milliseconds: int) -> datetime:
    """Add real time: arithmetic on the wall clock would slip over a change to summer time."""
    elapsed = timedelta(minutes=minutes, milliseconds=milliseconds)
    return datetime.fromtimestamp((moment.timestamp() + elapsed.total_seconds()), _ZONE)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
