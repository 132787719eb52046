"""What an undo concerns in an environment: what its runs of a job applied and nobody took back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from bulkrunner.domain.job import Undo, Unreadable
from bulkrunner.domain.plan import WRITING, Action, Made, Plan, PlannedChange, record_key
from bulkrunner.domain.ports import Ended, Ledger
from bulkrunner.domain.run import Outcome, Run, RunState
from bulkrunner.domain.undo import Precedent, Restore, again_key, undo_digest, undone_by
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.drivers import Drivers
from bulkrunner.services.keeping import refuse_compacted

BATCH = 200

_CONCERNED = (Outcome.APPLIED, Outcome.UNKNOWN, Outcome.PENDING)


class Undone:
    """Tells of what runs made whether an undo took it back since, and no undo of that undo did."""

    def __init__(self, ledger: Ledger, plan: Plan, *, others_before: bool = False) -> None:
        """Look at the undo jobs of the plan's environment.

        Args:
            ledger: that holds them.
            plan: whose environment is meant.
            others_before: only other jobs than the plan's, in runs begun before the plan.
        """
        self._ledger = ledger
        begun = {run.plan for run in ledger.runs() if run.started_at <= plan.created_at}
        self._plans = [
            other.id
            for other in ledger.plans(environment=plan.environment)
            if undone_by(other)
            and other.addresses == plan.addresses
            and (not others_before or (other.job != plan.job and other.id in begun))
        ]

    def among(self, made: Mapping[str, Made]) -> set[str]:
        """Return those of the operation digests whose change was taken back."""
        if not self._plans or not made:
            return set()
        undoing = {undo_digest(one.run, digest): digest for digest, one in made.items()}
        taken = self._ledger.made(self._plans, list(undoing))
        again = self.among(taken)
        return {undoing[digest] for digest in taken if digest not in again}


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
            refuse_compacted(self._ledger, run.plan, f"run {run.id} cannot be undone")
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
                message=f"no run of {undo.job} here has changed it",
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
            for other in self._ledger.plans(job=undo.job, environment=self._plan.environment)
            if other.effect_digest == undo.effect_digest and other.addresses == self._plan.addresses
        }

    def _runs(self, undo: Undo, plans: Collection[str]) -> list[Run]:
        return [
            run
            for run in self._ledger.runs(job=undo.job)
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
            for plan in self._ledger.plans(job=undo.job)
            if plan.effect_digest == undo.effect_digest
            and plan.environment != self._plan.environment
        }
        for run in self._ledger.runs(job=undo.job):
            if run.plan not in others or run.started_at > self._plan.created_at:
                continue
            for ended in self._ledger.ended_backwards(run.id, outcomes=(Outcome.APPLIED,)):
                made = ended.result.record
                if made and made != ended.change.record and made in undo.only:
                    found[ended.change.wish_digest()].add(made)
        return found

    def _close(self, undo: Undo, runs: list[Run]) -> None:
        """End runs that lie still: a plan that undoes them must find the same changes later."""
        if not runs:
            raise UsageError(
                f"{self._plan.environment} has no run of job {undo.job} with the effect digest "
                f"{undo.effect_digest}; there is nothing to undo",
                hint="bulkrunner status lists the runs",
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
                reason = f"closed by plan {self._plan.id}, which undoes it"
                self._drivers.end(run, RunState.COMPLETED, reason=reason)

    def _newest(self, run: Run, plans: list[str], *, unsent: bool = False) -> Iterator[Ended]:
        """Yield what the run did and no later run of the same operation did again.

        ``unsent``: what it has not sent yet too.
        """
        stream = self._ledger.ended_backwards(run.id, outcomes=_CONCERNED)
        while batch := list(islice(stream, BATCH)):
            made = self._ledger.made(plans, [one.change.wish_digest() for one in batch])
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
    looked_at = ", ".join(existing) if isinstance(existing, list) else "the record"
    return Unreadable(
        source=undo.source,
        given=result.record or change.record,
        code="outcome_unknown",
        message=f"nobody knows whether run {run.id} carried out its change {change.number} "
        f"({_VERBS[change.action]}); look at {looked_at}",
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
        """Return a restoration with what must precede it.

        Args:
            restore: or why there is none.
            run: whose change it is.
            ended: that change.
            wanted: it is going to be planned.
        """
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
        what = f"change {ended.change.number} of run {run.id} ({_VERBS[ended.change.action]})"
        results = self._ledger.ended_as(run.id, numbers)
        ahead = []
        for change in self._ledger.changes(run.plan, numbers=numbers, documents=False):
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


_VERBS = {Action.CREATE: "create", Action.UPDATE: "update", Action.DELETE: "delete"}
