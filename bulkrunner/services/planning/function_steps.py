"""Calls a job's functions for the records of a step, and plans what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.expressions.expectations import check_expect
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.functions import (
    Changed,
    Declined,
    FunctionInput,
    FunctionRunner,
    FunctionSource,
    Looked,
    Several,
    Skipped,
    edited,
)
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Delete, Operation, Update
from bulkrunner.domain.operations import IN_ANSWER, Applied, neutral_operation
from bulkrunner.domain.plan import OPERATIONS, WRITING, PlannedChange, copied_key, record_key
from bulkrunner.domain.records import item_of
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.report_groups import parts_of_update
from bulkrunner.domain.steps import StepEntry, StepFunction
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.catalogue_reading import Reading
from bulkrunner.services.planning.contexts import Contexts, admit
from bulkrunner.services.planning.draft import (
    FAILED,
    DeleteIntent,
    Draft,
    Drafter,
    Fields,
    FunctionIntent,
    PassedOver,
    Request,
    Target,
    UpdateIntent,
    demand,
    still_wanted,
)
from bulkrunner.services.planning.existing import Existing
from bulkrunner.services.planning.explicit_operations import Explicit, named_by
from bulkrunner.services.planning.plan_so_far import (
    Look,
    ended_so,
    fallen,
    refused,
    refused_entry,
)

Runners = Callable[[FunctionSource], FunctionRunner]
"""Gives what calls a function; the same for the same one."""


class FunctionSteps:
    """Plans steps that are functions; thread safe."""

    def __init__(
        self,
        *,
        reading: Reading,
        existing: Existing,
        drafter: Drafter,
        contexts: Contexts,
        explicit: Explicit,
        runners: Runners | None,
    ) -> None:
        self._reading = reading
        self._existing = existing
        self._drafter = drafter
        self._contexts = contexts
        self._explicit = explicit
        self._runners = runners

    def act(
        self, entry: StepEntry, action: StepFunction, request: Request, look: Look
    ) -> list[Draft]:
        """Return what a function's answer for one record comes to, at least one change."""
        several: list[Several] = []
        if action.on_bibs:
            change = self._of_bib(entry, action, request, look, several)
        else:
            target = Target.of(request)
            change = self._drafter.change(
                request,
                target,
                lambda: self._answered(entry, action, request, target, look, several),
            )
        if not several:
            # A bib that is only looked at is nobody's, unless it is refused.
            free = action.on_bibs and change.action not in FAILED
            return [Draft(change=replace(change, target_key=None) if free else change)]
        return _together(change, self._operations(entry, action, request, several[-1], look))

    def _answered(
        self,
        entry: StepEntry,
        action: StepFunction,
        request: Request,
        target: Target,
        look: Look,
        several: list[Several],
    ) -> Fields:
        """Return what becomes of the record; several operations are put where they are told."""
        self._existing.meet(request, target, look)
        removal = Delete(source=entry.source, target=target.record)
        asked = FunctionIntent(
            wish=self._asked(entry, action, target.record),
            removal=neutral_operation(removal, self._contexts.iris),
        )
        settled = self._existing.settled(
            request,
            target,
            asked,
            lambda: admit(entry.step, self._contexts.of_record(entry, target, look)),
        )
        if settled is not None:
            return settled
        with still_wanted(target):
            context = self._contexts.of_record(entry, target, look)
            answer = self._one_answer(entry, action, target.record, context, several)
        if isinstance(answer, Changed):
            return self._changed(entry, target, context, answer, asked.wish)
        deletion = DeleteIntent(operation={"delete": target.record}, wish=asked.wish)
        target.intends(deletion)
        return self._existing.deleted(target, deletion)

    def _changed(
        self,
        entry: StepEntry,
        target: Target,
        context: Context,
        answer: Changed,
        wish: Mapping[str, Any],
    ) -> Fields:
        result = edited(context.document, answer.document)
        if isinstance(result, Refusal):
            raise Refused.of(result)
        update = Update(source=entry.source, target=target.record, changes=result.changes)
        after = self._contexts.iris.localise(result.document)
        intent = UpdateIntent(
            operation=neutral_operation(update, self._contexts.iris),
            wish=wish,
            pattern=parts_of_update(update),
        )
        target.intends(intent)
        return self._existing.updated(
            target, intent, Applied(document=after, declared=result.declared)
        )

    def _of_bib(
        self,
        entry: StepEntry,
        action: StepFunction,
        request: Request,
        look: Look,
        several: list[Several],
    ) -> PlannedChange:
        """Ask the function about a bib that it need not be allowed to write."""
        named = Target(record=request.ref)

        def ask() -> Refusal:
            bib = self._reading.bib(request.ref)
            named.record, named.target_key = bib.summary.id, record_key(bib.summary.id)
            document = self._reading.document(bib.summary.id) or {}
            target = Target(record=bib.summary.id, kind="bib", bib=bib.summary)
            target.before = target.now = document
            context = self._contexts.of_record(entry, target, look)
            admit(entry.step, context)
            answer = self._one_answer(entry, action, target.record, context, several)
            if isinstance(answer, Changed):
                result = edited(document, answer.document)
                demand(result if isinstance(result, Refusal) else None)
            return Refusal(
                "function_answer", Sentence("function_on_bibs"), Sentence("function_on_bibs_hint")
            )

        found = self._drafter.attempt(request, ask, named)
        if isinstance(found, PlannedChange):
            return found
        return replace(refused_entry(request, found), target_key=named.target_key)

    # --- the call ----------------------------------------------------------------------------

    def _one_answer(
        self,
        entry: StepEntry,
        action: StepFunction,
        record: str,
        context: Context,
        several: list[Several],
    ) -> Changed | Several:
        """Return what is to be done to the record itself: it is changed, or deleted."""
        answer = self._answer(entry, action, record, context)
        if isinstance(answer, Several) and not _is_own_delete(answer, record, self._contexts.iris):
            several.append(answer)
            said = Sentence("function_operations", count=len(answer.operations))
            raise PassedOver(OPERATIONS, said)
        demand(check_expect(context.document, entry.step.expect, self._contexts.iris, context))
        return answer

    def _answer(
        self, entry: StepEntry, action: StepFunction, record: str, context: Context
    ) -> Changed | Several:
        document = context.document

        def look_up(wanted: str) -> Looked:
            if wanted == "holdings":
                return [{"@graph": one.get("@graph", [])} for one in context.holdings("")]
            iri = item_of(document) if wanted == "bib" else wanted
            return None if iri is None else self._reading.looked_up(iri)

        given = FunctionInput(
            document={"@graph": document.get("@graph", [])},
            id=record,
            row=entry.row,
            parameters=self._contexts.parameters,
            look=look_up,
        )
        try:
            answer = self._runner(action).call(given)
        except Refused as fault:
            said = Sentence("function_fault", name=action.source.name, why=fault.refusal.message)
            raise Refused(fault.refusal.code, said, Sentence("mend_function")) from None
        match answer:
            case Skipped(reason=reason):
                raise PassedOver("skipped_by_function", reason)
            case Declined(reason=reason):
                raise Refused("refused_by_function", reason)
            case _:
                return answer

    def _runner(self, action: StepFunction) -> FunctionRunner:
        if self._runners is None:
            raise RuntimeError("a job with functions is planned with what calls them")
        return self._runners(action.source)

    def _asked(self, entry: StepEntry, action: StepFunction, record: str) -> dict[str, Any]:
        """Return what is asked of a record before anybody has looked into it."""
        asked = {"function": digest(action.source.meaning()), "of": record}
        return asked | ({"row": dict(entry.row)} if entry.row is not None else {})

    # --- operations --------------------------------------------------------------------------

    def _operations(
        self, entry: StepEntry, action: StepFunction, request: Request, answer: Several, look: Look
    ) -> list[Draft]:
        """Plan operations in order; each waits for those before it, and falls with them.

        The first draft of the entry is the record that the function was given; those of the
        operations come after it.
        """
        drafts: list[Draft] = []
        read = self._runner(action).operations(answer.operations, entry.source)
        own = replace(request, subject=False)
        for place, op in enumerate(read, start=1):
            change = self._one(op, own, place, [draft.change for draft in drafts], look)
            refers = {IN_ANSWER + place: place for place in range(1, place + 1)}
            needs = tuple(range(1, place))
            drafts.append(Draft(change=change, needs=needs, refers=refers))
        return drafts

    def _one(
        self,
        op: Operation | Refusal,
        request: Request,
        place: int,
        before: Sequence[PlannedChange],
        look: Look,
    ) -> PlannedChange:
        """Return what becomes of the operation at a place of the answer."""
        undone = (_not_done(number, change) for number, change in enumerate(before, start=1))
        fault = next((one for one in undone if one is not None), None)
        if isinstance(op, Refusal):
            return refused_entry(request, fault or _unusable(op, place))
        asked = self._explicit.request(op, named_by(op, IN_ANSWER + place), request)
        try:
            demand(fault)
            found = self._explicit.waits(op, asked, lambda number: before[number - IN_ANSWER - 1])
        except Refused as error:
            change = self._explicit.refused(op, asked, error.refusal, look)
        else:
            # It waits for all that come before it.
            change = self._explicit.planned(op, asked, replace(found, numbers=()), look)
        return _once(change, before)


