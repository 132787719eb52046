"""A catalogue in memory, for planning: it can be read and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bulkrunner.domain.catalogue import DumpPage, Found, Gone, Held, Missing, Moved, ReadAnswer
from bulkrunner.domain.records import Document, held_by, item_of
from bulkrunner.domain.rights import Permission, Rights

BASE = "https://libris-stg.kb.se/"
LIBRARY = "https://libris.kb.se/library/"
ALPHABET = "0123456789bcdfghjklmnpqrstvwxz"


def short_id(number: int, prefix: str = "h") -> str:
    """A short id of 15 characters."""
    digits = ""
    for _ in range(14):
        number, rest = divmod(number, len(ALPHABET))
        digits = ALPHABET[rest] + digits
    return prefix + digits


def a_bib(record: str, **thing: Any) -> Document:
    title = [{"@type": "Title", "mainTitle": f"Titel {record}"}]
    return _document(record, {"@type": "PhysicalResource", "hasTitle": title, **thing})


def a_holding(record: str, bib: str, sigel: str = "Ylm", **thing: Any) -> Document:
    return _document(
        record,
        {
            "@type": "Item",
            "heldBy": {"@id": LIBRARY + sigel},
            "itemOf": {"@id": f"{BASE}{bib}#it"},
            **thing,
        },
    )


def _document(record: str, thing: dict[str, Any]) -> Document:
    head = {
        "@id": BASE + record,
        "@type": "Record",
        "controlNumber": record,
        "mainEntity": {"@id": f"{BASE}{record}#it"},
        "modified": "2020-01-01T10:00:00+01:00",
    }
    return {"@graph": [head, {"@id": f"{BASE}{record}#it", **thing}]}


@dataclass
class MemoryCatalogue:
    """Answers from ``records``, or from ``make`` where a record is to be made when asked for.

    Attributes:
        failing: record → what reading it raises.
        asked: every record read, in order.
        earlier: record → its versions before the newest, the oldest first; None is a deletion.
    """

    records: dict[str, Document] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    make: Callable[[str], Document | None] = lambda record: None
    failing: dict[str, Exception] = field(default_factory=dict)
    sigels: tuple[str, ...] = ("Ylm",)
    libraries: frozenset[str] | None = None
    writes_bibs: bool = False
    asked: list[str] = field(default_factory=list)
    keep_asked: bool = True
    earlier: dict[str, list[Document | None]] = field(default_factory=dict)

    def read(self, record: str, *, if_none_match: str | None = None) -> ReadAnswer:
        if self.keep_asked:
            self.asked.append(record)
        if record in self.failing:
            raise self.failing[record]
        if record in self.gone:
            return Gone(environment="staging", record=record)
        if record in self.moved:
            return Moved(environment="staging", record=record, target=self.moved[record])
        document = self.records.get(record) or self.make(record)
        if document is None:
            return Missing(environment="staging", record=record)
        iri = document["@graph"][0]["@id"]
        return Found(
            environment="staging",
            record=iri.removeprefix(BASE),
            iri=iri,
            document=document,
            etag="1",
        )

    def read_version(self, record: str, version: int) -> ReadAnswer:
        versions = self.earlier.get(record, [])
        if not -1 > version >= -1 - len(versions):
            return Missing(environment="staging", record=record)
        document = versions[version + 1]
        if document is None:
            return Gone(environment="staging", record=record)
        iri = document["@graph"][0]["@id"]
        return Found(environment="staging", record=record, iri=iri, document=document, etag="0")

    def holdings_of(self, bib_iri: str, sigel: str) -> tuple[str, ...]:
        return tuple(
            record
            for record, document in self.records.items()
            if item_of(document) == bib_iri and held_by(document) == sigel
        )

    def holdings_on(self, bib_iri: str) -> tuple[Held, ...]:
        return tuple(
            Held(record=record, sigel=held_by(document))
            for record, document in self.records.items()
            if item_of(document) == bib_iri
        )

    def dump_page(self, sigel: str, *, offset: int) -> DumpPage:
        """A dump that is too long to be worth reading for a list."""
        return DumpPage(started="2026-01-01T00:00Z", done=True, total=10**9, records=(), more=True)

    def links_to(self, iri: str) -> tuple[str, ...]:
        return tuple(r for r, document in self.records.items() if item_of(document) == iri)

    def library_exists(self, sigel: str) -> bool:
        return self.libraries is None or sigel in self.libraries

    def library_name(self, sigel: str) -> str | None:
        return f"Biblioteket {sigel}" if self.library_exists(sigel) else None

    def rights(self) -> Rights:
        return Rights(
            permissions=tuple(
                Permission(
                    sigel=sigel,
                    registrant=True,
                    cataloger=self.writes_bibs,
                    global_registrant=False,
                )
                for sigel in self.sigels
            )
        )

    @property
    def requests(self) -> int:
        return len(self.asked)
