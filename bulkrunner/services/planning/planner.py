"""Makes plans: streams the declared operations, resolves them in batches, stores every change."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from bulkrunner.domain.environment import Environment, Policy
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Undo
from bulkrunner.domain.plan import (
    Action,
    Made,
    Plan,
    PlannedChange,
    PlanState,
    empty_counts,
    plan_digest,
)
from bulkrunner.domain.ports import CatalogueReader, Clock, Ledger, Progress
from bulkrunner.domain.steps import Entry, InputLine, JobSource, StepEntry, StepSelection
from bulkrunner.domain.undo import Restore
from bulkrunner.errors import BulkRunnerError, Interrupted, LedgerUnavailable, UsageError
from bulkrunner.services.planning.earlier import EarlierRuns, Item
from bulkrunner.services.planning.ordering import in_order
from bulkrunner.services.planning.policing import policed
from bulkrunner.services.planning.proofs import Proofs
from bulkrunner.services.planning.restoring import Restorer
from bulkrunner.services.planning.stepping import operation_of
from bulkrunner.services.planning.undoing import Undoing

BATCH = 200
"""Operations resolved and stored at a time; what a killed planner has to read again."""


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What a plan is made of.

    Attributes:
        head: the manifest's head as plain data, kept in the plan.
        policy: the effective policy.
    """

    source: JobSource
    head: Mapping[str, Any]
    environment: Environment
    policy: Policy
    program_version: str


