"""One wish of the manifest against the environment's records: what would be written, or why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from bulkrunner.domain.answers import Found, Moved
from bulkrunner.domain.created import created_number
from bulkrunner.domain.fingerprint import before_fingerprint, create_fingerprint
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.operations import Refusal, check_expect, same
from bulkrunner.domain.patterns import update_pattern
from bulkrunner.domain.plan import (
    Action,
    BibSummary,
    Made,
    PlannedChange,
    holding_key,
    left_key,
    operation_digest,
    record_key,
)
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.records import Document, item_of, thing_part
from bulkrunner.domain.searches import Held
from bulkrunner.domain.undo import changed_paths
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.services.planning.bibs import BibFacts
from bulkrunner.services.planning.combining import (
    joined_operation,
    joined_wish,
    part_of,
    parts_of,
    subject_part,
    wish_of,
    with_part,
)
from bulkrunner.services.planning.earlier import EarlierRuns
from bulkrunner.services.planning.proofs import Proofs
from bulkrunner.services.planning.reading import Reading
from bulkrunner.services.planning.steps import (
    NOT_MET,
    Creation,
    Edit,
    Known,
    NotFound,
    PassedOver,
    Refused,
    Removal,
    Task,
    Wish,
    as_refused,
    demand,
    made_earlier,
    printable,
)
from bulkrunner.services.planning.view import Look
from bulkrunner.services.planning.waiting import Waits

UNREADABLE_RECORD = "unreadable_record"
"""Error code of a record that came whole but is none; asking again would not help."""

T = TypeVar("T")

Fields: TypeAlias = dict[str, Any]
"""Fields of a planned change."""


class Resolver(Reading):
    """Turns wishes into planned changes; thread safe, keeps nothing per wish."""

    def __init__(
        self, reader: CatalogueReader, iris: IriMap, proofs: Proofs, earlier_runs: EarlierRuns
    ) -> None:
        super().__init__(reader, iris, proofs)
        self._earlier_runs = earlier_runs

    def concern(
        self, task: Task, build: Callable[[Known], Wish], look: Look, *, kind: str | None = None
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

    def hold(
        self,
        task: Task,
        build: Callable[[Known], Creation],
        look: Look,
        waits: Waits | None = None,
    ) -> PlannedChange:
        """Return what becomes of a holding to be created on a bib; refusals are changes too.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        known = Known(record=task.ref, kind="holding", operation=task.operation)
        known.waits = waits.numbers if waits else ()
        planned = self._outcome(
            task, lambda: self._hold(task, build, known, look, waits or Waits())
        )
        return self._entered(task, known, planned)

    def make_bib(self, task: Task, sigel: str, document: Document, pattern: str) -> PlannedChange:
        """Return what becomes of a bib to be created; refusals are changes too.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        known = Known(record=task.ref, kind="bib", sigel=sigel, operation=task.operation)
        planned = self._outcome(task, lambda: self._make_bib(known, sigel, document, pattern))
        return self._entered(task, known, planned)

    def attempt(self, task: Task, do: Callable[[], T]) -> T | PlannedChange:
        """Return what something comes to, or the change that says why it comes to nothing.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        found: list[T] = []

        def attempt() -> Fields:
            found.append(do())
            return {}

        planned = self._outcome(task, attempt)
        return found[0] if found else self._entered(task, Known(record=task.ref), planned)

    def know(self, task: Task, look: Look, *, kind: str) -> Known:
        """Return what is known of a record that is only read, as what precedes leaves it.

        Raises:
            NotFound, Refused: it is not there, or not the job's.
        """
        demand(self._proofs.acting())
        known = Known(record=task.ref)
        self._meet(task, known, look)
        if known.is_stuck and known.earlier is not None:
            raise Refused(Refusal(code=known.earlier.code, message=known.earlier.message))
        if known.kind != kind:
            raise Refused(_other_kind(known.kind, kind))
        return known

    def make_room(self, task: Task, bib: BibFacts, known: Known, look: Look) -> None:
        """Note that a holding goes over to a bib, where its library has none.

        Raises:
            Refused, PassedOver: it has one, or the bib goes away.
        """
        self._heed_deletion(bib, look)
        sigel = known.sigel or ""
        key = holding_key(bib.summary.id, sigel)
        taken = look.at(key)
        if taken is not None and taken.record != known.record:
            raise _duplicate(
                task, f"change {taken.number} of this plan puts a holding of {sigel} there"
            )
        existing = [one for one in self._standing(bib, sigel, known, look) if one != known.record]
        if existing:
            text = f"{sigel} already has the holding {', '.join(existing)} on that bib"
            raise _duplicate(task, text)
        known.place = key

    def bib(self, ref: str) -> BibFacts:
        """Return a bib.

        Raises:
            NotFound, Refused: there is none, or it is something else.
        """
        return self._bib_to_hold(ref, Known(record=ref))

    def bib_document(self, record: str) -> Document | None:
        """Return a bib as the catalogue has it, None where it does not resolve."""
        return self._bibs.document(record)

    def deleted_earlier(self, bib: str, sigel: str) -> str | None:
        """Return the library's holding on a bib that an earlier run of the job has deleted."""
        return self._earlier_runs.deleted(bib, sigel)

    def holdings(self, bib_iri: str, sigel: str) -> tuple[str, ...]:
        """Return a library's holdings on a bib, as the catalogue has them."""
        return self._reader.holdings_of(bib_iri, sigel)

    def document(self, named: str) -> Document | None:
        """Return a record, named in any way, as the catalogue has it; None where it is not there."""
        ref = self._iris.parse(named)
        answer = self._reader.read(ref.value) if ref is not None else None
        if isinstance(answer, Moved):
            answer = self._reader.read(self._iris.short_id(answer.target) or answer.target)
        return answer.document if isinstance(answer, Found) else None

    def holdings_on(self, bib_iri: str) -> tuple[Held, ...]:
        """Return every library's holdings on a bib, as the catalogue has them."""
        return self._reader.holdings_on(bib_iri)

    # --- how it comes out --------------------------------------------------------------------

    def _outcome(self, task: Task, attempt: Callable[[], Fields]) -> Fields:
        try:
            return attempt()
        except PassedOver as passed:
            return _unchanged(passed.code, passed.message) | {"passed": True}
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

    def _entered(self, task: Task, known: Known, planned: Fields) -> PlannedChange:
        """Return the change, put together with the one that concerns the record already."""
        planned["message"] = printable(planned.get("message", ""))
        passed, kept = planned.pop("passed", False), planned.pop("kept", False)
        own = planned.pop("own", {})
        earlier = known.earlier
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
            parts=(*parts_of(earlier), part),
        )

    # --- an existing record ------------------------------------------------------------------

    def _concern(
        self,
        task: Task,
        build: Callable[[Known], Wish],
        known: Known,
        look: Look,
        kind: str | None,
    ) -> Fields:
        demand(self._proofs.acting())
        try:
            self._meet(task, known, look)
        except NotFound as missing:
            return self._done_already(missing, build, known)
        if kind is not None and known.kind != kind and not known.is_stuck:
            raise Refused(_other_kind(known.kind, kind))
        if task.subject and known.earlier is not None:
            self._heed_repeat(task, build, known)
        wish = _wanted(build(known), known)
        made = self._earlier_runs.made(joined_wish(known.earlier, wish_of(wish)))
        if made is not None and (done := self._made(known, wish, made)) is not None:
            return done
        if known.is_stuck and known.earlier is not None:
            return _kept(known.earlier)
        _admit(wish, known)
        _first(wish, known)
        return self._delete(known, wish) if isinstance(wish, Removal) else self._edit(known, wish)

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
                return
        _take_up(task, earlier, known)

    def _done_already(
        self, missing: NotFound, build: Callable[[Known], Wish], known: Known
    ) -> Fields:
        """Return that an earlier run has deleted the record; else raise that it is missing."""
        if missing.code != "gone":
            raise missing
        wish = _wanted(build(known), known)
        made = self._earlier_runs.made(known.wish)
        if made is None or not isinstance(wish, Removal):
            raise missing
        return made_earlier(known, made)

    def _made(self, known: Known, wish: Wish, made: Made) -> Fields | None:
        """Return that an earlier run has done it, where that still shows; None where it does not."""
        if made.action is Action.CREATE:
            return self._created_earlier(known, made)
        if known.before is None:
            return made_earlier(known, made) if made.action is Action.DELETE else None
        if isinstance(wish, Removal):
            return None  # the record is there again
        found = Found(
            environment="",
            record=known.record,
            iri=self._iris.record_iri(known.record),
            document=known.before,
            etag=known.etag or "",
        )
        return made_earlier(known, made) if self._still_there(found, made) else None

    def _heed_repeat(self, task: Task, build: Callable[[Known], Wish], known: Known) -> None:
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
        wish: Wish | None = None
        try:
            wish = build(known)
            wanted = wish_of(wish)
        except (Refused, PassedOver):
            wanted = ""
        known.now = now
        if part.wish in (wanted, ""):
            known.earlier = known.target_key = None
            known.waits = ()
            raise PassedOver("repeated", f"{part.source} has named the record already")
        if wish is not None:
            _admit(wish, known)
        raise Refused(
            Refusal(
                code="conflicting_rows",
                message=f"{part.source} and {task.source} want different things of the record",
                hint="keep one of them, or put them into two steps",
            )
        )

    def _edit(self, known: Known, wish: Edit) -> Fields:
        now, before = known.now or {}, known.before or {}
        demand(check_expect(now, wish.expect, self._iris))
        result = wish.change(now)
        if isinstance(result, Refusal):
            raise Refused(result)
        pattern = wish.pattern
        if wish.done is not None:
            known.operation, pattern = wish.done(result)
        after = result.document
        demand(self._may_become(after, known.kind or ""))
        own = _no_change() if same(after, now) and not wish.resave else {}
        earlier = known.earlier
        if earlier is not None and earlier.action is Action.CREATE:
            return _as_create(after, update_pattern(None, pattern, earlier=earlier.pattern)) | {
                "own": own
            }
        declared = (*result.declared, *(changed_paths(before, now) if earlier else ()))
        prediction = predict_stored(after, declared=declared)
        fingerprints = (before_fingerprint(before), before_fingerprint(prediction.document))
        if not _is_resaved(wish, earlier) and (
            same(after, before) or fingerprints[0] == fingerprints[1]
        ):
            return _no_change() | {"before_fingerprint": fingerprints[0], "own": own}
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
            return _unchanged("created_and_deleted", "one step creates it, a later one deletes it")
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

    # --- a holding to be created -------------------------------------------------------------

    def _hold(
        self,
        task: Task,
        build: Callable[[Known], Creation],
        known: Known,
        look: Look,
        waits: Waits,
    ) -> Fields:
        demand(self._proofs.acting())
        bib = self._bib_of(task, known, look, waits)
        known.bib = bib.summary
        known.record = task.ref if created_number(task.ref) else bib.summary.id
        creation = build(known)
        known.operation, known.wish = creation.operation, wish_of(creation)
        self._know_library(creation.sigel, known)
        known.target_key = holding_key(bib.summary.id, creation.sigel)
        demand(self._proofs.sigel(creation.sigel))
        demand(self._links_resolve(creation.sigel, bib.thing_iri, bib))
        if task.step is not None:
            self._heed_place(task, known, look)
        made = self._earlier_runs.made(known.wish)
        if (earlier := self._created_earlier(known, made)) is not None:
            return earlier
        _admit(creation, known)
        existing = self._standing(bib, creation.sigel, known, look)
        if existing:
            text = f"{creation.sigel} already has the holding {', '.join(existing)} on this bib"
            raise _duplicate(task, text)
        document = creation.document(bib.thing_iri)
        demand(self._may_become(document, "holding"))
        return _as_create(document, creation.pattern)

    def _make_bib(self, known: Known, sigel: str, document: Document, pattern: str) -> Fields:
        demand(self._proofs.acting())
        self._know_library(sigel, known)
        demand(self._proofs.bib())
        demand(self._proofs.sigel(sigel))
        made = self._earlier_runs.made(operation_digest(known.operation))
        if (earlier := self._created_earlier(known, made)) is not None:
            return earlier
        demand(self._may_become(document, "bib"))
        created = _as_create(document, pattern)
        # Twice the same bib in one job could not be told apart after a lost answer.
        return {**created, "target_key": f"new:{created['after_fingerprint']}"}

    def _bib_of(self, task: Task, known: Known, look: Look, waits: Waits) -> BibFacts:
        number = created_number(task.ref)
        if number is None or number in waits.records:
            bib = self._bib_to_hold(waits.records.get(number or 0, task.ref), known)
            self._heed_deletion(bib, look)
            return bib
        create = waits.creates[number]
        if create.kind != "bib":
            raise Refused(
                Refusal(
                    code="not_a_bib",
                    message=f"change {number} creates no bib; a holding cannot be hung on it",
                    hint="give the number of the operation that creates the bib",
                )
            )
        return BibFacts(summary=BibSummary(id=task.ref), thing_iri=f"{task.ref}#it", is_bib=True)

    def _heed_deletion(self, bib: BibFacts, look: Look) -> None:
        gone = look.at(record_key(bib.summary.id))
        if gone is not None and gone.action is Action.DELETE:
            raise Refused(_deleted_in_plan(gone.number))

    def _heed_place(self, task: Task, known: Known, look: Look) -> None:
        """Refuse, or pass over, a holding where the plan has one already."""
        key = known.target_key or ""
        taken = look.at(key)
        if taken is None:
            return
        known.target_key = None
        part = subject_part(taken, task.step)
        if task.subject and part is not None and part.wish == known.wish:
            raise PassedOver("repeated", f"{part.source} has named the record already")
        raise _duplicate(task, f"change {taken.number} of this plan concerns the same holding")

    def _standing(self, bib: BibFacts, sigel: str, known: Known, look: Look) -> tuple[str, ...]:
        """Return the library's holdings on a bib that this plan leaves there."""
        if created_number(bib.summary.id):
            return ()
        found = self._reader.holdings_of(bib.thing_iri, sigel)
        changes = look.of([record_key(record) for record in found], sure=True) if found else {}
        left = []
        for record in found:
            change = changes.get(record_key(record))
            if change is not None and _leaves(change, bib.thing_iri):
                known.waits = tuple(sorted({*known.waits, change.number}))
            else:
                left.append(record)
        return tuple(left)


