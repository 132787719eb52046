"""One entry of a step against the environment's records: what would be written, or why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from bulkrunner.domain.context import Context
from bulkrunner.domain.expecting import ground_expected
from bulkrunner.domain.job import Create, Creates, Delete, Operation, Update
from bulkrunner.domain.operations import (
    Applied,
    Refusal,
    apply_update,
    build_create,
    check_expect,
    ground_update,
    neutral_operation,
)
from bulkrunner.domain.patterns import parts_of_update, pattern_of
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.records import Document
from bulkrunner.domain.searches import Held
from bulkrunner.domain.steps import (
    StepCreate,
    StepDelete,
    StepEntry,
    StepFunction,
    StepTransfer,
    StepUpdate,
)
from bulkrunner.domain.values import ground, settle
from bulkrunner.services.planning.acting import Acting
from bulkrunner.services.planning.calling import Calling
from bulkrunner.services.planning.referring import Contexts, admit, looked_up
from bulkrunner.services.planning.refusing import refused_entry
from bulkrunner.services.planning.resolving import Resolver
from bulkrunner.services.planning.selecting import Selecting, fitting
from bulkrunner.services.planning.steps import (
    Creation,
    Draft,
    Edit,
    Known,
    PassedOver,
    Portion,
    Refused,
    Removal,
    Task,
    Wish,
    demand,
)
from bulkrunner.services.planning.view import Look


class Stepping:
    """Turns entries of steps into planned changes; thread safe, keeps nothing per entry."""

    def __init__(
        self,
        resolver: Resolver,
        selecting: Selecting,
        calling: Calling,
        acting: Acting,
        contexts: Contexts,
    ) -> None:
        """Plan the entries of steps.

        Args:
            resolver: of single records.
            selecting: tells which records an entry means.
            calling: plans the steps that are functions.
            acting: plans the steps that are more than one operation.
            contexts: of records, for conditions and values.
        """
        self._contexts = contexts
        self._resolver = resolver
        self._selecting = selecting
        self._iris = contexts.iris
        self._calling = calling
        self._acting = acting

    def resolve(self, entry: StepEntry, look: Look) -> list[Portion]:
        """Return what becomes of each record that one entry means, or of the entry where it is none.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        step = entry.step
        task = Task(
            source=entry.source,
            given=entry.given,
            ref=entry.ref,
            verb=type(step.action).__name__.removeprefix("Step").lower(),
            step=step.number,
            on_missing=step.on_missing,
            on_duplicate=step.on_duplicate,
        )
        records = self._resolver.attempt(task, lambda: self._selecting.records(entry, look))
        if isinstance(records, PlannedChange):
            if entry.refusal is not None:
                records = refused_entry(task, entry.refusal)
            return [_settled([Draft(change=records)])]
        portions = [self._portion(entry, replace(task, ref=one), look.another()) for one in records]
        foreign = [self._passed_over(task, held) for held in self._selecting.foreign(entry)]
        return [*portions, _settled(foreign)] if foreign else portions

    def _portion(self, entry: StepEntry, task: Task, look: Look) -> Portion:
        drafts = self._act(entry, task, look)
        asked = frozenset(look.asked)
        return Portion(drafts=drafts, asked=asked, act=lambda anew: self._act(entry, task, anew))

    def _passed_over(self, task: Task, held: Held) -> Draft:
        """Return what becomes of another library's holding: nothing, and not in silence."""

        def other_library() -> PlannedChange:
            owner = held.sigel or "no library that can be read"
            raise PassedOver("other_library", f"the holding belongs to {owner}")

        change = self._resolver.attempt(replace(task, ref=held.record), other_library)
        return Draft(change=change, alone=True)

    def _refused(self, task: Task, refusal: Refusal, look: Look) -> PlannedChange:
        """Return what becomes of a record of which an input says something that cannot be used."""

        def refuse(_: Known) -> NoReturn:
            raise Refused(refusal)

        if task.verb != "create":
            change = self._resolver.concern(task, refuse, look)
            if change.action is not Action.NOT_FOUND:
                return change
        return refused_entry(task, refusal)

    def _act(self, entry: StepEntry, task: Task, look: Look) -> list[Draft]:
        if entry.refusal is not None:
            return [Draft(change=self._refused(task, entry.refusal, look))]
        drafts = self._acted(entry, task, look)
        return drafts if entry.query is None else [_of_search(draft) for draft in drafts]

    def _acted(self, entry: StepEntry, task: Task, look: Look) -> list[Draft]:
        if isinstance(entry.step.action, StepFunction):
            return self._calling.act(entry, entry.step.action, task, look)
        if isinstance(entry.step.action, StepTransfer):
            return self._acting.act(entry, entry.step.action, task, look)
        if isinstance(entry.step.action, StepCreate):
            change = self._resolver.hold(
                task, lambda known: self._creation(entry, known, look), look
            )
        else:
            change = self._resolver.concern(
                task, lambda known: self._wish(entry, known, look), look
            )
        return [Draft(change=change)]

    def _wish(self, entry: StepEntry, known: Known, look: Look) -> Wish:
        context = self._contexts.of_record(entry, known, look)
        op = operation_of(entry, known.name)
        if not isinstance(op, Update):
            return self._removal(entry, context, known)
        wanted = ground_update(op, context)
        operation = neutral_operation(wanted, self._iris)

        def admitted() -> None:
            _fit(entry, known)
            admit(entry.step, context)

        def change(now: Document) -> Applied | Refusal:
            return apply_update(now, wanted, self._iris, context)

        def done(result: Applied) -> tuple[Mapping[str, Any], tuple[str, ...]]:
            made = replace(wanted, changes=result.changes)
            tried = replace(wanted, changes=result.effective or result.changes)
            return neutral_operation(made, self._iris), parts_of_update(tried)

        return Edit(
            operation=operation,
            wish=operation,
            change=change,
            done=done,
            admit=admitted,
            pattern=parts_of_update(wanted),
            resave=wanted.resave,
        )

    def _removal(self, entry: StepEntry, context: Context, known: Known) -> Removal:
        expect = {at: ground_expected(value, context) for at, value in entry.step.expect.items()}
        op = Delete(source=entry.source, target=known.name, expect=expect)

        def admitted() -> None:
            _fit(entry, known)
            admit(entry.step, context)
            demand(check_expect(context.document, expect, self._iris, context))

        return Removal(operation=neutral_operation(op, self._iris), admit=admitted)

    def _creation(self, entry: StepEntry, known: Known, look: Look) -> Creation:
        context = self._contexts.of_bib(entry, known, look)
        op = operation_of(entry, known.record)
        if not isinstance(op, Create):
            raise TypeError("the step creates nothing")
        op = replace(op, sigel=_sigel(looked_up(op.sigel, context)))
        wanted = _with(op, lambda value: ground(value, context))
        made = _with(op, lambda value: settle(value, context, whole=True))

        def document(iri: str) -> Document:
            plain = _with(op, lambda value: looked_up(value, context))
            return build_create(plain, iris=self._iris, bib_thing_iri=iri)

        return Creation(
            sigel=op.sigel,
            operation=neutral_operation(made, self._iris),
            wish=neutral_operation(wanted, self._iris),
            document=document,
            admit=lambda: admit(entry.step, context),
            pattern=pattern_of(made),
        )


