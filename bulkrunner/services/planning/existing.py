"""What becomes of existing records: each is met as what precedes leaves it, then updated or deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bulkrunner.domain.canonical import same
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.operations import Applied, created_number
from bulkrunner.domain.plan import (
    OPERATIONS,
    Action,
    AppliedChange,
    PlannedChange,
    copied_key,
    left_key,
    operation_digest,
    record_key,
)
from bulkrunner.domain.prediction import before_fingerprint, create_fingerprint, predict_stored
from bulkrunner.domain.records import Document, item_of, kind_said, thing_part
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.report_groups import delete_pattern, update_pattern
from bulkrunner.domain.undo import changed_paths
from bulkrunner.sentences import Sentence, joined
from bulkrunner.services.planning.catalogue_reading import Reading
from bulkrunner.services.planning.draft import (
    NOT_MET,
    DeleteIntent,
    Drafter,
    Fields,
    FunctionIntent,
    Intent,
    NotFound,
    PassedOver,
    Request,
    Target,
    UpdateIntent,
    demand,
    intent_digest,
    joined_wish,
    made_earlier,
    still_wanted,
    subject_part,
    unchanged,
)
from bulkrunner.services.planning.earlier_runs import EarlierRuns
from bulkrunner.services.planning.plan_so_far import Look

SHOWN = 3
"""Clean-ups named in a refusal."""

BIB_RIGHTS = ("bibs_not_agreed", "level_2_required")
"""Codes of a bib that must not be written."""


@dataclass(frozen=True, kw_only=True)
class Existing:
    """Plans updates and deletions, each on what precedes in the plan; thread safe."""

    reading: Reading
    iris: IriMap
    earlier_runs: EarlierRuns
    drafter: Drafter

    def refuse(
        self, request: Request, refusal: Refusal, look: Look, *, kind: str | None = None
    ) -> PlannedChange:
        """Return the refusal of an entry, with the record that it is about."""
        target = Target.of(request)

        def refused() -> Fields:
            self.meet(request, target, look, kind=kind)
            raise Refused.of(refusal)

        return self.drafter.change(request, target, refused)

    # --- meeting a record --------------------------------------------------------------------

    def meet(
        self, request: Request, target: Target, look: Look, *, kind: str | None = None
    ) -> None:
        """Know the record that is to be written, as it is or as what precedes will have left it."""
        demand(self.reading.proofs.acting())
        try:
            self._meet(request, target, look, kind)
        except NotFound as missing:
            if missing.code != "gone":
                raise
            target.gone = missing
            return
        if kind is not None and target.kind != kind and not target.is_stuck:
            raise Refused.of(_other_kind(target.kind, kind))
        part = subject_part(target.earlier, request.step) if target.earlier is not None else None
        if request.subject and part is not None and part.code != NOT_MET and target.earlier:
            target.repeated, target.now = part, target.earlier.before

    def know(self, request: Request, target: Target, look: Look, *, kind: str) -> None:
        """Know a record that is only read, as what precedes leaves it."""
        demand(self.reading.proofs.acting())
        self._meet(request, target, look, kind)
        if target.is_stuck and target.earlier is not None:
            raise Refused(target.earlier.code, target.earlier.message)
        if target.kind != kind:
            raise Refused.of(_other_kind(target.kind, kind))

    def _meet(self, request: Request, target: Target, look: Look, kind: str | None) -> None:
        """Know a record that the entry names; of a bib say that it is one, and what may be meant."""
        try:
            if request.step is None:
                self.reading.read_target(request.ref, target)
            else:
                self._meet_in_plan(request, target, look)
        except Refused as refused:
            fault = refused.refusal
            if fault.code not in BIB_RIGHTS or target.kind != "bib":
                raise
            raise Refused.of(
                _a_bib(fault, request) if kind is None else _other_kind("bib", kind)
            ) from None

    def _meet_in_plan(self, request: Request, target: Target, look: Look) -> None:
        ref = self.iris.parse(request.ref)
        key = request.ref if ref is None else record_key(ref.value)
        earlier = look.at(key)
        if earlier is None:
            found = self.reading.read(request.ref, target, singly=request.verb == "revert")
            if record_key(found.record) != key:
                earlier = look.at(record_key(found.record))
            if earlier is None:
                self.reading.know(found, target)
        if earlier is not None:
            _take_up(request, earlier, target)
            self._know_bib_by_now(target)
        target.wait_for(_copies_of(target, look))

    def _know_bib_by_now(self, target: Target) -> None:
        """Note the bib that what precedes in the plan hangs a holding on."""
        now = item_of(target.now or {})
        if target.kind == "holding" and (target.before is None or now != item_of(target.before)):
            bib = self.reading.bibs.linked(now) if now and created_number(now) is None else None
            target.hung = bib.summary.id if bib is not None else ""

    # --- what is known of an intent before it is carried out ---------------------------------

    def settled(
        self,
        request: Request,
        target: Target,
        intent: Intent,
        admit: Callable[[], None] | None = None,
    ) -> Fields | None:
        """Return what becomes of a record without anything being done; None where it is to be done.

        ``admit`` raises ``PassedOver`` or ``Refused`` where the entry does not mean the record.
        """
        if target.gone is not None:
            return self._deleted_earlier(target, intent, target.gone)
        if target.repeated is not None:
            self._refuse_repeat(request, target, intent, admit)
        target.intends(intent)
        made = self.earlier_runs.made(joined_wish(target.earlier, intent_digest(intent)))
        if made is not None and (done := self._made(target, intent, made)) is not None:
            return done
        earlier = target.earlier
        if target.is_stuck and earlier is not None:
            why = {"action": earlier.action, "code": earlier.code, "message": earlier.message}
            return {**why, "kept": True}
        if admit is not None:
            with still_wanted(target):
                admit()
        return None

    def _deleted_earlier(self, target: Target, intent: Intent, missing: NotFound) -> Fields:
        """Return that an earlier run has deleted the record; else raise that it is missing."""
        made = self.earlier_runs.made(target.intends(intent))
        if made is None and isinstance(intent, FunctionIntent):
            made = self.earlier_runs.made(operation_digest(intent.removal))
        if made is None or isinstance(intent, UpdateIntent) or made.action is not Action.DELETE:
            raise missing
        return made_earlier(target, made)

    def _made(self, target: Target, intent: Intent, made: AppliedChange) -> Fields | None:
        """Return that an earlier run has done it, where that still shows; None where it does not."""
        if made.action is Action.CREATE:
            return self.reading.created_earlier(target, made)
        if target.before is None:
            return made_earlier(target, made) if made.action is Action.DELETE else None
        if isinstance(intent, DeleteIntent) or made.action is Action.DELETE:
            return None  # the record is there again
        return made_earlier(target, made) if self.reading.still_there(target, made) else None

    def _refuse_repeat(
        self,
        request: Request,
        target: Target,
        intent: Intent,
        admit: Callable[[], None] | None,
    ) -> None:
        """Pass over a second input of a step that names the record and wants the same once more.

        Where it wants something else, nobody can say which of them counts: both are refused.
        """
        part, earlier = target.repeated, target.earlier
        if part is None or earlier is None:
            return
        if part.wish in (intent_digest(intent), ""):
            target.earlier = target.target_key = None
            target.waits = ()
            raise PassedOver("repeated", Sentence("repeated", source=part.source.said))
        target.now = earlier.after or earlier.before
        if admit is not None:
            with still_wanted(target):
                admit()
        raise Refused(
            "conflicting_rows",
            Sentence("conflicting_rows", one=part.source.said, other=request.source.said),
            Sentence("conflicting_rows_hint"),
        )

    # --- the change --------------------------------------------------------------------------

    def updated(self, target: Target, intent: UpdateIntent, result: Applied | Refusal) -> Fields:
        """Return the fields of an update."""
        if isinstance(result, Refusal):
            raise Refused.of(result)
        now, before, after = target.now or {}, target.before or {}, result.document
        target.operation, target.origins = intent.operation, intent.origins
        demand(self.reading.may_become(after, target.kind or ""))
        own = _no_change() if same(after, now) and not intent.resave else {}
        earlier = target.earlier
        if earlier is not None and earlier.action is Action.CREATE:
            return as_create(
                after, update_pattern(None, intent.pattern, earlier=earlier.pattern)
            ) | {"own": own}
        declared = (*result.declared, *(changed_paths(before, now) if earlier else ()))
        prediction = predict_stored(after, declared=declared)
        fingerprints = (before_fingerprint(before), before_fingerprint(prediction.document))
        if not _is_resaved(intent, earlier) and (
            same(after, before) or fingerprints[0] == fingerprints[1]
        ):
            if before_fingerprint(after) != fingerprints[0]:
                raise Refused.of(_undone(predict_stored(after).cleanups))
            return _no_change() | {"before_fingerprint": fingerprints[0], "own": own}
        return {
            "action": Action.UPDATE,
            "after": after,
            "predicted": prediction.document,
            "cleanups": prediction.cleanups,
            "before_fingerprint": fingerprints[0],
            "after_fingerprint": fingerprints[1],
            "pattern": update_pattern(
                target.kind, intent.pattern, earlier=earlier.pattern if earlier else ""
            ),
            "own": own,
        }

    def deleted(self, target: Target, intent: DeleteIntent) -> Fields:
        """Return the fields of a deletion."""
        before, earlier = target.before or {}, target.earlier
        if earlier is not None and earlier.action is Action.CREATE:
            return unchanged("created_and_deleted", Sentence("created_and_deleted"))
        demand(self.reading.hangs(before) if target.kind == "holding" else None)
        iri = thing_part(before).get("@id")
        is_bib = target.kind == "bib"
        links = self.reading.reader.links_to(iri) if is_bib and isinstance(iri, str) else ()
        if target.kind == "holding" and target.bib is not None:
            target.place = left_key(target.bib.id, target.sigel or "")
        return {
            "action": Action.DELETE,
            "links": tuple(link for link in links if link != target.record),
            "before_fingerprint": before_fingerprint(before),
            "pattern": intent.pattern or delete_pattern(target.kind),
        }


def as_create(document: Document, pattern: str) -> Fields:
    """Return the fields of a record to be created."""
    prediction = predict_stored(document)
    return {
        "action": Action.CREATE,
        "after": document,
        "predicted": prediction.document,
        "cleanups": prediction.cleanups,
        "after_fingerprint": create_fingerprint(prediction.document),
        "pattern": pattern,
    }


def deleted_in_plan(number: int) -> Refusal:
    """Return the refusal of a record that the plan deletes."""
    return Refusal(
        "deleted_in_plan",
        Sentence("deleted_in_plan", number=number),
        Sentence("deleted_in_plan_hint"),
    )


def _no_change() -> Fields:
    return unchanged("no_change", Sentence("no_change"))


def _a_bib(fault: Refusal, request: Request) -> Refusal:
    """Return the refusal of a bib that must not be written, where a holding may be meant."""
    hint = Sentence("holdings_own") if request.step is not None else Sentence("holding_id")
    if request.verb != "delete":
        hint = joined((hint, Sentence("bib_itself", how=fault.hint)))
    return Refusal(fault.code, Sentence("bib_not_writable", why=fault.message), hint)


def _other_kind(kind: str | None, wanted: str) -> Refusal:
    return Refusal(
        "other_kind",
        Sentence("other_kind", kind=kind_said(kind), wanted=kind_said(wanted)),
        Sentence("other_kind_hint"),
    )


def _undone(cleanups: tuple[str, ...]) -> Refusal:
    """Return the refusal of a change of which the server would leave nothing."""
    return Refusal(
        "tidied_away",
        Sentence("tidied_away", cleanups=cleanups[:SHOWN]),
        Sentence("as_the_server_keeps"),
    )


def _copies_of(target: Target, look: Look) -> tuple[int, ...]:
    """Return the changes that were made of the record, by copies and functions: they come first."""
    numbers = look.numbers_at(copied_key(target.target_key)) if target.target_key else ()
    found: set[int] = set()
    for number in numbers:
        change = look.numbered(number)
        is_entry = change is not None and change.code == OPERATIONS
        found.update(change.prerequisites if change is not None and is_entry else (number,))
    return tuple(found)


def _take_up(request: Request, earlier: PlannedChange, target: Target) -> None:
    """Know the record by the change that concerns it already."""
    target.record, target.kind, target.sigel = earlier.record, earlier.kind, earlier.sigel
    target.bib, target.library = earlier.bib, earlier.library
    target.etag, target.notes, target.read_by = earlier.etag, earlier.notes, earlier.read_by
    is_again = request.subject and subject_part(earlier, request.step) is not None
    deleted = earlier.action is Action.DELETE and not is_again
    if deleted and request.verb == "delete":
        raise PassedOver("deleted_already", Sentence("deleted_in_plan", number=earlier.number))
    target.before, target.target_key = earlier.before, earlier.target_key
    target.waits, target.place = earlier.prerequisites, earlier.place
    target.earlier = earlier
    target.now = earlier.after or earlier.before
    if deleted:
        raise Refused.of(deleted_in_plan(earlier.number))


def _is_resaved(intent: UpdateIntent, earlier: PlannedChange | None) -> bool:
    """Return True if the record is to be sent even if nothing changes."""
    if intent.resave:
        return True
    return (
        earlier is not None
        and earlier.action is Action.UPDATE
        and same(earlier.after, earlier.before)
    )