def _together(asked: PlannedChange, drafts: list[Draft]) -> list[Draft]:
    """Return the record that a function was given, and after it the operations that it asks for.

    The record is free for the operations, and later steps wait for them. Where one of them is
    refused, nothing is done to the record, neither by this step nor by another.
    """
    key = asked.target_key
    failed = next((one.change for one in drafts if one.change.action in FAILED), None)
    if failed is not None and asked.action in WRITING:
        asked = refused(asked, fallen(failed))
    free = asked if asked.number else replace(asked, target_key=None)
    # A change that is found by the place of another record already is found by this one's own entry.
    joined = {one.change.number for one in drafts if one.change.number and one.change.place}
    if joined and key is not None:
        free = replace(free, place=copied_key(key), prerequisites=tuple(sorted(joined)))
    return [Draft(change=free), *(_beside(one, key, failed) for one in drafts)]


def _beside(draft: Draft, key: str | None, failed: PlannedChange | None) -> Draft:
    """Return an operation of an answer for the record with a key; one on that record falls too."""
    change = draft.change
    if change.target_key != key:
        place = change.place or (copied_key(key) if key else None)
        return replace(draft, change=replace(change, place=place))
    if failed is not None and change.action in WRITING:
        return replace(draft, change=refused(change, fallen(failed)))
    return draft


