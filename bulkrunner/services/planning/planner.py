"""Plans are made: operations stream in, are resolved in batches, and every change is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bulkrunner.domain.catalogue import Compared, compared, unshown
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.iris import IriMap, RefKind
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.manifest import Delete, Job, Undo, Unreadable, Update
from bulkrunner.domain.plan import (
    Finding,
    Plan,
    PlanState,
    empty_counts,
    plan_digest,
)
from bulkrunner.domain.policy import Policy, plan_ceilings
from bulkrunner.domain.ports import CatalogueReader, Clock, DumpStorage, Progress
from bulkrunner.domain.queries import libraries_named
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.rights import Proofs, library_unresolved
from bulkrunner.domain.rules import forbidden_places
from bulkrunner.domain.steps import InputLine, JobSource, Step, StepEntry, StepRevert, StepSelection
from bulkrunner.errors import Interrupted, LedgerUnavailable, UsageError
from bulkrunner.sentences import Sentence, stored_text, text_of
from bulkrunner.services.planning.assembler import (
    Assembler,
    BatchPlanner,
    Item,
    Numbered,
    Parts,
    batches,
    let_fall,
)
from bulkrunner.services.planning.catalogue_reading import Reading, SeenRecords
from bulkrunner.services.planning.contexts import Contexts
from bulkrunner.services.planning.draft import Drafter
from bulkrunner.services.planning.earlier_runs import EarlierRuns, Undoing
from bulkrunner.services.planning.existing import Existing
from bulkrunner.services.planning.explicit_operations import Explicit
from bulkrunner.services.planning.function_steps import FunctionSteps, Runners
from bulkrunner.services.planning.new_holdings import Creations
from bulkrunner.services.planning.plan_so_far import PlanSoFar
from bulkrunner.services.planning.restorations import Restorer
from bulkrunner.services.planning.reverts import Reverts, States
from bulkrunner.services.planning.selections import AUTO, GET, Choosing
from bulkrunner.services.planning.step_entries import Selecting, StepEntries
from bulkrunner.services.planning.transfer_steps import TransferSteps
from bulkrunner.services.running.lease import Drivers

BATCH = 200

"""Entries resolved and stored at a time; what a killed planner has to read again."""


REFRESHED = 25

"""Batches after which it is asked what was changed since dumps were read."""

READ_BY = "read_by"

"""Key, beside the manifest's head, of how records are read, where that was said."""


