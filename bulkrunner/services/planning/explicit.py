"""Explicit operations: each is one planned change, whose number is its place in the list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bulkrunner.domain.created import PREFIX, references_of, with_ids, with_names
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Create, Creates, Delete, Operation, Unreadable, Update
from bulkrunner.domain.operations import (
    Applied,
    Refusal,
    apply_update,
    build_create,
    neutral_operation,
)
from bulkrunner.domain.patterns import parts_of_update, pattern_of
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.records import Document
from bulkrunner.services.planning.resolving import Resolver
from bulkrunner.services.planning.steps import (
    Creation,
    Draft,
    Edit,
    Refused,
    Removal,
    Task,
    as_refused,
)
from bulkrunner.services.planning.view import Look
from bulkrunner.services.planning.waiting import Waits, waits


class Explicit:
    """Turns explicit operations into planned changes."""

    def __init__(self, resolver: Resolver, iris: IriMap) -> None:
        self._resolver = resolver
        self._iris = iris

    def resolve(self, number: int, declared: Operation | Unreadable, look: Look) -> Draft:
        """Return the planned change of one operation; refusals are changes too.

        Args:
            number: place in the list.
            declared: the operation.
            look: at what precedes in the plan.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        if isinstance(declared, Unreadable):
            return Draft(change=_unreadable(declared), alone=True)
        operation = neutral_operation(declared, self._iris)
        task = Task(
            source=declared.source,
            given=_named(declared, number),
            ref=_named(declared, number),
            verb=type(declared).__name__.lower(),
            operation=operation,
        )
        try:
            found = waits(declared.after, references_of(operation), look)
        except Refused as refused:
            return Draft(change=_refused(task, refused.refusal), alone=True)
        task = replace(task, operation=with_names(operation, found.names))
        return Draft(change=self._change(declared, task, found, look), alone=True)

    def _change(self, declared: Operation, task: Task, found: Waits, look: Look) -> PlannedChange:
        match declared:
            case Update():
                edit = Edit(
                    operation=task.operation,
                    change=lambda now: self._updated(now, declared, found),
                    pattern=parts_of_update(declared),
                    resave=declared.resave,
                )
                change = self._resolver.concern(task, lambda _: edit, look)
            case Delete(expect=expect):
                removal = Removal(operation=task.operation, expect=expect)
                change = self._resolver.concern(task, lambda _: removal, look)
            case Create(creates=Creates.HOLDING):
                creation = Creation(
                    sigel=declared.sigel,
                    operation=task.operation,
                    document=lambda iri: self._created(declared, iri, found),
                    pattern=pattern_of(declared),
                )
                change = self._resolver.hold(task, lambda _: creation, look, found)
            case _:
                document = self._created(declared, None, found)
                change = self._resolver.make_bib(
                    task, declared.sigel, document, pattern_of(declared)
                )
        numbers = tuple(sorted({*change.prerequisites, *found.numbers}))
        return replace(change, prerequisites=numbers)

    def _updated(self, now: Document, declared: Update, found: Waits) -> Applied | Refusal:
        result = apply_update(now, declared, self._iris)
        if isinstance(result, Refusal) or not found.records:
            return result
        return replace(result, document=with_ids(result.document, found.records, self._iris))

    def _created(self, declared: Create, bib_thing_iri: str | None, found: Waits) -> Document:
        document = build_create(declared, iris=self._iris, bib_thing_iri=bib_thing_iri)
        return with_ids(document, found.records, self._iris) if found.records else document


def _named(declared: Operation, number: int) -> str:
    if isinstance(declared, Create):
        return declared.of if declared.of is not None else f"{PREFIX}{number}"
    return declared.target


def _unreadable(declared: Unreadable) -> PlannedChange:
    return PlannedChange(
        number=0,
        action=Action.NOT_FOUND if declared.on_missing == "report" else Action.REFUSED,
        record=declared.given,
        given=declared.given,
        source=declared.source,
        operation={},
        code=declared.code,
        message=declared.message,
    )


def _refused(task: Task, refusal: Refusal) -> PlannedChange:
    fields: Mapping[str, Any] = as_refused(refusal)
    return PlannedChange(
        number=0,
        record=task.ref,
        given=task.given,
        source=task.source,
        declared=task.verb,
        operation=task.operation,
        **fields,
    )