def _with(op: Create, look_up: Callable[[Any], Any]) -> Create:
    return replace(op, body=look_up(op.body), record=look_up(op.record))


def _sigel(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise Refused(
        Refusal(
            code="no_sigel",
            message="the value that the step takes the sigel from is no text",
            hint="give each row the library's sigel",
        )
    )


def _fit(entry: StepEntry, known: Known) -> None:
    """Go on where a record still fits the search that named it."""
    if entry.query is not None and entry.step.concerns_selected and known.before is not None:
        fitting(known.before, entry.query)


def operation_of(entry: StepEntry, ref: str) -> Operation:
    """Return the operation that a step is on one record.

    Args:
        entry: of the step.
        ref: the record, or the bib that a holding is created on: short id or legacy IRI.
    """
    step = entry.step
    match step.action:
        case StepUpdate(changes=changes, resave=resave):
            return Update(
                source=entry.source,
                target=ref,
                changes=changes,
                resave=resave,
                expect=step.expect,
            )
        case StepDelete():
            return Delete(source=entry.source, target=ref, expect=step.expect)
        case StepCreate(sigel=sigel, body=body, record=record):
            return Create(
                source=entry.source,
                creates=Creates.HOLDING,
                sigel=sigel,
                of=ref,
                body=body,
                record=record,
            )
        case _:
            raise NotImplementedError(f"{type(step.action).__name__} is no single operation")


def _of_search(draft: Draft) -> Draft:
    """Say of a deleted record why it was named all the same."""
    if draft.change.code != "gone":
        return draft
    message = f"{draft.change.message}, but the search index keeps it still"
    return replace(draft, change=replace(draft.change, message=message))


def _settled(drafts: Sequence[Draft]) -> Portion:
    """Return drafts that depend on nothing in the plan."""
    return Portion(drafts=drafts, act=lambda _: drafts)
