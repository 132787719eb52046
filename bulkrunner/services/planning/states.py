"""Earlier states of records: a version, or what a record was before the runs of a job."""

from __future__ import annotations

from itertools import pairwise

from bulkrunner.domain.answers import Found
from bulkrunner.domain.decisions import by_and_when
from bulkrunner.domain.fingerprint import before_fingerprint
from bulkrunner.domain.job import Source
from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import Action, Plan, record_key
from bulkrunner.domain.ports import CatalogueReader, Ledger
from bulkrunner.domain.records import Document
from bulkrunner.domain.run import Outcome
from bulkrunner.domain.undo import Restore
from bulkrunner.services.planning.steps import Known

_NOWHERE = Source(file="")


def _follows(later: Restore, earlier: Restore) -> bool:
    """Tell whether a run found what the one before had left, or what that one had found."""
    then, first = later.change.before, earlier.change.before
    if then is None or first is None:
        return False
    return earlier.is_as_left(then) or before_fingerprint(then) == before_fingerprint(first)


class States:
    """Finds earlier content of a record; thread safe."""

    def __init__(self, reader: CatalogueReader, ledger: Ledger, plan: Plan) -> None:
        """Look at the history of the plan's environment.

        Args:
            reader: of the environment.
            ledger: that knows the runs.
            plan: being made; runs that began later do not count.
        """
        self._reader = reader
        self._ledger = ledger
        self._plan = plan

    def version(self, record: str, number: int) -> Document | Refusal:
        """Return a version of a record, or why there is none.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        answer = self._reader.read_version(record, number)
        if isinstance(answer, Found):
            return answer.document
        return Refusal(
            code="no_version",
            message=f"the record has no version {number}",
            hint="-2 is the one before the newest, 0 the first",
        )

    def before(self, known: Known, now: Document, job: str, effect: str) -> Document | Refusal:
        """Return what a record was before the runs of a job, or why that is not brought back.

        Args:
            known: the record.
            now: as it is now.
            job: id of the job.
            effect: digest of its manifest.
        """
        found = [
            restore
            for plan in self._ledger.plans(job=job, environment=self._plan.environment)
            if plan.effect_digest == effect and plan.addresses == self._plan.addresses
            if (restore := self._applied(plan, known.record)) is not None
        ]
        if not found:
            return Refusal(
                code="not_changed",
                message=f"no run of {job} here has changed it",
                hint="take it off the list",
            )
        newest, first = found[0], found[-1]
        if not newest.is_as_left(now):
            facts = by_and_when(now)
            return Refusal(
                code="changed_since",
                message=f"edited by {facts['by'] or 'somebody'} at {facts['when']}, "
                f"after run {newest.run}; it is not overwritten",
                hint="look at the record and restore it by hand where that is right",
            )
        if any(not _follows(*two) for two in pairwise(found)):
            return Refusal(
                code="changed_since",
                message=f"somebody edited it between the runs of {job}; "
                "what it was before the first one is not brought back over that",
                hint="name a version instead, or restore it by hand",
            )
        return first.wanted() or Refusal(
            code="no_document",
            message=f"the ledger does not hold what it was before run {first.run}",
            hint="restore it by hand",
        )

    def _applied(self, plan: Plan, record: str) -> Restore | None:
        """Return the update of a record that a plan's runs applied."""
        change = self._ledger.changes_of(plan.id, [record_key(record)]).get(record_key(record))
        if change is None or change.action is not Action.UPDATE:
            return None
        for run in self._ledger.runs(plan=plan.id):
            if run.started_at > self._plan.created_at:
                continue
            result = self._ledger.result_of(run.id, change.number)
            if result.outcome is Outcome.APPLIED:
                return Restore(source=_NOWHERE, run=run.id, change=change, result=result)
        return None
