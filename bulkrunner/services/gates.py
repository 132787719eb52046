"""Evaluates the gates of a plan: at the start of a run, at each resume, hourly, and for status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bulkrunner.domain.approvals import Conditions, Permit, agrees_untried, opens_at, permit
from bulkrunner.domain.environment import KB_TEST_HOSTS, Environment, Kind, host_of, is_loopback
from bulkrunner.domain.gates import Evidence, GateResult
from bulkrunner.domain.plan import WRITING, Plan, PlanState, empty_counts, plan_digest
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.ports import Clock, Ledger
from bulkrunner.domain.restoration import RESTORE
from bulkrunner.domain.rights import Rights
from bulkrunner.domain.run import Run
from bulkrunner.domain.undo import UNTRIED, undone_by
from bulkrunner.errors import AccessLost
from bulkrunner.services.planning.outcome import accepts_of, plan_ceilings, unaccepted
from bulkrunner.services.proofs import Proofs

ACCEPT_OR_TAKE_OFF = "accept the code in the manifest, or take the records off the job, and plan and run it there again"
"""How the gate ``staging`` opens after refusals in a test environment."""

TRY_THE_REST = (
    "run what is left in a test environment, or take it off the job, or agree with the reviewer on "
    "a lower min_staging_coverage"
)
"""How the gate ``staging`` opens where too little was tried."""

MAX_REASONS = 3
MAX_WORDS = 300


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What the gates are asked about.

    Attributes:
        environment: as configured now; None where the configuration has no such environment.
        manifest_digest: of the job folder as it is now; None where it cannot be read.
        rights: asks the login now; None where the caller may not ask it (offline status).
        run: the run to be resumed, None at its start.
        unknown_writes: asks the catalogue for what a run has written that the ledger does not
            know; None where that is not asked.
    """

    plan: Plan
    environment: Environment | None
    manifest_digest: str | None
    rights: Callable[[], Rights] | None
    run: Run | None = None
    unknown_writes: Callable[[], str | None] | None = None


