"""What an operation concerns is read, and proven to be writable by the client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.catalogue import Found, Gone, Missing, Moved
from bulkrunner.domain.expressions.parsing import brief, nearest, proposal
from bulkrunner.domain.fingerprints import before_fingerprint
from bulkrunner.domain.identifiers import of_canonical
from bulkrunner.domain.iris import IriMap, RefKind
from bulkrunner.domain.manifest import Job
from bulkrunner.domain.new_records import created_number
from bulkrunner.domain.plan import AppliedChange, record_key
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.records import (
    Document,
    component_holders,
    held_by,
    is_holding,
    item_of,
    record_part,
    thing_part,
)
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.rights import Rights
from bulkrunner.domain.text import told_apart, value_apart
from bulkrunner.sentences import Sentence, joined
from bulkrunner.services.planning.bibs import BibFacts, Bibs, Naming, OnceCache, is_bib, summarise
from bulkrunner.services.planning.draft import (
    Known,
    NotFound,
    demand,
    made_earlier,
    named,
    shallow,
)
from bulkrunner.services.planning.earlier_runs import is_in_history

READ_ONLY_DATASETS = ("https://id.kb.se/dataset/", "https://libris.kb.se/dataset/")


MOST_SIGELS = 20

"""Sigels of a client that a message names."""


@dataclass(frozen=True, kw_only=True)
class Proofs:
    """The job's and the client's limits, asked of every document before and after the change."""

    job: Job
    rights: Rights
    iris: IriMap

    def acting(self) -> Refusal | None:
        """Refuse everything where the client may not act as the job's active sigel."""
        active = self.job.active_sigel
        if self.rights.may_act_as(active):
            return None
        return Refusal(
            code="active_sigel_not_permitted",
            message=Sentence("active_sigel_not_permitted", active=active),
            hint=joined((*self._granted(active), Sentence("active_sigel_hint"))),
        )

    def holding(self, document: Document) -> Refusal | None:
        """Refuse a holding that is not wholly the job's: top-level heldBy and every component."""
        sigel = held_by(document)
        if sigel is None:
            return Refusal(
                code="no_sigel",
                message=Sentence("no_sigel"),
                hint=Sentence("no_sigel_hint"),
            )
        return self.sigel(sigel) or self._components(document)

    def sigel(self, sigel: str) -> Refusal | None:
        """Refuse a sigel outside the manifest's or the client's."""
        if sigel not in self.job.sigels:
            alike = (told_apart(sigel, own)[0] for own in self.job.sigels)
            apart = next((said for said in alike if said), "")
            folded = sigel.strip().casefold()
            near = next((own for own in self.job.sigels if own.casefold() == folded), "")
            meant = proposal(sigel, near) if near and not apart else ""
            hint = Sentence("foreign_sigel_hint", sigels=", ".join(self.job.sigels))
            return Refusal(
                code="foreign_sigel",
                message=Sentence("foreign_sigel", sigel=value_apart(sigel, apart)),
                hint=joined((meant, hint)),
            )
        if not self.rights.may_write_holding(sigel, active=self.job.active_sigel):
            return Refusal(
                code="no_rights",
                message=Sentence("no_rights", sigel=sigel),
                hint=joined((*self._granted(sigel), Sentence("no_rights_hint"))),
            )
        return None

    def _granted(self, sigel: str) -> tuple[str, ...]:
        """Say which sigel is probably meant, and which ones the client has."""
        granted = sorted(found.sigel for found in self.rights.permissions)
        near = nearest(sigel, [one for one in granted if one != sigel])
        shown = ", ".join(granted[:MOST_SIGELS]) + (" …" if granted[MOST_SIGELS:] else "")
        has = Sentence("client_has", sigels=shown) if shown else Sentence("client_has_none")
        return (proposal(sigel, near) if near else "", has)

    def _components(self, document: Document) -> Refusal | None:
        for holder in component_holders(document):
            if holder is None:
                return Refusal(
                    code="foreign_component",
                    message=Sentence("component_without_library"),
                    hint=Sentence("mend_in_tool"),
                )
            if holder not in self.job.sigels:
                return Refusal(
                    code="foreign_component",
                    message=Sentence("foreign_component", holder=holder),
                    hint=Sentence("mend_in_tool_or_drop"),
                )
            if not self.rights.may_write_holding(holder, active=self.job.active_sigel):
                return Refusal(
                    code="no_rights",
                    message=Sentence("no_rights_component", holder=holder),
                    hint=Sentence("no_rights_hint"),
                )
        return None

    def bib(self) -> Refusal | None:
        """Refuse bib writes that were not agreed, or by a client of level 1."""
        if "bibs" not in self.job.agreement.covers:
            return Refusal(
                code="bibs_not_agreed",
                message=Sentence("bibs_not_agreed"),
                hint=Sentence("bibs_not_agreed_hint"),
            )
        if not self.rights.may_write_bibs():
            return Refusal(
                code="level_2_required",
                message=Sentence("level_2_required"),
                hint=Sentence("level_2_required_hint"),
            )
        return None

    def writable(self, document: Document) -> Refusal | None:
        """Refuse records of read-only data (Libris: datasets of id.kb.se and libris.kb.se)."""
        record = record_part(document)
        datasets = record.get("inDataset")
        links = datasets if isinstance(datasets, list) else [datasets]
        iris = [link.get("@id") for link in links if isinstance(link, dict)]
        if record.get("@type") != "Record" or any(
            isinstance(iri, str) and iri.startswith(READ_ONLY_DATASETS) for iri in iris
        ):
            return Refusal(
                code="read_only",
                message=Sentence("read_only"),
                hint=Sentence("take_off_list"),
            )
        return None

    def base(self, document: Document) -> Refusal | None:
        """Refuse a document with a record IRI of another environment."""
        found = next(iter(self.iris.foreign(document)), None)
        if found is None:
            return None
        return Refusal(
            code="foreign_base",
            message=Sentence("foreign_base", found=found),
            hint=Sentence("foreign_base_hint", target=self.iris.target),
        )


