"""How ``plan``, ``run`` and ``resume`` answer: document, text and exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bulkrunner.cli.options import Invocation
from bulkrunner.domain.approvals import EXCLUDED, REJECTED
from bulkrunner.domain.catalogue import SEARCH_CODES
from bulkrunner.domain.plan import Action, Finding, Plan, PlanState
from bulkrunner.domain.run import Outcome, Run, RunState
from bulkrunner.errors import (
    BulkRunnerError,
    GateClosed,
    IncompleteOutcome,
    Interrupted,
    PlanRefused,
)
from bulkrunner.sentences import says

if TYPE_CHECKING:
    from bulkrunner.bootstrap import PlanningSession, Program, RunningSession

SHOWN = 10
"""Findings shown to people; the document has the first 100."""

SHOWN_OF_A_CODE = 3
"""Of these, as long as there are other codes to be shown."""

MAX_LINE = 500
"""Characters of a finding that are shown."""


def plan_concluded(
    invocation: Invocation, program: Program, session: PlanningSession, make: Callable[[], Plan]
) -> None:
    """Make or resume a plan and answer with the contract's document.

    Raises:
        PlanRefused: refusals that the manifest does not accept (exit code 3).
    """
    from bulkrunner.cli.console import stoppable

    try:
        with stoppable(session.request_stop, lambda: _half_plan_left(invocation, session)):
            plan = make()
    except BulkRunnerError:
        _tell_half_plan(invocation, program, session)
        raise
    _describe_plan(invocation, program, plan)
    invocation.document["requests"] = session.requests
    closed = program.plan_faults(plan)
    if closed:
        raise PlanRefused(
            f"plan {plan.id} cannot be run: {'; '.join(closed)}",
            hint="mend the manifest or its input and plan again, "
            "or accept the refusals in the manifest",
        )
    invocation.say(f"next: {program.next_command(plan)}")


def _half_plan_left(invocation: Invocation, session: PlanningSession) -> str:
    if not session.begun:
        return invocation.last_words(requests=session.requests)
    return invocation.last_words(
        plan=session.plan_id, state="interrupted", requests=session.requests
    )


def _tell_half_plan(invocation: Invocation, program: Program, session: PlanningSession) -> None:
    plan = program.stored_plan(session.plan_id)
    if plan is not None:
        _describe_plan(invocation, program, plan)
        if plan.state is not PlanState.COMPLETE:
            invocation.say(f"go on with: bulkrunner resume {plan.id}")
    invocation.document["requests"] = session.requests


def _describe_plan(invocation: Invocation, program: Program, plan: Plan) -> None:
    complete = plan.state is PlanState.COMPLETE
    counts = program.plan_counts(plan)
    findings = program.plan_findings(plan)
    invocation.document.update(
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
    invocation.say(
        f"plan {plan.id}: {plan.job} for {plan.environment}"
        + ("" if complete else " (interrupted)")
    )
    order = (
        Action.DELETE,
        Action.CREATE,
        Action.UPDATE,
        Action.UNCHANGED,
        Action.REFUSED,
        Action.NOT_FOUND,
    )
    invocation.say("  " + ", ".join(f"{counts[action.value]:,} {action.value}" for action in order))
    _tell_reasons(invocation, "unchanged", program.ledger.count_reasons(plan.id, Action.UNCHANGED))
    searches = [found for found in findings if found.code in SEARCH_CODES]
    for found in searches:
        invocation.say(f"  {found.message}"[:MAX_LINE])
    findings = [found for found in findings if found not in searches]
    by_code = program.ledger.count_findings(plan.id)
    if by_code:
        told = ", ".join(f"{count:,} × {code}" for code, count in by_code.items())
        invocation.say(f"  findings: {told}; such as")
    for found in _examples(findings):
        place = f"({found.source})" if found.source and found.source.file else ""
        line = " ".join(f"{found.code}: {found.record} {place} {found.message}".split())
        invocation.say(f"  {line[:MAX_LINE]}")
    if sum(by_code.values()) > SHOWN or len(_examples(findings)) < len(findings):
        invocation.say(f"  … the report lists every one: bulkrunner report {plan.id}")
    for text in program.not_carried_out(plan):
        invocation.say(f"  {text}"[:MAX_LINE])
    if plan.plan_digest:
        invocation.say(f"  plan digest {plan.plan_digest}")


def _tell_reasons(invocation: Invocation, what: str, by_code: Mapping[str, int]) -> None:
    """Tell why nothing is done, most frequent reason first."""
    if by_code:
        most = sorted(by_code.items(), key=lambda item: (-item[1], item[0]))
        told = ", ".join(f"{count:,} × {code}" for code, count in most)
        invocation.say(f"  {what}: {told}")


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
    invocation: Invocation,
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
    plan = program.ledger.plan(chosen.plan) if isinstance(chosen, Run) else chosen
    invocation.document.update(plan=plan.id, environment=plan.environment)
    if isinstance(chosen, Run) and chosen.state is RunState.COMPLETED:
        invocation.document["requests"] = 0
        _finished(invocation, program, chosen)
        return
    try:
        run = _drive(invocation, program, plan, chosen, limit=limit, hold=hold)
    except GateClosed:
        if isinstance(chosen, Run):
            _describe_run(invocation, program, program.ledger.run(chosen.id))
        raise
    _finished(invocation, program, run)


def _drive(
    invocation: Invocation,
    program: Program,
    plan: Plan,
    chosen: Plan | Run,
    *,
    limit: int | None,
    hold: bool,
) -> Run:
    from bulkrunner.cli.console import ConsoleProgress, stoppable

    earlier = chosen if isinstance(chosen, Run) else None
    with program.running(plan, earlier, ConsoleProgress()) as session:
        try:
            gates = session.open_gates()
            invocation.document["gates"] = [gate.as_dict() for gate in gates]
            with stoppable(session.request_stop, lambda: _half_run_left(invocation, session)):
                return session.execute(limit=limit, hold=hold)
        finally:
            invocation.document["requests"] = session.requests
            if session.run_id is not None:
                _describe_run(invocation, program, program.ledger.run(session.run_id))


def _how_to_go_on(run: Run) -> str:
    resume = f"bulkrunner resume {run.id}"
    if says(run.stop_reason, REJECTED):
        return (
            f"see: bulkrunner report {run.id}; without another yes to plan {run.plan} it ends here"
        )
    if run.state is RunState.STOPPED:
        return f"see: bulkrunner report {run.id}; go on with: {resume}"
    return resume


def _half_run_left(invocation: Invocation, session: RunningSession) -> str:
    if session.counts is None:
        return invocation.last_words(requests=session.requests)
    return invocation.last_words(
        run=session.run_id,
        state=RunState.INTERRUPTED.value,
        outcomes=session.counts,
        requests=session.requests,
    )


def pause_lifted(invocation: Invocation, program: Program, run: Run) -> None:
    """Answer that a running run goes on; this command sends nothing."""
    _describe_run(invocation, program, run)
    invocation.document.update(state=run.state.value, gates=[], requests=0)
    invocation.say(f"run {run.id}: the pause is lifted; the process that drives it goes on")


def _describe_run(invocation: Invocation, program: Program, run: Run) -> dict[str, int]:
    outcomes = program.ledger.outcomes(run.id)
    state = RunState.INTERRUPTED if run.state is RunState.RUNNING else run.state
    invocation.document.update(
        run=run.id, plan=run.plan, environment=run.environment, state=state.value, outcomes=outcomes
    )
    return outcomes


def _finished(invocation: Invocation, program: Program, run: Run) -> None:
    outcomes = _describe_run(invocation, program, run)
    plan = program.ledger.plan(run.plan)
    if invocation.document.get("gates") is None:
        invocation.document["gates"] = []
    text = ", ".join(f"{count:,} {name}" for name, count in outcomes.items() if count)
    invocation.say(
        f"run {run.id}: {plan.job} in {run.environment} is {run.state}: {text or 'nothing to do'}"
    )
    for outcome in (Outcome.UNCHANGED, Outcome.REFUSED, Outcome.CONFLICT, Outcome.FAILED):
        by_code = program.ledger.count_codes(run.id, outcome) if outcomes[outcome] else {}
        _tell_reasons(invocation, outcome, {code: n for code, n in by_code.items() if code})
    if run.state is not RunState.COMPLETED:
        raise Interrupted(
            f"run {run.id} is {run.state}" + (f": {run.stop_reason}" if run.stop_reason else ""),
            hint=_how_to_go_on(run),
            code=run.state.value,
        )
    # Pending ones are left where an undo has closed the run.
    bad = [Outcome.CONFLICT, Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.PENDING]
    excluded = program.ledger.count_codes(run.id, Outcome.REFUSED).get(EXCLUDED, 0)
    if excluded:
        invocation.say(f"  {excluded:,} of them left out, as the approval asks")
    left = {**outcomes, Outcome.REFUSED: outcomes[Outcome.REFUSED] - excluded}
    found = {name: left[name] for name in bad if left[name]}
    if found:
        text = ", ".join(f"{count} {name}" for name, count in found.items())
        raise IncompleteOutcome(
            f"run {run.id} is complete, but {text}", hint=f"bulkrunner report {run.id}"
        )
    invocation.say(f"next: {program.next_command(plan)}")
