"""One declared operation against the environment's records: what would be written, or why not."""

from __future__ import annotations

from typing import Any

from bulkrunner.domain.answers import Found, Gone, Missing, Moved
from bulkrunner.domain.fingerprint import (
    before_fingerprint,
    create_fingerprint,
)
from bulkrunner.domain.iris import IriMap, RefKind
from bulkrunner.domain.job import Create, Creates, Delete, Operation, Unreadable, Update
from bulkrunner.domain.operations import (
    Refusal,
    apply_update,
    build_create,
    check_expect,
    neutral_operation,
    same,
)
from bulkrunner.domain.patterns import pattern_of
from bulkrunner.domain.plan import Action, Made, PlannedChange, record_key
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.records import Document, held_by, is_holding, item_of, thing_part
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.services.planning.bibs import BibFacts, Bibs, OnceCache, is_bib, summarise
from bulkrunner.services.planning.earlier import is_in_history
from bulkrunner.services.planning.proofs import Proofs
from bulkrunner.services.planning.steps import (
    Known,
    NotFound,
    Refused,
    as_refused,
    demand,
    made_earlier,
    printable,
    shallow,
)

UNREADABLE_RECORD = "unreadable_record"
"""Error code of a record that came whole but is none; asking again would not help."""

RECORD_ITEM_OF = (
    "item_of_record",
    (
        "itemOf points to the bib's record, not to its thing (#it); the server's test for "
        "duplicates does not see this holding"
    ),
)