class Gates:
    """All gates of design §6, each with its reason."""

    def __init__(self, ledger: Ledger, clock: Clock, *, proofs: Proofs | None = None) -> None:
        self._ledger = ledger
        self._clock = clock
        self._proofs = proofs or Proofs(None)

    def evaluate(self, situation: Situation) -> list[GateResult]:
        """Return every gate that applies, in the order of the contract; no gate hides another.

        Raises:
            AccessLost: the login gives no rights at all (exit code 7).
        """
        plan = situation.plan
        gates = [
            self._plan(situation),
            self._environment(situation),
            self._rights(situation),
            self._ceilings(plan),
            self._refusals(plan),
        ]
        if plan.addresses.get("kind") == Kind.PRODUCTION:
            found = self._permit(situation)
            gates += [self._staging(plan, found), self._approval(found, situation)]
        gates.append(self._whole(situation, asking=all(gate.open for gate in gates)))
        return gates

    def _plan(self, situation: Situation) -> GateResult:
        plan = situation.plan
        closed = (
            self._incomplete(plan)
            or self._compacted(plan)
            or _changed_manifest(situation)
            or self._too_old(situation)
            or self._miscounted(plan)
        )
        reason = closed or f"complete, made {plan.created_at:%Y-%m-%d %H:%M} UTC, digest agrees"
        return GateResult(name="plan", open=not closed, reason=reason)

    def _incomplete(self, plan: Plan) -> str:
        if plan.state is PlanState.COMPLETE:
            return ""
        return (
            f"the newest plan {plan.id} is not complete ({plan.cursor} operations planned); "
            f"continue it: bulkrunner resume {plan.id}"
        )

    def _compacted(self, plan: Plan) -> str:
        if plan.id not in self._ledger.compacted():
            return ""
        return "the plan's documents were dropped by ledger compact; make a new plan"

    def _too_old(self, situation: Situation) -> str:
        plan, now = situation.plan, self._clock.now()
        policy = Policy.from_dict(dict(plan.policy))
        if situation.run is not None:
            idle = now - situation.run.active_at
            if idle > timedelta(days=policy.resume_max_idle_days):
                return (
                    f"the run has been idle for {idle.days} days, "
                    f"policy allows {policy.resume_max_idle_days:g}; make a new plan"
                )
            return ""
        age = now - (plan.finished_at or plan.created_at)
        if age > timedelta(hours=policy.plan_max_age_hours):
            return (
                f"the plan is {age.total_seconds() / 3600:.0f} hours old, "
                f"policy allows {policy.plan_max_age_hours:g}; make a new plan"
            )
        return ""

    def _miscounted(self, plan: Plan) -> str:
        counts = {**empty_counts(), **self._ledger.count_actions(plan.id)}
        if counts != {**empty_counts(), **plan.counts}:
            return "the stored changes are not as many as the plan says; make a new plan"
        again = plan_digest(plan.digest_head(), self._ledger.change_digests(plan.id))
        if again != plan.plan_digest:
            return "the stored changes do not give the plan's digest; make a new plan"
        return ""

    def _environment(self, situation: Situation) -> GateResult:
        plan, environment = situation.plan, situation.environment
        if environment is None:
            reason = f"the configuration has no environment {plan.environment}"
            return GateResult(name="environment", open=False, reason=reason)
        now, then = environment.addresses(), plan.addresses
        changed = [
            f"{key}: {then.get(key)} → {now[key]}" for key in now if now[key] != then.get(key)
        ]
        reason = (
            "addresses changed since the plan (" + "; ".join(changed) + "); make a new plan"
            if changed
            else f"{environment.name} is {environment.base_url}, as planned"
        )
        return GateResult(name="environment", open=not changed, reason=reason)

    def _rights(self, situation: Situation) -> GateResult:
        if situation.rights is None:
            return GateResult(
                name="rights",
                open=False,
                reason="not asked; the login is asked when the run starts",
            )
        try:
            closed = self._missing_rights(situation.plan, situation.rights())
        except AccessLost as error:
            if situation.run is None and error.code == "no_credentials":
                return GateResult(name="rights", open=False, reason=error.message)
            raise
        reason = closed or "the login grants what the plan needs"
        return GateResult(name="rights", open=not closed, reason=reason)

    def _missing_rights(self, plan: Plan, rights: Rights) -> str:
        allowed = set(_texts(plan.manifest.get("sigels")))
        active = plan.active_sigel
        if not rights.may_act_as(active):
            return f"the client may not act as {active}"
        for sigel, by_action in self._ledger.count_sigels(plan.id).items():
            if not any(by_action.get(action.value) for action in WRITING):
                continue
            if sigel and sigel not in allowed:
                return f"the plan writes holdings of {sigel}, which is not the job's"
            if sigel and not rights.may_write_holding(sigel, active=active):
                return f"the client may not write holdings of {sigel}"
        if self._writes_bibs(plan):
            covers = (plan.manifest.get("agreement") or {}).get("covers", ["holdings"])
            if "bibs" not in covers:
                return "the plan writes bibs, which the agreement does not cover"
            if not rights.may_write_bibs():
                return "the plan writes bibs, which needs a client of level 2"
        return ""

    def _writes_bibs(self, plan: Plan) -> bool:
        changes = self._ledger.changes(plan.id, actions=WRITING, documents=False)
        return any(change.kind == "bib" for change in changes)

    def _ceilings(self, plan: Plan) -> GateResult:
        exceeded = plan_ceilings(plan)
        return GateResult(
            name="ceilings", open=not exceeded, reason="; ".join(exceeded) or "within every ceiling"
        )

    def _refusals(self, plan: Plan) -> GateResult:
        left = unaccepted(self._ledger.count_refusals(plan.id), accepts_of(plan.manifest))
        text = ", ".join(f"{count} × {code}" for code, count in sorted(left.items()))
        reason = (
            f"refused and not accepted by the manifest: {text}"
            if left
            else "none that the manifest does not accept"
        )
        return GateResult(name="refusals", open=not left, reason=reason)

    def _staging(self, plan: Plan, found: Permit) -> GateResult:
        policy = Policy.from_dict(dict(plan.policy))
        if (undone := undone_by(plan)) is not None:
            return self._undo_tried(plan, str(undone["job"]), policy, found)
        evidence = evidence_of(plan, self._ledger, self._clock.now())
        closed = untried(evidence, policy, accepts_of(plan.manifest))
        not_done = "".join(f"; {text}" for text in declined(evidence))
        if evidence.newest_test_plan is None:
            closed += self._tried_with_others(plan, policy)
        tried, total = sum(evidence.tried.values()), sum(evidence.total.values())
        runs = ", ".join(run.run for run in evidence.runs)
        reason = closed or f"{tried} of {total} changes were tried in a test environment ({runs})"
        return GateResult(name="staging", open=not closed, reason=reason + not_done)

    def _tried_with_others(self, plan: Plan, policy: Policy) -> str:
        """Say that the job was planned in a test environment with other values of its parameters."""
        mine = plan.manifest.get("parameters") or {}
        counts = counting_hosts(plan.addresses, policy)
        for other in self._ledger.plans(job=plan.job):
            values = other.manifest.get("parameters") or {}
            if counts(other.addresses) and values != mine:
                return (
                    f"; plan {other.id} was, with other values of its parameters: plan and run it "
                    "there with the values of this plan"
                )
        return ""

    def _undo_tried(self, plan: Plan, job: str, policy: Policy, found: Permit) -> GateResult:
        """Ask that each kind of restoring ran in a test environment, or that the yes says not."""
        tried = self._ledger.restorings(
            job,
            not_before=self._clock.now() - timedelta(days=policy.staging_max_age_days),
            counts=counting_hosts(plan.addresses, policy),
        )
        changes = self._ledger.changes(plan.id, actions=WRITING, documents=False)
        kinds = sorted({change.pattern for change in changes})
        missing = [kind for kind in kinds if kind not in tried]
        if not missing:
            runs = ", ".join(sorted({tried[kind] for kind in kinds}))
            reason = f"each kind of restoring ran in a test environment ({runs})"
        elif agrees_untried(found):
            reason = f"the approval says {UNTRIED!r}: {'; '.join(missing)}"
            missing = []
        else:
            reason = (
                f"no undo of {job} has done this in a test environment: {'; '.join(missing)}; run "
                f"the undo there, or have it approved with the statement {UNTRIED!r}"
            )
        return GateResult(name="staging", open=not missing, reason=reason)

    def _permit(self, situation: Situation) -> Permit:
        plan = situation.plan
        return permit(
            plan,
            self._ledger.approvals(plan.id),
            unsound=lambda answer: self._proofs.unsound(plan, answer),
        )

    def _approval(self, found: Permit, situation: Situation) -> GateResult:
        asked = found.conditions
        closed = found.closed or self._too_early(asked, situation.environment)
        said = "; ".join(
            f"{answer.by} said yes ({answer.reference}); {answer.how()}" for answer in found.counted
        )
        reason = closed or said + (f"; conditions: {asked.describe('; ')}" if asked else "")
        return GateResult(name="approval", open=not closed, reason=reason)

    def _too_early(self, asked: Conditions, environment: Environment | None) -> str:
        if asked.not_before is None:
            return ""
        zone = environment.timezone if environment else Environment.timezone
        if self._clock.now() >= opens_at(asked.not_before, zone):
            return ""
        return f"approved, but not before {asked.not_before.isoformat()} ({zone})"

    def _whole(self, situation: Situation, *, asking: bool) -> GateResult:
        """Ask that the ledger is whole, and the newest that there is."""
        if fault := self._chain_fault(situation.plan):
            return GateResult(name="ledger", open=False, reason=fault)
        found = self._ledger.restorations()
        why = self._ledger.copied()
        if why is None and asking and situation.unknown_writes is not None:
            why = situation.unknown_writes()
        if why is not None:
            reason = f"{why}; what was sent since is not known; if it is to be used: {RESTORE}"
            return GateResult(name="ledger", open=False, reason=reason, next=RESTORE)
        reason = "; ".join(["chain intact", *(one.describe() for one in found[-1:])])
        return GateResult(name="ledger", open=True, reason=reason)

    def _chain_fault(self, plan: Plan) -> str | None:
        faults = (self._ledger.verify_plan(one, documents=False) for one in self._relied_on(plan))
        fault = self._ledger.verify_chain() or self._ledger.verify_plan(plan.id)
        return fault or next(filter(None, faults), None)

    def _relied_on(self, plan: Plan) -> list[str]:
        """Return the other plans whose changes say what was tried, done and is taken back."""
        undone = (undone_by(plan) or {}).get("job")
        return [
            one.id
            for one in self._ledger.plans()
            if one.id != plan.id
            and (
                one.job in (plan.job, undone)
                or (undone is not None and (undone_by(one) or {}).get("job") == undone)
            )
        ]