def _admit(wish: Wish | Creation, known: Known) -> None:
    """Go on where the record is one that is meant.

    Raises:
        PassedOver: it is not, and nothing is wanted of it.
    """
    try:
        wish.admit()
    except PassedOver:
        known.operation, known.wish = {}, None
        raise


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


def _wanted(wish: Wish, known: Known) -> Wish:
    """Note what is wanted of the record."""
    known.operation, known.wish = wish.operation, wish_of(wish)
    return wish


def _unless_same(wish: str | None, operation: Mapping[str, Any]) -> str | None:
    return None if wish is None or wish == operation_digest(operation) else wish


def _take_up(task: Task, earlier: PlannedChange, known: Known) -> None:
    """Know the record by the change that concerns it already."""
    known.record, known.kind, known.sigel = earlier.record, earlier.kind, earlier.sigel
    known.bib, known.library = earlier.bib, earlier.library
    known.etag, known.notes = earlier.etag, earlier.notes
    if earlier.action is Action.DELETE and not _names_again(task, earlier):
        if task.verb == "delete":
            raise PassedOver("deleted_already", f"change {earlier.number} of this plan deletes it")
        raise Refused(_deleted_in_plan(earlier.number))
    known.before, known.target_key = earlier.before, earlier.target_key
    known.waits, known.place = earlier.prerequisites, earlier.place
    known.earlier = earlier
    known.now = earlier.after or earlier.before


