"""One change of an earlier run, to be taken back, against the environment's records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bulkrunner.domain.answers import Found, Gone
from bulkrunner.domain.decisions import by_and_when
from bulkrunner.domain.fingerprint import before_fingerprint
from bulkrunner.domain.job import Create, Creates, Delete
from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import Action, Made, PlannedChange
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.records import (
    Document,
    held_by,
    is_holding,
    item_of,
    record_part,
    thing_part,
)
from bulkrunner.domain.undo import Restore, changed_paths, restored, without_own_id
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.services.planning.resolving import UNREADABLE_RECORD, Resolver
from bulkrunner.services.planning.steps import (
    Known,
    NotFound,
    Refused,
    as_refused,
    demand,
    made_earlier,
    printable,
)


class Restorer(Resolver):
    """Turns what a run did into planned changes that take it back."""

    def restore(self, number: int, wish: Restore, made: Made | None = None) -> PlannedChange:
        """Return the planned change; where nothing can be restored it says why.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        known = Known(record=wish.record, kind=wish.change.kind, sigel=wish.change.sigel)
        known.bib, known.library = wish.change.bib, wish.change.library
        try:
            demand(self._proofs.acting())
            planned = self._take_back(wish, known, made)
        except Refused as refused:
            planned = as_refused(refused.refusal)
        except CatalogueUnreachable as error:
            if error.code != UNREADABLE_RECORD:
                raise
            planned = as_refused(Refusal(code=error.code, message=error.message, hint=error.hint))
        except NotFound as missing:
            action = Action.REFUSED if self._proofs.job.on_missing == "refuse" else Action.NOT_FOUND
            planned = {"action": action, "code": missing.code, "message": missing.message}
        if "pattern" in planned:
            planned["pattern"] = wish.kind_of_restoring()
        fields: dict[str, Any] = {
            "number": number,
            "record": known.record,
            "given": wish.record,
            "source": wish.source,
            "declared": "undo",
            "operation": wish.operation(),
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

    def _take_back(self, wish: Restore, known: Known, made: Made | None) -> dict[str, Any]:
        match wish.change.action:
            case Action.UPDATE:
                return self._give_back(wish, known, made)
            case Action.CREATE:
                return self._remove(wish, known, made)
            case _:
                return self._create_again(wish, known, made)

    # --- an update ---------------------------------------------------------------------------

    def _give_back(self, wish: Restore, known: Known, made: Made | None) -> dict[str, Any]:
        found = self._read_target(wish.record, known)
        if made is not None and self._still_there(found, made):
            return made_earlier(known, made)
        now, before = found.document, wish.wanted()
        demand(_kept(before, wish))
        old = before or {}
        fingerprint = before_fingerprint(now)
        if not wish.is_as_left(now):
            if fingerprint == before_fingerprint(old):
                return _already("the record has its old content already", fingerprint)
            raise Refused(_changed_since(wish, now))
        after = restored(now, old)
        demand(self._may_become(after, known.kind or ""))
        prediction = predict_stored(after, declared=tuple(changed_paths(now, after)))
        wanted = before_fingerprint(prediction.document)
        if wanted == fingerprint:
            return _already("the run left no difference", fingerprint)
        return {
            "action": Action.UPDATE,
            "after": after,
            "predicted": prediction.document,
            "cleanups": prediction.cleanups,
            "before_fingerprint": fingerprint,
            "after_fingerprint": wanted,
            "pattern": "",
        }

    # --- a create ----------------------------------------------------------------------------

    def _remove(self, wish: Restore, known: Known, made: Made | None) -> dict[str, Any]:
        try:
            found = self._read_target(wish.record, known)
        except NotFound as missing:
            if missing.code != "gone":
                raise
            if made is not None:
                return made_earlier(known, made)
            return _already("somebody has deleted what the run created", None)
        if not wish.is_as_left(found.document):
            raise Refused(_changed_since(wish, found.document))
        return self._plan_delete(Delete(source=wish.source, target=wish.record), known)

    # --- a delete ----------------------------------------------------------------------------

    def _create_again(self, wish: Restore, known: Known, made: Made | None) -> dict[str, Any]:
        wanted = wish.wanted()
        demand(_kept(wanted, wish))
        document = wanted or {}
        answer = self._reader.read(wish.record)
        if isinstance(answer, Found):
            return _already("somebody has brought the record back", None)
        if not isinstance(answer, Gone):
            raise NotFound("not_found", "the environment has no such record")
        known.notes = (*_doubts(wish), *_losses(document))
        op = _creation(wish, document, sigel=self._proofs.job.active_sigel)
        if op.creates is Creates.BIB:
            return self._plan_create_bib(op, known, made)
        bib = self._iris.short_id(item_of(document))
        return self._plan_create_holding(replace(op, of=bib), known, made)


def _creation(wish: Restore, document: Document, *, sigel: str) -> Create:
    own = str(record_part(document).get("@id") or "")
    return Create(
        source=wish.source,
        creates=Creates.HOLDING if is_holding(document) else Creates.BIB,
        sigel=held_by(document) or sigel,
        of=None,
        body=without_own_id(thing_part(document), own),
        record=without_own_id(record_part(document), own),
    )


def _doubts(wish: Restore) -> list[tuple[str, str]]:
    """Return what is to be known of a record that is created again."""
    notes = [("new_id", f"{wish.record} returns under a new id")]
    if wish.result.detail.get("author_unproven"):
        words = f"whether run {wish.run} or somebody else deleted {wish.record} is not proven"
        notes.append(("author_unproven", words))
    return notes


def _losses(document: Document) -> list[tuple[str, str]]:
    """Return what a new record does not get back, besides its id."""
    lost: list[str] = ["@record.sameAs"] if "sameAs" in record_part(document) else []
    if is_holding(document) and "sameAs" in thing_part(document):
        lost.append("sameAs")
    if thing_part(document).get("@type") == "SingleItem":
        lost.append("@type SingleItem")
    return [("not_restored", f"not brought back: {', '.join(lost)}")] if lost else []


def _kept(document: Document | None, wish: Restore) -> Refusal | None:
    if document is not None:
        return None
    return Refusal(
        code="no_document",
        message=f"the ledger does not hold what {wish.record} was before run {wish.run}",
        hint="restore it by hand",
    )


def _changed_since(wish: Restore, now: Document) -> Refusal:
    facts = by_and_when(now)
    return Refusal(
        code="changed_since",
        message=f"edited by {facts['by'] or 'somebody'} at {facts['when']}, after run {wish.run}; "
        "it is not overwritten",
        hint="look at the record and restore it by hand where that is right",
    )


def _already(message: str, fingerprint: str | None) -> dict[str, Any]:
    return {
        "action": Action.UNCHANGED,
        "code": "restored_already",
        "message": message,
        "before_fingerprint": fingerprint,
    }
