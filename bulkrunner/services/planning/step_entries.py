"""One entry of a step against the environment's records: what would be written, or why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bulkrunner.domain.catalogue import Held
from bulkrunner.domain.expressions.expectations import bind_expected, check_expect
from bulkrunner.domain.expressions.values import bind, freeze
from bulkrunner.domain.manifest import Create, Creates, Delete, Operation, Update
from bulkrunner.domain.operations import apply_update, bind_update, build_create, neutral_operation
from bulkrunner.domain.plan import Action, PlannedChange, holding_key, record_key
from bulkrunner.domain.records import item_of
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.report_groups import parts_of_update, pattern_of
from bulkrunner.domain.steps import (
    Step,
    StepCreate,
    StepDelete,
    StepEntry,
    StepFunction,
    StepUpdate,
)
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.bibs import BibFacts
from bulkrunner.services.planning.catalogue_reading import Reading
from bulkrunner.services.planning.contexts import Contexts, admit, fit, fitting, looked_up
from bulkrunner.services.planning.draft import (
    CreateIntent,
    DeleteIntent,
    Draft,
    Drafter,
    Fields,
    NotFound,
    PassedOver,
    Request,
    Target,
    UpdateIntent,
    demand,
    subject_part,
)
from bulkrunner.services.planning.earlier_runs import EarlierRuns
from bulkrunner.services.planning.existing import Existing
from bulkrunner.services.planning.function_steps import FunctionSteps
from bulkrunner.services.planning.new_holdings import Creations
from bulkrunner.services.planning.plan_so_far import Look, refused_entry
from bulkrunner.services.planning.transfer_steps import TransferSteps

FEW = 2
"""Libraries that are asked for one by one where records are read singly; more are at once."""


@dataclass(frozen=True, kw_only=True)
class Selecting:
    """Turns what an entry names into records; thread safe, keeps nothing per entry."""

    reading: Reading
    earlier_runs: EarlierRuns
    sigels: tuple[str, ...]

    def records(self, entry: StepEntry, look: Look) -> Sequence[str]:
        """Return the records that an entry means, as ids, or keys of holdings yet to be created."""
        refs = self._named(entry)
        if entry.query is not None and not entry.step.concerns_selected:
            for ref in refs:
                self._retest(ref, entry.query)
        if entry.step.holdings is None:
            return refs
        found: list[str] = []
        for ref in refs:
            found += self._holdings(self.reading.bib(ref), entry.step, look)
        if not found:
            found += self._done_with(refs, entry.step)
        if not found and not self.foreign(entry):
            for sigel in self._meant(entry.step):
                self.reading.demand_rights(sigel)
            raise NotFound(
                "no_holding", Sentence("no_holding", sigels=", ".join(self._meant(entry.step)))
            )
        return tuple(found)

    def foreign(self, entry: StepEntry) -> tuple[Held, ...]:
        """Return other libraries' holdings where all holdings are meant; they are passed over."""
        if entry.step.holdings != "all":
            return ()
        refs = self._named(entry)
        bibs = [self.reading.bib(ref) for ref in refs]
        every = [held for bib in bibs for held in self.reading.reader.holdings_on(bib.thing_iri)]
        return tuple(held for held in every if held.sigel not in self.sigels)

    def _named(self, entry: StepEntry) -> Sequence[str]:
        step = entry.step
        kind = None if step.concerns_selected and not _is_on_bibs(step) else "bib"
        return self.reading.named(entry.ref, on_several=step.on_several, kind=kind)

    def _of_one(self, bib: BibFacts, sigel: str) -> tuple[str, ...]:
        return self.reading.reader.holdings_of(bib.thing_iri, sigel)

    def _of_all(self, bib: BibFacts) -> Mapping[str, Sequence[str]]:
        """Return the bib's holdings by sigel, asked for at once."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        there = self.reading.reader.holdings_on(bib.thing_iri)
        self.reading.seen.keep([held for held in there if held.sigel in self.sigels])
        for held in there:
            if held.sigel is not None:
                found[held.sigel].append(held.record)
        return found

    def _done_with(self, refs: Sequence[str], step: Step) -> Iterator[str]:
        """Yield holdings that an earlier run of the job has deleted: they say that they are done."""
        for ref in refs:
            bib = self.reading.bib(ref).summary.id
            for sigel in self._meant(step):
                if (record := self.earlier_runs.deleted(bib, sigel)) is not None:
                    yield record

    def _retest(self, ref: str, query: Mapping[str, Any]) -> None:
        """Pass over a bib that a search named and that does not fit it; it lags behind."""
        document = self.reading.document(ref)
        if document is not None:
            fitting(document, query)

    def _meant(self, step: Step) -> tuple[str, ...]:
        return step.holdings if isinstance(step.holdings, tuple) else self.sigels

    def _holdings(self, bib: BibFacts, step: Step, look: Look) -> Iterator[str]:
        """Yield a bib's holdings as what precedes in the plan will have left them."""
        meant = self._meant(step)
        at_once = len(meant) > FEW or self.reading.seen.is_asked
        known = self._of_all(bib) if at_once else None
        for sigel in meant:
            if sigel not in self.sigels:
                raise Refused(
                    "foreign_sigel",
                    Sentence("step_foreign_sigel", sigel=sigel),
                    Sentence("step_foreign_sigel_hint", sigels=", ".join(self.sigels)),
                )
            if step.holdings == meant:
                self.reading.demand_rights(sigel)
            key = holding_key(bib.summary.id, sigel)
            there = known.get(sigel, ()) if known is not None else self._of_one(bib, sigel)
            planned = look.of([key, *map(record_key, there)])
            for record in there:
                if _is_still(planned.get(record_key(record)), bib, step.number):
                    yield record
            if (new := planned.get(key)) is not None and _is_new(new, there):
                yield new.record if new.action is Action.UPDATE else key


