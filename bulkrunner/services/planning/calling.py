"""Calls a job's functions for the records of a step, and plans what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bulkrunner.domain.called import edited
from bulkrunner.domain.canonical import digest
from bulkrunner.domain.context import Context
from bulkrunner.domain.functions import (
    Changed,
    Declined,
    FunctionAnswer,
    FunctionFault,
    FunctionInput,
    FunctionRunner,
    FunctionSource,
    Several,
    Skipped,
)
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Create, Creates, Delete, Operation, Update
from bulkrunner.domain.operations import (
    Applied,
    Refusal,
    apply_update,
    build_create,
    neutral_operation,
)
from bulkrunner.domain.patterns import parts_of_update, pattern_of
from bulkrunner.domain.plan import WRITING, Action, PlannedChange
from bulkrunner.domain.records import Document, item_of
from bulkrunner.domain.steps import StepEntry, StepFunction
from bulkrunner.services.planning.referring import Contexts, admit, looked_up
from bulkrunner.services.planning.resolving import Resolver
from bulkrunner.services.planning.steps import (
    Creation,
    Draft,
    Edit,
    Known,
    PassedOver,
    Refused,
    Removal,
    Task,
    Wish,
    as_refused,
)
from bulkrunner.services.planning.view import Look

Runners = Callable[[FunctionSource], FunctionRunner]
"""Gives what calls a function; the same for the same one."""


class Calling:
    """Plans steps that are functions; thread safe."""

    def __init__(
        self,
        resolver: Resolver,
        contexts: Contexts,
        runners: Runners | None,
        parameters: Mapping[str, Any],
    ) -> None:
        """Call.

        Args:
            resolver: that reads and proves.
            contexts: of records, for conditions and expectations.
            runners: that call functions; None where the job has none.
            parameters: of the job, with their values.
        """
        self._resolver = resolver
        self._contexts = contexts
        self._iris = contexts.iris
        self._runners = runners
        self._parameters = parameters

    def act(self, entry: StepEntry, action: StepFunction, task: Task, look: Look) -> list[Draft]:
        """Return what a function's answer for one record comes to, at least one change.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        several: list[Several] = []

        def build(known: Known) -> Wish:
            document = known.now or known.before or {}
            context = self._contexts.of_record(entry, known, look)
            if document:
                admit(entry.step, context)
            answer = self._answer(entry, action, known.record, document)
            if isinstance(answer, Several) and not _is_own_delete(answer, known.record, self._iris):
                several.append(answer)
                raise PassedOver(
                    "operations_of_function",
                    f"the function asks for {len(answer.operations)} operations, planned by themselves",
                )
            return self._wish(entry, action, known, context, answer)

        if action.on_bibs:
            change = self._of_bib(task, build)
        else:
            change = self._resolver.concern(task, build, look)
        if not several:
            return [Draft(change=change)]
        # The record that the function was given is free for its operations, and for later steps.
        asked = change if change.number else replace(change, target_key=None)
        return [Draft(change=asked), *self._operations(entry, action, task, several[-1], look)]

    def _of_bib(self, task: Task, build: Callable[[Known], Wish]) -> PlannedChange:
        """Ask the function about a bib that it need not be allowed to write."""

        def ask() -> Refusal:
            bib = self._resolver.bib(task.ref)
            document = self._resolver.document(bib.summary.id) or {}
            build(Known(record=bib.summary.id, kind="bib", before=document, now=document))
            return Refusal(
                code="function_answer",
                message="a function on bibs returns operations, skip or refuse",
                hint="to change the bibs themselves, leave `on` out",
            )

        found = self._resolver.attempt(task, ask)
        if isinstance(found, PlannedChange):
            return found
        return PlannedChange(
            number=0,
            record=task.ref,
            given=task.given,
            source=task.source,
            operation={},
            step=task.step,
            **as_refused(found),
        )

    # --- the call ----------------------------------------------------------------------------

    def _answer(
        self, entry: StepEntry, action: StepFunction, record: str, document: Document
    ) -> FunctionAnswer:
        def look_up(wanted: str) -> Document | None:
            iri = item_of(document) if wanted == "bib" else wanted
            return None if iri is None else self._resolver.document(iri)

        given = FunctionInput(
            document={"@graph": document.get("@graph", [])},
            id=record,
            row=entry.row,
            parameters=self._parameters,
            look=look_up,
        )
        try:
            answer = self._runner(action).call(given)
        except FunctionFault as fault:
            raise Refused(
                Refusal(
                    code=fault.code,
                    message=f"{action.source.name}: {fault.message}",
                    hint="mend the function",
                )
            ) from None
        match answer:
            case Skipped(reason=reason):
                raise PassedOver("skipped_by_function", reason)
            case Declined(reason=reason):
                raise Refused(Refusal(code="refused_by_function", message=reason))
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
        expect = {at: looked_up(value, context) for at, value in entry.step.expect.items()}
        if not isinstance(answer, Changed):
            return Removal(operation={"delete": known.record}, wish=asked, expect=expect)
        result = edited(document, answer.document)
        if isinstance(result, Refusal):
            raise Refused(result)
        update = Update(source=entry.source, target=known.record, changes=result.changes)
        after = self._iris.localise(result.document)
        return Edit(
            operation=neutral_operation(update, self._iris),
            wish=asked,
            change=lambda _: Applied(document=after, declared=result.declared),
            pattern=parts_of_update(update),
            expect=expect,
        )

    def _asked(self, entry: StepEntry, action: StepFunction, record: str) -> dict[str, Any]:
        """Return what is asked of a record before anybody has looked into it."""
        asked = {"function": digest(action.source.meaning()), "of": record}
        return asked | ({"row": dict(entry.row)} if entry.row is not None else {})

    # --- operations --------------------------------------------------------------------------

    def _operations(
        self, entry: StepEntry, action: StepFunction, task: Task, answer: Several, look: Look
    ) -> list[Draft]:
        """Plan operations in order; each waits for the one before, and falls with it."""
        drafts: list[Draft] = []
        runner = self._runner(action)
        failed = False
        for number, data in enumerate(answer.operations, start=1):
            own = replace(task, subject=False)
            change = self._one(entry, runner, own, data, look, number, failed=failed)
            change = _once(change, drafts)
            failed = failed or change.action in (Action.REFUSED, Action.NOT_FOUND)
            needs = tuple(
                place + 1 for place, draft in enumerate(drafts) if draft.change.action in WRITING
            )
            drafts.append(Draft(change=change, needs=needs))
        return drafts

    def _one(
        self,
        entry: StepEntry,
        runner: FunctionRunner,
        task: Task,
        data: Mapping[str, Any],
        look: Look,
        number: int,
        *,
        failed: bool,
    ) -> PlannedChange:
        if failed:
            message = f"operation {number} of the function follows one that is refused"
            return _refused(task, Refusal(code="prerequisite", message=message))
        try:
            op = runner.operation(data, entry.source)
        except FunctionFault as fault:
            refusal = Refusal(code=fault.code, message=f"operation {number}: {fault.message}")
            return _refused(task, refusal)
        return self._planned(op, task, look)

    def _planned(self, op: Operation, task: Task, look: Look) -> PlannedChange:
        operation = neutral_operation(op, self._iris)
        match op:
            case Update():
                task = replace(task, ref=op.target, verb="update")
                edit = Edit(
                    operation=operation,
                    change=lambda now: apply_update(now, op, self._iris),
                    pattern=parts_of_update(op),
                    resave=op.resave,
                )
                return self._resolver.concern(task, lambda _: edit, look)
            case Delete():
                task = replace(task, ref=op.target, verb="delete")
                removal = Removal(operation=operation, expect=op.expect)
                return self._resolver.concern(task, lambda _: removal, look)
            case Create(creates=Creates.HOLDING):
                task = replace(task, ref=op.of or "", verb="create")
                creation = Creation(
                    sigel=op.sigel,
                    operation=operation,
                    document=lambda iri: build_create(op, iris=self._iris, bib_thing_iri=iri),
                    pattern=pattern_of(op),
                )
                return self._resolver.hold(task, lambda _: creation, look)
            case _:
                document = build_create(op, iris=self._iris, bib_thing_iri=None)
                task = replace(task, verb="create", operation=operation)
                return self._resolver.make_bib(task, op.sigel, document, pattern_of(op))