class Resolver:
    """Turns declared operations into planned changes; thread safe, keeps nothing per operation."""

    def __init__(self, reader: CatalogueReader, iris: IriMap, proofs: Proofs) -> None:
        self._reader = reader
        self._iris = iris
        self._proofs = proofs
        self._bibs = Bibs(reader, iris)
        self._libraries: OnceCache[str | None] = OnceCache(reader.library_name)

    def resolve(
        self, number: int, declared: Operation | Unreadable, made: Made | None = None
    ) -> PlannedChange:
        """Return the planned change of one operation; refusals are changes too.

        Args:
            number: place in the plan.
            declared: the operation.
            made: what an earlier run of the job applied for the same operation.

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
        known = Known(record=_named(declared, number))
        verb = _verb(declared)
        try:
            demand(self._proofs.acting())
            planned = self._plan(declared, known, made)
        except Refused as refused:
            planned = as_refused(refused.refusal)
        except CatalogueUnreachable as error:
            if error.code != UNREADABLE_RECORD:
                raise
            planned = as_refused(Refusal(code=error.code, message=error.message, hint=error.hint))
        except NotFound as missing:
            action = Action.REFUSED if self._proofs.job.on_missing == "refuse" else Action.NOT_FOUND
            planned = {"action": action, "code": missing.code, "message": missing.message}
        return self._change(number, declared, known, verb, planned)

    def _change(
        self,
        number: int,
        declared: Operation,
        known: Known,
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
            "library": known.library,
            "etag": known.etag,
            "before": known.before,
            "target_key": known.target_key,
            "notes": known.notes,
        }
        planned["message"] = printable(planned.get("message", ""))
        return PlannedChange(**{**fields, **planned})

    def _plan(self, declared: Operation, known: Known, made: Made | None) -> dict[str, Any]:
        match declared:
            case Update():
                found = self._read_target(declared.target, known)
                if made is not None and self._still_there(found, made):
                    return made_earlier(known, made)
                return self._plan_update(declared, known)
            case Delete():
                try:
                    self._read_target(declared.target, known)
                except NotFound as missing:
                    if made is None or missing.code != "gone":
                        raise
                    return made_earlier(known, made)
                return self._plan_delete(declared, known)
            case Create(creates=Creates.HOLDING):
                return self._plan_create_holding(declared, known, made)
            case Create():
                return self._plan_create_bib(declared, known, made)

    # --- what an earlier run made ------------------------------------------------------------

    def _still_there(self, found: Found, made: Made) -> bool:
        active = self._proofs.job.active_sigel
        return is_in_history(self._reader, found, made, active_sigel=active)

    def _created_earlier(self, known: Known, made: Made | None) -> dict[str, Any] | None:
        """Return the fields of a record that an earlier run created; None where it did not."""
        if made is None or made.record is None:
            return None
        match self._reader.read(made.record):
            case Found():
                return made_earlier(known, made)
            case Gone():
                raise Refused(
                    Refusal(
                        code="deleted_since",
                        message=f"run {made.run} created {made.record}, "
                        "which somebody has deleted since",
                        hint="ask why; take it off the list",
                    )
                )
        return None

    def _may_become(self, after: Document, kind: str) -> Refusal | None:
        """Refuse a document that must not be sent, whatever stood there before."""
        if kind == "bib" and not is_bib(after):
            return Refusal(
                code="other_kind",
                message=f"the bib would become a {_type_name(after)}",
                hint="a bib's @type is one of the vocabulary's instances",
            )
        return (
            shallow(after)
            or (self._proofs.holding(after) if kind == "holding" else None)
            or self._proofs.writable(after)
            or self._proofs.base(after)
        )

    # --- update and delete -------------------------------------------------------------------

    def _read_target(self, target: str, known: Known) -> Found:
        found = self._read(target, known)
        known.record = found.record
        known.etag = found.etag
        known.before = found.document
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
            raise Refused(
                Refusal(
                    code="other_kind",
                    message=f"the record is a {_type_name(found.document)}, "
                    "neither a holding nor a bib",
                    hint="bulkrunner writes holdings and bibs only; take it off the list",
                )
            )
        return found

    def _of_this_environment(self, found: Found) -> Refusal | None:
        if found.iri == self._iris.target + found.record:
            return None
        return Refusal(
            code="foreign_base",
            message=f"the record's own id is {found.iri}",
            hint=f"records of this environment begin with {self._iris.target}",
        )

    def _read(self, target: str, known: Known) -> Found:
        ref = self._iris.parse(target)
        if ref is None:
            raise Refused(
                Refusal(code="unreadable_id", message=f"{target!r} is no record id", hint="")
            )
        answer = self._reader.read(ref.value)
        if ref.kind is RefKind.LEGACY_IRI and isinstance(answer, Moved):
            answer = self._reader.read(self._iris.short_id(answer.target) or answer.target)
        match answer:
            case Found():
                return answer
            case Gone():
                raise NotFound("gone", "the record has been deleted")
            case Missing():
                raise NotFound("not_found", "the environment has no such record")
            case Moved(target=moved):
                known.record = ref.value
                raise Refused(
                    Refusal(
                        code="moved",
                        message=f"the id is another name of {moved}",
                        hint="name the record itself",
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
        demand(self._links_resolve(known.sigel or "", iri, bib))

    def _know_library(self, sigel: str | None, known: Known) -> None:
        known.sigel = sigel
        known.library = (self._libraries.get(sigel) or "") if sigel else ""

    def _links_resolve(self, sigel: str, iri: str | None, bib: BibFacts | None) -> Refusal | None:
        if self._libraries.get(sigel) is None:
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

    def _plan_update(self, op: Update, known: Known) -> dict[str, Any]:
        before = known.before or {}
        result = apply_update(before, op, self._iris)
        if isinstance(result, Refusal):
            raise Refused(result)
        after = result.document
        demand(self._may_become(after, known.kind or ""))
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

    def _plan_delete(self, op: Delete, known: Known) -> dict[str, Any]:
        before = known.before or {}
        demand(check_expect(before, op.expect, self._iris))
        iri = thing_part(before).get("@id")
        links = self._reader.links_to(iri) if known.kind == "bib" and isinstance(iri, str) else ()
        return {
            "action": Action.DELETE,
            "links": tuple(link for link in links if link != known.record),
            "before_fingerprint": before_fingerprint(before),
            "pattern": pattern_of(op, kind=known.kind),
        }

    # --- create ------------------------------------------------------------------------------

    def _plan_create_holding(self, op: Create, known: Known, made: Made | None) -> dict[str, Any]:
        known.kind = "holding"
        self._know_library(op.sigel, known)
        demand(self._proofs.sigel(op.sigel))
        bib = self._bib_to_hold(op.of or "", known)
        known.record = bib.summary.id
        known.bib = bib.summary
        known.target_key = f"holding:{bib.summary.id}:{op.sigel}"
        demand(self._links_resolve(op.sigel, bib.thing_iri, bib))
        if (earlier := self._created_earlier(known, made)) is not None:
            return earlier
        existing = self._reader.holdings_of(bib.thing_iri, op.sigel)
        if existing:
            raise Refused(
                Refusal(
                    code="duplicate",
                    message=f"{op.sigel} already has the holding {', '.join(existing)} on this bib",
                    hint="a library has one holding per bib; change that one instead",
                )
            )
        return self._created(op, bib.thing_iri)

    def _bib_to_hold(self, of: str, known: Known) -> BibFacts:
        ref = self._iris.parse(of)
        if ref is None:
            raise Refused(Refusal(code="unreadable_id", message=f"{of!r} is no id", hint=""))
        bib = self._bibs.find(ref.value)
        if bib is None:
            known.record = ref.value
            raise NotFound("not_found", "the environment has no such bib")
        if not bib.is_bib:
            known.record = bib.summary.id
            raise Refused(
                Refusal(
                    code="not_a_bib",
                    message="the record is no bib; a holding cannot be hung on it",
                    hint="give the id of the bib itself",
                )
            )
        return bib

    def _plan_create_bib(self, op: Create, known: Known, made: Made | None) -> dict[str, Any]:
        known.kind = "bib"
        self._know_library(op.sigel, known)
        demand(self._proofs.bib())
        demand(self._proofs.sigel(op.sigel))
        earlier = self._created_earlier(known, made)
        if earlier is not None:
            return earlier
        created = self._created(op, None)
        # Twice the same bib in one job could not be told apart after a lost answer.
        return {**created, "target_key": f"new:{created['after_fingerprint']}"}

    def _created(self, op: Create, bib_thing_iri: str | None) -> dict[str, Any]:
        after = build_create(op, iris=self._iris, bib_thing_iri=bib_thing_iri)
        demand(self._may_become(after, op.creates.value))
        prediction = predict_stored(after)
        return {
            "action": Action.CREATE,
            "after": after,
            "predicted": prediction.document,
            "cleanups": prediction.cleanups,
            "after_fingerprint": create_fingerprint(prediction.document),
            "pattern": pattern_of(op, kind=op.creates.value),
        }


def _named(declared: Operation, number: int) -> str:
    if isinstance(declared, Create):
        return declared.of if declared.of is not None else f"new:{number}"
    return declared.target


def _verb(declared: Operation) -> str:
    return type(declared).__name__.lower()


def _type_name(document: Document) -> str:
    name = thing_part(document).get("@type")
    return name[:80] if isinstance(name, str) else "record of unknown type"
