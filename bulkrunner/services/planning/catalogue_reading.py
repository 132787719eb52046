"""What an operation concerns is read, and proven to be writable by the client."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any

from bulkrunner.domain.catalogue import Found, Gone, Held, Missing, Moved
from bulkrunner.domain.expressions import brief
from bulkrunner.domain.identifiers import Number, identify, of_canonical
from bulkrunner.domain.iris import IriMap, RefKind
from bulkrunner.domain.operations import created_number
from bulkrunner.domain.plan import FROM_BIB, FROM_DUMP, AppliedChange, BibSummary, record_key
from bulkrunner.domain.ports import CatalogueReader, DumpStorage
from bulkrunner.domain.prediction import before_fingerprint
from bulkrunner.domain.records import (
    Document,
    held_by,
    is_holding,
    item_of,
    record_part,
    thing_part,
)
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.rights import Proofs, library_unresolved, misnamed, too_deep
from bulkrunner.domain.settlement.attempts import Version
from bulkrunner.domain.settlement.updates import Left
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.bibs import BibFacts, Bibs, Naming, OnceCache, is_bib, summarise
from bulkrunner.services.planning.draft import (
    Fields,
    NotFound,
    Target,
    demand,
    made_earlier,
)
from bulkrunner.services.planning.earlier_runs import is_in_history

RECORD_ITEM_OF = (
    "item_of_record",
    Sentence("item_of_record"),
)


KEPT = 1_000
"""Records kept that came with their bibs; a record is asked for soon after it was listed."""


class SeenRecords:
    """Records that came beforehand, many with one answer: asked before a record is read singly."""

    def __init__(self, storage: DumpStorage | None) -> None:
        self._storage = storage
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._lock = Lock()

    @property
    def is_asked(self) -> bool:
        """Return True unless every record is to be read singly."""
        return self._storage is not None

    def keep(self, there: Sequence[Held]) -> None:
        """Keep holdings that a bib was answered with."""
        if self._storage is None:
            return
        with self._lock:
            for held in there:
                if held.document is not None:
                    self._kept[held.record] = held.document
                    self._kept.move_to_end(held.record)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def record(self, record: str) -> tuple[Document | None, str]:
        """Return a record and where it came from; else None, and why it is to be read singly."""
        if self._storage is None:
            return None, ""
        with self._lock:
            kept = self._kept.get(record)
        if kept is not None:
            return kept, FROM_BIB
        dumped, why = self._storage.record(record)
        return dumped, why if dumped is None else FROM_DUMP

    def bib(self, key: str) -> BibFacts | None:
        """Return what is known of a bib, by its short id."""
        found = self._storage.bib(key) if self._storage is not None else None
        if found is None:
            return None
        summary = BibSummary(**found["summary"])
        return BibFacts(summary=summary, thing_iri=found["thing_iri"], is_bib=found["is_bib"])


class Reading:
    """Reads records and bibs for planning, and proves what is written; thread safe."""

    def __init__(
        self, reader: CatalogueReader, iris: IriMap, proofs: Proofs, seen: SeenRecords
    ) -> None:
        self.reader = reader
        self._iris = iris
        self.proofs = proofs
        self.seen = seen
        self.bibs = Bibs(reader, iris, seen.bib)
        self._naming = Naming(reader, iris)
        self._libraries: OnceCache[str | None] = OnceCache(reader.library_name)

    # --- a record that is to be written ------------------------------------------------------

    def read_target(self, named: str, target: Target) -> Found:
        """Read a record that is to be written, and note what it is."""
        found = self.read(named, target)
        self.know(found, target)
        return found

    def know(self, found: Found, target: Target) -> None:
        """Note what a record is, and demand that it may be written."""
        target.record = found.record
        target.etag = found.etag or None
        target.before = target.now = found.document
        target.target_key = record_key(found.record)
        demand(self._of_this_environment(found))
        if is_holding(found.document):
            self._know_holding(found.document, target)
        elif is_bib(found.document):
            target.kind = "bib"
            target.bib = summarise(found.record, found.document)
            demand(self.proofs.writable(found.document))
            demand(self.proofs.bib())
        else:
            raise Refused(
                "other_kind",
                Sentence("other_type", type=_type_name(found.document)),
                Sentence("other_type_hint"),
            )

    def _of_this_environment(self, found: Found) -> Refusal | None:
        if found.iri == self._iris.target + found.record:
            return None
        return Refusal(
            "foreign_base",
            Sentence("own_id_foreign", iri=found.iri),
            Sentence("foreign_base_hint", target=self._iris.target),
        )

    def named(
        self, ref: str, *, on_several: str = "refuse", kind: str | None = None
    ) -> tuple[str, ...]:
        """Return the records that a number of whatever sort names; other ids as they are."""
        if of_canonical(ref) is None:
            return (ref,)
        return self._naming.records(ref, on_several=on_several, kind=kind)

    def document(self, named: str) -> Document | None:
        """Return a record, named in any way, as the catalogue has it; None where it is not there."""
        ref = self._iris.parse(named)
        answer = self.reader.read(ref.value) if ref is not None else None
        if isinstance(answer, Moved):
            answer = self.reader.read(self._iris.short_id(answer.target) or answer.target)
        return answer.document if isinstance(answer, Found) else None

    def bearing(self, text: str, meanings: Sequence[Number]) -> tuple[str, ...]:
        """Return the short ids of the records that bear a number, or that an id names."""
        found = identify(text, self._iris, meanings)
        if isinstance(found, Refusal):
            raise Refused.of(found)
        if of_canonical(found.text) is not None:
            return self._naming.bearing(found.text)
        document = self.document(found.text)
        record = self._iris.short_id(str(record_part(document or {}).get("@id")))
        return (record,) if record else ()

    def looked_up(self, text: str) -> Document | None:
        """Return the record that an id or a number names, None where it is not there."""
        found = identify(text, self._iris)
        if isinstance(found, Refusal) or of_canonical(found.text) is None:
            return self.document(text)
        try:
            (record,) = self._naming.records(found.text)
        except NotFound:
            return None
        return self.document(record)

    def read(self, named: str, target: Target, *, singly: bool = False) -> Found:
        """Return a record; ``singly``: as the catalogue has it now, with its ETag."""
        (name,) = self.named(named)
        ref = self._iris.parse(name)
        if ref is None:
            raise Refused("unreadable_id", Sentence("no_record_id", given=name))
        if ref.kind is RefKind.SHORT_ID:
            target.target_key = record_key(ref.value)
            document = None
            if not singly:
                document, target.read_by = self.seen.record(ref.value)
            if document is not None:
                iri = str(record_part(document)["@id"])
                return Found(environment="", record=ref.value, iri=iri, document=document, etag="")
        answer = self.reader.read(ref.value)
        if ref.kind is RefKind.LEGACY_IRI and isinstance(answer, Moved):
            answer = self.reader.read(self._iris.short_id(answer.target) or answer.target)
        match answer:
            case Found():
                return answer
            case Gone():
                raise NotFound("gone", Sentence("gone"))
            case Missing():
                raise NotFound("not_found", Sentence("not_found"))
            case Moved(target=moved):
                target.record = ref.value
                raise Refused("moved", Sentence("moved", moved=moved), Sentence("moved_hint"))
            case _:
                raise AssertionError("an unconditional read was answered 304")

    def _know_holding(self, document: Document, target: Target) -> None:
        target.kind = "holding"
        self.know_library(held_by(document), target)
        demand(self.proofs.writable(document))
        demand(self.proofs.holding(document))
        iri = item_of(document)
        bib = self.bibs.linked(iri) if iri else None
        if bib is not None:
            target.bib = bib.summary
            if iri == self._iris.record_iri(bib.summary.id) != bib.thing_iri:
                target.notes = (*target.notes, RECORD_ITEM_OF)
        demand(self.library_resolves(target.sigel or ""))

    def know_library(self, sigel: str | None, target: Target) -> None:
        """Note the library of a holding, by its sigel."""
        target.sigel = sigel
        target.library = (self._libraries.get(sigel) or "") if sigel else ""

    def links_resolve(self, sigel: str, iri: str | None, bib: BibFacts | None) -> Refusal | None:
        """Refuse a library or a bib that the environment does not have."""
        return self.library_resolves(sigel) or (bib_unresolved(iri) if bib is None else None)

    def library_resolves(self, sigel: str) -> Refusal | None:
        """Refuse a library that the environment does not have."""
        if self._libraries.get(sigel) is not None:
            return None
        return library_unresolved(sigel)

    def hangs(self, document: Document) -> Refusal | None:
        """Refuse a holding that the server would neither save nor delete: it is on no bib."""
        iri = item_of(document)
        if created_number(iri) is not None or (iri and self.bibs.linked(iri)):
            return None
        return bib_unresolved(iri or thing_part(document).get("itemOf"))

    def demand_rights(self, sigel: str) -> None:
        """Demand that the library is there, and that the client may write its holdings."""
        demand(self.proofs.acting() or self.proofs.sigel(sigel) or self.library_resolves(sigel))

    # --- a bib that a holding is hung on -----------------------------------------------------

    def bib(self, ref: str, target: Target | None = None) -> BibFacts:
        """Return a bib that a holding may hang on."""
        target = target or Target(record=ref)
        (name,) = self.named(ref, kind="bib")
        parsed = self._iris.parse(name)
        if parsed is None:
            raise Refused("unreadable_id", Sentence("no_id", given=name))
        bib = self.bibs.find(parsed.value)
        if bib is None:
            target.record = parsed.value
            raise NotFound("not_found", Sentence("bib_not_found"))
        if not bib.is_bib:
            target.record = bib.summary.id
            raise Refused("not_a_bib", Sentence("not_a_bib"), Sentence("not_a_bib_hint"))
        return bib

    # --- what a document may become ----------------------------------------------------------

    def may_become(self, after: Document, kind: str) -> Refusal | None:
        """Refuse a document that must not be sent, whatever stood there before."""
        if kind == "bib" and not is_bib(after):
            return Refusal(
                "other_kind",
                Sentence("bib_becomes_other", type=_type_name(after)),
                Sentence("bib_becomes_other_hint"),
            )
        return (
            too_deep(after)
            or misnamed(after)
            or (self.hangs(after) or self.proofs.holding(after) if kind == "holding" else None)
            or self.proofs.writable(after)
            or self.proofs.base(after)
        )

    def found_again(self, target: Target) -> Found:
        """Return a record as it was read, with its ETag; asked for where it came without one."""
        if target.etag is None:
            answer = self.reader.read(target.record)
            if isinstance(answer, Found):
                return answer
        return Found(
            environment="",
            record=target.record,
            iri=self._iris.record_iri(target.record),
            document=target.before or {},
            etag=target.etag or "",
        )

    # --- what an earlier run made ------------------------------------------------------------

    def still_there(self, target: Target, made: AppliedChange) -> bool:
        """Return True if what an earlier run made is a version of the record."""
        sigel = self.proofs.job.active_sigel
        newest = Version(document=target.before, etag=target.etag or "")
        if Left.by_earlier(made, sigel).is_ours(newest, None):
            return True
        return is_in_history(self.reader, self.found_again(target), made, active_sigel=sigel)

    def created_earlier(self, target: Target, made: AppliedChange | None) -> Fields | None:
        """Return the fields of a record that an earlier run created; None where it did not."""
        if made is None or made.record is None:
            return None
        match self.reader.read(made.record):
            case Found(document=document):
                stands = {"before_fingerprint": before_fingerprint(document)}
                return made_earlier(target, made) | {"made": made.record} | stands
            case Gone():
                raise Refused(
                    "deleted_since",
                    Sentence("deleted_since", run=made.run, record=made.record),
                    Sentence("deleted_since_hint"),
                )
        return None


def bib_unresolved(item_of: Any) -> Refusal:
    """Return the refusal of a holding whose ``itemOf`` names no bib."""
    value = (
        item_of if isinstance(item_of, str) else brief(item_of) if item_of else Sentence("absent")
    )
    return Refusal(
        "bib_unresolved", Sentence("bib_unresolved", iri=value), Sentence("bib_unresolved_hint")
    )


def _type_name(document: Document) -> str:
    name = thing_part(document).get("@type")
    return name[:80] if isinstance(name, str) else Sentence("record_of_unknown_type")
