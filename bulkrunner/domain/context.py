"""What conditions and values can refer to, beside the record itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bulkrunner.domain.identifiers import Number
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import ABSENT
from bulkrunner.domain.records import Document, record_part, thing_part
from bulkrunner.domain.stored_form import Storage


def no_bib() -> Document | None:
    """Stand for the bib of a record that has none."""
    return None


def no_holdings(_sigel: str) -> Sequence[Document]:
    """Stand for the holdings on the bib of a record that has none."""
    return ()


def no_catalogue(_number: str, _meanings: Sequence[Number]) -> Sequence[str]:
    """Stand for the catalogue where there is none to be asked; that is never taken for an answer."""
    raise RuntimeError("numbers are looked up while a plan is made")


@dataclass(frozen=True, kw_only=True)
class Context:
    """One record and what belongs to it.

    Attributes:
        document: the record as the steps before have left it.
        iris: of the environment that it was read from.
        bib: reads the bib of a holding when something refers to it, once.
        holdings: reads the other holdings on the bib, of one library or, without a sigel, of all.
        bearing: looks up the short ids of the records that bear a number.
        row: the input row that named the record; None where there was none.
        parameters: of the job.
        here: the object that plain places begin at; the item where left out.
        from_records: values that are written come from records.
    """

    document: Document
    iris: IriMap
    bib: Callable[[], Document | None] = no_bib
    holdings: Callable[[str], Sequence[Document]] = no_holdings
    bearing: Callable[[str, Sequence[Number]], Sequence[str]] = no_catalogue
    row: Mapping[str, str] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    here: Any = ABSENT
    from_records: bool = False

    @property
    def storage(self) -> Storage:
        """Return what puts values into the form in which the record will have them."""
        return Storage.of(self.document, from_records=self.from_records)

    @property
    def start(self) -> Any:
        """Return the value that plain places begin at."""
        return thing_part(self.document) if self.here is ABSENT else self.here

    def at(self, here: Any) -> Context:
        """Return the context with plain places beginning at another object."""
        return replace(self, here=here)

    def of(self, document: Document) -> Context:
        """Return the context of the same record after a change."""
        return replace(self, document=document)

    @property
    def short_id(self) -> str | None:
        """Return the record's short id."""
        return _short_id(self.document, self.iris)

    @property
    def bib_id(self) -> str | None:
        """Return the short id of the bib."""
        document = self.bib()
        return None if document is None else _short_id(document, self.iris)


def _short_id(document: Document, iris: IriMap) -> str | None:
    iri = record_part(document).get("@id")
    return iris.short_id(iri) if isinstance(iri, str) else None