def _not_done(number: int, change: PlannedChange) -> Refusal | None:
    """Refuse what comes after an operation that is not carried out."""
    if change.action not in FAILED and change.code != "skipped_duplicate":
        return None
    return Refusal(
        "prerequisite",
        Sentence("operation_before", number=number, ended=ended_so(change)),
        Sentence("operation_before_hint"),
    )


def _unusable(fault: Refusal, place: int) -> Refusal:
    return Refusal(fault.code, Sentence("operation_fault", place=place, why=fault.message))


def _is_own_delete(answer: Several, record: str, iris: IriMap) -> bool:
    """Return True if the only operation is to delete the record that the function was given."""
    if len(answer.operations) != 1 or set(answer.operations[0]) != {"delete"}:
        return False
    ref = iris.parse(str(answer.operations[0]["delete"]))
    return ref is not None and ref.value == record


def _once(change: PlannedChange, before: Sequence[PlannedChange]) -> PlannedChange:
    """Refuse a second operation of one answer on one record."""
    names = (change.target_key, change.number or None)
    for one in before:
        other = (one.target_key, one.number or None)
        if any(own is not None and own == its for own, its in zip(names, other, strict=True)):
            refusal = Refusal(
                "duplicate_operation", Sentence("function_twice"), Sentence("function_twice_hint")
            )
            # Its record is that of the other one, which falls with it.
            return replace(refused(change, refusal), number=0)
    return change
