"""What earlier runs of the job made in this environment: a second plan takes up what is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from bulkrunner.domain.answers import Found
from bulkrunner.domain.decisions import Version
from bulkrunner.domain.job import Operation, Unreadable
from bulkrunner.domain.plan import Made, Plan, left_key
from bulkrunner.domain.ports import CatalogueReader, LaterWrite, Ledger
from bulkrunner.domain.settlement.versions import Left
from bulkrunner.domain.settling import MAX_VERSIONS
from bulkrunner.domain.steps import InputLine, StepEntry
from bulkrunner.domain.undo import Restore
from bulkrunner.services.planning.undoing import Undone

Item: TypeAlias = Operation | Unreadable | Restore | StepEntry | InputLine
"""What is resolved to planned changes; a line that is left out comes to none."""


class EarlierRuns:
    """Finds the change that an earlier run of the job applied for the same operation."""

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._undone = Undone(ledger, plan)
        run = {run.plan for run in ledger.runs(job=plan.job)}
        self._plans = [
            other.id
            for other in ledger.plans(job=plan.job, environment=plan.environment)
            if other.id in run and other.addresses == plan.addresses
        ]

    def made(self, digest: str | None) -> Made | None:
        """Return what a run has applied of what has this wish digest."""
        if not self._plans or digest is None:
            return None
        found = self._ledger.made(self._plans, [digest])
        return None if digest in self._undone.among(found) else found.get(digest)

    def later_than(self, run: str, record: str) -> Sequence[LaterWrite]:
        """Return what runs after this one applied to a record, oldest first."""
        return self._ledger.written_later(run, [record]).get(record, ())

    def deleted(self, bib: str, sigel: str) -> str | None:
        """Return the library's holding on a bib that a run of the job has deleted."""
        key = left_key(bib, sigel)
        for plan in self._plans:
            change = self._ledger.changes_of(plan, [key]).get(key)
            if change is not None and self.made(change.wish_digest()) is not None:
                return change.record
        return None


def is_in_history(reader: CatalogueReader, newest: Found, made: Made, *, active_sigel: str) -> bool:
    """Tell whether the version that a run stored is one of the record's.

    It is not where the environment was filled anew since.

    Raises:
        CatalogueUnreachable: the environment does not answer.
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
