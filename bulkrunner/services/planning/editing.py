"""A wish for one existing record against the environment: what would be written, or why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bulkrunner.domain.answers import Found
from bulkrunner.domain.created import created_number
from bulkrunner.domain.fingerprint import before_fingerprint
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.operations import Refusal, check_expect, same
from bulkrunner.domain.patterns import update_pattern
from bulkrunner.domain.plan import (
    Action,
    Made,
    PlannedChange,
    copied_key,
    left_key,
    operation_digest,
    record_key,
)
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.records import item_of, thing_part
from bulkrunner.domain.undo import changed_paths
from bulkrunner.services.planning.combining import (
    joined_wish,
    subject_part,
    wish_of,
)
from bulkrunner.services.planning.drafting import (
    BIB_RIGHTS,
    Drafting,
    Fields,
    a_bib,
    admit_wish,
    as_create,
    deleted_in_plan,
    no_change,
    other_kind,
    unchanged,
)
from bulkrunner.services.planning.earlier import EarlierRuns
from bulkrunner.services.planning.proofs import Proofs
from bulkrunner.services.planning.steps import (
    NOT_MET,
    Edit,
    Known,
    NotFound,
    PassedOver,
    Refused,
    Removal,
    Task,
    Undecided,
    Wanted,
    Wish,
    demand,
    made_earlier,
)
from bulkrunner.services.planning.view import Look

SHOWN = 3
"""Clean-ups named in a refusal."""


class Editing(Drafting):
    """Plans updates and deletions, each on what precedes in the plan."""

    def __init__(
        self, reader: CatalogueReader, iris: IriMap, proofs: Proofs, earlier_runs: EarlierRuns
    ) -> None:
        super().__init__(reader, iris, proofs)
        self._earlier_runs = earlier_runs

    def concern(
        self, task: Task, build: Callable[[Known], Wanted], look: Look, *, kind: str | None = None
    ) -> PlannedChange:
        """Return what becomes of one existing record; refusals are changes too.

        Args:
            task: of an entry.
            build: returns what is wanted, once the record is known.
            look: at what precedes in the plan.
            kind: what the record must be, ``holding`` or ``bib``; None: either.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        known = Known(record=task.ref, operation=task.operation)
        planned = self._outcome(task, lambda: self._concern(task, build, known, look, kind))
        return self._entered(task, known, planned)

    def know(self, task: Task, look: Look, known: Known, *, kind: str) -> None:
        """Know a record that is only read, as what precedes leaves it.

        Raises:
            NotFound, Refused: it is not there, or not the job's.
        """
        demand(self._proofs.acting())
        self._meet_for(task, known, look, kind)
        if known.is_stuck and known.earlier is not None:
            raise Refused(Refusal(code=known.earlier.code, message=known.earlier.message))
        if known.kind != kind:
            raise Refused(other_kind(known.kind, kind))

    def _meet_for(self, task: Task, known: Known, look: Look, kind: str | None) -> None:
        """Know a record that the entry names; of a bib say that it is one, and what may be meant.

        Raises:
            NotFound, Refused: it is not there, or must not be written.
        """
        try:
            self._meet(task, known, look)
        except Refused as refused:
            fault = refused.refusal
            if fault.code not in BIB_RIGHTS or known.kind != "bib":
                raise
            raise Refused(a_bib(fault, task) if kind is None else other_kind("bib", kind)) from None

    def _concern(
        self,
        task: Task,
        build: Callable[[Known], Wanted],
        known: Known,
        look: Look,
        kind: str | None,
    ) -> Fields:
        demand(self._proofs.acting())
        try:
            self._meet_for(task, known, look, kind)
        except NotFound as missing:
            return self._done_already(missing, build, known)
        if kind is not None and known.kind != kind and not known.is_stuck:
            raise Refused(other_kind(known.kind, kind))
        if task.subject and known.earlier is not None:
            self._heed_repeat(task, build, known)
        wish = _wanted(build(known), known)
        made = self._earlier_runs.made(joined_wish(known.earlier, wish_of(wish)))
        if made is not None and (done := self._made(known, wish, made)) is not None:
            return done
        if known.is_stuck and known.earlier is not None:
            return _kept(known.earlier)
        admit_wish(wish, known)
        decided = _decided(wish, known)
        _first(decided, known)
        if isinstance(decided, Removal):
            return self._delete(known, decided)
        return self._edit(known, decided)

    def _meet(self, task: Task, known: Known, look: Look) -> None:
        """Know the record as it is, or as what precedes in the plan will have left it."""
        if task.step is None:
            self._read_target(task.ref, known)
            return
        ref = self._iris.parse(task.ref)
        key = task.ref if ref is None else record_key(ref.value)
        earlier = look.at(key)
        if earlier is None:
            found = self._read(task.ref, known)
            if record_key(found.record) != key:
                earlier = look.at(record_key(found.record))
            if earlier is None:
                self._know(found, known)
        if earlier is not None:
            _take_up(task, earlier, known)
            self._know_bib_by_now(known)
        known.waits = tuple(sorted({*known.waits, *copies_of(known, look)}))

    def _know_bib_by_now(self, known: Known) -> None:
        """Note the bib that what precedes in the plan hangs a holding on."""
        now = item_of(known.now or {})
        if known.kind == "holding" and (known.before is None or now != item_of(known.before)):
            bib = self._bibs.linked(now) if now and created_number(now) is None else None
            known.hung = bib.summary.id if bib is not None else ""

    def _done_already(
        self, missing: NotFound, build: Callable[[Known], Wanted], known: Known
    ) -> Fields:
        """Return that an earlier run has deleted the record; else raise that it is missing."""
        if missing.code != "gone":
            raise missing
        wish = _wanted(build(known), known)
        made = self._earlier_runs.made(known.wish)
        if made is None and isinstance(wish, Undecided):
            made = self._earlier_runs.made(operation_digest(wish.removal))
        if made is None or isinstance(wish, Edit) or made.action is not Action.DELETE:
            raise missing
        return made_earlier(known, made)

    def _made(self, known: Known, wish: Wanted, made: Made) -> Fields | None:
        """Return that an earlier run has done it, where that still shows; None where it does not."""
        if made.action is Action.CREATE:
            return self._created_earlier(known, made)
        if known.before is None:
            return made_earlier(known, made) if made.action is Action.DELETE else None
        if isinstance(wish, Removal) or made.action is Action.DELETE:
            return None  # the record is there again
        found = Found(
            environment="",
            record=known.record,
            iri=self._iris.record_iri(known.record),
            document=known.before,
            etag=known.etag or "",
        )
        return made_earlier(known, made) if self._still_there(found, made) else None

    def _heed_repeat(self, task: Task, build: Callable[[Known], Wanted], known: Known) -> None:
        """Tell a second input of a step that names the same record.

        Raises:
            PassedOver: it wants the same once more.
            Refused: it wants something else, and which of them counts nobody can say.
        """
        earlier = known.earlier
        part = subject_part(earlier, task.step) if earlier is not None else None
        if earlier is None or part is None or part.code == NOT_MET:
            return
        now = known.now
        known.now = earlier.before
        wish: Wanted | None = None
        try:
            wish = build(known)
            wanted = wish_of(wish)
        except PassedOver:
            wanted = ""
        finally:
            known.now = now
        if part.wish in (wanted, ""):
            known.earlier = known.target_key = None
            known.waits = ()
            raise PassedOver("repeated", f"{part.source} has named the record already")
        if wish is not None:
            admit_wish(wish, known)
        raise Refused(
            Refusal(
                code="conflicting_rows",
                message=f"{part.source} and {task.source} want different things of the record",
                hint="keep one of them, or put them into two steps",
            )
        )

    def _edit(self, known: Known, wish: Edit) -> Fields:
        now, before = known.now or {}, known.before or {}
        known.origins = wish.origins
        demand(check_expect(now, wish.expect, self._iris))
        result = wish.change(now)
        if isinstance(result, Refusal):
            raise Refused(result)
        pattern = wish.pattern
        if wish.done is not None:
            known.operation, pattern = wish.done(result)
        after = result.document
        demand(self._may_become(after, known.kind or ""))
        own = no_change() if same(after, now) and not wish.resave else {}
        earlier = known.earlier
        if earlier is not None and earlier.action is Action.CREATE:
            return as_create(after, update_pattern(None, pattern, earlier=earlier.pattern)) | {
                "own": own
            }
        declared = (*result.declared, *(changed_paths(before, now) if earlier else ()))
        prediction = predict_stored(after, declared=declared)
        fingerprints = (before_fingerprint(before), before_fingerprint(prediction.document))
        if not _is_resaved(wish, earlier) and (
            same(after, before) or fingerprints[0] == fingerprints[1]
        ):
            if before_fingerprint(after) != fingerprints[0]:
                raise Refused(_undone(predict_stored(after).cleanups))
            return no_change() | {"before_fingerprint": fingerprints[0], "own": own}
        return {
            "action": Action.UPDATE,
            "after": after,
            "predicted": prediction.document,
            "cleanups": prediction.cleanups,
            "before_fingerprint": fingerprints[0],
            "after_fingerprint": fingerprints[1],
            "pattern": update_pattern(
                known.kind, pattern, earlier=earlier.pattern if earlier else ""
            ),
            "own": own,
        }

    def _delete(self, known: Known, wish: Removal) -> Fields:
        before, earlier = known.before or {}, known.earlier
        demand(check_expect(known.now or {}, wish.expect, self._iris))
        if earlier is not None and earlier.action is Action.CREATE:
            return unchanged("created_and_deleted", "one step creates it, a later one deletes it")
        demand(self._hangs(before) if known.kind == "holding" else None)
        iri = thing_part(before).get("@id")
        links = self._reader.links_to(iri) if known.kind == "bib" and isinstance(iri, str) else ()
        if known.kind == "holding" and known.bib is not None:
            known.place = left_key(known.bib.id, known.sigel or "")
        return {
            "action": Action.DELETE,
            "links": tuple(link for link in links if link != known.record),
            "before_fingerprint": before_fingerprint(before),
            "pattern": wish.pattern or f"delete {known.kind or 'record'}",
        }