def skipped(items: Iterator[Item], done: int) -> Iterator[Numbered]:
    """Number the entries and leave out those that are planned already."""
    return islice(enumerate(items, start=1), done, None)


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What a plan is made of.

    Attributes:
        head: the manifest's head as plain data, kept in the plan.
        policy: the effective policy.
        runners: call the job's functions; None where it has none.
        reads: how records are read, one of ``READS``.
    """

    source: JobSource
    head: Mapping[str, Any]
    environment: Environment
    policy: Policy
    program_version: str
    runners: Runners | None = None
    reads: str = AUTO


class Planner:
    """Plans one manifest against one environment, and takes up a plan that was interrupted."""

    def __init__(
        self,
        *,
        reader: CatalogueReader,
        ledger: Ledger,
        drivers: Drivers,
        clock: Clock,
        progress: Progress,
        iris: IriMap,
        storage: DumpStorage,
    ) -> None:
        self._reader = reader
        self._storage = storage
        self._ledger = ledger
        self._drivers = drivers
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
            manifest=dict(request.head)
            | ({READ_BY: request.reads} if request.reads != AUTO else {}),
            program_version=request.program_version,
            created_at=self._clock.now(),
            state=PlanState.PLANNING,
            folder=request.source.folder,
            rights=tuple(rights.as_dict()),
        )
        self._ledger.plans.begin(plan)
        return self._go_on(plan, request, Proofs(job=job, rights=rights, iris=self._iris))

    def resume(self, plan: Plan, request: PlanRequest) -> Plan:
        """Go on with an interrupted plan.

        Raises:
            UsageError: the manifest or the addresses are not those of the plan any more.
        """
        job = request.source.job
        require_unchanged(plan, job, request.environment)
        rights = self._reader.rights()
        plan = self._ledger.plans.reopen(plan.id)
        return self._go_on(plan, request, Proofs(job=job, rights=rights, iris=self._iris))

    def _go_on(self, plan: Plan, request: PlanRequest, proofs: Proofs) -> Plan:
        self.begun = True
        self._progress.begin(Sentence("planning", job=plan.job, environment=plan.environment), None)
        try:
            cursor = self._store_changes(plan, request, proofs)
            let_fall(self._ledger, plan.id, cursor=cursor)
            return self._finish(plan)
        except BaseException as error:
            if getattr(error, "code", "") != "planned_elsewhere":
                self._interrupt(plan)
            raise
        finally:
            self._progress.end()

    def _store_changes(self, plan: Plan, request: PlanRequest, proofs: Proofs) -> int:
        """Plan what is left of the manifest; returns how many entries that makes in all."""
        counts = {**empty_counts(), **self._ledger.plans.count_actions(plan.id)}
        choosing = self._chooser(plan)
        if len(proofs.job.sigels) == 1:
            named = self._named(request.source, plan)
            choosing.libraries.gather(proofs.job.sigels[0], named, done=plan.cursor)
        undoing = Undoing(self._ledger, self._drivers, plan)
        expanded = self._expanded(request.source, undoing, plan, proofs, choosing)
        items = skipped(expanded, plan.cursor)
        cursor = plan.cursor
        with ThreadPoolExecutor(
            max_workers=request.environment.concurrency, thread_name_prefix="plan"
        ) as pool:
            planner = BatchPlanner(
                self._parts(plan, proofs, request.runners),
                PlanSoFar(self._ledger, plan.id),
                forbidden_places(plan),
                pool=pool,
                stop=self._stop,
                advance=lambda place: self._progress.advance(place, counts),
            )
            for turn, batch in enumerate(batches(items, BATCH)):
                self._heed_stop(plan, cursor)
                if turn % REFRESHED == REFRESHED - 1:
                    choosing.libraries.refresh()
                assembler, done, fault = planner.plan(batch)
                if done:
                    left_out = [(n, one) for n, one in batch[:done] if isinstance(one, InputLine)]
                    self._store(
                        plan, assembler, left_out, counts, since=cursor, cursor=cursor + done
                    )
                    cursor += done
                    self._progress.advance(cursor, counts)
                if fault is not None:
                    self._heed_stop(plan, cursor)
                    raise fault
        return cursor

    def _store(
        self,
        plan: Plan,
        assembler: Assembler,
        left_out: Sequence[tuple[int, InputLine]],
        counts: dict[str, int],
        *,
        since: int,
        cursor: int,
    ) -> None:
        added, replaced = assembler.added, assembler.replaced
        for action in self._ledger.lookups.actions_of(
            plan.id, [change.number for change in replaced]
        ):
            counts[action.value] -= 1
        self._ledger.plans.add_changes(
            plan.id, added, cursor=cursor, since=since, replaced=replaced, left_out=left_out
        )
        for change in (*added, *replaced):
            counts[change.action.value] += 1

    def _parts(self, plan: Plan, proofs: Proofs, runners: Runners | None) -> Parts:
        iris, parameters = self._iris, proofs.job.parameters
        earlier = EarlierRuns(self._ledger, plan)
        seen = SeenRecords(self._storage if _reads_of(plan) != GET else None)
        reading = Reading(self._reader, iris, proofs, seen)
        drafter = Drafter(iris=iris, on_missing=proofs.job.on_missing)
        existing = Existing(reading=reading, iris=iris, earlier_runs=earlier, drafter=drafter)
        creations = Creations(reading=reading, earlier_runs=earlier, drafter=drafter)
        explicit = Explicit(existing=existing, creations=creations, drafter=drafter, iris=iris)

        def restorer() -> Restorer:
            return Restorer(
                reading=reading,
                existing=existing,
                creations=creations,
                drafter=drafter,
                earlier_runs=earlier,
                iris=iris,
            )

        def steps() -> StepEntries:
            contexts = Contexts(
                reading=reading, creations=creations, iris=iris, parameters=parameters
            )
            functions = FunctionSteps(
                reading=reading,
                existing=existing,
                drafter=drafter,
                contexts=contexts,
                explicit=explicit,
                runners=runners,
            )
            reverts = Reverts(
                existing=existing,
                creations=creations,
                contexts=contexts,
                states=States(self._reader, self._ledger, plan),
            )
            transfers = TransferSteps(
                reading=reading,
                existing=existing,
                creations=creations,
                drafter=drafter,
                contexts=contexts,
                reverts=reverts,
            )
            return StepEntries(
                selecting=Selecting(
                    reading=reading, earlier_runs=earlier, sigels=proofs.job.sigels
                ),
                existing=existing,
                creations=creations,
                drafter=drafter,
                contexts=contexts,
                functions=functions,
                transfers=transfers,
            )

        return Parts(explicit, steps, restorer)

    def _chooser(self, plan: Plan) -> Choosing:
        return Choosing(
            self._reader,
            self._iris,
            self._ledger,
            self._clock,
            self._progress,
            self._stop,
            self._storage,
            _reads_of(plan),
        )

    def _named(self, source: JobSource, plan: Plan) -> Iterator[str]:
        """Yield the records that a job names by their ids and that planning will read."""
        for entry in source.operations():
            match entry:
                case Update(target=record) | Delete(target=record):
                    yield from self._short(record)
                case StepEntry(step=step, ref=ref) if _reads_selected(step):
                    yield from self._short(ref)
                case StepSelection(step=step) if _reads_selected(step):
                    yield from self._ledger.selections.selected(plan.id, step.number)

    def _short(self, named: str) -> Iterator[str]:
        ref = self._iris.parse(named)
        if ref is not None and ref.kind is RefKind.SHORT_ID:
            yield ref.value

    def _expanded(
        self,
        source: JobSource,
        undoing: Undoing,
        plan: Plan,
        proofs: Proofs,
        choosing: Choosing,
    ) -> Iterator[Item]:
        """Yield the entries; those that the environment or the ledger answers are several."""
        for entry in source.operations():
            match entry:
                case Undo():
                    yield from undoing.resolve(entry)
                case StepSelection():
                    yield from self._selected(plan, entry, proofs, choosing)
                case _:
                    yield entry

    def _selected(
        self, plan: Plan, selection: StepSelection, proofs: Proofs, choosing: Choosing
    ) -> Iterator[Item]:
        """Yield the records of a selection, which is resolved once for each plan."""
        step, job = selection.step, proofs.job
        is_new = self._ledger.selections.get(plan.id, step.number) is None
        chosen = choosing.choose(plan.id, selection, job.parameters)
        if chosen.refused is not None:
            yield _nothing(selection, chosen.refused, job)
            return
        query = choosing.query(selection, job.parameters)
        if not chosen.count:
            named = libraries_named(query)
            faults = (
                proofs.acting() or proofs.sigel(one) or self._no_library(one) for one in named
            )
            fault = next((one for one in faults if one is not None), None)
            refused = {"code": fault.code, "message": stored_text(fault.whole)} if fault else None
            yield _nothing(selection, refused, job)
            return
        selected = self._ledger.selections.selected
        # A library's own dump was read just now; of a search one may be worth reading.
        is_search = is_new and "find" in selection.selects and _reads_selected(step)
        if is_search and len(job.sigels) == 1:
            choosing.libraries.gather(job.sigels[0], selected(plan.id, step.number))
        for ref in selected(plan.id, step.number):
            yield StepEntry(source=selection.source, step=step, given=ref, ref=ref, query=query)

    def _no_library(self, sigel: str) -> Refusal | None:
        found = self._reader.library_name(sigel)
        return library_unresolved(sigel) if found is None else None

    def _finish(self, plan: Plan) -> Plan:
        return self._ledger.plans.finish(
            plan.id,
            plan_digest=plan_digest(plan.digest_head(), self._ledger.plans.change_digests(plan.id)),
            counts={**empty_counts(), **self._ledger.plans.count_actions(plan.id)},
            requests=self._reader.requests,
            at=self._clock.now(),
        )

    def _interrupt(self, plan: Plan) -> None:
        """Mark the plan as interrupted; a ledger that cannot be written leaves it as it is."""
        with suppress(LedgerUnavailable, UsageError):
            self._ledger.plans.interrupt(plan.id, requests=self._reader.requests)

    def _heed_stop(self, plan: Plan, cursor: int) -> None:
        if self._stop.is_set():
            raise Interrupted(
                Sentence("plan_stopped", plan=plan.id, count=cursor),
                hint=Sentence("resume_plan", plan=plan.id),
            )


def _reads_selected(step: Step) -> bool:
    """Return True if a step reads the records that it selects as they stand, and no others."""
    return step.concerns_selected and not isinstance(step.action, StepRevert)


def _reads_of(plan: Plan) -> str:
    return str(plan.manifest.get(READ_BY, AUTO))


def _nothing(selection: StepSelection, refused: Mapping[str, str] | None, job: Job) -> Unreadable:
    """Return what becomes of a selection that names no record."""
    given = next(iter(selection.selects))
    if refused is not None:
        code, message = refused["code"], text_of(refused["message"])
        return Unreadable(source=selection.source, given=given, code=code, message=message)
    return Unreadable(
        source=selection.source,
        given=given,
        code="nothing_found",
        message=Sentence("nothing_found", given=given, step=selection.step.number),
        on_missing=selection.step.on_missing or job.on_missing,
    )


def require_unchanged(plan: Plan, job: Job, environment: Environment) -> None:
    """Do nothing while an interrupted plan can go on.

    Raises:
        UsageError: the manifest or the addresses are not those of the plan any more.
    """
    if job.manifest_digest != plan.manifest_digest:
        raise UsageError(
            Sentence("plan_manifest_changed", plan=plan.id),
            hint=Sentence(
                "manifest_changed_hint", folder=plan.folder, environment=plan.environment
            ),
            code="manifest_changed",
        )
    if environment.addresses() != dict(plan.addresses):
        raise UsageError(
            Sentence("addresses_changed", environment=plan.environment, plan=plan.id),
            hint=Sentence("plan_again"),
            code="addresses_changed",
        )


def plan_findings(ledger: Ledger, plan: Plan, *, limit: int = 100) -> list[Finding]:
    """Return the plan's first findings: ceilings, refusals, what was not found, notes, searches."""
    ceilings = [Finding(code="ceiling", record="", message=text) for text in plan_ceilings(plan)]
    searches = list(search_findings(ledger, plan))[:limit]
    found = [*ceilings, *ledger.plans.findings(plan.id, limit=limit)]
    return [*found[: limit - len(searches)], *searches]