def _names_again(task: Task, earlier: PlannedChange) -> bool:
    return task.subject and subject_part(earlier, task.step) is not None


def _leaves(change: PlannedChange, thing_iri: str) -> bool:
    """Tell whether a change takes a holding off a bib."""
    if change.action is Action.DELETE:
        return True
    return change.action is Action.UPDATE and item_of(change.after or {}) != thing_iri


def _is_resaved(wish: Edit, earlier: PlannedChange | None) -> bool:
    """Tell whether the record is to be sent even if nothing changes."""
    if wish.resave:
        return True
    return (
        earlier is not None
        and earlier.action is Action.UPDATE
        and same(earlier.after, earlier.before)
    )


def _as_create(document: dict[str, Any], pattern: str) -> Fields:
    prediction = predict_stored(document)
    return {
        "action": Action.CREATE,
        "after": document,
        "predicted": prediction.document,
        "cleanups": prediction.cleanups,
        "after_fingerprint": create_fingerprint(prediction.document),
        "pattern": pattern,
    }


def _kept(earlier: PlannedChange) -> Fields:
    why = {"action": earlier.action, "code": earlier.code, "message": earlier.message}
    return {**why, "kept": True}


def _no_change() -> Fields:
    return _unchanged("no_change", "the record is already as the job wants it")


def _unchanged(code: str, message: str) -> Fields:
    return {"action": Action.UNCHANGED, "code": code, "message": message}


def _duplicate(task: Task, message: str) -> Exception:
    if task.on_duplicate == "skip":
        return PassedOver("skipped_duplicate", message)
    return Refused(
        Refusal(
            code="duplicate",
            message=message,
            hint="a library has one holding per bib; change that one instead",
        )
    )


def _deleted_in_plan(number: int) -> Refusal:
    return Refusal(
        code="deleted_in_plan",
        message=f"change {number} of this plan deletes it",
        hint="put this step before the one that deletes",
    )


def _other_kind(kind: str | None, wanted: str) -> Refusal:
    return Refusal(
        code="other_kind",
        message=f"the record is a {kind}, and the step is for a {wanted}",
        hint="take it off the list, or say holdings: own to mean the holdings of a bib",
    )
