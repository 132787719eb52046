"""What earlier runs of a job made here, how it stands, and what an undo takes back of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice

from bulkrunner.domain.catalogue import Found
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.manifest import Undo, Unreadable
from bulkrunner.domain.plan import (
    WRITING,
    Action,
    AppliedChange,
    Plan,
    PlannedChange,
    left_key,
    record_key,
)
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.run import Outcome, Run, RunState
from bulkrunner.domain.run_ledger import Ended, LaterWrite
from bulkrunner.domain.settlement.attempts import Version, by_and_when
from bulkrunner.domain.settlement.updates import MAX_VERSIONS, Left
from bulkrunner.domain.undo import Precedent, Restore, again_key, undo_digest, undone_by
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.compact import refuse_compacted
from bulkrunner.services.running.lease import Drivers


class EarlierRuns:
    """Finds the change that an earlier run of the job applied for the same operation."""

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._undone = Undone(ledger, plan)
        run = {run.plan for run in ledger.runs.all(job=plan.job)}
        self._plans = [
            other.id
            for other in ledger.plans.all(job=plan.job, environment=plan.environment)
            if other.id in run and other.addresses == plan.addresses
        ]

    def made(self, digest: str | None) -> AppliedChange | None:
        """Return what a run has applied of what has this wish digest."""
        if not self._plans or digest is None:
            return None
        found = self._ledger.plans.made(self._plans, [digest])
        return None if digest in self._undone.among(found) else found.get(digest)

    def later_than(self, run: str, record: str) -> Sequence[LaterWrite]:
        """Return what runs after this one applied to a record, oldest first."""
        return self._ledger.runs.written_later(run, [record]).get(record, ())

    def deleted(self, bib: str, sigel: str) -> str | None:
        """Return the library's holding on a bib that a run of the job has deleted."""
        key = left_key(bib, sigel)
        for plan in self._plans:
            change = self._ledger.lookups.changes_of(plan, [key]).get(key)
            if change is not None and self.made(change.wish_digest()) is not None:
                return change.record
        return None


def is_in_history(
    reader: CatalogueReader, newest: Found, made: AppliedChange, *, active_sigel: str
) -> bool:
    """Tell whether the version that a run stored is one of the record's.

    It is not where the environment was filled anew since.
    """
    left = Left.by_earlier(made, active_sigel)
    if left.is_ours(Version(document=newest.document, etag=newest.etag), None):
        return True
    for back in range(2, MAX_VERSIONS + 1):
        answer = reader.read_version(newest.record, -back)
        if not isinstance(answer, Found):
            return False
        if left.is_ours(Version(document=answer.document, etag=answer.etag), None):
            return True
    return False


class Undone:
    """Tells of what runs made whether an undo took it back since, and no undo of that undo did."""

    def __init__(self, ledger: Ledger, plan: Plan, *, others_before: bool = False) -> None:
        self._ledger = ledger
        self._plan = plan
        self._others_before = others_before

    @cached_property
    def _plans(self) -> list[str]:
        """The undo jobs' plans; looked for once something is found that one may have undone."""
        plan, before = self._plan, self._others_before
        runs = self._ledger.runs.all() if before else ()
        begun = {run.plan for run in runs if run.started_at <= plan.created_at}
        return [
            other.id
            for other in self._ledger.plans.all(environment=plan.environment)
            if undone_by(other)
            and other.addresses == plan.addresses
            and (not before or (other.job != plan.job and other.id in begun))
        ]

    def among(self, made: Mapping[str, AppliedChange]) -> set[str]:
        """Return those of the operation digests whose change was taken back."""
        if not made or not self._plans:
            return set()
        undoing = {undo_digest(one.run, digest): digest for digest, one in made.items()}
        taken = self._ledger.plans.made(self._plans, list(undoing))
        again = self.among(taken)
        return {undoing[digest] for digest in taken if digest not in again}


def changed_since(run: str, found: Found, who: str) -> Refusal:
    """Return that a record is not as a run left it; ``who``: as ``by_a_later_run`` says."""
    facts = by_and_when(found.document)
    return Refusal(
        "changed_since",
        Sentence(
            "changed_since",
            by=facts["by"] or Sentence("somebody"),
            when=facts["when"],
            run=run,
            who=who,
        ),
        Sentence("changed_since_hint"),
    )


