"""Wiring of ``report``, ``undo``, ``doctor`` and of what is done with the whole ledger."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkrunner.bootstrap.core import Core
from bulkrunner.bootstrap.oversight import GateWiring
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.rules import GateResult, ledger_fault
from bulkrunner.domain.run import Run, RunState
from bulkrunner.errors import BulkRunnerError, ChainBroken, UsageError
from bulkrunner.sentences import Sentence, as_sentence, verbatim

if TYPE_CHECKING:
    from bulkrunner.adapters.bundles import Checked
    from bulkrunner.adapters.ledger.copying import Moved
    from bulkrunner.adapters.libris.client import ReadOnlyCatalogue
    from bulkrunner.domain.ledger_port import Restoration
    from bulkrunner.services.clients import Examined
    from bulkrunner.services.compact import Compacted


@dataclass(frozen=True, kw_only=True)
class WrittenReport:
    """Where a report is.

    Attributes:
        fault: why the ledger does not fit; empty where it does.
        head: the ledger's, as the report has it; None in a report on two plans.
        older: the plan that ``plan`` was compared with; None in any other report.
        changed: whether a run of ``plan`` would do something else than one of ``older``.
        libraries: the page of each library by its sigel; None in any other report.
    """

    plan: str
    run: str | None
    form: str
    path: Path  # the file, or the folder of several
    head: str | None = None
    older: str | None = None
    changed: bool | None = None
    libraries: Mapping[str, Path] | None = None
    fault: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the command's document."""
        return {
            "plan": self.plan,
            "run": self.run,
            "format": self.form,
            "path": str(self.path),
            "head": self.head,
            "older": self.older,
            "changed": self.changed,
            "libraries": None
            if self.libraries is None
            else [{"sigel": sigel, "path": str(path)} for sigel, path in self.libraries.items()],
        }