RECORD_ITEM_OF = (
    "item_of_record",
    Sentence("item_of_record"),
)


def library_unresolved(sigel: str) -> Refusal:
    """Return the refusal of a library that the environment does not have."""
    return Refusal(
        code="library_unresolved",
        message=Sentence("library_unresolved", sigel=sigel),
        hint=Sentence("library_unresolved_hint"),
    )


class Reading:
    """Reads records and bibs for planning; thread safe, keeps nothing per operation."""

    def __init__(self, reader: CatalogueReader, iris: IriMap, proofs: Proofs) -> None:
        self._reader = reader
        self._iris = iris
        self._proofs = proofs
        self._bibs = Bibs(reader, iris)
        self._naming = Naming(reader, iris)
        self._libraries: OnceCache[str | None] = OnceCache(reader.library_name)

    # --- a record that is to be written ------------------------------------------------------

    def _read_target(self, target: str, known: Known) -> Found:
        found = self._read(target, known)
        self._know(found, known)
        return found

    def _know(self, found: Found, known: Known) -> None:
        """Note what a record is, and demand that it may be written."""
        known.record = found.record
        known.etag = found.etag
        known.before = known.now = found.document
        known.target_key = record_key(found.record)
        demand(self._of_this_environment(found))
        if is_holding(found.document):
            self._know_holding(found.document, known)
        elif is_bib(found.document):
            known.kind = "bib"
            known.bib = summarise(found.record, found.document)
            demand(self._proofs.writable(found.document))
            demand(self._proofs.bib())
        else:
            raise Refused.of(
                Refusal(
                    code="other_kind",
                    message=Sentence("other_type", type=_type_name(found.document)),
                    hint=Sentence("other_type_hint"),
                )
            )

    def _of_this_environment(self, found: Found) -> Refusal | None:
        if found.iri == self._iris.target + found.record:
            return None
        return Refusal(
            code="foreign_base",
            message=Sentence("own_id_foreign", iri=found.iri),
            hint=Sentence("foreign_base_hint", target=self._iris.target),
        )

    def named(
        self, ref: str, *, on_several: str = "refuse", kind: str | None = None
    ) -> tuple[str, ...]:
        """Return the records that a number of whatever sort names; other ids as they are.

        Args:
            ref: as an entry names the record.
            on_several: ``refuse`` or ``all``.
            kind: what is meant, ``holding`` or ``bib``; None: either.

        Raises:
            NotFound, Refused: none, or several.
        """
        if of_canonical(ref) is None:
            return (ref,)
        return self._naming.records(ref, on_several=on_several, kind=kind)

    def document(self, record: str) -> Document | None:
        """Return a record as it is now, None where it is not there."""
        answer = self._reader.read(record)
        return answer.document if isinstance(answer, Found) else None

    def _read(self, target: str, known: Known) -> Found:
        (target,) = self.named(target)
        ref = self._iris.parse(target)
        if ref is None:
            raise Refused.of(
                Refusal(
                    code="unreadable_id", message=Sentence("no_record_id", given=target), hint=""
                )
            )
        if ref.kind is RefKind.SHORT_ID:
            known.target_key = record_key(ref.value)
        answer = self._reader.read(ref.value)
        if ref.kind is RefKind.LEGACY_IRI and isinstance(answer, Moved):
            answer = self._reader.read(self._iris.short_id(answer.target) or answer.target)
        match answer:
            case Found():
                return answer
            case Gone():
                raise NotFound("gone", Sentence("gone"))
            case Missing():
                raise NotFound("not_found", Sentence("not_found"))
            case Moved(target=moved):
                known.record = ref.value
                raise Refused.of(
                    Refusal(
                        code="moved",
                        message=Sentence("moved", moved=moved),
                        hint=Sentence("moved_hint"),
                    )
                )
            case _:
                raise AssertionError("an unconditional read was answered 304")

    def _know_holding(self, document: Document, known: Known) -> None:
        known.kind = "holding"
        self._know_library(held_by(document), known)
        demand(self._proofs.writable(document))
        demand(self._proofs.holding(document))
        iri = item_of(document)
        bib = self._bibs.linked(iri) if iri else None
        if bib is not None:
            known.bib = bib.summary
            if iri == self._iris.record_iri(bib.summary.id) != bib.thing_iri:
                known.notes = (*known.notes, RECORD_ITEM_OF)
        demand(self._library_resolves(known.sigel or ""))

    def _know_library(self, sigel: str | None, known: Known) -> None:
        known.sigel = sigel
        known.library = (self._libraries.get(sigel) or "") if sigel else ""

    def _links_resolve(self, sigel: str, iri: str | None, bib: BibFacts | None) -> Refusal | None:
        return self._library_resolves(sigel) or (bib_unresolved(iri) if bib is None else None)

    def _library_resolves(self, sigel: str) -> Refusal | None:
        if self._libraries.get(sigel) is not None:
            return None
        return library_unresolved(sigel)

    def _hangs(self, document: Document) -> Refusal | None:
        """Refuse a holding that the server would neither save nor delete: it is on no bib."""
        iri = item_of(document)
        if created_number(iri) is not None or (iri and self._bibs.linked(iri)):
            return None
        return bib_unresolved(iri or thing_part(document).get("itemOf"))

    def demand_rights(self, sigel: str) -> None:
        """Demand that the library is there, and that the client may write its holdings.

        Raises:
            Refused: it may not.
        """
        demand(self._proofs.acting() or self._proofs.sigel(sigel) or self._library_resolves(sigel))

    # --- a bib that a holding is hung on -----------------------------------------------------

    def _bib_to_hold(self, of: str, known: Known) -> BibFacts:
        (of,) = self.named(of, kind="bib")
        ref = self._iris.parse(of)
        if ref is None:
            raise Refused.of(
                Refusal(code="unreadable_id", message=Sentence("no_id", given=of), hint="")
            )
        bib = self._bibs.find(ref.value)
        if bib is None:
            known.record = ref.value
            raise NotFound("not_found", Sentence("bib_not_found"))
        if not bib.is_bib:
            known.record = bib.summary.id
            raise Refused.of(
                Refusal(
                    code="not_a_bib",
                    message=Sentence("not_a_bib"),
                    hint=Sentence("not_a_bib_hint"),
                )
            )
        return bib

    # --- what a document may become ----------------------------------------------------------

    def _may_become(self, after: Document, kind: str) -> Refusal | None:
        """Refuse a document that must not be sent, whatever stood there before."""
        if kind == "bib" and not is_bib(after):
            return Refusal(
                code="other_kind",
                message=Sentence("bib_becomes_other", type=_type_name(after)),
                hint=Sentence("bib_becomes_other_hint"),
            )
        return (
            shallow(after)
            or named(after)
            or (self._hangs(after) or self._proofs.holding(after) if kind == "holding" else None)
            or self._proofs.writable(after)
            or self._proofs.base(after)
        )

    # --- what an earlier run made ------------------------------------------------------------

    def _still_there(self, found: Found, made: AppliedChange) -> bool:
        active = self._proofs.job.active_sigel
        return is_in_history(self._reader, found, made, active_sigel=active)

    def _created_earlier(self, known: Known, made: AppliedChange | None) -> dict[str, Any] | None:
        """Return the fields of a record that an earlier run created; None where it did not."""
        if made is None or made.record is None:
            return None
        match self._reader.read(made.record):
            case Found(document=document):
                stands = {"before_fingerprint": before_fingerprint(document)}
                return made_earlier(known, made) | {"made": made.record} | stands
            case Gone():
                raise Refused.of(
                    Refusal(
                        code="deleted_since",
                        message=Sentence("deleted_since", run=made.run, record=made.record),
                        hint=Sentence("deleted_since_hint"),
                    )
                )
        return None


def bib_unresolved(item_of: Any) -> Refusal:
    """Return the refusal of a holding whose ``itemOf`` names no bib."""
    value = (
        item_of if isinstance(item_of, str) else brief(item_of) if item_of else Sentence("absent")
    )
    return Refusal(
        code="bib_unresolved",
        message=Sentence("bib_unresolved", iri=value),
        hint=Sentence("bib_unresolved_hint"),
    )


def _type_name(document: Document) -> str:
    name = thing_part(document).get("@type")
    return name[:80] if isinstance(name, str) else Sentence("record_of_unknown_type")
