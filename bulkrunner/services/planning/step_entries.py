"""One entry of a step against the environment's records: what would be written, or why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from bulkrunner.domain.catalogue import Held
from bulkrunner.domain.change_patterns import parts_of_update, pattern_of
from bulkrunner.domain.expressions.expectations import bind_expected
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.values import bind, freeze
from bulkrunner.domain.manifest import Create, Creates, Delete, Operation, Update
from bulkrunner.domain.operations import (
    Applied,
    apply_update,
    bind_update,
    build_create,
    check_expect,
    neutral_operation,
)
from bulkrunner.domain.plan import Action, PlannedChange, holding_key, record_key
from bulkrunner.domain.records import Document, item_of
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.steps import (
    Step,
    StepCreate,
    StepDelete,
    StepEntry,
    StepFunction,
    StepTransfer,
    StepUpdate,
)
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.bibs import BibFacts
from bulkrunner.services.planning.contexts import Contexts, admit, fitting, looked_up
from bulkrunner.services.planning.draft import (
    Creation,
    Draft,
    Edit,
    Known,
    NotFound,
    PassedOver,
    Portion,
    Removal,
    Task,
    Wish,
    demand,
    refused_entry,
    subject_part,
)
from bulkrunner.services.planning.functions import Calling
from bulkrunner.services.planning.plan_so_far import Look
from bulkrunner.services.planning.resolver import Resolver
from bulkrunner.services.planning.transfers import Acting

FEW = 2

"""Libraries that are asked for one by one; more are asked for at once."""


class Selecting:
    """Turns what an entry names into records; thread safe, keeps nothing per entry."""

    def __init__(self, resolver: Resolver, sigels: Sequence[str]) -> None:
        """Select.

        Args:
            resolver: that reads.
            sigels: the job's.
        """
        self._resolver = resolver
        self._sigels = tuple(sigels)

    def records(self, entry: StepEntry, look: Look) -> Sequence[str]:
        """Return the records that an entry means, as ids, or keys of holdings yet to be created.

        Raises:
            NotFound, Refused, PassedOver: it means none.
            CatalogueUnreachable: the environment does not answer.
        """
        refs = self._named(entry)
        if entry.query is not None and not entry.step.concerns_selected:
            for ref in refs:
                self._retest(ref, entry.query)
        if entry.step.holdings is None:
            return refs
        found: list[str] = []
        for ref in refs:
            found += self._holdings(self._resolver.bib(ref), entry.step, look)
        if not found:
            found += self._done_with(refs, entry.step)
        if not found and not self.foreign(entry):
            for sigel in self._meant(entry.step):
                self._resolver.demand_rights(sigel)
            raise NotFound(
                "no_holding", Sentence("no_holding", sigels=", ".join(self._meant(entry.step)))
            )
        return tuple(found)

    def foreign(self, entry: StepEntry) -> tuple[Held, ...]:
        """Return other libraries' holdings where all holdings are meant; they are passed over.

        Raises:
            NotFound, Refused: the entry names no bib.
            CatalogueUnreachable: the environment does not answer.
        """
        if entry.step.holdings != "all":
            return ()
        refs = self._named(entry)
        bibs = [self._resolver.bib(ref) for ref in refs]
        every = [held for bib in bibs for held in self._resolver.holdings_on(bib.thing_iri)]
        return tuple(held for held in every if held.sigel not in self._sigels)

    def _named(self, entry: StepEntry) -> Sequence[str]:
        step = entry.step
        kind = None if step.concerns_selected and not _is_on_bibs(step) else "bib"
        return self._resolver.named(entry.ref, on_several=step.on_several, kind=kind)

    def _of_one(self, bib: BibFacts, sigel: str) -> tuple[str, ...]:
        return self._resolver.holdings(bib.thing_iri, sigel)

    def _of_all(self, bib: BibFacts) -> Mapping[str, Sequence[str]]:
        """Return the bib's holdings by sigel, asked for at once."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for held in self._resolver.holdings_on(bib.thing_iri):
            if held.sigel is not None:
                found[held.sigel].append(held.record)
        return found

    def _done_with(self, refs: Sequence[str], step: Step) -> Iterator[str]:
        """Yield holdings that an earlier run of the job has deleted: they say that they are done."""
        for ref in refs:
            bib = self._resolver.bib(ref).summary.id
            for sigel in self._meant(step):
                if (record := self._resolver.deleted_earlier(bib, sigel)) is not None:
                    yield record

    def _retest(self, ref: str, query: Mapping[str, Any]) -> None:
        """Pass over a bib that a search named and that does not fit it; it lags behind."""
        document = self._resolver.document(ref)
        if document is not None:
            fitting(document, query)

    def _meant(self, step: Step) -> tuple[str, ...]:
        return step.holdings if isinstance(step.holdings, tuple) else self._sigels

    def _holdings(self, bib: BibFacts, step: Step, look: Look) -> Iterator[str]:
        """Yield a bib's holdings as what precedes in the plan will have left them."""
        meant = self._meant(step)
        known = self._of_all(bib) if len(meant) > FEW else None
        for sigel in meant:
            if sigel not in self._sigels:
                raise Refused.of(
                    Refusal(
                        code="foreign_sigel",
                        message=Sentence("step_foreign_sigel", sigel=sigel),
                        hint=Sentence("step_foreign_sigel_hint", sigels=", ".join(self._sigels)),
                    )
                )
            if step.holdings == meant:
                self._resolver.demand_rights(sigel)
            key = holding_key(bib.summary.id, sigel)
            there = known[sigel] if known is not None else self._of_one(bib, sigel)
            planned = look.of([key, *map(record_key, there)])
            for record in there:
                if _is_still(planned.get(record_key(record)), bib, step.number):
                    yield record
            if (new := planned.get(key)) is not None and _is_new(new, there):
                yield new.record if new.action is Action.UPDATE else key


