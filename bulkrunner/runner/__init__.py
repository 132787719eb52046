"""What can be done with a job, for the command line and for whoever calls the program from Python.

with bulkrunner.open(config="bulkrunner.toml") as runner:
planned = runner.plan("jobs/2026-11-shelf-marks", "staging")
ran = runner.run("jobs/2026-11-shelf-marks", "staging")
print(ran.outcomes)
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from bulkrunner.errors import BulkRunnerError, GateClosed, IncompleteOutcome, ManifestError
from bulkrunner.runner.hooks import call_hooks
from bulkrunner.runner.lines import (
    demand_parameters,
    fault_data,
    input_told,
    status_lines,
    tell_written,
)
from bulkrunner.runner.results import (
    Advanced,
    Approved,
    Checked,
    Planned,
    Ran,
    Rejected,
    Reported,
    Result,
    Stood,
    Undone,
    Verified,
)
from bulkrunner.runner.telling import Caller, Happening, Listener, Telling, counts_said
from bulkrunner.sentences import LANGUAGES, Sentence, as_sentence

if TYPE_CHECKING:
    from bulkrunner.adapters.manifests import LoadedJob
    from bulkrunner.bootstrap import Program
    from bulkrunner.domain.plan import Plan
    from bulkrunner.domain.run import Run
    from bulkrunner.services.reviews import Read, Recorded
    from bulkrunner.services.status import Status

__all__ = ["Happening", "Runner", "open"]

R = TypeVar("R", bound=Result)

# Differences that are told one by one.
SHOWN = 20


def open(  # noqa: A001 (as ``bulkrunner.open``)
    config: str | Path | None = None,
    ledger: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    listener: Listener | None = None,
    language: str | None = None,
) -> Runner:
    """Return what does with jobs what the command line does.

    Args:
        config: the configuration's file; default ``bulkrunner.toml`` here, where there is one.
        ledger: URL of the ledger; default: what the configuration says.
        environ: stands in for the environment variables, such as those with credentials.
        listener: is called with every ``Happening``, from whatever thread, one at a time.
        language: of what is told, ``en`` or ``sv``, and of reports; default English, reports Swedish.

    Raises:
        ValueError: another language.
    """
    if language is not None and language not in LANGUAGES:
        raise ValueError(f"the language is one of {', '.join(LANGUAGES)}")
    path = None if config is None else Path(config)
    return Runner(path, ledger, environ=environ, telling=Caller(listener, language))


class Runner:
    """Jobs on one ledger; a context manager that closes it.

    One call goes on at a time: a runner is for one thread, and several runners may work on one
    ledger. ``cancel`` alone may be called from another thread or a signal handler.

    Every method returns the document that the command prints with ``--json`` and ends, where the
    command's exit code is not 0, in a ``BulkRunnerError`` of that code, whose ``document`` holds what
    is known.
    """

    def __init__(
        self,
        config: Path | None,
        ledger: str | None,
        *,
        telling: Telling,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        from bulkrunner.bootstrap import Program

        self.program: Program = Program(config, ledger, environ)
        self._telling = telling

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.program.__exit__(kind, error, trace)

    def close(self) -> None:
        """Close the ledger."""
        self.program.__exit__(None, None, None)

    def cancel(self) -> None:
        """Stop the plan or run that goes on, after what is in flight; it ends in ``Interrupted``."""
        if isinstance(self._telling, Caller):
            self._telling.cancel()

    @contextmanager
    def _answering(self, command: str) -> Iterator[dict[str, Any]]:
        """Give the document of a command; what goes wrong takes it along."""
        self._telling.begin(command)
        try:
            yield self._telling.document
        except BulkRunnerError as error:
            document = self._telling.document
            if isinstance(error, GateClosed) and "gates" in document:
                document["gates"] = [gate.as_dict() for gate in error.gates]
            error.document = dict(document)
            call_hooks(self.program, self._telling, command, error)
            raise
        call_hooks(self.program, self._telling, command, None)

    def _result(self, kind: type[R]) -> R:
        return kind.of(self._telling.document)

    # --- manifests and plans ----------------------------------------------------------------------

    def check(
        self,
        job: str | Path,
        *,
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Path] | None = None,
        explain: bool = False,
    ) -> Checked:
        """Read a manifest and its input files, offline. ManifestError: with every fault of them."""
        say = self._telling.say
        with self._answering("check") as document:
            try:
                loaded = self.program.load_job(Path(job), parameters, inputs)
            except ManifestError as error:
                document["problems"] = [fault_data(problem) for problem in error.problems]
                raise
            head = loaded.job
            document.update(
                job=head.id,
                manifest_digest=head.manifest_digest,
                effect_digest=head.effect_digest,
                operations=loaded.counts,
                problems=[],
                notes=[fault_data(note) for note in (*loaded.notes, *loaded.unreadable)],
                inputs=loaded.inputs,
            )
            say(f"{head.id}: {head.title}")
            say(counts_said(loaded.counts), indent=2)
            if explain:
                document["explained"] = loaded.explained
                for sentence in loaded.explained:
                    say(sentence, indent=2)
            self._tell_inputs(loaded)
            say(Sentence("manifest_digest", manifest_digest=head.manifest_digest), indent=2)
            wanted = "".join(f" --param {one.name}=…" for one in loaded.missing)
            say(Sentence("next", command=f"bulkrunner plan {job} --env staging{wanted}"))
        return self._result(Checked)

    def _tell_inputs(self, loaded: LoadedJob) -> None:
        say = self._telling.say
        for read in loaded.inputs:
            say(input_told(read), indent=2)
        for note in loaded.notes:
            say(Sentence("note", note=note.whole), indent=2)
        for line in loaded.unreadable:
            say(Sentence("names_no_record", line=line.whole), indent=2)
        if (rest := loaded.counts["unreadable"] - len(loaded.unreadable)) > 0:
            say(Sentence("more_in_report", rest=rest), indent=2)

    def plan(
        self,
        job: str | Path,
        environment: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Path] | None = None,
        source: str = "auto",
    ) -> Planned:
        """Read the records, compute every change, prove ownership, and store the plan.

        Never writes to the catalogue. PlanRefused: the plan holds what the manifest does not accept.
        """
        from bulkrunner.runner.conclude import plan_concluded

        telling, program = self._telling, self.program
        with self._answering("plan") as document:
            document.update(environment=environment)
            loaded = program.load_job(Path(job), parameters, inputs)
            demand_parameters(loaded.missing)
            document.update(
                job=loaded.job.id,
                manifest_digest=loaded.job.manifest_digest,
                effect_digest=loaded.job.effect_digest,
            )
            rate = loaded.job.agreement.rate
            with program.plans.planning(
                environment, telling.progress(), agreed_rate=rate
            ) as planning:
                for note in loaded.notes:
                    telling.say(Sentence("note", note=note.whole))
                plan_concluded(
                    telling, program, planning, lambda: planning.make(loaded, reads=source)
                )
        return self._result(Planned)

    # --- runs -------------------------------------------------------------------------------------

    def run(
        self,
        job: str | Path,
        environment: str,
        *,
        plan: str | None = None,
        limit: int | None = None,
        hold: bool = False,
    ) -> Ran:
        """Carry out the newest plan of the job in an environment, if every gate is open.

        ``limit``: only the next so many changes; ``hold``: pause after the first of every kind.
        GateClosed: with the gates; nothing was sent. IncompleteOutcome: the run is complete with
        anything but applied and unchanged. Interrupted: it can be resumed.
        """
        from bulkrunner.runner.conclude import run_concluded

        with self._answering("run") as document:
            document.update(environment=environment)
            loaded = self.program.load_job(Path(job))
            chosen = self.program.standing.starting().choose(loaded.job, environment, plan)
            run_concluded(self._telling, self.program, chosen, limit=limit, hold=hold)
        return self._result(Ran)

    def resume(self, id: str | None = None, *, limit: int | None = None) -> Ran | Planned:  # noqa: A002
        """Continue an interrupted plan or run, or lift a pause; without an id the newest one."""
        from bulkrunner.domain.plan import Plan
        from bulkrunner.runner.conclude import pause_lifted, plan_concluded, run_concluded

        telling, program = self._telling, self.program
        with self._answering("resume"):
            found = program.standing.to_resume(id, tell=lambda text: telling.say(text, err=True))
            if id is None:
                telling.say(_resumed(found), err=True)
            if lifted := program.standing.ordering().lift(found):
                pause_lifted(telling, program, lifted)
                return self._result(Ran)
            if not isinstance(found, Plan):
                run_concluded(telling, program, found, limit=limit)
                return self._result(Ran)
        with self._answering("plan") as document:
            document.update(plan=found.id)
            loaded = program.load_again(found)
            rate = loaded.job.agreement.rate
            with program.plans.planning(
                found.environment, telling.progress(), agreed_rate=rate
            ) as planning:
                plan_concluded(telling, program, planning, lambda: planning.resume(found, loaded))
        return self._result(Planned)

    def verify(self, run: str) -> Verified:
        """Read every record of a run again and compare it with what was written.

        IncompleteOutcome: some differ.
        """
        telling = self._telling
        with self._answering("verify") as document:
            found = self.program.ledger.runs.get(run)
            document.update(run=found.id, environment=found.environment)
            with self.program.runs.verifying(found, telling.progress()) as verifying:
                result = verifying.verify()
            document.update(
                checked=result.checked, differences=result.differences, requests=result.requests
            )
            telling.say(Sentence("verified_records", run=found.id, count=result.checked))
            for one in result.differences[:SHOWN]:
                said = as_sentence(one["message"])
                telling.say(Sentence("at_path", path=one["record"], message=said), indent=2)
            if result.differences:
                count = len({one["record"] for one in result.differences})
                raise IncompleteOutcome(
                    Sentence("records_differ", count=count),
                    hint=Sentence("records_differ_hint"),
                    code="differences",
                )
            telling.say(Sentence("verified_all"))
        return self._result(Verified)

    def undo(self, run: str, out: str | Path, *, only: Path | None = None) -> Undone:
        """Write a job that restores what the job of a run changed; it goes the same road.

        ``out``: the folder to make; ``only``: a list of records, which alone are restored.
        """
        telling, program = self._telling, self.program
        with self._answering("undo") as document:
            found = program.ledger.runs.get(run)
            plan = program.ledger.plans.get(found.plan)
            folder = Path(out)
            job = program.reports.write_undo(plan, folder, only=only)
            document.update(
                run=found.id,
                job=job,
                folder=str(folder),
                manifest=str(folder / "job.yaml"),
                undoes=plan.job,
                effect_digest=plan.effect_digest,
            )
            telling.say(
                Sentence(
                    "undo_written", folder=str(folder), job=plan.job, digest=plan.effect_digest
                )
            )
            telling.say(Sentence("undo_written_then"))
            first = program.first_environment()
            command = f"bulkrunner plan {shlex.quote(str(folder))} --env {first}"
            telling.say(Sentence("next", command=command))
        return self._result(Undone)

    def advance(
        self,
        job: str | Path,
        *,
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Path] | None = None,
        reports: str | Path = ".",
    ) -> Advanced:
        """Check, plan and try a job, plan it for production, and run it where KB's yes stands.

        ``reports``: the folder for its report. BulkRunnerError: as the step ends that cannot be done;
        GateClosed where it waits for KB.
        """
        from bulkrunner.runner.advancing import Advancer, alone

        with self._answering("advance") as document:
            document["steps"] = []
            road = Advancer(self._telling, self.program, Path(reports))
            with road.step("check"):
                loaded = self.program.load_job(Path(job), parameters, inputs)
                demand_parameters(loaded.missing)
            document["job"] = loaded.job.id
            with alone(self.program, loaded.job.id) as renew:
                road.renew = renew
                road.walk(loaded)
        return self._result(Advanced)

    # --- answers ----------------------------------------------------------------------------------

    def approve(
        self,
        plan: str,
        *,
        by: str,
        reference: str,
        digest: str | None = None,
        agree: Sequence[str] = (),
        per_night: int | None = None,
        not_before: date | None = None,
        exclude: Sequence[str] = (),
        replace: bool = False,
    ) -> Approved:
        """Record KB's yes to exactly this plan, with the conditions that it sets.

        ``agree``: what it agrees to in particular, word for word; ``exclude``: records left alone;
        ``replace``: it may drop conditions that the same person set before.
        UsageError, AnswerRefused: it cannot be recorded.
        """
        from bulkrunner.domain.approvals import Conditions

        with self._answering("approve"):
            read = self.program.gating.approving().told(
                plan,
                approved=True,
                by=by,
                reference=reference,
                digest=digest,
                statements=tuple(agree),
                conditions=Conditions(per_night=per_night, not_before=not_before),
                exclude=exclude,
            )
            self.record(read, replace=replace)
        return self._result(Approved)

    def reject(self, plan: str, *, by: str, reference: str, digest: str | None = None) -> Rejected:
        """Record KB's no; it withdraws an earlier yes and stops a running run."""
        with self._answering("reject"):
            reviews = self.program.gating.approving()
            read = reviews.told(plan, approved=False, by=by, reference=reference, digest=digest)
            self.record(read)
        return self._result(Rejected)

    def record(self, read: Read, *, replace: bool = False, words_read: bool = False) -> Recorded:
        """Record an answer that was read, and tell what it does."""
        from bulkrunner.runner.recorded import tell_recorded

        recorded = self.program.gating.approving().record(
            read,
            recorded_by=self.program.account(),
            replace_stricter=replace,
            words_read=words_read,
        )
        tell_recorded(self._telling, self.program, recorded)
        return recorded

    # --- what only looks --------------------------------------------------------------------------

    def report(
        self,
        id: str,  # noqa: A002
        *,
        form: str | None = None,
        out: str | Path | None = None,
        semicolons: bool = False,
        older: str | None = None,
        library: str | None = None,
        libraries: str | Path | None = None,
    ) -> Reported:
        """Write what the reviewer at KB reads of a plan or run.

        ``form``: html, json, jsonl, csv, xlsx, md or zip. ``older``: say what changed since that plan.
        ``library``: the page of one library alone; ``libraries``: the folder for that of each.
        """
        path, language = None if out is None else Path(out), self._telling.language or "sv"
        reports = self.program.reports
        with self._answering("report") as document:
            if older is not None:
                found = reports.write_plan_diff(
                    older, id, form=form or "md", language=language, out=path
                )
            elif library is not None or libraries is not None:
                folder = None if libraries is None else Path(libraries)
                found = reports.write_library_pages(
                    id, language=language, sigel=library, out=path, folder=folder
                )
            else:
                found = reports.write_report(
                    id, form=form or "html", language=language, out=path, semicolons=semicolons
                )
            document.update(found.as_dict())
            tell_written(self._telling, found)
        return self._result(Reported)

    def status(self, id: str | None = None) -> Stood:  # noqa: A002
        """Tell where jobs, plans, runs and gates stand, or one plan or run, and the next command."""
        with self._answering("status") as document:
            found: Status = self.program.standing.status(id)
            document.update(found.as_document())
            for indent, said in status_lines(found):
                self._telling.say(said, indent=indent)
        return self._result(Stood)


def _resumed(found: Plan | Run) -> Sentence:
    from bulkrunner.domain.plan import Plan

    return Sentence(
        "plan_resumed" if isinstance(found, Plan) else "run_resumed",
        id=found.id,
        job=found.job,
        environment=found.environment,
    )