def search_findings(ledger: Ledger, plan: Plan) -> Iterator[Finding]:
    """Yield where index and list of a library do not agree, and where a list came short."""
    for chosen in ledger.selections.all(plan.id):
        for sigel, facts in ((chosen["note"] or {}).get("libraries") or {}).items():
            if missing := unshown(facts):
                said = Sentence(
                    "dump_short",
                    step=chosen["step"],
                    sigel=sigel,
                    listed=facts["dump_listed"],
                    count=missing,
                    index=facts["index_only"],
                )
                yield Finding(code="dump_short", record="library", message=said)
        for sigel, facts in compared(chosen).items():
            told = Sentence("index_has", step=chosen["step"], count=facts.index, sigel=sigel)
            if facts.listed is None:
                said = Sentence("index_unchecked", index=told, why=facts.unread)
                yield Finding(code="index_unchecked", record="find", message=said)
            elif facts.difference:
                said = Sentence(
                    "index_differs",
                    index=told,
                    started=facts.started,
                    listed=facts.listed,
                    since=_since(facts),
                    sigel=sigel,
                )
                yield Finding(code="index_differs", record="find", message=said)


def _since(facts: Compared) -> Sentence:
    if facts.created is None or facts.deleted is None:
        return Sentence("changed_uncounted")
    return Sentence("changed_meanwhile", created=facts.created, deleted=facts.deleted)