BATCH = 200

_CONCERNED = (Outcome.APPLIED, Outcome.UNKNOWN, Outcome.PENDING)


class Undoing:
    """Resolves an undo to the changes of the environment's own runs, the last one first.

    What was done later may stand on what was done before: a new holding on a new bib.
    """

    def __init__(self, ledger: Ledger, drivers: Drivers, plan: Plan) -> None:
        self._ledger = ledger
        self._drivers = drivers
        self._plan = plan
        self._undone = Undone(ledger, plan, others_before=True)

    def resolve(self, undo: Undo) -> Iterator[Restore | Unreadable]:
        """Yield what is to be restored, the same sequence each time, whatever runs begin later.

        Raises:
            UsageError: the environment has no such run, or one of them is still going on.
        """
        plans = self._plans(undo)
        runs = self._runs(undo, plans)
        for run in runs:
            refuse_compacted(self._ledger, run.plan, Sentence("run_not_undone", run=run.id))
        self._close(undo, runs)
        elsewhere = self._elsewhere(undo)
        missing = set(undo.only or ())
        order = Order(self._ledger)
        for run in runs:
            for ended in self._newest(run, sorted({one.plan for one in runs})):
                named = _names(ended) | elsewhere.get(ended.change.wish_digest(), set())
                wanted = undo.only is None or bool(named & undo.only)
                missing -= named if wanted else set()
                restore = order.placed(
                    _restore(undo, run, ended, plans[run.plan].active_sigel),
                    run,
                    ended,
                    wanted=wanted,
                )
                if wanted:
                    yield restore
        for record in sorted(missing):
            yield Unreadable(
                source=undo.source,
                given=record,
                code="not_changed",
                message=Sentence("not_changed", job=undo.job),
            )

    def count(self, undo: Undo) -> Counter[str]:
        """Count by action what an undo would take back, and what may be made before it is planned."""
        found: Counter[str] = Counter()
        runs = self._runs(undo, self._plans(undo))
        plans = sorted({one.plan for one in runs})
        elsewhere = self._elsewhere(undo)
        for run in runs:
            for ended in self._newest(run, plans, unsent=run.state is not RunState.COMPLETED):
                named = _names(ended) | elsewhere.get(ended.change.wish_digest(), set())
                if undo.only is None or named & undo.only:
                    found[ended.change.action] += 1
        return found

    def _plans(self, undo: Undo) -> dict[str, Plan]:
        return {
            other.id: other
            for other in self._ledger.plans.all(job=undo.job, environment=self._plan.environment)
            if other.effect_digest == undo.effect_digest and other.addresses == self._plan.addresses
        }

    def _runs(self, undo: Undo, plans: Collection[str]) -> list[Run]:
        return [
            run
            for run in self._ledger.runs.all(job=undo.job)
            if run.plan in plans and run.started_at <= self._plan.created_at
        ]

    def _elsewhere(self, undo: Undo) -> dict[str, set[str]]:
        """Return by wish digest the chosen ids that runs in other environments gave new records.

        What a job creates has another id in each environment, and a list is of one of them.
        """
        found: defaultdict[str, set[str]] = defaultdict(set)
        if undo.only is None:
            return found
        others = {
            plan.id
            for plan in self._ledger.plans.all(job=undo.job)
            if plan.effect_digest == undo.effect_digest
            and plan.environment != self._plan.environment
        }
        for run in self._ledger.runs.all(job=undo.job):
            if run.plan not in others or run.started_at > self._plan.created_at:
                continue
            for ended in self._ledger.runs.ended_backwards(run.id, outcomes=(Outcome.APPLIED,)):
                made = ended.result.record
                if made and made != ended.change.record and made in undo.only:
                    found[ended.change.wish_digest()].add(made)
        return found

    def _close(self, undo: Undo, runs: list[Run]) -> None:
        """End runs that lie still: a plan that undoes them must find the same changes later."""
        if not runs:
            raise UsageError(
                Sentence(
                    "nothing_to_undo",
                    environment=self._plan.environment,
                    job=undo.job,
                    digest=undo.effect_digest,
                ),
                hint=Sentence("nothing_to_undo_hint"),
                code="nothing_to_undo",
            )
        for run in runs:
            if run.state is RunState.RUNNING and not (held := self._drivers.of(run)).is_free:
                why, todo = held.held()
                raise UsageError(
                    Sentence("undone_at_its_end", run=run.id, why=why),
                    hint=todo,
                    code="still_running",
                )
        for run in runs:
            if run.state is not RunState.COMPLETED:
                reason = Sentence("closed_by_undo", plan=self._plan.id)
                self._drivers.end(run, RunState.COMPLETED, reason=reason)

    def _newest(self, run: Run, plans: list[str], *, unsent: bool = False) -> Iterator[Ended]:
        """Yield what the run did and no later run of the same operation did again.

        ``unsent``: what it has not sent yet too.
        """
        stream = self._ledger.runs.ended_backwards(run.id, outcomes=_CONCERNED)
        while batch := list(islice(stream, BATCH)):
            made = self._ledger.plans.made(plans, [one.change.wish_digest() for one in batch])
            undone = self._undone.among(made)
            for ended in batch:
                digest = ended.change.wish_digest()
                if ended.result.outcome is not Outcome.APPLIED:
                    if ended.attempts or unsent:
                        yield ended
                elif made[digest].run == run.id and digest not in undone:
                    yield ended


