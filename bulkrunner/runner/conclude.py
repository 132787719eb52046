"""How ``plan``, ``run`` and ``resume`` answer: document, text and exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bulkrunner.domain.approvals import EXCLUDED, REJECTED
from bulkrunner.domain.catalogue import SEARCH_CODES
from bulkrunner.domain.plan import Action, Finding, Plan, PlanState, reads_data, reads_said
from bulkrunner.domain.run import Outcome, Run, RunState
from bulkrunner.errors import (
    BulkRunnerError,
    GateClosed,
    IncompleteOutcome,
    Interrupted,
    PlanRefused,
)
from bulkrunner.runner.telling import Telling, counted, counts_said, word
from bulkrunner.sentences import Sentence, as_sentence, joined, says, verbatim

if TYPE_CHECKING:
    from bulkrunner.bootstrap import PlanningSession, Program, RunningSession

# Findings shown to people; the document has the first 100.
SHOWN = 10

# Of these, as long as there are other codes to be shown.
SHOWN_OF_A_CODE = 3

# Characters of a finding that are shown.
MAX_LINE = 500


def plan_concluded(
    telling: Telling, program: Program, session: PlanningSession, make: Callable[[], Plan]
) -> None:
    """Make or resume a plan and answer with the contract's document.

    Raises:
        PlanRefused: refusals that the manifest does not accept (exit code 3).
    """
    try:
        with telling.stoppable(session.request_stop, lambda: _half_plan_left(telling, session)):
            plan = make()
    except BulkRunnerError:
        _tell_half_plan(telling, program, session)
        raise
    _describe_plan(telling, program, plan)
    telling.document["requests"] = session.requests
    closed = program.plans.plan_faults(plan)
    if closed:
        raise PlanRefused(
            Sentence("plan_cannot_run", plan=plan.id, why=joined(closed)),
            hint=Sentence("plan_cannot_run_hint"),
        )
    telling.say(Sentence("next", command=program.standing.next_command(plan)))


def _half_plan_left(telling: Telling, session: PlanningSession) -> str:
    if not session.begun:
        return telling.last_words(requests=session.requests)
    return telling.last_words(plan=session.plan_id, state="interrupted", requests=session.requests)


def _tell_half_plan(telling: Telling, program: Program, session: PlanningSession) -> None:
    plan = program.plans.stored_plan(session.plan_id)
    if plan is not None:
        _describe_plan(telling, program, plan)
        if plan.state is not PlanState.COMPLETE:
            telling.say(Sentence("go_on_with", command=f"bulkrunner resume {plan.id}"))
    telling.document["requests"] = session.requests


def _describe_plan(telling: Telling, program: Program, plan: Plan) -> None:
    complete = plan.state is PlanState.COMPLETE
    counts = program.plans.plan_counts(plan)
    reads = program.ledger.plans.count_reads(plan.id)
    findings = program.plans.plan_findings(plan)
    telling.document.update(
        plan=plan.id,
        job=plan.job,
        environment=plan.environment,
        manifest_digest=plan.manifest_digest,
        effect_digest=plan.effect_digest,
        plan_digest=plan.plan_digest,
        state="complete" if complete else "interrupted",
        counts=counts,
        findings=[
            {"code": found.code, "record": found.record, "message": found.message}
            for found in findings
        ],
    )
    telling.say(
        Sentence(
            "plan_described" if complete else "plan_described_interrupted",
            plan=plan.id,
            job=plan.job,
            environment=plan.environment,
        )
    )
    order = (
        Action.DELETE,
        Action.CREATE,
        Action.UPDATE,
        Action.UNCHANGED,
        Action.REFUSED,
        Action.NOT_FOUND,
    )
    listed = [counted(action.value, counts[action.value]) for action in order]
    telling.say(Sentence("listed", parts=listed), indent=2)
    _tell_reasons(
        telling, "unchanged", program.ledger.plans.count_reasons(plan.id, Action.UNCHANGED)
    )
    if (read := reads_said(reads)) is not None:
        telling.document["reads"] = reads_data(reads)
        telling.say(read, indent=2)
    searches = [found for found in findings if found.code in SEARCH_CODES]
    for found in searches:
        telling.say(found.message, indent=2, most=MAX_LINE)
    findings = [found for found in findings if found not in searches]
    by_code = program.ledger.plans.count_findings(plan.id)
    if by_code:
        told = ", ".join(f"{count:,} × {code}" for code, count in by_code.items())
        telling.say(Sentence("findings_such_as", told=told), indent=2)
    for found in _examples(findings):
        telling.say(_finding_said(found), indent=2, most=MAX_LINE)
    if sum(by_code.values()) > SHOWN or len(_examples(findings)) < len(findings):
        telling.say(Sentence("report_lists_all", plan=plan.id), indent=2)
    for text in program.plans.not_carried_out(plan):
        telling.say(text, indent=2, most=MAX_LINE)
    if plan.plan_digest:
        telling.say(Sentence("plan_digest", plan_digest=plan.plan_digest), indent=2)


def _finding_said(found: Finding) -> Sentence:
    message = as_sentence(found.message)
    if found.source and found.source.file:
        return Sentence(
            "finding_in",
            code=found.code,
            record=found.record,
            source=str(found.source),
            message=message,
        )
    return Sentence("finding", code=found.code, record=found.record, message=message)


def _tell_reasons(telling: Telling, what: str, by_code: Mapping[str, int]) -> None:
    """Tell why nothing is done, most frequent reason first."""
    if by_code:
        most = sorted(by_code.items(), key=lambda item: (-item[1], item[0]))
        told = ", ".join(f"{count:,} × {code}" for code, count in most)
        telling.say(Sentence("reasons_counted", what=word(what), told=told), indent=2)


def _examples(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings to show: refusals first, and no code so often that it hides another."""
    seen: Counter[str] = Counter()
    first: list[Finding] = []
    more: list[Finding] = []
    for found in findings:
        seen[found.code] += 1
        (first if seen[found.code] <= SHOWN_OF_A_CODE else more).append(found)
    return (first if len(seen) > 1 else first + more)[:SHOWN]