def _undone(cleanups: tuple[str, ...]) -> Refusal:
    """Return the refusal of a change of which the server would leave nothing."""
    return Refusal(
        code="tidied_away",
        message="the server would take the whole change away again when it saves: "
        f"{'; '.join(cleanups[:SHOWN])}",
        hint="write the value as the server keeps it, or leave such records out with a condition",
    )


def _first(wish: Wish, known: Known) -> None:
    """Do what must precede.

    Raises:
        PassedOver: then nothing is wanted of the record.
        Refused: it cannot be done.
    """
    try:
        wish.first()
    except PassedOver:
        known.operation, known.wish = {}, None
        raise


def _decided(wish: Wanted, known: Known) -> Wish:
    """Ask what is not decided yet.

    Raises:
        PassedOver: then nothing is wanted of the record.
        Refused: there is no answer.
    """
    if not isinstance(wish, Undecided):
        return wish
    try:
        return _wanted(wish.decide(), known)
    except PassedOver:
        known.operation, known.wish = {}, None
        raise


def copies_of(known: Known, look: Look) -> tuple[int, ...]:
    """Return the changes that were made of the record, by copies and functions: they come first."""
    return look.numbers_at(copied_key(known.target_key)) if known.target_key else ()


W = TypeVar("W", bound=Wanted)


