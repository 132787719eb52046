"""One change of an earlier run, to be taken back, against the environment's records."""

from __future__ import annotations

from dataclasses import replace

from bulkrunner.domain.answers import Found, Gone
from bulkrunner.domain.created import created_number
from bulkrunner.domain.decisions import Version
from bulkrunner.domain.fingerprint import before_fingerprint
from bulkrunner.domain.job import Create, Creates
from bulkrunner.domain.operations import Refusal, build_create
from bulkrunner.domain.patterns import pattern_of
from bulkrunner.domain.plan import WRITING, Action, Made, operation_digest
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.records import (
    Document,
    held_by,
    is_holding,
    item_of,
    record_part,
    thing_part,
)
from bulkrunner.domain.undo import (
    Restore,
    again_key,
    as_stored,
    changed_paths,
    restored,
    without_own_id,
)
from bulkrunner.services.planning.again import Again
from bulkrunner.services.planning.drafting import Fields
from bulkrunner.services.planning.refusing import FAILED
from bulkrunner.services.planning.resolving import Resolver
from bulkrunner.services.planning.states import changed_since
from bulkrunner.services.planning.steps import (
    Creation,
    Draft,
    Known,
    NotFound,
    Refused,
    Removal,
    Task,
    demand,
    made_earlier,
)
from bulkrunner.services.planning.view import Look
from bulkrunner.services.written import Search, by_a_later_run