def run_concluded(
    telling: Telling,
    program: Program,
    chosen: Plan | Run,
    *,
    limit: int | None,
    hold: bool = False,
) -> None:
    """Run, resume or merely show a run, and answer with the contract's document.

    Raises:
        GateClosed: nothing was sent (4).
        IncompleteOutcome: complete with anything but applied and unchanged (5).
        Interrupted: stopped or interrupted (6).
        AccessLost: no token, or rights lost (7).
    """
    plan = program.ledger.plans.get(chosen.plan) if isinstance(chosen, Run) else chosen
    telling.document.update(plan=plan.id, environment=plan.environment)
    if isinstance(chosen, Run) and chosen.state is RunState.COMPLETED:
        telling.document["requests"] = 0
        _finished(telling, program, chosen)
        return
    try:
        run = _drive(telling, program, plan, chosen, limit=limit, hold=hold)
    except GateClosed:
        if isinstance(chosen, Run):
            _describe_run(telling, program, program.ledger.runs.get(chosen.id))
        raise
    _finished(telling, program, run)


def _drive(
    telling: Telling,
    program: Program,
    plan: Plan,
    chosen: Plan | Run,
    *,
    limit: int | None,
    hold: bool,
) -> Run:
    earlier = chosen if isinstance(chosen, Run) else None
    with program.runs.running(plan, earlier, telling.progress()) as session:
        try:
            gates = session.open_gates()
            telling.document["gates"] = [gate.as_dict() for gate in gates]
            with telling.stoppable(
                lambda: session.request_stop(telling.stopped_by),
                lambda: _half_run_left(telling, session),
            ):
                return session.execute(limit=limit, hold=hold)
        finally:
            telling.document["requests"] = session.requests
            if session.run_id is not None:
                _describe_run(telling, program, program.ledger.runs.get(session.run_id))


def _how_to_go_on(run: Run) -> Sentence:
    resume = f"bulkrunner resume {run.id}"
    if says(run.stop_reason, REJECTED):
        return Sentence("see_rejected", run=run.id, plan=run.plan)
    if run.state is RunState.STOPPED:
        return Sentence("see_and_go_on", run=run.id, command=resume)
    return verbatim(resume)


def _stopped_said(run: Run) -> Sentence:
    state = word(run.state.value)
    if run.stop_reason:
        return Sentence("run_state_why", run=run.id, state=state, why=as_sentence(run.stop_reason))
    return Sentence("run_state", run=run.id, state=state)


def _half_run_left(telling: Telling, session: RunningSession) -> str:
    if session.counts is None:
        return telling.last_words(requests=session.requests)
    return telling.last_words(
        run=session.run_id,
        state=RunState.INTERRUPTED.value,
        outcomes=session.counts,
        requests=session.requests,
    )


def pause_lifted(telling: Telling, program: Program, run: Run) -> None:
    """Answer that a running run goes on; this command sends nothing."""
    _describe_run(telling, program, run)
    telling.document.update(state=run.state.value, gates=[], requests=0)
    telling.say(Sentence("pause_lifted", run=run.id))


def _describe_run(telling: Telling, program: Program, run: Run) -> dict[str, int]:
    outcomes = program.ledger.runs.outcomes(run.id)
    state = RunState.INTERRUPTED if run.state is RunState.RUNNING else run.state
    telling.document.update(
        run=run.id, plan=run.plan, environment=run.environment, state=state.value, outcomes=outcomes
    )
    return outcomes


def _finished(telling: Telling, program: Program, run: Run) -> None:
    outcomes = _describe_run(telling, program, run)
    plan = program.ledger.plans.get(run.plan)
    if telling.document.get("gates") is None:
        telling.document["gates"] = []
    done = counts_said(outcomes) if any(outcomes.values()) else Sentence("nothing_to_do")
    telling.say(
        Sentence(
            "run_described",
            run=run.id,
            job=plan.job,
            environment=run.environment,
            state=word(run.state.value),
            outcomes=done,
        )
    )
    for outcome in (Outcome.UNCHANGED, Outcome.REFUSED, Outcome.CONFLICT, Outcome.FAILED):
        by_code = program.ledger.runs.count_codes(run.id, outcome) if outcomes[outcome] else {}
        _tell_reasons(telling, outcome, {code: n for code, n in by_code.items() if code})
    if run.state is not RunState.COMPLETED:
        raise Interrupted(
            _stopped_said(run),
            hint=_how_to_go_on(run),
            code=run.state.value,
        )
    # Pending ones are left where an undo has closed the run.
    bad = [Outcome.CONFLICT, Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.PENDING]
    excluded = program.ledger.runs.count_codes(run.id, Outcome.REFUSED).get(EXCLUDED, 0)
    if excluded:
        telling.say(Sentence("left_out_by_approval", excluded=excluded), indent=2)
    left = {**outcomes, Outcome.REFUSED: outcomes[Outcome.REFUSED] - excluded}
    found = {name.value: left[name] for name in bad if left[name]}
    if found:
        raise IncompleteOutcome(
            Sentence("run_incomplete", run=run.id, outcomes=counts_said(found)),
            hint=verbatim(f"bulkrunner report {run.id}"),
        )
    telling.say(Sentence("next", command=program.standing.next_command(plan)))