def _changed_manifest(situation: Situation) -> str:
    if situation.manifest_digest is None:
        return f"the manifest in {situation.plan.folder} cannot be read; mend it or plan again"
    if situation.manifest_digest != situation.plan.manifest_digest:
        return "the manifest or an input file has changed since the plan; make a new plan"
    return ""


def counting_hosts(
    production: Mapping[str, str], policy: Policy
) -> Callable[[Mapping[str, str]], bool]:
    """Return the test of whether a test environment's runs count for this production.

    For a production on loopback those on loopback count besides KB's own; for any other only runs
    over https on KB's test hosts or a host of ``test_hosts``.
    """
    on_loopback = is_loopback(production["base_url"])
    hosts = {*KB_TEST_HOSTS, *(host.lower() for host in policy.test_hosts)}

    def counts(addresses: Mapping[str, str]) -> bool:
        url = addresses["base_url"]
        if addresses.get("kind") != Kind.TEST:
            return False
        if is_loopback(url):
            return on_loopback
        return url.startswith("https://") and host_of(url) in hosts

    return counts


def evidence_of(plan: Plan, ledger: Ledger, now: datetime) -> Evidence:
    """Return what test runs that count say of a plan for production."""
    policy = Policy.from_dict(dict(plan.policy))
    return ledger.evidence(
        plan,
        not_before=now - timedelta(days=policy.staging_max_age_days),
        counts=counting_hosts(plan.addresses, policy),
    )