def _is_own_delete(answer: Several, record: str, iris: IriMap) -> bool:
    """Tell whether the only operation is to delete the record that the function was given."""
    if len(answer.operations) != 1 or set(answer.operations[0]) != {"delete"}:
        return False
    ref = iris.parse(str(answer.operations[0]["delete"]))
    return ref is not None and ref.value == record


def _once(change: PlannedChange, drafts: Sequence[Draft]) -> PlannedChange:
    """Refuse a second operation of one answer on one record."""
    names = (change.target_key, change.number or None)
    for draft in drafts:
        other = (draft.change.target_key, draft.change.number or None)
        if any(one is not None and one == two for one, two in zip(names, other, strict=True)):
            refusal = Refusal(
                code="duplicate_operation",
                message="the function returned two operations on this record",
                hint="let it say everything about a record in one operation",
            )
            refused = as_refused(refusal)
            return replace(
                change,
                number=0,
                target_key=None,
                after=None,
                predicted=None,
                after_fingerprint=None,
                cleanups=(),
                pattern="",
                **refused,
            )
    return change


def _refused(task: Task, refusal: Refusal) -> PlannedChange:
    return PlannedChange(
        number=0,
        record=task.ref,
        given=task.given,
        source=task.source,
        operation={},
        declared=task.verb,
        step=task.step,
        **as_refused(refusal),
    )
