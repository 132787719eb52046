"""One declared operation against the environment's records: what would be written, or why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.answers import Found, Gone, Missing, Moved
from bulkrunner.domain.fingerprint import (
    before_fingerprint,
    create_fingerprint,
)
from bulkrunner.domain.iris import IriMap, RefKind
from bulkrunner.domain.job import Create, Creates, Declared, Delete, Operation, Unreadable, Update
from bulkrunner.domain.operations import (
    Refusal,
    apply_update,
    build_create,
    check_expect,
    neutral_operation,
    same,
)
from bulkrunner.domain.patterns import pattern_of
from bulkrunner.domain.plan import Action, BibSummary, PlannedChange
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.records import Document, held_by, is_holding, item_of, thing_part
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.services.planning.bibs import BibFacts, Bibs, OnceCache, is_bib, summarise
from bulkrunner.services.planning.proofs import Proofs

UNREADABLE_RECORD = "unreadable_record"
"""Error code of a record that came whole but is none; asking again would not help."""

RECORD_ITEM_OF = (
    "item_of_record",
    (
        "itemOf points to the bib's record, not to its thing (#it); the server's test for "
        "duplicates does not see this holding"
    ),
)


class _Refused(Exception):
    """Carries a refusal out of the steps below; never leaves this module."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class _NotFound(Exception):
    """The record is not there; never leaves this module."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def _demand(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise _Refused(refusal)


@dataclass(kw_only=True)
class _Known:
    """What is known of the record so far, for whatever the change turns out to be."""

    record: str
    kind: str | None = None
    sigel: str | None = None
    bib: BibSummary | None = None
    etag: str | None = None
    before: Document | None = None
    target_key: str | None = None
    notes: tuple[tuple[str, str], ...] = ()


class Resolver:
    """Turns declared operations into planned changes; thread safe, keeps nothing per operation."""

    def __init__(self, reader: CatalogueReader, iris: IriMap, proofs: Proofs) -> None:
        self._reader = reader
        self._iris = iris
        self._proofs = proofs
        self._bibs = Bibs(reader, iris)
        self._libraries: OnceCache[bool] = OnceCache(reader.library_exists)

    def resolve(self, number: int, declared: Declared) -> PlannedChange:
        """Return the planned change of one operation; refusals are changes too.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        if isinstance(declared, Unreadable):
            return PlannedChange(
                number=number,
                action=Action.REFUSED,
                record=declared.given,
                given=declared.given,
                source=declared.source,
                operation={},
                code=declared.code,
                message=declared.message,
            )
        known = _Known(record=_named(declared, number))
        verb = _verb(declared)
        try:
            _demand(self._proofs.acting())
            planned = self._plan(declared, known)
        except _Refused as refused:
            planned = _as_refused(refused.refusal)
        except CatalogueUnreachable as error:
            if error.code != UNREADABLE_RECORD:
                raise
            planned = _as_refused(Refusal(code=error.code, message=error.message, hint=error.hint))
        except _NotFound as missing:
            action = Action.REFUSED if self._proofs.job.on_missing == "refuse" else Action.NOT_FOUND
            planned = {"action": action, "code": missing.code, "message": missing.message}
        return self._change(number, declared, known, verb, planned)

    def _change(
        self,
        number: int,
        declared: Operation,
        known: _Known,
        verb: str,
        planned: dict[str, Any],
    ) -> PlannedChange:
        fields: dict[str, Any] = {
            "number": number,
            "record": known.record,
            "given": _named(declared, number),
            "source": declared.source,
            "declared": verb,
            "operation": neutral_operation(declared, self._iris),
            "kind": known.kind,
            "sigel": known.sigel,
            "bib": known.bib,
            "etag": known.etag,
            "before": known.before,
            "target_key": known.target_key,
            "notes": known.notes,
        }
        return PlannedChange(**{**fields, **planned})

    def _plan(self, declared: Operation, known: _Known) -> dict[str, Any]:
        match declared:
            case Update():
                self._read_target(declared.target, known)
                return self._plan_update(declared, known)
            case Delete():
                self._read_target(declared.target, known)
                return self._plan_delete(declared, known)
            case Create(creates=Creates.HOLDING):
                return self._plan_create_holding(declared, known)
            case Create():
                return self._plan_create_bib(declared, known)

    # --- update and delete -------------------------------------------------------------------

    def _read_target(self, target: str, known: _Known) -> None:
        found = self._read(target, known)
        known.record = found.record
        known.etag = found.etag
        known.before = found.document
        known.target_key = f"record:{found.record}"
        if is_holding(found.document):
            self._know_holding(found.document, known)
        elif is_bib(found.document):
            known.kind = "bib"
            known.bib = summarise(found.record, found.document)
            _demand(self._proofs.writable(found.document))
            _demand(self._proofs.bib())
        else:
            raise _Refused(
                Refusal(
                    code="other_kind",
                    message=f"the record is a {_type_name(found.document)}, "
                    "neither a holding nor a bib",
                    hint="bulkrunner writes holdings and bibs only; take it off the list",
                )
            )

    def _read(self, target: str, known: _Known) -> Found:
        ref = self._iris.parse(target)
        if ref is None:
            raise _Refused(
                Refusal(code="unreadable_id", message=f"{target!r} is no record id", hint="")
            )
        answer = self._reader.read(ref.value)
        if ref.kind is RefKind.LEGACY_IRI and isinstance(answer, Moved):
            answer = self._reader.read(self._iris.short_id(answer.target) or answer.target)
        match answer:
            case Found():
                return answer
            case Gone():
                raise _NotFound("gone", "the record has been deleted")
            case Missing():
                raise _NotFound("not_found", "the environment has no such record")
            case Moved(target=moved):
                known.record = ref.value
                raise _Refused(
                    Refusal(
                        code="moved",
                        message=f"the id is another name of {moved}",
                        hint="name the record itself",
                    )
                )
            case _:
                raise AssertionError("an unconditional read was answered 304")

    def _know_holding(self, document: Document, known: _Known) -> None:
        known.kind = "holding"
        known.sigel = held_by(document)
        _demand(self._proofs.writable(document))
        _demand(self._proofs.holding(document))
        iri = item_of(document)
        bib = self._bibs.find(iri) if iri else None
        if bib is not None:
            known.bib = bib.summary
            if iri != bib.thing_iri:
                known.notes = (*known.notes, RECORD_ITEM_OF)
        _demand(self._links_resolve(known.sigel or "", iri, bib))

    def _links_resolve(self, sigel: str, iri: str | None, bib: BibFacts | None) -> Refusal | None:
        if not self._libraries.get(sigel):
            return Refusal(
                code="library_unresolved",
                message=f"the library {sigel} has no record in this environment",
                hint="the server would answer 204 and store nothing; ask KB",
            )
        if bib is None:
            return Refusal(
                code="bib_unresolved",
                message=f"itemOf {iri or '(absent)'} does not resolve in this environment",
                hint="the server would answer 204 and store nothing",
            )
        return None

    def _plan_update(self, op: Update, known: _Known) -> dict[str, Any]:
        before = known.before or {}
        result = apply_update(before, op, self._iris)
        if isinstance(result, Refusal):
            raise _Refused(result)
        after = result.document
        if known.kind == "holding":
            _demand(self._proofs.holding(after))
        _demand(self._proofs.base(after))
        prediction = predict_stored(after, declared=result.declared)
        fingerprints = (before_fingerprint(before), before_fingerprint(prediction.document))
        if not op.resave and (same(after, before) or fingerprints[0] == fingerprints[1]):
            return {
                "action": Action.UNCHANGED,
                "code": "no_change",
                "message": "the record is already as the job wants it",
                "before_fingerprint": fingerprints[0],
            }
        return {
            "action": Action.UPDATE,
            "after": after,
            "predicted": prediction.document,
            "cleanups": prediction.cleanups,
            "before_fingerprint": fingerprints[0],
            "after_fingerprint": fingerprints[1],
            "pattern": pattern_of(op, kind=known.kind),
        }

    def _plan_delete(self, op: Delete, known: _Known) -> dict[str, Any]:
        before = known.before or {}
        _demand(check_expect(before, op.expect, self._iris))
        iri = thing_part(before).get("@id")
        links = self._reader.links_to(iri) if known.kind == "bib" and isinstance(iri, str) else ()
        if links:
            shown = ", ".join(links[:5]) + (f" and {len(links) - 5} more" if links[5:] else "")
            raise _Refused(
                Refusal(
                    code="linked",
                    message=f"{len(links)} records link to it: {shown}",
                    hint="the server refuses to delete what something links to",
                )
            )
        return {
            "action": Action.DELETE,
            "before_fingerprint": before_fingerprint(before),
            "pattern": pattern_of(op, kind=known.kind),
        }

    # --- create ------------------------------------------------------------------------------

    def _plan_create_holding(self, op: Create, known: _Known) -> dict[str, Any]:
        known.kind = "holding"
        known.sigel = op.sigel
        _demand(self._proofs.sigel(op.sigel))
        bib = self._bib_to_hold(op.of or "", known)
        known.record = bib.summary.id
        known.bib = bib.summary
        known.target_key = f"holding:{bib.summary.id}:{op.sigel}"
        _demand(self._links_resolve(op.sigel, bib.thing_iri, bib))
        existing = self._reader.holdings_of(bib.thing_iri, op.sigel)
        if existing:
            raise _Refused(
                Refusal(
                    code="duplicate",
                    message=f"{op.sigel} already has the holding {', '.join(existing)} on this bib",
                    hint="a library has one holding per bib; change that one instead",
                )
            )
        return self._created(op, bib.thing_iri)

    def _bib_to_hold(self, of: str, known: _Known) -> BibFacts:
        ref = self._iris.parse(of)
        if ref is None:
            raise _Refused(Refusal(code="unreadable_id", message=f"{of!r} is no id", hint=""))
        bib = self._bibs.find(ref.value)
        if bib is None:
            known.record = ref.value
            raise _NotFound("not_found", "the environment has no such bib")
        if not bib.is_bib:
            known.record = bib.summary.id
            raise _Refused(
                Refusal(
                    code="not_a_bib",
                    message="the record is no bib; a holding cannot be hung on it",
                    hint="give the id of the bib itself",
                )
            )
        return bib

    def _plan_create_bib(self, op: Create, known: _Known) -> dict[str, Any]:
        known.kind = "bib"
        known.sigel = op.sigel
        _demand(self._proofs.bib())
        _demand(self._proofs.sigel(op.sigel))
        return self._created(op, None)

    def _created(self, op: Create, bib_thing_iri: str | None) -> dict[str, Any]:
        after = build_create(op, iris=self._iris, bib_thing_iri=bib_thing_iri)
        if op.creates is Creates.HOLDING:
            _demand(self._proofs.holding(after))
        _demand(self._proofs.base(after))
        prediction = predict_stored(after)
        return {
            "action": Action.CREATE,
            "after": after,
            "predicted": prediction.document,
            "cleanups": prediction.cleanups,
            "after_fingerprint": create_fingerprint(prediction.document),
            "pattern": pattern_of(op, kind=op.creates.value),
        }


def _as_refused(refusal: Refusal) -> dict[str, Any]:
    message = f"{refusal.message}; {refusal.hint}" if refusal.hint else refusal.message
    return {"action": Action.REFUSED, "code": refusal.code, "message": message}


def _named(declared: Operation, number: int) -> str:
    if isinstance(declared, Create):
        return declared.of if declared.of is not None else f"new:{number}"
    return declared.target


def _verb(declared: Operation) -> str:
    return type(declared).__name__.lower()


def _type_name(document: Document) -> str:
    name = thing_part(document).get("@type")
    return name[:80] if isinstance(name, str) else "record of unknown type"