class Planner:
    """Plans one manifest against one environment, and takes up a plan that was interrupted."""

    def __init__(
        self,
        *,
        reader: CatalogueReader,
        ledger: Ledger,
        clock: Clock,
        progress: Progress,
        iris: IriMap,
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._clock = clock
        self._progress = progress
        self._iris = iris
        self._stop = threading.Event()
        self.begun = False
        """Whether the plan is in the ledger, so that it can be resumed."""

    def request_stop(self) -> None:
        """Ask to stop after what is in flight; called from a signal handler."""
        self._stop.set()

    def make(self, request: PlanRequest, plan_id: str) -> Plan:
        """Make a plan from the beginning.

        Raises:
            Interrupted: stopped or the environment did not answer; the plan can be resumed.
            AccessLost: the login gives no rights.
        """
        rights = self._reader.rights()
        job = request.source.job
        plan = Plan(
            id=plan_id,
            job=job.id,
            environment=request.environment.name,
            addresses=request.environment.addresses(),
            manifest_digest=job.manifest_digest,
            effect_digest=job.effect_digest,
            policy=request.policy.as_dict(),
            manifest=dict(request.head),
            program_version=request.program_version,
            created_at=self._clock.now(),
            state=PlanState.PLANNING,
            folder=request.source.folder,
            rights=tuple(rights.as_dict()),
        )
        self._ledger.begin_plan(plan)
        return self._go_on(plan, request, Proofs(job=job, rights=rights, iris=self._iris))

    def resume(self, plan: Plan, request: PlanRequest) -> Plan:
        """Go on with an interrupted plan.

        Raises:
            UsageError: the manifest or the addresses are not those of the plan any more.
        """
        job = request.source.job
        if job.manifest_digest != plan.manifest_digest:
            raise UsageError(
                f"the manifest has changed since plan {plan.id} was begun",
                hint=f"make a new plan: bulkrunner plan {plan.folder} --env {plan.environment}",
                code="manifest_changed",
            )
        if request.environment.addresses() != dict(plan.addresses):
            raise UsageError(
                f"the addresses of {plan.environment} have changed since plan {plan.id} was begun",
                hint="make a new plan",
                code="addresses_changed",
            )
        rights = self._reader.rights()
        plan = self._ledger.reopen_plan(plan.id)
        return self._go_on(plan, request, Proofs(job=job, rights=rights, iris=self._iris))

    def _go_on(self, plan: Plan, request: PlanRequest, proofs: Proofs) -> Plan:
        self.begun = True
        self._progress.begin(f"planning {plan.job} for {plan.environment}", None)
        try:
            self._store_changes(plan, request, Restorer(self._reader, self._iris, proofs))
            return self._finish(plan)
        except BaseException as error:
            if getattr(error, "code", "") != "planned_elsewhere":
                self._interrupt(plan)
            raise
        finally:
            self._progress.end()

    def _store_changes(self, plan: Plan, request: PlanRequest, resolver: Restorer) -> None:
        earlier = EarlierRuns(self._ledger, plan, self._iris)
        counts = {**empty_counts(), **self._ledger.count_actions(plan.id)}
        undoing = Undoing(self._ledger, self._clock, plan)
        operations = enumerate(_expanded(request.source.operations(), undoing), start=1)
        cursor = plan.cursor
        with ThreadPoolExecutor(
            max_workers=request.environment.concurrency, thread_name_prefix="plan"
        ) as pool:
            for batch in _batches(islice(operations, plan.cursor, None)):
                self._heed_stop(plan, cursor)
                changes, fault = self._resolved(pool, resolver, batch, earlier.made(batch), counts)
                if changes:
                    cursor = changes[-1].number
                    changes = policed(plan, changes)
                    changes = self._without_duplicates(plan.id, changes)
                    changes = in_order(self._ledger, plan.id, changes)
                    self._ledger.add_changes(plan.id, changes, cursor=cursor)
                    for change in changes:
                        counts[change.action.value] += 1
                    self._progress.advance(cursor, counts)
                if fault is not None:
                    self._heed_stop(plan, cursor)
                    raise fault

    def _resolved(
        self,
        pool: ThreadPoolExecutor,
        resolver: Restorer,
        batch: list[tuple[int, Item]],
        made: Mapping[int, Made],
        counts: Mapping[str, int],
    ) -> tuple[list[PlannedChange], BulkRunnerError | None]:
        """Return the changes up to the first operation that could not be looked at, and why."""

        def resolve(number: int, declared: Item) -> PlannedChange:
            if self._stop.is_set():
                raise Interrupted("planning was stopped")
            if isinstance(declared, Restore):
                return resolver.restore(number, declared, made.get(number))
            return resolver.resolve(number, declared, made.get(number))

        futures = [pool.submit(resolve, *item) for item in batch]
        changes: list[PlannedChange] = []
        try:
            for future in futures:
                changes.append(future.result())
                self._progress.advance(changes[-1].number, counts)
        except BulkRunnerError as error:
            return changes, error
        finally:
            for future in futures:
                future.cancel()
        return changes, None

    def _finish(self, plan: Plan) -> Plan:
        return self._ledger.finish_plan(
            plan.id,
            plan_digest=plan_digest(plan.digest_head(), self._ledger.change_digests(plan.id)),
            counts={**empty_counts(), **self._ledger.count_actions(plan.id)},
            requests=self._reader.requests,
            at=self._clock.now(),
        )

    def _interrupt(self, plan: Plan) -> None:
        """Mark the plan as interrupted; a ledger that cannot be written leaves it as it is."""
        with suppress(LedgerUnavailable, UsageError):
            self._ledger.interrupt_plan(plan.id, requests=self._reader.requests)

    def _heed_stop(self, plan: Plan, cursor: int) -> None:
        if self._stop.is_set():
            raise Interrupted(
                f"plan {plan.id} was stopped after {cursor} operations",
                hint=f"bulkrunner resume {plan.id}",
            )

    def _without_duplicates(self, plan: str, changes: list[PlannedChange]) -> list[PlannedChange]:
        keys = [change.target_key for change in changes if change.target_key]
        taken = dict(self._ledger.taken_targets(plan, keys))
        kept = []
        for change in changes:
            key = change.target_key
            if key is None:
                kept.append(change)
            elif key in taken:
                kept.append(_duplicate(change, taken[key]))
            else:
                taken[key] = change.number
                kept.append(change)
        return kept


def _duplicate(change: PlannedChange, first: int) -> PlannedChange:
    return replace(
        change,
        action=Action.REFUSED,
        target_key=None,
        after=None,
        predicted=None,
        after_fingerprint=None,
        cleanups=(),
        pattern="",
        code="duplicate_operation",
        message=f"change {first} of this plan already concerns the same record; "
        "say everything about a record in one operation",
    )


def _expanded(entries: Iterator[Entry], undoing: Undoing) -> Iterator[Item]:
    for entry in entries:
        match entry:
            case Undo():
                yield from undoing.resolve(entry)
            case StepEntry():
                yield operation_of(entry, entry.ref)
            case StepSelection():
                raise NotImplementedError("no selection of a manifest is left to the environment")
            case InputLine():
                continue
            case _:
                yield entry


def _batches(items: Iterator[tuple[int, Item]]) -> Iterator[list[tuple[int, Item]]]:
    while batch := list(islice(items, BATCH)):
        yield batch
