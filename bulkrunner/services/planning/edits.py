"""A wish for one existing record against the environment: what would be written, or why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from bulkrunner.domain.catalogue import Found
from bulkrunner.domain.change_patterns import delete_pattern, update_pattern
from bulkrunner.domain.fingerprints import before_fingerprint, create_fingerprint
from bulkrunner.domain.iris import IriMap, RefKind
from bulkrunner.domain.new_records import created_number
from bulkrunner.domain.operations import check_expect, same
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
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.records import item_of, kind_said, thing_part
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.undo import changed_paths
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.sentences import Sentence, joined
from bulkrunner.services.planning.draft import (
    NOT_MET,
    Creation,
    Edit,
    Known,
    NotFound,
    PassedOver,
    Removal,
    Task,
    Undecided,
    Wanted,
    Wish,
    as_refused,
    demand,
    joined_operation,
    joined_wish,
    made_earlier,
    part_of,
    parts_of,
    printable,
    subject_part,
    wish_of,
    with_part,
)
from bulkrunner.services.planning.earlier_runs import EarlierRuns
from bulkrunner.services.planning.plan_so_far import Look
from bulkrunner.services.planning.records import Proofs, Reading

UNREADABLE_RECORD = "unreadable_record"

"""Error code of a record that came whole but is none; asking again would not help."""

T = TypeVar("T")

Fields: TypeAlias = dict[str, Any]

"""Fields of a planned change."""


class Drafting(Reading):
    """Turns fields of changes, and what is raised instead, into planned changes."""

    def attempt(
        self, task: Task, do: Callable[[], T], known: Known | None = None
    ) -> T | PlannedChange:
        """Return what something comes to, or the change that says why it comes to nothing.

        Args:
            task: of the entry.
            do: it.
            known: filled meanwhile with what is known of the record that the entry names.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        found: list[T] = []

        def attempt() -> Fields:
            found.append(do())
            return {}

        planned = self._outcome(task, attempt)
        return found[0] if found else self._entered(task, known or Known(record=task.ref), planned)

    def _outcome(self, task: Task, attempt: Callable[[], Fields]) -> Fields:
        try:
            return attempt()
        except PassedOver as passed:
            return unchanged(passed.code, passed.message) | {"passed": True}
        except Refused as refused:
            return as_refused(refused.refusal)
        except CatalogueUnreachable as error:
            if error.code != UNREADABLE_RECORD:
                raise
            return as_refused(Refusal(code=error.code, message=error.message, hint=error.hint))
        except NotFound as missing:
            policy = task.on_missing or self._proofs.job.on_missing
            action = Action.REFUSED if policy == "refuse" else Action.NOT_FOUND
            return {"action": action, "code": missing.code, "message": missing.message}

    def _named_key(self, task: Task, known: Known) -> str | None:
        """Return the target key of the record that a refused entry names; None: it is no record's."""
        if task.verb == "create" or known.kind is not None:
            return None
        ref = self._iris.parse(known.record)
        return record_key(ref.value) if ref and ref.kind is RefKind.SHORT_ID else None

    def _entered(self, task: Task, known: Known, planned: Fields) -> PlannedChange:
        """Return the change, put together with the one that concerns the record already."""
        planned["message"] = printable(planned.get("message", ""))
        passed, kept = planned.pop("passed", False), planned.pop("kept", False)
        own = planned.pop("own", {})
        earlier = known.earlier
        if known.target_key is None and planned["action"] is Action.REFUSED:
            known.target_key = self._named_key(task, known)
        fields: Fields = {
            "number": 0,
            "record": known.record,
            "given": task.given,
            "source": task.source,
            "declared": task.verb,
            "operation": known.operation,
            "wish": _unless_same(known.wish, known.operation),
            "kind": known.kind,
            "sigel": known.sigel,
            "bib": known.bib,
            "library": known.library,
            "etag": known.etag,
            "before": known.before,
            "target_key": known.target_key,
            "notes": known.notes,
            "prerequisites": known.waits,
            "origins": known.origins,
            "place": known.place,
            "step": task.step,
        }
        alone = PlannedChange(**{**fields, **planned})
        part = part_of(task, replace(alone, **own), known.wish or "")
        if earlier is None:
            return alone if task.subject else replace(alone, parts=(part,))
        if passed:
            return with_part(earlier, part)
        joined = joined_operation(earlier, known.operation)
        wish = _unless_same(joined_wish(earlier, part.wish) if part.wish else None, joined)
        if kept:
            return replace(with_part(earlier, part), operation=joined, wish=wish)
        return replace(
            alone,
            number=earlier.number,
            given=earlier.given,
            source=earlier.source,
            declared=earlier.declared,
            step=earlier.step,
            operation=joined,
            wish=wish,
            origins=tuple(dict.fromkeys((*earlier.origins, *known.origins))),
            parts=(*parts_of(earlier), part),
        )


