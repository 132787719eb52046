"""Which records an entry of a step means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import Action, PlannedChange, holding_key, record_key
from bulkrunner.domain.queries import unmet_part
from bulkrunner.domain.records import Document, item_of
from bulkrunner.domain.searches import Held
from bulkrunner.domain.steps import Step, StepEntry, StepFunction
from bulkrunner.services.planning.bibs import BibFacts
from bulkrunner.services.planning.combining import subject_part
from bulkrunner.services.planning.resolving import Resolver
from bulkrunner.services.planning.steps import NotFound, PassedOver, Refused
from bulkrunner.services.planning.view import Look

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
                "no_holding", f"{', '.join(self._meant(entry.step))} has no holding on it"
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
                raise Refused(
                    Refusal(
                        code="foreign_sigel",
                        message=f"the step names {sigel}, which the job may not touch",
                        hint=f"the job's sigels are {', '.join(self._sigels)}; take the library off "
                        "the step, or add it to `sigels` if it has agreed",
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


def fitting(document: Document, query: Mapping[str, Any]) -> None:
    """Go on where a record fits the search that named it.

    Raises:
        PassedOver: it does not.
    """
    name = unmet_part(document, query)
    if name is not None:
        raise PassedOver(
            "find_not_met",
            f"the search named it, but the record does not fit `{name}`: the index lags behind, "
            "and finds words where a text is meant",
        )


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
