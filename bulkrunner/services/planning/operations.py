"""Explicit operations: each is one planned change, whose number is its place in the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from bulkrunner.domain.change_patterns import parts_of_update, pattern_of
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Create, Creates, Delete, Operation, Unreadable, Update
from bulkrunner.domain.new_records import (
    PREFIX,
    created_number,
    references_of,
    with_ids,
    with_names,
)
from bulkrunner.domain.operations import (
    Applied,
    apply_update,
    build_create,
    neutral_operation,
)
from bulkrunner.domain.plan import Action, PlannedChange, holding_key
from bulkrunner.domain.records import Document
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.transfers import repointed
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.draft import (
    Creation,
    Draft,
    Earlier,
    Edit,
    Known,
    Removal,
    Task,
    Waits,
    refused_entry,
    waits,
)
from bulkrunner.services.planning.plan_so_far import Look
from bulkrunner.services.planning.resolver import Resolver


class Operating:
    """Turns operations into planned changes; thread safe."""

    def __init__(self, resolver: Resolver, iris: IriMap) -> None:
        self._resolver = resolver
        self._iris = iris

    def waits(self, op: Operation, earlier: Earlier) -> Waits:
        """Return what an operation waits for.

        Args:
            op: the operation.
            earlier: finds what became of the operations before it.

        Raises:
            Refused: one that it names is not carried out, or creates nothing.
        """
        operation = neutral_operation(op, self._iris)
        return waits(op.after, references_of(operation), earlier)

    def planned(self, op: Operation, task: Task, found: Waits, look: Look) -> PlannedChange:
        """Return the planned change; refusals are changes too.

        Args:
            op: the operation.
            task: of the entry, with the record that the operation names.
            found: what it waits for.
            look: at what precedes in the plan.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        operation = with_names(neutral_operation(op, self._iris), found.names)
        task = replace(task, operation=operation)
        match op:
            case Update(repoint=str(bib)):
                return self._resolver.concern(
                    task,
                    lambda known: self._repointing(op, bib, task, found, known, look),
                    look,
                    kind="holding",
                )
            case Update():
                edit = Edit(
                    operation=operation,
                    change=lambda now: self._updated(now, op, found),
                    pattern=parts_of_update(op),
                    resave=op.resave,
                )
                return self._resolver.concern(task, lambda _: edit, look)
            case Delete(expect=expect):
                removal = Removal(operation=operation, expect=expect)
                return self._resolver.concern(task, lambda _: removal, look)
            case Create(creates=Creates.HOLDING):
                creation = Creation(
                    sigel=op.sigel,
                    operation=operation,
                    document=lambda iri: self._created(op, iri, found),
                    pattern=pattern_of(op),
                )
                return self._resolver.hold(task, lambda _: creation, look, found)
            case _:
                try:
                    document = self._created(op, None, found)
                except Refused as fault:
                    return refused_entry(task, fault.refusal)
                return self._resolver.make_bib(task, op.sigel, document, pattern_of(op), look)

    def refused(self, op: Operation, task: Task, refusal: Refusal, look: Look) -> PlannedChange:
        """Return a refused operation with the record that it is about, so that nothing else writes it.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        task = replace(task, operation=neutral_operation(op, self._iris))

        def refuse(known: Known) -> NoReturn:
            if isinstance(op, Create) and known.bib is not None:
                known.target_key = holding_key(known.bib.id, op.sigel)
            raise Refused.of(refusal)

        if isinstance(op, Create) and (op.of is None or created_number(op.of) is not None):
            return refused_entry(task, refusal)
        if isinstance(op, Create):
            change = self._resolver.hold(task, refuse, look)
        else:
            change = self._resolver.concern(task, refuse, look)
        return refused_entry(task, refusal) if change.action is Action.NOT_FOUND else change

    def _repointing(
        self, op: Update, to: str, task: Task, found: Waits, known: Known, look: Look
    ) -> Edit:
        target: list[str] = []

        def first() -> None:
            bib = self._resolver.bib_in_plan(to, look, found)
            self._resolver.hang(task, bib, known, look)
            target.append(bib.thing_iri)

        return Edit(
            operation=task.operation,
            change=lambda now: repointed(now, target[0]),
            pattern=(Sentence("part_repoint"),),
            first=first,
            expect=op.expect,
        )

    def _updated(self, now: Document, op: Update, found: Waits) -> Applied | Refusal:
        result = apply_update(now, op, self._iris)
        if isinstance(result, Refusal) or not found.records:
            return result
        return replace(result, document=with_ids(result.document, found.records, self._iris))

    def _created(self, op: Create, bib_thing_iri: str | None, found: Waits) -> Document:
        document = build_create(op, iris=self._iris, bib_thing_iri=bib_thing_iri)
        return with_ids(document, found.records, self._iris) if found.records else document


class Explicit:
    """Turns explicit operations into planned changes."""

    def __init__(self, operating: Operating, iris: IriMap) -> None:
        self._operating = operating
        self._iris = iris

    def meant(
        self, number: int, declared: Operation | Unreadable
    ) -> tuple[Sequence[Task], Sequence[Draft]]:
        """Return what the operation at a place of the list wants, or what becomes of an unreadable one."""
        if isinstance(declared, Unreadable):
            return [], [Draft(change=_unreadable(declared), alone=True)]
        named = _named(declared, number)
        task = Task(
            source=declared.source,
            given=named,
            ref=named,
            verb=type(declared).__name__.lower(),
            operation=neutral_operation(declared, self._iris),
        )
        return [task], []

    def resolve(self, declared: Operation, task: Task, look: Look) -> Draft:
        """Return the planned change of one operation; refusals are changes too.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        try:
            found = self._operating.waits(declared, look.numbered)
        except Refused as refused:
            change = self._operating.refused(declared, task, refused.refusal, look)
            return Draft(change=change, alone=True)
        change = self._operating.planned(declared, task, found, look)
        numbers = tuple(sorted({*change.prerequisites, *found.numbers}))
        return Draft(change=replace(change, prerequisites=numbers), alone=True)


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
