"""What earlier runs of the job made in this environment: a second plan takes up what is left."""

from __future__ import annotations

from typing import TypeAlias

from bulkrunner.domain.answers import Found
from bulkrunner.domain.decisions import same_moment
from bulkrunner.domain.fingerprint import before_fingerprint
from bulkrunner.domain.job import Operation, Unreadable
from bulkrunner.domain.plan import Made, Plan, left_key
from bulkrunner.domain.ports import CatalogueReader, Ledger
from bulkrunner.domain.records import last_modifier, modified
from bulkrunner.domain.steps import InputLine, StepEntry
from bulkrunner.domain.undo import Restore
from bulkrunner.services.planning.undoing import Undone

Item: TypeAlias = Operation | Unreadable | Restore | StepEntry | InputLine
"""What is resolved to planned changes; a line that is left out comes to none."""

MAX_VERSIONS = 20
"""Versions of a record that are looked through for the one that a run stored."""


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
    if _is_version(newest, made, active_sigel):
        return True
    for back in range(2, MAX_VERSIONS + 1):
        answer = reader.read_version(newest.record, -back)
        if not isinstance(answer, Found):
            return False
        if _is_version(answer, made, active_sigel):
            return True
    return False


def _is_version(found: Found, made: Made, active_sigel: str) -> bool:
    if last_modifier(found.document) != active_sigel:
        return False
    if made.stored_modified is not None:
        return same_moment(modified(found.document), made.stored_modified)
    if found.etag and found.etag == made.etag:
        return True
    return before_fingerprint(found.document) == made.after_fingerprint