def _is_on_bibs(step: Step) -> bool:
    return isinstance(step.action, StepFunction) and step.action.on_bibs


def _is_still(change: PlannedChange | None, bib: BibFacts, step: int) -> bool:
    """Return True if a holding is on the bib, or was before this step, whatever precedes."""
    if change is None or subject_part(change, step) is not None:
        return True
    if change.action is Action.UPDATE and change.after is not None:
        return item_of(change.after) == bib.thing_iri
    return change.action is not Action.DELETE


def _is_new(change: PlannedChange, there: Sequence[str]) -> bool:
    """Return True if a change puts a holding on the bib that the catalogue does not know there."""
    if change.action is Action.REFUSED:
        return not there
    return change.action is Action.CREATE or (
        change.action is Action.UPDATE and change.record not in there
    )


@dataclass(frozen=True, kw_only=True)
class StepEntries:
    """Turns entries of steps into planned changes; thread safe, keeps nothing per entry."""

    selecting: Selecting
    existing: Existing
    creations: Creations
    drafter: Drafter
    contexts: Contexts
    functions: FunctionSteps
    transfers: TransferSteps

    def meant(self, entry: StepEntry, look: Look) -> tuple[Sequence[Request], Sequence[Draft]]:
        """Return what is wanted of each record that an entry means, and what comes to nothing."""
        step = entry.step
        request = Request(
            source=entry.source,
            given=entry.given,
            ref=entry.ref,
            verb=type(step.action).__name__.removeprefix("Step").lower(),
            step=step.number,
            on_missing=step.on_missing,
            on_duplicate=step.on_duplicate,
        )
        records = self.drafter.attempt(request, lambda: self.selecting.records(entry, look))
        if isinstance(records, PlannedChange):
            if entry.refusal is not None:
                records = refused_entry(request, entry.refusal)
            return [], [Draft(change=records)]
        foreign = [self._passed_over(request, held) for held in self.selecting.foreign(entry)]
        return [replace(request, ref=one) for one in records], foreign

    def _passed_over(self, request: Request, held: Held) -> Draft:
        """Return what becomes of another library's holding: nothing, and not in silence."""

        def other_library() -> Fields:
            owner = held.sigel or Sentence("no_library_read")
            raise PassedOver("other_library", Sentence("other_library", owner=owner))

        target = Target(record=held.record)
        return Draft(change=self.drafter.change(request, target, other_library), alone=True)

    def act(self, entry: StepEntry, request: Request, look: Look) -> list[Draft]:
        """Return the changes that come of one record, at least one."""
        if entry.refusal is not None:
            return [Draft(change=self._refused(request, entry.refusal, look))]
        drafts = self._acted(entry, request, look)
        return drafts if entry.query is None else [_of_search(draft) for draft in drafts]

    def _refused(self, request: Request, refusal: Refusal, look: Look) -> PlannedChange:
        """Return what becomes of a record of which an input says something that cannot be used."""
        if request.verb != "create":
            change = self.existing.refuse(request, refusal, look)
            if change.action is not Action.NOT_FOUND:
                return change
        return refused_entry(request, refusal)

    def _acted(self, entry: StepEntry, request: Request, look: Look) -> list[Draft]:
        target = Target.of(request)
        match entry.step.action:
            case StepFunction() as action:
                return self.functions.act(entry, action, request, look)
            case StepUpdate():
                change = self.drafter.change(
                    request, target, lambda: self._updated(entry, request, target, look)
                )
            case StepDelete():
                change = self.drafter.change(
                    request, target, lambda: self._deleted(entry, request, target, look)
                )
            case StepCreate():
                target.kind = "holding"
                change = self.drafter.change(
                    request, target, lambda: self._held(entry, request, target, look)
                )
            case action:
                return self.transfers.act(entry, action, request, look)
        return [Draft(change=change)]

    def _updated(self, entry: StepEntry, request: Request, target: Target, look: Look) -> Fields:
        self.existing.meet(request, target, look)
        context = self.contexts.of_record(entry, target, look)
        op = operation_of(entry, target.name)
        if not isinstance(op, Update):
            raise TypeError("the step updates nothing")
        wanted = bind_update(op, context)
        operation = neutral_operation(wanted, self.contexts.iris)
        intent = UpdateIntent(operation=operation, wish=operation, resave=wanted.resave)

        def admitted() -> None:
            fit(entry, target)
            admit(entry.step, context)

        settled = self.existing.settled(request, target, intent, admitted)
        if settled is not None:
            return settled
        result = apply_update(target.now or {}, wanted, self.contexts.iris, context)
        if isinstance(result, Refusal):
            raise Refused.of(result)
        made = replace(wanted, changes=result.changes)
        tried = replace(wanted, changes=result.effective or result.changes)
        intent = replace(
            intent,
            operation=neutral_operation(made, self.contexts.iris),
            pattern=parts_of_update(tried),
        )
        return self.existing.updated(target, intent, result)

    def _deleted(self, entry: StepEntry, request: Request, target: Target, look: Look) -> Fields:
        self.existing.meet(request, target, look)
        context = self.contexts.of_record(entry, target, look)
        expect = {at: bind_expected(value, context) for at, value in entry.step.expect.items()}
        op = Delete(source=entry.source, target=target.name, expect=expect)
        intent = DeleteIntent(operation=neutral_operation(op, self.contexts.iris))

        def admitted() -> None:
            fit(entry, target)
            admit(entry.step, context)
            demand(check_expect(context.document, expect, self.contexts.iris, context))

        settled = self.existing.settled(request, target, intent, admitted)
        return settled if settled is not None else self.existing.deleted(target, intent)

    def _held(self, entry: StepEntry, request: Request, target: Target, look: Look) -> Fields:
        bib = self.creations.place(request, target, look)
        context = self.contexts.of_bib(entry, target, look)
        op = operation_of(entry, target.record)
        if not isinstance(op, Create):
            raise TypeError("the step creates nothing")
        op = replace(op, sigel=_sigel(looked_up(op.sigel, context)))
        wanted = replace(op, body=bind(op.body, context), record=bind(op.record, context))
        made = replace(
            op,
            body=freeze(op.body, context, whole=True),
            record=freeze(op.record, context, whole=True),
        )
        intent = CreateIntent(
            sigel=op.sigel,
            operation=neutral_operation(made, self.contexts.iris),
            wish=neutral_operation(wanted, self.contexts.iris),
            pattern=pattern_of(made),
        )
        settled = self.creations.settled(
            request, target, intent, bib, look, lambda: admit(entry.step, context)
        )
        if settled is not None:
            return settled
        plain = replace(op, body=looked_up(op.body, context), record=looked_up(op.record, context))
        document = build_create(plain, iris=self.contexts.iris, bib_thing_iri=bib.thing_iri)
        return self.creations.created(document, intent.pattern)


def _sigel(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise Refused("no_sigel", Sentence("sigel_no_text"), Sentence("sigel_no_text_hint"))


def operation_of(entry: StepEntry, ref: str) -> Operation:
    """Return the operation that a step is on one record."""
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
    return replace(draft, change=replace(draft.change, message=Sentence("gone_not_from_index")))
