"""A plan's or run's changes with their differences, as the report shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.diff import MAX_LEAVES, Difference, contents, left_out, read_differences
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import WRITING, Action, BibSummary, Plan, PlannedChange
from bulkrunner.domain.report import ORDER, record_link
from bulkrunner.domain.report_groups import ReportedChange, Tried
from bulkrunner.domain.rules import Counterpart
from bulkrunner.domain.run import PROBLEMS, Outcome, Result, Run
from bulkrunner.domain.run_ledger import Ended
from bulkrunner.services.planning.bibs import summarise

_Differ = Callable[[PlannedChange], tuple[Difference, ...]]


def _updated(change: PlannedChange) -> tuple[Difference, ...]:
    if change.before is None or change.after is None:
        return ()
    return tuple(read_differences(change.before, change.after))


def _deleted(change: PlannedChange) -> tuple[Difference, ...]:
    return tuple(
        Difference(place=place, before=value, after=None, kind="removed")
        for place, value in contents(change.before or {})
    )


def _created(change: PlannedChange) -> tuple[Difference, ...]:
    return tuple(
        Difference(place=place, before=None, after=value, kind="added")
        for place, value in contents(change.after or {})
    )


_DIFFERS: dict[Action, _Differ] = {
    Action.UPDATE: _updated,
    Action.DELETE: _deleted,
    Action.CREATE: _created,
}


def differences_of(change: PlannedChange) -> tuple[Difference, ...]:
    differ = _DIFFERS.get(change.action)
    return differ(change) if differ else ()


def beyond_of(change: PlannedChange, found: Sequence[Difference]) -> int:
    """Return how many places of a record that goes away or is made are not among the differences."""
    if change.action is Action.UPDATE or len(found) < MAX_LEAVES:
        return 0
    return left_out(change.before or change.after or {})


# Changes for which is looked up at once what test runs did.
BATCH = 200

# New bibs whose titles are kept at a time.
MAX_NEW = 10_000

Counts = Callable[[Mapping[str, str]], bool]


class Rows:
    """Streams; each method starts a new one. ``sigel``: of one library's changes alone."""

    def __init__(
        self,
        ledger: Ledger,
        plan: Plan,
        run: Run | None,
        *,
        counts: Counts | None = None,
        sigel: str | None = None,
    ) -> None:
        self._ledger = ledger
        self._plan = plan
        self._run = run
        self._counts = counts
        self._sigel = sigel
        self._new: dict[int, BibSummary | None] = {}

    def planned(self) -> Iterator[ReportedChange]:
        for action in ORDER:
            yield from self._of_action(action)

    def _of_action(self, action: Action) -> Iterator[ReportedChange]:
        changes = self._ledger.plans.changes(self._plan.id, actions=(action,), sigel=self._sigel)
        if self._counts is None or action not in WRITING:
            yield from map(self._reported, changes)
            return
        twins = self._twins(action)
        twin = next(twins, None)
        for change in changes:
            while twin is not None and twin.change < change.number:
                twin = next(twins, None)
            found = twin if twin is not None and twin.change == change.number else None
            yield self._reported(change, tried=None if found is None else _tried(found))

    def _twins(self, action: Action, numbers: Sequence[int] | None = None) -> Iterator[Counterpart]:
        if self._counts is None:
            return iter(())
        return self._ledger.evidence.counterparts(
            self._plan, action=action, counts=self._counts, numbers=numbers
        )

    def fetch(self, numbers: Sequence[int]) -> dict[int, ReportedChange]:
        changes = self._ledger.plans.changes(self._plan.id, numbers=numbers, sigel=self._sigel)
        found = {change.number: self._reported(change) for change in changes}
        for number, twin in self._twins_of([item.change for item in found.values()]).items():
            found[number] = replace(found[number], tried=_tried(twin))
        return found

    def changes(self) -> Iterator[ReportedChange]:
        for action in ORDER:
            changes = self._of_action(action)
            if self._run is None or action not in WRITING:
                yield from changes
            else:
                ended = self._ledger.runs.ended(self._run.id, documents=False, sigel=self._sigel)
                yield from self._joined(changes, ended)

    def _joined(
        self, changes: Iterator[ReportedChange], ended: Iterator[Ended]
    ) -> Iterator[ReportedChange]:
        """Put results to changes; both streams come in plan order."""
        current = next(ended, None)
        for item in changes:
            number = item.change.number
            while current is not None and current.change.number < number:
                current = next(ended, None)
            if current is not None and current.change.number == number:
                yield self._with_result(item, current)
            else:
                yield replace(item, result=Result(outcome=Outcome.PENDING))

    def problems(self) -> Iterator[ReportedChange]:
        """Yield what the run did over somebody's edit, then what it did not carry out."""
        ended = self._ended_badly()
        while batch := list(islice(ended, BATCH)):
            twins = self._twins_of([item.change for item in batch])
            named = self._new_bibs([item.change for item in batch])
            for item in batch:
                twin = twins.get(item.change.number)
                change = named.get(item.change.number, item.change)
                told = self._with_result(self._reported(change), item)
                yield replace(told, tried=None if twin is None else _tried(twin))

    def _ended_badly(self) -> Iterator[Ended]:
        if self._run is None:
            return
        for item in self._ledger.runs.ended(
            self._run.id, outcomes=(Outcome.APPLIED,), documents=False, sigel=self._sigel
        ):
            if item.result.code or item.result.detail:
                yield item
        for outcome in PROBLEMS:
            for item in self._ledger.runs.ended(
                self._run.id, outcomes=(outcome,), sigel=self._sigel
            ):
                if item.result.code != EXCLUDED:
                    yield item

    def _new_bibs(self, changes: Sequence[PlannedChange]) -> dict[int, PlannedChange]:
        """Return the bibs to be created among these, whole: their titles are in what is sent."""
        numbers = [c.number for c in changes if c.kind == "bib" and c.action is Action.CREATE]
        found = self._ledger.plans.changes(self._plan.id, numbers=numbers) if numbers else ()
        return {change.number: change for change in found}

    def _twins_of(self, changes: Sequence[PlannedChange]) -> dict[int, Counterpart]:
        """Return what test runs did with these changes, by number."""
        found: dict[int, Counterpart] = {}
        for action in WRITING:
            numbers = [change.number for change in changes if change.action is action]
            if numbers:
                found |= {twin.change: twin for twin in self._twins(action, numbers)}
        return found

    def _with_result(self, reported: ReportedChange, item: Ended) -> ReportedChange:
        link = self._link(item.result.record) or reported.link
        return replace(reported, result=item.result, attempts=item.attempts, link=link)

    def _reported(self, change: PlannedChange, tried: Tried | None = None) -> ReportedChange:
        if change.action is Action.CREATE:
            change = self._named(change)
        found = differences_of(change)
        return ReportedChange(
            change=change,
            differences=found,
            beyond=beyond_of(change, found),
            link=self._link(change.record),
            tried=tried,
        )

    def _named(self, change: PlannedChange) -> PlannedChange:
        """Name a new bib, and a holding on one, by what is sent: the catalogue knows neither."""
        if change.kind == "bib":
            if change.after is not None:
                self._remember(change.number, summarise("", change.after))
            return replace(change, bib=self._new.get(change.number, change.bib))
        if change.bib is None or change.bib.title:
            return change
        bibs = (self._new_bib(number) for number in change.prerequisites)
        return replace(change, bib=next((bib for bib in bibs if bib is not None), change.bib))

    def _new_bib(self, number: int) -> BibSummary | None:
        if number not in self._new:
            (found,) = self._ledger.plans.changes(self._plan.id, numbers=(number,))
            made = found.action is Action.CREATE and found.kind == "bib" and found.after
            self._remember(number, summarise("", found.after) if made and found.after else None)
        return self._new.get(number)

    def _remember(self, number: int, bib: BibSummary | None) -> None:
        if len(self._new) >= MAX_NEW:
            self._new.clear()
        self._new[number] = bib

    def _link(self, record: str | None) -> str | None:
        return record_link(self._plan.addresses.get("base_url", ""), record)


def _tried(twin: Counterpart) -> Tried:
    return Tried(counterpart=twin, link=record_link(twin.base_url, twin.record))
