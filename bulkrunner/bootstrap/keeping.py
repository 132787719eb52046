"""Wiring of what is done with the ledger as a whole."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bulkrunner.bootstrap.core import Core
from bulkrunner.bootstrap.gates import Gating
from bulkrunner.domain.gates import ledger_fault
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.run import Run, RunState
from bulkrunner.errors import ChainBroken, UsageError
from bulkrunner.sentences import Sentence, as_sentence, verbatim

if TYPE_CHECKING:
    from bulkrunner.adapters.bundles import Checked
    from bulkrunner.domain.ledger_port import Restoration
    from bulkrunner.services.compact import Compacted


class Keeping:
    """Proves, exports and compacts the ledger."""

    def __init__(self, core: Core, gating: Gating) -> None:
        self._core = core
        self._gating = gating

    def head_found(self, head: str) -> tuple[int, int]:
        """Return which event of the ledger's chain a head is of, and how many follow it.

        Raises:
            UsageError: it is no head.
            ChainBroken: the ledger never had it.
        """
        from bulkrunner.domain.canonical import as_head

        wanted = as_head(head)
        position = self._core.ledger.chain.position_of(wanted)
        if position is None:
            raise ChainBroken(
                Sentence("other_head", wanted=wanted),
                hint=Sentence("other_head_hint"),
                code="other_head",
            )
        return position, self._core.ledger.chain.length() - position

    def check_bundle(self, path: Path, *, against: str | None, reviewers: Path | None) -> Checked:
        """Verify a bundle by itself; no ledger is opened."""
        from bulkrunner.adapters.bundles import check_bundle
        from bulkrunner.adapters.signatures import read_signers

        signers = None if reviewers is None else read_signers(reviewers)
        return check_bundle(path, against=against, signers=signers)

    def export(self, found: Plan | Run, path: Path) -> str:
        """Write a plan or run with all that belongs to it; returns the ledger's head in it.

        Raises:
            UsageError: the run is running, the plan is not complete, or was compacted.
            ChainBroken: the ledger does not fit; whoever verified the bundle would be told wrong.
        """
        from bulkrunner.adapters.bundles import write_bundle
        from bulkrunner.adapters.reports import json_report
        from bulkrunner.services.compact import refuse_compacted
        from bulkrunner.services.report.service import ReportService

        run = found if isinstance(found, Run) else None
        plan = (
            self._core.ledger.plans.get(run.plan) if run else self._core.ledger.plans.get(found.id)
        )
        _require_finished(plan, run)
        refuse_compacted(self._core.ledger, plan.id, Sentence("dropped_no_proof"))
        gates = self._gating.gates_asking(plan)
        if fault := ledger_fault(gates):
            raise ChainBroken(
                Sentence("ledger_proves_nothing", fault=as_sentence(fault)),
                hint=Sentence("ledger_proves_nothing_hint"),
            )
        reports = ReportService(self._core.ledger, self._core.clock, proofs=self._gating.proofs())
        data = reports.report_of(plan, run, gates)
        name = run.id if run else None
        with tempfile.TemporaryFile() as report:
            digest = hashlib.sha256()
            for chunk in json_report(data):
                digest.update(chunk)
                report.write(chunk)
            report.seek(0)
            self._core.ledger.exports.enter(plan.id, name, report=f"sha256:{digest.hexdigest()}")
            with self._core.ledger.exports.snapshot(plan.id, name) as snapshot:
                return write_bundle(
                    path,
                    snapshot,
                    with_run=run is not None,
                    report=report,
                    at=self._core.clock.now(),
                )

    def restore(self, *, by: str, reason: str) -> Restoration:
        """Enter that this ledger is to be used, by a person's word."""
        from bulkrunner.services.compact import Keeping as Service

        return Service(self._core.ledger).restore(
            by=by, reason=reason, recorded_by=self._core.account()
        )

    def compact(self, before: str) -> Compacted:
        """Drop the documents of old plans."""
        from bulkrunner.services.compact import Keeping as Service

        return Service(self._core.ledger).compact(before)


def _require_finished(plan: Plan, run: Run | None) -> None:
    if plan.plan_digest is None:
        raise UsageError(
            Sentence("plan_not_complete", plan=plan.id),
            hint=verbatim(f"bulkrunner resume {plan.id}"),
            code="plan_incomplete",
        )
    if run is not None and run.state is RunState.RUNNING:
        raise UsageError(
            Sentence("run_still_running", run=run.id),
            hint=Sentence("run_still_running_hint", run=run.id),
            code="still_running",
        )
