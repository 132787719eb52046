"""Calls a job's functions for the records of a step, and plans what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.change_patterns import parts_of_update
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.functions import (
    Changed,
    Declined,
    FunctionAnswer,
    FunctionInput,
    FunctionRunner,
    FunctionSource,
    Looked,
    Several,
    Skipped,
    edited,
)
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Create, Delete, Operation, Update
from bulkrunner.domain.new_records import IN_ANSWER, PREFIX
from bulkrunner.domain.operations import (
    Applied,
    check_expect,
    neutral_operation,
)
from bulkrunner.domain.plan import OPERATIONS, WRITING, PlannedChange, copied_key, record_key
from bulkrunner.domain.records import item_of
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.steps import StepEntry, StepFunction
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.contexts import Contexts, admit
from bulkrunner.services.planning.draft import (
    FAILED,
    Draft,
    Edit,
    Known,
    PassedOver,
    Removal,
    Task,
    Undecided,
    Wish,
    demand,
    ended_so,
    fallen,
    refused,
    refused_entry,
)
from bulkrunner.services.planning.operations import Operating
from bulkrunner.services.planning.plan_so_far import Look
from bulkrunner.services.planning.resolver import Resolver

Runners = Callable[[FunctionSource], FunctionRunner]
"""Gives what calls a function; the same for the same one."""


class Calling:
    """Plans steps that are functions; thread safe."""

    def __init__(
        self,
        resolver: Resolver,
        contexts: Contexts,
        operating: Operating,
        runners: Runners | None,
        parameters: Mapping[str, Any],
    ) -> None:
        """Call.

        Args:
            resolver: that reads and proves.
            contexts: of records, for conditions and expectations.
            operating: plans operations that functions return.
            runners: that call functions; None where the job has none.
            parameters: of the job, with their values.
        """
        self._resolver = resolver
        self._contexts = contexts
        self._operating = operating
        self._iris = contexts.iris
        self._runners = runners
        self._parameters = parameters

    def act(self, entry: StepEntry, action: StepFunction, task: Task, look: Look) -> list[Draft]:
        """Return what a function's answer for one record comes to, at least one change.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        several: list[Several] = []

        def decide(known: Known) -> Wish:
            context = self._contexts.of_record(entry, known, look)
            answer = self._answer(entry, action, known.record, context)
            if isinstance(answer, Several) and not _is_own_delete(answer, known.record, self._iris):
                several.append(answer)
                raise PassedOver(
                    OPERATIONS,
                    Sentence("function_operations", count=len(answer.operations)),
                )
            return self._wish(entry, action, known, context, answer)

        def build(known: Known) -> Undecided:
            removal = Delete(source=entry.source, target=known.record)
            return Undecided(
                removal=neutral_operation(removal, self._iris),
                wish=self._asked(entry, action, known.record),
                admit=lambda: admit(entry.step, self._contexts.of_record(entry, known, look)),
                decide=lambda: decide(known),
            )

        if action.on_bibs:
            change = self._of_bib(task, build)
        else:
            change = self._resolver.concern(task, build, look)
        if not several:
            # A bib that is only looked at is nobody's, unless it is refused.
            free = action.on_bibs and change.action not in FAILED
            return [Draft(change=replace(change, target_key=None) if free else change)]
        return _together(change, self._operations(entry, action, task, several[-1], look))

    def _of_bib(self, task: Task, build: Callable[[Known], Undecided]) -> PlannedChange:
        """Ask the function about a bib that it need not be allowed to write."""
        named = Known(record=task.ref)

        def ask() -> Refusal:
            bib = self._resolver.bib(task.ref)
            named.record, named.target_key = bib.summary.id, record_key(bib.summary.id)
            document = self._resolver.document(bib.summary.id) or {}
            known = Known(record=bib.summary.id, kind="bib", bib=bib.summary)
            known.before = known.now = document
            wish = build(known)
            wish.admit()
            wish.decide()
            return Refusal(
                code="function_answer",
                message=Sentence("function_on_bibs"),
                hint=Sentence("function_on_bibs_hint"),
            )

        found = self._resolver.attempt(task, ask, named)
        if isinstance(found, PlannedChange):
            return found
        return replace(refused_entry(task, found), target_key=named.target_key)

    # --- the call ----------------------------------------------------------------------------

    def _answer(
        self, entry: StepEntry, action: StepFunction, record: str, context: Context
    ) -> FunctionAnswer:
        document = context.document

        def look_up(wanted: str) -> Looked:
            if wanted == "holdings":
                return [{"@graph": one.get("@graph", [])} for one in context.holdings("")]
            iri = item_of(document) if wanted == "bib" else wanted
            return None if iri is None else self._resolver.looked_up(iri)

        given = FunctionInput(
            document={"@graph": document.get("@graph", [])},
            id=record,
            row=entry.row,
            parameters=self._parameters,
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
                raise Refused.of(Refusal(code="refused_by_function", message=reason))
            case _:
                return answer

    def _runner(self, action: StepFunction) -> FunctionRunner:
        if self._runners is None:
            raise RuntimeError("a job with functions is planned with what calls them")
        return self._runners(action.source)

    def _wish(
        self,
        entry: StepEntry,
        action: StepFunction,
        known: Known,
        context: Context,
        answer: FunctionAnswer,
    ) -> Wish:
        document = context.document
        asked = self._asked(entry, action, known.record)
        demand(check_expect(document, entry.step.expect, self._iris, context))
        if not isinstance(answer, Changed):
            return Removal(operation={"delete": known.record}, wish=asked)
        result = edited(document, answer.document)
        if isinstance(result, Refusal):
            raise Refused.of(result)
        update = Update(source=entry.source, target=known.record, changes=result.changes)
        after = self._iris.localise(result.document)
        return Edit(
            operation=neutral_operation(update, self._iris),
            wish=asked,
            change=lambda _: Applied(document=after, declared=result.declared),
            pattern=parts_of_update(update),
        )

    def _asked(self, entry: StepEntry, action: StepFunction, record: str) -> dict[str, Any]:
        """Return what is asked of a record before anybody has looked into it."""
        asked = {"function": digest(action.source.meaning()), "of": record}
        return asked | ({"row": dict(entry.row)} if entry.row is not None else {})

    # --- operations --------------------------------------------------------------------------

    def _operations(
        self, entry: StepEntry, action: StepFunction, task: Task, answer: Several, look: Look
    ) -> list[Draft]:
        """Plan operations in order; each waits for those before it, and falls with them.

        The first draft of the entry is the record that the function was given; those of the
        operations come after it.
        """
        drafts: list[Draft] = []
        read = self._runner(action).operations(answer.operations, entry.source)
        own = replace(task, subject=False)
        for place, op in enumerate(read, start=1):
            change = self._one(op, own, place, [draft.change for draft in drafts], look)
            refers = {IN_ANSWER + place: place for place in range(1, place + 1)}
            needs = tuple(range(1, place))
            drafts.append(Draft(change=change, needs=needs, refers=refers))
        return drafts

    def _one(
        self,
        op: Operation | Refusal,
        task: Task,
        place: int,
        before: Sequence[PlannedChange],
        look: Look,
    ) -> PlannedChange:
        """Return what becomes of the operation at a place of the answer."""
        try:
            for number, change in enumerate(before, start=1):
                demand(_not_done(number, change))
            if isinstance(op, Refusal):
                return refused_entry(task, _unusable(op, place))
            found = self._operating.waits(op, lambda number: before[number - IN_ANSWER - 1])
            found = replace(found, numbers=())  # it waits for all that come before it
        except Refused as error:
            if isinstance(op, Refusal):
                return refused_entry(task, error.refusal)
            change = self._operating.refused(op, _of(op, task, place), error.refusal, look)
        else:
            change = self._operating.planned(op, _of(op, task, place), found, look)
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
        code="prerequisite",
        message=Sentence("operation_before", number=number, ended=ended_so(change)),
        hint=Sentence("operation_before_hint"),
    )


def _unusable(fault: Refusal, place: int) -> Refusal:
    return Refusal(
        code=fault.code, message=Sentence("operation_fault", place=place, why=fault.message)
    )


def _of(op: Operation, task: Task, place: int) -> Task:
    """Return the task of an operation at a place of the answer."""
    if isinstance(op, Create):
        ref = op.of if op.of is not None else f"{PREFIX}{IN_ANSWER + place}"
    else:
        ref = op.target
    return replace(task, ref=ref, verb=type(op).__name__.lower())


def _is_own_delete(answer: Several, record: str, iris: IriMap) -> bool:
    """Tell whether the only operation is to delete the record that the function was given."""
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
                code="duplicate_operation",
                message=Sentence("function_twice"),
                hint=Sentence("function_twice_hint"),
            )
            # Its record is that of the other one, which falls with it.
            return replace(refused(change, refusal), number=0)
    return change