def _names(ended: Ended) -> set[str]:
    return {name for name in (ended.result.record, ended.change.record) if name}


def _restore(undo: Undo, run: Run, ended: Ended, sigel: str) -> Restore | Unreadable:
    change, result = ended.change, ended.result
    if result.outcome is Outcome.APPLIED:
        return Restore(source=undo.source, run=run.id, change=change, result=result, sigel=sigel)
    existing = result.detail.get("existing")
    looked_at = ", ".join(existing) if isinstance(existing, list) else Sentence("the_record")
    return Unreadable(
        source=undo.source,
        given=result.record or change.record,
        code="outcome_unknown",
        message=Sentence(
            "carried_out_unknown",
            run=run.id,
            number=change.number,
            verb=_verb(change.action),
            looked_at=looked_at,
        ),
    )


class Order:
    """Tells in which order changes are taken back: what waited for another goes back before it.

    Of a move the old holding is created again, and only then the new one deleted. Changes are
    handed in newest first; what is remembered are those whose prerequisites have not come yet.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._behind: defaultdict[str, list[Precedent]] = defaultdict(list)

    def placed(
        self, restore: Restore | Unreadable, run: Run, ended: Ended, *, wanted: bool
    ) -> Restore | Unreadable:
        """Return a restoration with what must precede it."""
        planned = wanted and isinstance(restore, Restore)
        ahead = self._note(run, ended, key=_key(ended) if planned else None)
        if not isinstance(restore, Restore):
            return restore
        behind = tuple(self._behind.pop(restore.record, ()))
        return replace(restore, behind=behind, ahead=ahead)

    def _note(self, run: Run, ended: Ended, *, key: str | None) -> tuple[str, ...]:
        """Remember what a change waited for; returns the keys of what has come already."""
        numbers = ended.change.prerequisites
        if not numbers:
            return ()
        what = Sentence(
            "change_of_run",
            number=ended.change.number,
            run=run.id,
            verb=_verb(ended.change.action),
        )
        results = self._ledger.runs.ended_as(run.id, numbers)
        ahead = []
        for change in self._ledger.plans.changes(run.plan, numbers=numbers, documents=False):
            result = results.get(change.number)
            record = (result.record if result else None) or change.made or change.record
            if change.action in WRITING and change.number > ended.change.number:
                ahead.append(_key_of(change, record))
            else:
                self._behind[record].append(Precedent(key=key, what=what))
        return tuple(ahead)


def _key(ended: Ended) -> str:
    return _key_of(ended.change, ended.result.record or ended.change.record)


def _key_of(change: PlannedChange, record: str) -> str:
    """Return by what the restoration of a change is found in the plan."""
    return again_key(change.record) if change.action is Action.DELETE else record_key(record)


def _verb(action: Action) -> Sentence:
    match action:
        case Action.CREATE:
            return Sentence("verb_create")
        case Action.DELETE:
            return Sentence("verb_delete")
    return Sentence("verb_update")