def _wanted(wish: W, known: Known) -> W:
    """Note what is wanted of the record."""
    known.operation, known.wish = wish.operation, wish_of(wish)
    return wish


def _take_up(task: Task, earlier: PlannedChange, known: Known) -> None:
    """Know the record by the change that concerns it already."""
    known.record, known.kind, known.sigel = earlier.record, earlier.kind, earlier.sigel
    known.bib, known.library = earlier.bib, earlier.library
    known.etag, known.notes = earlier.etag, earlier.notes
    deleted = earlier.action is Action.DELETE and not _names_again(task, earlier)
    if deleted and task.verb == "delete":
        raise PassedOver("deleted_already", f"change {earlier.number} of this plan deletes it")
    known.before, known.target_key = earlier.before, earlier.target_key
    known.waits, known.place = earlier.prerequisites, earlier.place
    known.earlier = earlier
    known.now = earlier.after or earlier.before
    if deleted:
        raise Refused(deleted_in_plan(earlier.number))


def _names_again(task: Task, earlier: PlannedChange) -> bool:
    return task.subject and subject_part(earlier, task.step) is not None


def _is_resaved(wish: Edit, earlier: PlannedChange | None) -> bool:
    """Tell whether the record is to be sent even if nothing changes."""
    if wish.resave:
        return True
    return (
        earlier is not None
        and earlier.action is Action.UPDATE
        and same(earlier.after, earlier.before)
    )


def _kept(earlier: PlannedChange) -> Fields:
    why = {"action": earlier.action, "code": earlier.code, "message": earlier.message}
    return {**why, "kept": True}
