"""One entry of a step against the environment's records: what would be written, or why not."""

from __future__ import annotations

from dataclasses import replace

from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Create, Creates, Delete, Operation, Update
from bulkrunner.domain.operations import apply_update, build_create, neutral_operation
from bulkrunner.domain.patterns import parts_of_update, pattern_of
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.searches import Held
from bulkrunner.domain.steps import StepCreate, StepDelete, StepEntry, StepFunction, StepUpdate
from bulkrunner.services.planning.calling import Calling
from bulkrunner.services.planning.resolving import Resolver
from bulkrunner.services.planning.selecting import Selecting, fitting
from bulkrunner.services.planning.steps import (
    Creation,
    Draft,
    Edit,
    Known,
    PassedOver,
    Removal,
    Task,
    Wish,
)
from bulkrunner.services.planning.view import Look


class Stepping:
    """Turns entries of steps into planned changes; thread safe, keeps nothing per entry."""

    def __init__(
        self, resolver: Resolver, selecting: Selecting, iris: IriMap, calling: Calling
    ) -> None:
        self._resolver = resolver
        self._selecting = selecting
        self._iris = iris
        self._calling = calling

    def resolve(self, entry: StepEntry, look: Look) -> list[Draft]:
        """Return the changes that one entry comes to, at least one.

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
            return [Draft(change=records)]
        drafts: list[Draft] = []
        for record in records:
            made = self._act(entry, replace(task, ref=record), look)
            drafts += [_moved(draft, len(drafts)) for draft in made]
        drafts += [self._passed_over(task, held) for held in self._selecting.foreign(entry)]
        return drafts

    def _passed_over(self, task: Task, held: Held) -> Draft:
        """Return what becomes of another library's holding: nothing, and not in silence."""

        def other_library() -> PlannedChange:
            owner = held.sigel or "no library that can be read"
            raise PassedOver("other_library", f"the holding belongs to {owner}")

        change = self._resolver.attempt(replace(task, ref=held.record), other_library)
        return Draft(change=change, alone=True)

    def _act(self, entry: StepEntry, task: Task, look: Look) -> list[Draft]:
        if isinstance(entry.step.action, StepFunction):
            return self._calling.act(entry, entry.step.action, task, look)
        if isinstance(entry.step.action, StepCreate):
            change = self._resolver.hold(task, lambda known: self._creation(entry, known), look)
        else:
            change = self._resolver.concern(
                task, lambda known: self._wish(_fitting(entry, known), known), look
            )
        return [Draft(change=change)]

    def _wish(self, entry: StepEntry, known: Known) -> Wish:
        op = operation_of(entry, known.record if known.before is not None else NEW)
        operation = neutral_operation(op, self._iris)
        if not isinstance(op, Update):
            return Removal(operation=operation, expect=entry.step.expect)
        return Edit(
            operation=operation,
            change=lambda now: apply_update(now, op, self._iris),
            pattern=parts_of_update(op),
            resave=op.resave,
        )

    def _creation(self, entry: StepEntry, known: Known) -> Creation:
        op = operation_of(entry, known.record)
        if not isinstance(op, Create):
            raise TypeError("the step creates nothing")
        return Creation(
            sigel=op.sigel,
            operation=neutral_operation(op, self._iris),
            document=lambda iri: build_create(op, iris=self._iris, bib_thing_iri=iri),
            pattern=pattern_of(op),
        )


def _fitting(entry: StepEntry, known: Known) -> StepEntry:
    """Return the entry of a record that still fits the search that named it."""
    if entry.query is not None and entry.step.concerns_selected and known.before is not None:
        fitting(known.before, entry.query)
    return entry


NEW = "new"
"""Stands, in an operation, for the record that the same change creates."""


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


def _moved(draft: Draft, by: int) -> Draft:
    return replace(draft, needs=tuple(place + by for place in draft.needs))