class ReportWiring:
    """Writes reports and undo jobs, and looks at environments."""

    def __init__(self, core: Core, gating: GateWiring) -> None:
        self._core = core
        self._gating = gating

    def write_report(
        self,
        prefix: str,
        *,
        form: str,
        language: str,
        out: Path | None,
        semicolons: bool = False,
    ) -> WrittenReport:
        """Write the report of a plan or run; the gates in it are those of now."""
        from bulkrunner.adapters.reports import write_report
        from bulkrunner.services.report.service import ReportService

        reports = ReportService(self._core.ledger, self._core.clock, proofs=self._gating.proofs())
        plan, run = reports.find(prefix)
        name = (run or plan).id
        path = out or Path(f"{name}.{form}")
        gates = self._gating.gates_asking(plan, whole=True)
        data = reports.report_of(
            plan,
            run,
            gates,
            environment=self._speeds(plan),
            rests_on=self._gating.rests_on(plan, run),
        )
        write_report(data, path, form=form, lang=language, semicolons=semicolons)
        return WrittenReport(
            plan=plan.id,
            run=run.id if run else None,
            form=form,
            path=path.absolute(),
            head=data.head,
            fault=ledger_fault(gates),
        )

    def write_library_pages(
        self,
        prefix: str,
        *,
        language: str,
        sigel: str | None = None,
        out: Path | None = None,
        folder: Path | None = None,
    ) -> WrittenReport:
        """Write the page of one library, or into a folder that of each.

        Raises:
            UsageError: nothing of the plan is that library's.
            ChainBroken: the ledger does not fit; a library would be told what nobody can vouch for.
        """
        from bulkrunner.adapters.reports.library_page import file_names, write_library_page
        from bulkrunner.services.report.service import ReportService

        reports = ReportService(self._core.ledger, self._core.clock)
        plan, run = reports.find(prefix)
        _require_sound(self._gating.gates_asking(plan, whole=True))
        sigels = (sigel,) if sigel is not None else reports.sigels(plan) or ("",)
        rests_on = self._gating.rests_on(plan, run)
        one = reports.report_to(plan, run, sigels[0], rests_on=rests_on)
        names = file_names((run or plan).id, sigels, folder)
        if out is not None:
            names = {sigels[0]: out}
        for name, path in names.items():
            data = one
            if name != sigels[0]:
                data = reports.report_to(plan, run, name, rests_on=rests_on)
            write_library_page(data, path, lang=language)
        return WrittenReport(
            plan=plan.id,
            run=run.id if run else None,
            form="html",
            path=(folder or names[sigels[0]]).absolute(),
            libraries={name: path.absolute() for name, path in names.items()},
        )

    def write_standing(
        self, ref: str, *, month: str, form: str, language: str, out: Path | None
    ) -> WrittenReport:
        """Write the summary of what was done under a standing approval.

        Raises:
            UsageError: there is none of that name, or the form says nothing of one.
        """
        from bulkrunner.adapters.reports.standing_page import FORMATS, write_summary

        if form not in FORMATS:
            raise UsageError(
                Sentence("standing_format", form=form),
                hint=Sentence("difference_format_hint", formats=" or --format ".join(FORMATS)),
            )
        summaries = self._gating.summaries()
        basis = summaries.find(ref)
        found = summaries.summary(basis, month)
        name = "-".join(filter(None, ("standing", basis.approved.id, month)))
        path = out or Path(f"{name}.{form}")
        write_summary(found, path, form=form, lang=language)
        fault = self._core.ledger.chain.verify()
        return WrittenReport(
            plan=basis.approved.id,
            run=None,
            form=form,
            path=path.absolute(),
            head=found.head,
            fault=fault or "",
        )

    def write_plan_diff(
        self, older: str, newer: str, *, form: str, language: str, out: Path | None
    ) -> WrittenReport:
        """Write what changed from one plan to another.

        Raises:
            UsageError: no such plan, or a form that says nothing of two plans.
        """
        from bulkrunner.adapters.reports.markdown import DIFF_FORMATS, write_plan_diff
        from bulkrunner.services.compare import PlanComparison

        if form not in DIFF_FORMATS:
            raise UsageError(
                Sentence("difference_format", form=form),
                hint=Sentence("difference_format_hint", formats=" or --format ".join(DIFF_FORMATS)),
            )
        plans = self._core.ledger.plans.get(older), self._core.ledger.plans.get(newer)
        found = PlanComparison(self._core.ledger).compare(*plans)
        path = out or Path(f"{plans[0].id}-{plans[1].id}.{form}")
        write_plan_diff(found, path, form=form, lang=language)
        return WrittenReport(
            plan=plans[1].id,
            run=None,
            form=form,
            path=path.absolute(),
            older=plans[0].id,
            changed=found.changed,
        )

    def _speeds(self, plan: Plan) -> Environment | None:
        try:
            return self._core.within(plan)
        except BulkRunnerError:
            return None

    def write_undo(self, plan: Plan, folder: Path, *, only: Path | None) -> str:
        """Write the job that restores what a plan's job changed; returns the new job's id.

        Raises:
            UsageError: the folder is there, or the list cannot be read or names no record.
        """
        from bulkrunner.adapters.job_folders import write_undo_job
        from bulkrunner.adapters.manifests.line_files import read_id_file
        from bulkrunner.domain.manifest import Undo
        from bulkrunner.errors import Source
        from bulkrunner.services.compact import refuse_compacted
        from bulkrunner.services.planning.earlier_runs import Undoing

        refuse_compacted(self._core.ledger, plan.id, Sentence("dropped_no_undo"))

        iris = IriMap(bases=self._core.bases(), target="")
        chosen = None if only is None else read_id_file(only, iris)
        wish = Undo(
            source=Source(file="undo"),
            job=plan.job,
            effect_digest=plan.effect_digest,
            only=None if chosen is None else frozenset(chosen),
        )
        newest: dict[str, Plan] = {}
        for other in self._core.ledger.plans.all(job=plan.job):
            if other.effect_digest == plan.effect_digest:
                newest.setdefault(
                    other.environment, replace(other, created_at=self._core.clock.now())
                )
        counted = [
            Undoing(self._core.ledger, self._core.drivers(), one).count(wish)
            for one in newest.values()
        ]
        names = {name for counts in counted for name in counts}
        return write_undo_job(
            folder,
            plan.manifest,
            effect_digest=plan.effect_digest,
            counts={name: max(counts[name] for counts in counted) for name in names},
            only=chosen,
        )

    def examine(self, name: str | None) -> list[Examined]:
        """Look at one environment, or at every one that has a client."""
        from bulkrunner.services.clients import Doctor

        def connect(environment: Environment) -> AbstractContextManager[ReadOnlyCatalogue]:
            return self._core.reader(self._core.polite(environment.name))

        diagnosing = Doctor(self._core.clock, connect=connect)
        if name is not None:
            return [diagnosing.examine(self._core.settings.environment(name))]
        return [
            diagnosing.examine(environment)
            for environment in self._core.settings.environments.values()
            if self._has_client(environment)
        ]

    def _has_client(self, environment: Environment) -> bool:
        """Return True if there is a client, or a part of one, which is worth a word."""
        from bulkrunner.adapters.libris.credentials import is_begun

        if is_begun(self._core.settings, environment, self._core.environ):
            return True
        try:
            self._core.credentials(environment)
        except BulkRunnerError:
            return False
        return True


class LedgerWiring:
    """Proves, exports and compacts the ledger."""

    def __init__(self, core: Core, gating: GateWiring) -> None:
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
        gates = self._gating.gates_asking(plan, whole=True)
        _require_sound(gates)
        reports = ReportService(self._core.ledger, self._core.clock, proofs=self._gating.proofs())
        data = reports.report_of(plan, run, gates, rests_on=self._gating.rests_on(plan, run))
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
        from bulkrunner.services.compact import LedgerKeeper

        return LedgerKeeper(self._core.ledger).restore(
            by=by, reason=reason, recorded_by=self._core.account()
        )

    def move(self, source: str, target: str) -> tuple[tuple[str, str], Moved]:
        """Move a ledger into an empty database; returns both places without passwords."""
        from bulkrunner.adapters.ledger import open_ledger, shown_url
        from bulkrunner.adapters.ledger.copying import move_ledger, require_there

        clock = self._core.clock
        require_there(source)
        with open_ledger(source, clock=clock) as old, open_ledger(target, clock=clock) as new:
            done = move_ledger(old, new, clock=clock, by=self._core.account())
        return (shown_url(source), shown_url(target)), done

    def compact(self, before: str) -> Compacted:
        """Drop the documents of old plans."""
        from bulkrunner.services.compact import LedgerKeeper

        return LedgerKeeper(self._core.ledger).compact(before)


def _require_sound(gates: Sequence[GateResult]) -> None:
    if fault := ledger_fault(gates):
        raise ChainBroken(
            Sentence("ledger_proves_nothing", fault=as_sentence(fault)),
            hint=Sentence("ledger_proves_nothing_hint"),
        )


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