def untried(evidence: Evidence, policy: Policy, accept: tuple[Any, ...]) -> str:
    """Return why staging does not prove the plan, or an empty text where it does."""
    if evidence.newest_test_plan is None:
        return "this job, as it is now, has never been planned in a test environment"
    plan = evidence.newest_test_plan
    if bad := {word: count for word, count in evidence.bad_outcomes.items() if count}:
        text = ", ".join(f"{count} {word}" for word, count in sorted(bad.items()))
        return f"the newest test plan {plan} ended with {text}; it must end clean"
    if left := unaccepted(evidence.refused_codes, accept):
        text = ", ".join(f"{count} × {code}" for code, count in sorted(left.items()))
        return (
            f"the newest test plan {plan} ended with refused changes: {text}; {ACCEPT_OR_TAKE_OFF}"
        )
    return _thin_coverage(evidence, policy.min_staging_coverage)


def declined(evidence: Evidence) -> Iterator[str]:
    """Yield what test runs sent and the server there did not carry out, with its own words."""
    for group in evidence.declined[:MAX_REASONS]:
        how = (
            "refused in a test environment"
            if group.refused
            else "sent without success in a test environment"
        )
        words = " ".join(group.words.replace(";", ",").split())[:MAX_WORDS]
        yield f"{how}: {group.count} × {group.code} ({words or '–'})"
    if any(group.lasting for group in evidence.declined):
        yield "what is invalid production will refuse too: mend it, or take it off the job"


def _thin_coverage(evidence: Evidence, least: float) -> str:
    tried, total = sum(evidence.tried.values()), sum(evidence.total.values())
    missing = f"untried: {', '.join(evidence.untried[:5])}; " if evidence.untried else ""
    if total and tried < least * total:
        return (
            f"{tried} of {total} changes were tried in a test environment, "
            f"policy asks for {least:.0%}; {missing}{TRY_THE_REST}"
        )
    for action, count in evidence.total.items():
        done = evidence.tried.get(action, 0)
        if count and done < least * count:
            return (
                f"{done} of {count} {action}s were tried in a test environment, "
                f"policy asks for {least:.0%}; {missing}{TRY_THE_REST}"
            )
    for pattern, (count, done) in evidence.patterns.items():
        if count and not done and least > 0:
            return f"no change of this kind was tried in a test environment: {pattern}"
    return ""


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