def admit_wish(wish: Wanted | Creation, known: Known) -> None:
    """Go on where the record is one that is meant.

    Raises:
        PassedOver: it is not, and nothing is wanted of it.
    """
    try:
        wish.admit()
    except PassedOver:
        known.operation, known.wish = {}, None
        raise


def _unless_same(wish: str | None, operation: Mapping[str, Any]) -> str | None:
    return None if wish is None or wish == operation_digest(operation) else wish


def as_create(document: dict[str, Any], pattern: Sentence) -> Fields:
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


def no_change() -> Fields:
    """Return the fields of a record that is as wanted."""
    return unchanged("no_change", Sentence("no_change"))


def unchanged(code: str, message: str) -> Fields:
    """Return the fields of a record that is left as it is."""
    return {"action": Action.UNCHANGED, "code": code, "message": message}


def deleted_in_plan(number: int) -> Refusal:
    """Return the refusal of a record that the plan deletes."""
    return Refusal(
        code="deleted_in_plan",
        message=Sentence("deleted_in_plan", number=number),
        hint=Sentence("deleted_in_plan_hint"),
    )


BIB_RIGHTS = ("bibs_not_agreed", "level_2_required")

"""Codes of a bib that must not be written."""


def a_bib(fault: Refusal, task: Task) -> Refusal:
    """Return the refusal of a bib that must not be written, where a holding may be meant."""
    hint = Sentence("holdings_own") if task.step is not None else Sentence("holding_id")
    if task.verb != "delete":
        hint = joined((hint, Sentence("bib_itself", how=fault.hint)))
    return Refusal(
        code=fault.code, message=Sentence("bib_not_writable", why=fault.message), hint=hint
    )


def other_kind(kind: str | None, wanted: str) -> Refusal:
    """Return the refusal of a record that is of another kind than the step is for."""
    return Refusal(
        code="other_kind",
        message=Sentence("other_kind", kind=kind_said(kind), wanted=kind_said(wanted)),
        hint=Sentence("other_kind_hint"),
    )


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
            raise Refused.of(Refusal(code=known.earlier.code, message=known.earlier.message))
        if known.kind != kind:
            raise Refused.of(other_kind(known.kind, kind))

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
            raise Refused.of(
                a_bib(fault, task) if kind is None else other_kind("bib", kind)
            ) from None

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
            raise Refused.of(other_kind(known.kind, kind))
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

    def _made(self, known: Known, wish: Wanted, made: AppliedChange) -> Fields | None:
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
            raise PassedOver("repeated", Sentence("repeated", source=part.source.said))
        if wish is not None:
            admit_wish(wish, known)
        raise Refused.of(
            Refusal(
                code="conflicting_rows",
                message=Sentence("conflicting_rows", one=part.source.said, other=task.source.said),
                hint=Sentence("conflicting_rows_hint"),
            )
        )

    def _edit(self, known: Known, wish: Edit) -> Fields:
        now, before = known.now or {}, known.before or {}
        known.origins = wish.origins
        demand(check_expect(now, wish.expect, self._iris))
        result = wish.change(now)
        if isinstance(result, Refusal):
            raise Refused.of(result)
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
                raise Refused.of(_undone(predict_stored(after).cleanups))
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
            return unchanged("created_and_deleted", Sentence("created_and_deleted"))
        demand(self._hangs(before) if known.kind == "holding" else None)
        iri = thing_part(before).get("@id")
        links = self._reader.links_to(iri) if known.kind == "bib" and isinstance(iri, str) else ()
        if known.kind == "holding" and known.bib is not None:
            known.place = left_key(known.bib.id, known.sigel or "")
        return {
            "action": Action.DELETE,
            "links": tuple(link for link in links if link != known.record),
            "before_fingerprint": before_fingerprint(before),
            "pattern": wish.pattern or delete_pattern(known.kind),
        }


def _undone(cleanups: tuple[str, ...]) -> Refusal:
    """Return the refusal of a change of which the server would leave nothing."""
    return Refusal(
        code="tidied_away",
        message=Sentence("tidied_away", cleanups=cleanups[:SHOWN]),
        hint=Sentence("as_the_server_keeps"),
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
    numbers = look.numbers_at(copied_key(known.target_key)) if known.target_key else ()
    found: set[int] = set()
    for number in numbers:
        change = look.numbered(number)
        is_entry = change is not None and change.code == OPERATIONS
        found.update(change.prerequisites if change is not None and is_entry else (number,))
    return tuple(sorted(found))


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
        raise PassedOver("deleted_already", Sentence("deleted_in_plan", number=earlier.number))
    known.before, known.target_key = earlier.before, earlier.target_key
    known.waits, known.place = earlier.prerequisites, earlier.place
    known.earlier = earlier
    known.now = earlier.after or earlier.before
    if deleted:
        raise Refused.of(deleted_in_plan(earlier.number))


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