class Restorer(Resolver):
    """Turns what a run did into planned changes that take it back."""

    def restore(self, wish: Restore, look: Look) -> list[Draft]:
        """Return the planned change, and those that it must precede.

        Where nothing can be restored the change says why.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        known = Known(record=wish.record, kind=wish.change.kind, sigel=wish.change.sigel)
        known.bib, known.library = wish.change.bib, wish.change.library
        known.operation = wish.operation()
        task = Task(
            source=wish.source,
            given=wish.record,
            ref=wish.record,
            verb="undo",
            operation=known.operation,
        )

        if wish.change.action is Action.DELETE:
            known.place = again_key(wish.record)

        def attempt() -> Fields:
            demand(self._proofs.acting())
            made = self._earlier_runs.made(operation_digest(known.operation))
            planned = self._take_back(wish, task, known, made, look)
            if "pattern" in planned:
                planned["pattern"] = wish.kind_of_restoring()
            if planned["action"] in WRITING:
                known.waits = tuple(sorted({*known.waits, *_restored_first(wish, look)}))
            return planned

        change = self._entered(task, known, self._outcome(task, attempt))
        found = look.of(wish.ahead, sure=True) if wish.ahead else {}
        later = [Draft(change=one, needs=(0,)) for one in found.values()]
        return [Draft(change=change, alone=True), *later]

    def _take_back(
        self, wish: Restore, task: Task, known: Known, made: Made | None, look: Look
    ) -> Fields:
        match wish.change.action:
            case Action.UPDATE:
                return self._give_back(wish, task, known, made, look)
            case Action.CREATE:
                return self._remove(wish, known, made)
            case _:
                return self._create_again(wish, task, known, look)

    # --- an update ---------------------------------------------------------------------------

    def _give_back(
        self, wish: Restore, task: Task, known: Known, made: Made | None, look: Look
    ) -> Fields:
        found = self._read_target(wish.record, known)
        if made is not None and self._still_there(found, made):
            return made_earlier(known, made)
        now, before = found.document, wish.wanted()
        demand(_kept(before, wish))
        old = before or {}
        fingerprint = before_fingerprint(now)
        if not self._is_as_left(wish, found):
            if fingerprint == before_fingerprint(old):
                return _already("the record has its old content already", fingerprint)
            raise Refused(self._changed_since(wish, found))
        again = Again.of(old, look, self._iris)
        known.waits = again.numbers
        after = restored(now, again.led(as_stored(old, wish.change.after, now)))
        demand(self._may_become(after, known.kind or ""))
        self.make_way(task, after, known, look)
        prediction = predict_stored(after, declared=tuple(changed_paths(now, after)))
        wanted = before_fingerprint(prediction.document)
        if wanted == fingerprint:
            left = "the run left no difference"
            if fingerprint != before_fingerprint(old):
                left += " but what the server tidies by itself, and would tidy again"
            return _already(left, fingerprint)
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

    def _remove(self, wish: Restore, known: Known, made: Made | None) -> Fields:
        try:
            found = self._read_target(wish.record, known)
        except NotFound as missing:
            if missing.code != "gone":
                raise
            if made is not None:
                return made_earlier(known, made)
            who = by_a_later_run(self._earlier_runs.later_than(wish.run, wish.record), None)
            return _already(f"somebody has deleted what the run created{who}", None)
        if not self._is_as_left(wish, found):
            raise Refused(self._changed_since(wish, found))
        return self._delete(known, Removal(operation=known.operation))

    # --- a delete ----------------------------------------------------------------------------

    def _create_again(self, wish: Restore, task: Task, known: Known, look: Look) -> Fields:
        wanted = wish.wanted()
        demand(_kept(wanted, wish))
        document = wanted or {}
        answer = self._reader.read(wish.record)
        if isinstance(answer, Found):
            there = before_fingerprint(answer.document)
            if there != before_fingerprint(document):
                raise Refused(self._changed_since(wish, answer))
            return _already("somebody has brought the record back", there)
        if not isinstance(answer, Gone):
            raise NotFound("not_found", "the environment has no such record")
        known.notes = (*_doubts(wish), *_losses(document))
        again = Again.of(document, look, self._iris)
        document = again.led(document)
        op = _creation(wish, document, sigel=self._proofs.job.active_sigel)
        known.waits = again.numbers
        if op.creates is Creates.BIB:
            known.kind, known.sigel, known.record = "bib", op.sigel, wish.record
            new = build_create(op, iris=self._iris, bib_thing_iri=None, from_records=True)
            return self._make_bib(known, op.sigel, new, pattern_of(op))
        creation = Creation(
            sigel=op.sigel,
            operation=known.operation,
            document=lambda iri: build_create(
                op, iris=self._iris, bib_thing_iri=iri, from_records=True
            ),
            pattern=pattern_of(op),
        )
        known.kind = "holding"
        iri = (item_of(document) or "").removesuffix("#it")
        bib = iri if created_number(iri) else self._iris.short_id(iri) or ""
        hung = replace(task, ref=bib)
        return self._hold(hung, lambda _: creation, known, look, again.waits)

    # --- as the run left it ------------------------------------------------------------------

    def _is_as_left(self, wish: Restore, found: Found) -> bool:
        newest = Version(document=found.document, etag=found.etag)
        return Search(self._reader).is_as_left(wish.record, wish.left(), newest)

    def _changed_since(self, wish: Restore, found: Found) -> Refusal:
        later = self._earlier_runs.later_than(wish.run, wish.record)
        return changed_since(wish.run, found, by_a_later_run(later, found.etag))


def _restored_first(wish: Restore, look: Look) -> tuple[int, ...]:
    """Return the numbers of what must be restored before; all of it is.

    Raises:
        Refused: it is not, and what took its content in must stay.
    """
    keys = [one.key for one in wish.behind if one.key is not None]
    found = look.of(keys, sure=True) if keys else {}
    for one in wish.behind:
        change = found.get(one.key or "")
        if change is None or change.action in FAILED:
            why = "is not restored here" if change is None else f"cannot be: {change.code}"
            raise Refused(
                Refusal(
                    code="prerequisite",
                    message=f"it is taken back only after {one.what}, which {why}",
                    hint="what the run saved here stays; put the other one right first",
                )
            )
    return tuple(change.number for change in found.values())


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


def _already(message: str, fingerprint: str | None) -> Fields:
    return {
        "action": Action.UNCHANGED,
        "code": "restored_already",
        "message": message,
        "before_fingerprint": fingerprint,
    }