def _is_on_bibs(step: Step) -> bool:
    return isinstance(step.action, StepFunction) and step.action.on_bibs


def _is_still(change: PlannedChange | None, bib: BibFacts, step: int) -> bool:
    """Tell whether a holding is on the bib, or was before this step, whatever precedes."""
    if change is None or subject_part(change, step) is not None:
        return True
    if change.action is Action.UPDATE and change.after is not None:
        return item_of(change.after) == bib.thing_iri
    return change.action is not Action.DELETE


def _is_new(change: PlannedChange, there: Sequence[str]) -> bool:
    """Tell whether a change puts a holding on the bib that the catalogue does not know there."""
    if change.action is Action.REFUSED:
        return not there
    return change.action is Action.CREATE or (
        change.action is Action.UPDATE and change.record not in there
    )


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
            owner = held.sigel or Sentence("no_library_read")
            raise PassedOver("other_library", Sentence("other_library", owner=owner))

        change = self._resolver.attempt(replace(task, ref=held.record), other_library)
        return Draft(change=change, alone=True)

    def _refused(self, task: Task, refusal: Refusal, look: Look) -> PlannedChange:
        """Return what becomes of a record of which an input says something that cannot be used."""

        def refuse(_: Known) -> NoReturn:
            raise Refused.of(refusal)

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
        wanted = bind_update(op, context)
        operation = neutral_operation(wanted, self._iris)

        def admitted() -> None:
            _fit(entry, known)
            admit(entry.step, context)

        def change(now: Document) -> Applied | Refusal:
            return apply_update(now, wanted, self._iris, context)

        def done(result: Applied) -> tuple[Mapping[str, Any], tuple[Sentence, ...]]:
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
        expect = {at: bind_expected(value, context) for at, value in entry.step.expect.items()}
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
        wanted = _with(op, lambda value: bind(value, context))
        made = _with(op, lambda value: freeze(value, context, whole=True))

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
    raise Refused.of(
        Refusal(
            code="no_sigel",
            message=Sentence("sigel_no_text"),
            hint=Sentence("sigel_no_text_hint"),
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
    return replace(draft, change=replace(draft.change, message=Sentence("gone_not_from_index")))


def _settled(drafts: Sequence[Draft]) -> Portion:
    """Return drafts that depend on nothing in the plan."""
    return Portion(drafts=drafts, act=lambda _: drafts)
