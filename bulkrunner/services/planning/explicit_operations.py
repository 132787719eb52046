"""Explicit operations: each is one planned change, whose number is its place in the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bulkrunner.domain.expressions.expectations import check_expect
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Create, Creates, Delete, Operation, Unreadable, Update
from bulkrunner.domain.operations import (
    PREFIX,
    apply_update,
    build_create,
    created_number,
    neutral_operation,
    references_of,
    with_ids,
    with_names,
)
from bulkrunner.domain.plan import Action, PlannedChange, holding_key
from bulkrunner.domain.records import Document
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.report_groups import parts_of_update, pattern_of
from bulkrunner.domain.transfers import repointed
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.draft import (
    CreateIntent,
    DeleteIntent,
    Draft,
    Drafter,
    Fields,
    Request,
    Target,
    UpdateIntent,
    demand,
    still_wanted,
)
from bulkrunner.services.planning.existing import Existing
from bulkrunner.services.planning.new_holdings import Creations
from bulkrunner.services.planning.plan_so_far import Earlier, Look, Waits, refused_entry, waits


@dataclass(frozen=True, kw_only=True)
class Explicit:
    """Turns operations, of a list or of a function, into planned changes; thread safe."""

    existing: Existing
    creations: Creations
    drafter: Drafter
    iris: IriMap

    # --- of a list ---------------------------------------------------------------------------

    def meant(
        self, number: int, declared: Operation | Unreadable
    ) -> tuple[Sequence[Request], Sequence[Draft]]:
        """Return what the operation at a place of the list wants, or what becomes of an unreadable one."""
        if isinstance(declared, Unreadable):
            return [], [Draft(change=_unreadable(declared), alone=True)]
        named = named_by(declared, number)
        entry = Request(source=declared.source, given=named, ref=named, verb="")
        return [self.request(declared, named, entry)], []

    def resolve(self, declared: Operation, request: Request, look: Look) -> Draft:
        """Return the planned change of one operation; refusals are changes too."""
        try:
            found = self.waits(declared, request, look.numbered)
        except Refused as refused:
            change = self.refused(declared, request, refused.refusal, look)
            return Draft(change=change, alone=True)
        change = self.planned(declared, request, found, look)
        numbers = tuple(sorted({*change.prerequisites, *found.numbers}))
        return Draft(change=replace(change, prerequisites=numbers), alone=True)

    # --- any operation -----------------------------------------------------------------------

    def request(self, op: Operation, ref: str, request: Request) -> Request:
        """Return what an operation wants of a record, for an entry's request."""
        operation = neutral_operation(op, self.iris)
        return replace(request, ref=ref, verb=type(op).__name__.lower(), operation=operation)

    def waits(self, op: Operation, request: Request, earlier: Earlier) -> Waits:
        """Return what an operation waits for."""
        return waits(op.after, references_of(request.operation), earlier)

    def planned(self, op: Operation, request: Request, found: Waits, look: Look) -> PlannedChange:
        """Return the planned change; refusals are changes too."""
        if found.names:
            request = replace(request, operation=with_names(request.operation, found.names))
        target = Target.of(request)
        match op:
            case Update(repoint=str(bib)):
                return self.drafter.change(
                    request, target, lambda: self._repointed(op, bib, request, target, found, look)
                )
            case Update():
                return self.drafter.change(
                    request, target, lambda: self._updated(op, request, target, found, look)
                )
            case Delete():
                return self.drafter.change(
                    request, target, lambda: self._deleted(op, request, target, look)
                )
            case Create(creates=Creates.HOLDING):
                target.kind, target.waits = "holding", found.numbers
                return self.drafter.change(
                    request, target, lambda: self._held(op, request, target, found, look)
                )
            case _:
                try:
                    document = self._created(op, None, found)
                except Refused as fault:
                    return refused_entry(request, fault.refusal)
                return self.creations.make_bib(request, op.sigel, document, pattern_of(op), look)

    def refused(
        self, op: Operation, request: Request, refusal: Refusal, look: Look
    ) -> PlannedChange:
        """Return a refused operation with the record that it is about, so that nothing else writes it."""
        if not isinstance(op, Create):
            change = self.existing.refuse(request, refusal, look)
        elif op.of is None or created_number(op.of) is not None:
            return refused_entry(request, refusal)
        else:
            target = Target.of(request)
            target.kind = "holding"

            def refuse() -> Fields:
                bib = self.creations.place(request, target, look)
                target.target_key = holding_key(bib.summary.id, op.sigel)
                raise Refused.of(refusal)

            change = self.drafter.change(request, target, refuse)
        return refused_entry(request, refusal) if change.action is Action.NOT_FOUND else change

    def _updated(
        self, op: Update, request: Request, target: Target, found: Waits, look: Look
    ) -> Fields:
        self.existing.meet(request, target, look)
        intent = UpdateIntent(
            operation=request.operation, pattern=parts_of_update(op), resave=op.resave
        )
        if (settled := self.existing.settled(request, target, intent)) is not None:
            return settled
        result = apply_update(target.now or {}, op, self.iris)
        if not isinstance(result, Refusal) and found.records:
            document = with_ids(result.document, found.records, self.iris)
            result = replace(result, document=document)
        return self.existing.updated(target, intent, result)

    def _repointed(
        self, op: Update, to: str, request: Request, target: Target, found: Waits, look: Look
    ) -> Fields:
        self.existing.meet(request, target, look, kind="holding")
        intent = UpdateIntent(operation=request.operation, pattern=(Sentence("part_repoint"),))
        if (settled := self.existing.settled(request, target, intent)) is not None:
            return settled
        with still_wanted(target):
            bib = self.creations.bib(to, look, found)
            self.creations.hang(request, bib, target, look)
        now = target.now or {}
        demand(check_expect(now, op.expect, self.iris))
        return self.existing.updated(target, intent, repointed(now, bib.thing_iri))

    def _deleted(self, op: Delete, request: Request, target: Target, look: Look) -> Fields:
        self.existing.meet(request, target, look)
        intent = DeleteIntent(operation=request.operation)
        if (settled := self.existing.settled(request, target, intent)) is not None:
            return settled
        demand(check_expect(target.now or {}, op.expect, self.iris))
        return self.existing.deleted(target, intent)

    def _held(
        self, op: Create, request: Request, target: Target, found: Waits, look: Look
    ) -> Fields:
        bib = self.creations.place(request, target, look, found)
        intent = CreateIntent(sigel=op.sigel, operation=request.operation, pattern=pattern_of(op))
        settled = self.creations.settled(request, target, intent, bib, look)
        if settled is not None:
            return settled
        document = self._created(op, bib.thing_iri, found)
        return self.creations.created(document, intent.pattern)

    def _created(self, op: Create, bib_thing_iri: str | None, found: Waits) -> Document:
        document = build_create(op, iris=self.iris, bib_thing_iri=bib_thing_iri)
        return with_ids(document, found.records, self.iris) if found.records else document


def named_by(op: Operation, number: int) -> str:
    """Return the record that an operation names, or the number of the one that it creates."""
    if isinstance(op, Create):
        return op.of if op.of is not None else f"{PREFIX}{number}"
    return op.target


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
