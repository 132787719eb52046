"""Evaluates the gates of a plan: at the start of a run, at each resume, hourly, and for status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bulkrunner.domain.approvals import (
    ApprovalDecision,
    Conditions,
    agrees_untried,
    opens_at,
    permit,
    the_no,
)
from bulkrunner.domain.environment import KB_TEST_HOSTS, Environment, Kind, host_of, is_loopback
from bulkrunner.domain.ledger_port import RESTORE, Ledger, Seals
from bulkrunner.domain.plan import WRITING, Action, Plan, PlanState, empty_counts, plan_digest
from bulkrunner.domain.policy import Policy, accepts_of, plan_ceilings, unaccepted
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.rights import Rights
from bulkrunner.domain.rules import Evidence, GateResult
from bulkrunner.domain.run import Run, outcome_count
from bulkrunner.domain.standing import Claim
from bulkrunner.domain.undo import UNTRIED, undone_by
from bulkrunner.errors import AccessLost
from bulkrunner.sentences import Sentence, joined
from bulkrunner.services.recurring import Basis, StandingApprovals
from bulkrunner.services.reviews import Proofs
from bulkrunner.services.targets import open_gates

MAX_REASONS = 3
MAX_WORDS = 300


@dataclass(frozen=True, kw_only=True)
class GateInput:
    """What the gates are asked about, as things are now.

    None: no such environment, a manifest that cannot be read, rights or writes not to be asked for.
    Only what is about to send something asks for unknown writes.
    """

    plan: Plan
    environment: Environment | None
    manifest_digest: str | None
    rights: Callable[[], Rights] | None
    run: Run | None = None
    unknown_writes: Callable[[], str | None] | None = None
    whole: bool = False  # look at every row now, however many there are
    rule_digest: str | None = None  # of the manifest as it is now


class Gates:
    """All gates of design §6, each with its reason."""

    def __init__(self, ledger: Ledger, clock: Clock, *, proofs: Proofs | None = None) -> None:
        self._ledger = ledger
        self._clock = clock
        self._proofs = proofs or Proofs(None)
        self._standing = StandingApprovals(ledger, clock, proofs=self._proofs)

    def basis(self, situation: GateInput, found: ApprovalDecision | None = None) -> Basis | None:
        """Return the standing approval that a plan rests on, or why it rests on none.

        None where an answer of its own decides, or KB has given no standing approval.
        """
        found = found or self._permit(situation)
        if not found.closed or the_no(found.weighed) is not None:
            return None
        return self._standing.basis(
            situation.plan,
            situation.environment,
            rule_now=situation.rule_digest,
            run=situation.run,
        )

    def claim(self, situation: GateInput, run: str) -> Claim | None:
        """Return what a run has to claim of a standing approval before it begins or goes on.

        GateClosed: its plan rests on no answer any more.
        """
        if situation.plan.addresses.get("kind") != Kind.PRODUCTION:
            return None
        found = self._permit(situation)
        basis = self.basis(situation, found)
        if found.closed and (basis is None or basis.closed):
            open_gates([self._approval(found, basis, situation)])
        return self._standing.claim(situation.plan, run, basis)

    def evaluate(self, situation: GateInput) -> list[GateResult]:
        """Return every gate that applies, in the order of the contract; no gate hides another.

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
        evidence = None
        if plan.addresses.get("kind") == Kind.PRODUCTION:
            found = self._permit(situation)
            basis = self.basis(situation, found)
            evidence = self._evidence(plan)
            gates += [
                self._staging(plan, found, evidence),
                self._approval(found, basis, situation),
            ]
        gates.append(self._whole(situation, asking=all(gate.open for gate in gates)))
        if evidence and _sends_many(situation) and all(gate.open for gate in gates):
            self._ledger.evidence.keep(plan.id, evidence)
        return gates

    def _evidence(self, plan: Plan) -> Evidence | None:
        return None if undone_by(plan) else evidence_of(plan, self._ledger, self._clock.now())

    def _plan(self, situation: GateInput) -> GateResult:
        plan = situation.plan
        closed = (
            self._incomplete(plan)
            or self._compacted(plan)
            or _changed_manifest(situation)
            or self._too_old(situation)
            or self._miscounted(situation)
        )
        reason = closed or Sentence("gate_plan_open", made=plan.created_at)
        return GateResult(name="plan", open=not closed, reason=reason)

    def _incomplete(self, plan: Plan) -> Sentence | None:
        if plan.state is PlanState.COMPLETE:
            return None
        return Sentence("gate_plan_incomplete", plan=plan.id, planned=plan.cursor)

    def _compacted(self, plan: Plan) -> Sentence | None:
        if plan.id not in self._ledger.compactions.compacted():
            return None
        return Sentence("gate_plan_compacted")

    def _too_old(self, situation: GateInput) -> Sentence | None:
        plan, now = situation.plan, self._clock.now()
        policy = Policy.from_dict(dict(plan.policy))
        if situation.run is not None:
            idle = now - situation.run.active_at
            if idle > timedelta(days=policy.resume_max_idle_days):
                most = f"{policy.resume_max_idle_days:g}"
                return Sentence("gate_run_idle", days=idle.days, most=most)
            return None
        age = now - (plan.finished_at or plan.created_at)
        if age > timedelta(hours=policy.plan_max_age_hours):
            old, most = f"{age.total_seconds() / 3600:.0f}", f"{policy.plan_max_age_hours:g}"
            return Sentence("gate_plan_old", hours=old, most=most)
        return None

    def _miscounted(self, situation: GateInput) -> Sentence | None:
        plan = situation.plan
        if not situation.whole and sum(plan.counts.values()) > AT_ONCE:
            return None
        return miscounted(plan, self._ledger, self._ledger.plans.change_digests(plan.id))

    def _environment(self, situation: GateInput) -> GateResult:
        plan, environment = situation.plan, situation.environment
        if environment is None:
            reason = Sentence("gate_environment_unknown", environment=plan.environment)
            return GateResult(name="environment", open=False, reason=reason)
        now, then = environment.addresses(), plan.addresses
        changed = [
            f"{key}: {then.get(key)} → {now[key]}" for key in now if now[key] != then.get(key)
        ]
        reason = (
            Sentence("gate_environment_changed", changed=changed)
            if changed
            else Sentence(
                "gate_environment_open",
                environment=environment.name,
                address=environment.base_url,
            )
        )
        return GateResult(name="environment", open=not changed, reason=reason)

    def _rights(self, situation: GateInput) -> GateResult:
        if situation.rights is None:
            return GateResult(name="rights", open=False, reason=Sentence("gate_rights_unasked"))
        try:
            closed = self._missing_rights(situation.plan, situation.rights())
        except AccessLost as error:
            if situation.run is None and error.code == "no_credentials":
                return GateResult(name="rights", open=False, reason=error.said)
            raise
        reason = closed or Sentence("gate_rights_open")
        return GateResult(name="rights", open=not closed, reason=reason)

    def _missing_rights(self, plan: Plan, rights: Rights) -> Sentence | None:
        allowed = set(_texts(plan.manifest.get("sigels")))
        active = plan.active_sigel
        if not rights.may_act_as(active):
            return Sentence("gate_rights_act_as", sigel=active)
        tallies = self._tallies(plan)
        for sigel, by_action in tallies["sigels"].items():
            if not any(by_action.get(action.value) for action in WRITING):
                continue
            if sigel and sigel not in allowed:
                return Sentence("gate_rights_not_of_job", sigel=sigel)
            if sigel and not rights.may_write_holding(sigel, active=active):
                return Sentence("gate_rights_holding", sigel=sigel)
        if "bib" in tallies["kinds"]:
            covers = (plan.manifest.get("agreement") or {}).get("covers", ["holdings"])
            if "bibs" not in covers:
                return Sentence("gate_rights_bibs_uncovered")
            if not rights.may_write_bibs():
                return Sentence("gate_rights_bibs_level")
        return None

    def _tallies(self, plan: Plan) -> Mapping[str, Mapping[str, Any]]:
        return plan.tallies or self._ledger.plans.tally(plan.id)

    def _ceilings(self, plan: Plan) -> GateResult:
        exceeded = plan_ceilings(plan)
        reason = joined(exceeded) if exceeded else Sentence("gate_ceilings_open")
        return GateResult(name="ceilings", open=not exceeded, reason=reason)

    def _refusals(self, plan: Plan) -> GateResult:
        left = unaccepted(self._tallies(plan)["refused"], accepts_of(plan.manifest))
        reason = (
            Sentence("gate_refusals_left", refused=", ".join(left))
            if left
            else Sentence("gate_refusals_open")
        )
        return GateResult(name="refusals", open=not left, reason=reason)

    def _staging(
        self, plan: Plan, found: ApprovalDecision, evidence: Evidence | None
    ) -> GateResult:
        policy = Policy.from_dict(dict(plan.policy))
        if (undone := undone_by(plan)) is not None:
            return self._undo_tried(plan, str(undone["job"]), policy, found)
        evidence = evidence or Evidence()
        closed = untried(evidence, policy, accepts_of(plan.manifest))
        if closed and evidence.newest_test_plan is None:
            closed = joined((closed, *self._tried_with_others(plan, policy)))
        tried, total = sum(evidence.tried.values()), sum(evidence.total.values())
        runs = ", ".join(run.run for run in evidence.runs)
        told = closed or Sentence("gate_staging_open", tried=tried, total=total, runs=runs)
        reason = joined((told, *declined(evidence)))
        return GateResult(name="staging", open=not closed, reason=reason)

    def _tried_with_others(self, plan: Plan, policy: Policy) -> Iterator[Sentence]:
        """Yield that the job was planned in a test environment with other values of its parameters."""
        mine = plan.manifest.get("parameters") or {}
        counts = counting_hosts(plan.addresses, policy)
        for other in self._ledger.plans.all(job=plan.job):
            values = other.manifest.get("parameters") or {}
            if counts(other.addresses) and values != mine:
                yield Sentence("gate_staging_other_values", plan=other.id)
                return

    def _undo_tried(
        self, plan: Plan, job: str, policy: Policy, found: ApprovalDecision
    ) -> GateResult:
        """Ask that each kind of restoring ran in a test environment, or that the yes says not."""
        tried = self._ledger.evidence.restorings(
            job,
            not_before=self._clock.now() - timedelta(days=policy.staging_max_age_days),
            counts=counting_hosts(plan.addresses, policy),
        )
        kinds = sorted({pattern for _, _, pattern in self._ledger.standing.patterns(plan.id)})
        missing = [kind for kind in kinds if kind not in tried]
        if not missing:
            runs = ", ".join(sorted({tried[kind] for kind in kinds}))
            reason = Sentence("gate_undo_tried", runs=runs)
        elif agrees_untried(found):
            reason = Sentence("gate_undo_agreed", statement=UNTRIED, kinds=missing)
            missing = []
        else:
            reason = Sentence("gate_undo_untried", job=job, kinds=missing, statement=UNTRIED)
        return GateResult(name="staging", open=not missing, reason=reason)

    def _permit(self, situation: GateInput) -> ApprovalDecision:
        plan = situation.plan
        return permit(
            plan,
            self._ledger.approvals.of_plan(plan.id),
            unsound=lambda answer: self._proofs.unsound(plan, answer),
        )

    def _approval(
        self, found: ApprovalDecision, basis: Basis | None, situation: GateInput
    ) -> GateResult:
        asked = found.conditions if basis is None else basis.conditions
        closed: str | None = None if basis is not None and not basis.closed else found.closed
        if basis is not None and basis.closed:
            said = Sentence("standing_closed", plan=basis.approved.id, why=basis.closed)
            closed = joined((found.closed, said))
        closed = closed or self._too_early(asked, situation.environment)
        answers = [
            part
            for answer in found.counted
            for part in (
                Sentence("answer_yes", by=answer.by, reference=answer.reference),
                answer.how(),
            )
        ]
        if basis is not None:
            answers = basis.said()
        if asked:
            answers.append(Sentence("gate_approval_conditions", conditions=asked.told()))
        reason = closed or joined(answers)
        return GateResult(name="approval", open=not closed, reason=reason)

    def _too_early(self, asked: Conditions, environment: Environment | None) -> Sentence | None:
        if asked.not_before is None:
            return None
        zone = environment.timezone if environment else Environment.timezone
        if self._clock.now() >= opens_at(asked.not_before, zone):
            return None
        return Sentence("gate_approval_too_early", day=asked.not_before, zone=zone)

    def _whole(self, situation: GateInput, *, asking: bool) -> GateResult:
        """Ask that the ledger is whole, and the newest that there is."""
        seals = self._ledger.chain.seals()
        fault, unseen = self._fault(seals, situation)
        if fault is not None:
            return GateResult(name="ledger", open=False, reason=fault)
        found = self._ledger.provenance.restorations()
        why: str | None = self._ledger.provenance.copied()
        if why is None and asking and situation.unknown_writes is not None:
            why = situation.unknown_writes()
        if why is not None:
            reason = Sentence("gate_ledger_copy", why=why, todo=RESTORE)
            return GateResult(name="ledger", open=False, reason=reason, next=RESTORE)
        how = (
            Sentence("gate_ledger_sealed", rows=unseen) if unseen else Sentence("gate_ledger_open")
        )
        reason = joined([how, *(one.describe() for one in found[-1:])])
        return GateResult(name="ledger", open=True, reason=reason)

    def _fault(self, seals: Seals, situation: GateInput) -> tuple[Sentence | None, int]:
        """Return what does not fit, and how many rows were left to be looked at before their use."""
        plan = situation.plan
        others = relied_on(plan, self._ledger)
        size = seals.size((plan.id, *others))
        if seals.fault is not None:
            return seals.fault, 0
        if situation.whole or size <= AT_ONCE:
            return next(filter(None, seals.rest(plan.id, others)), None), 0
        if _begins(situation):  # what was tried lets the run begin: none of it is left for later
            fault = next(filter(None, seals.rest(None, others)), None)
            return fault, sum(plan.counts.values())
        return None, size


# Rows and events that are looked at whenever the gates are asked for; more are verified before use.
AT_ONCE = 5000


def _sends_many(situation: GateInput) -> bool:
    return situation.unknown_writes is not None and sum(situation.plan.counts.values()) > AT_ONCE


def _begins(situation: GateInput) -> bool:
    return (
        situation.run is None
        and situation.unknown_writes is not None
        and situation.plan.addresses.get("kind") == Kind.PRODUCTION
    )


def miscounted(plan: Plan, ledger: Ledger, digests: Iterator[str]) -> Sentence | None:
    """Return why the stored changes, by their digests, are not the plan's; None where they are."""
    counts = {**empty_counts(), **ledger.plans.count_actions(plan.id)}
    if counts != {**empty_counts(), **plan.counts} or ledger.plans.tally(plan.id) != plan.tallies:
        return Sentence("gate_plan_miscounted")
    if plan_digest(plan.digest_head(), digests) != plan.plan_digest:
        return Sentence("gate_plan_digest")
    return None


def relied_on(plan: Plan, ledger: Ledger) -> list[str]:
    """Return the other plans whose changes say what was tried, done and is taken back."""
    undone = (undone_by(plan) or {}).get("job")
    return [
        one.id
        for one in ledger.plans.all()
        if one.id != plan.id
        and (
            one.job in (plan.job, undone)
            or (undone is not None and (undone_by(one) or {}).get("job") == undone)
        )
    ]


def _changed_manifest(situation: GateInput) -> Sentence | None:
    if situation.manifest_digest is None:
        return Sentence("gate_manifest_unread", folder=str(situation.plan.folder))
    if situation.manifest_digest != situation.plan.manifest_digest:
        return Sentence("gate_manifest_changed")
    return None


def counting_hosts(
    production: Mapping[str, str], policy: Policy
) -> Callable[[Mapping[str, str]], bool]:
    """Return the test of whether a test environment's runs count for this production.

    KB's test hosts and those of ``test_hosts`` over https; loopback where production is there too.
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
    return ledger.evidence.of_plan(
        plan,
        not_before=now - timedelta(days=policy.staging_max_age_days),
        counts=counting_hosts(plan.addresses, policy),
    )


def untried(evidence: Evidence, policy: Policy, accept: tuple[Any, ...]) -> Sentence | None:
    """Return why staging does not prove the plan, or None where it does."""
    if evidence.newest_test_plan is None:
        return Sentence("gate_staging_unplanned")
    plan = evidence.newest_test_plan
    if bad := {word: count for word, count in evidence.bad_outcomes.items() if count}:
        outcomes = [outcome_count(word, count) for word, count in sorted(bad.items())]
        return Sentence("gate_staging_ended_badly", plan=plan, outcomes=outcomes)
    if left := unaccepted(evidence.refused_codes, accept):
        return Sentence("gate_staging_ended_refused", plan=plan, refused=", ".join(left))
    return _thin_coverage(evidence, policy.min_staging_coverage)


def declined(evidence: Evidence) -> Iterator[Sentence]:
    """Yield what test runs sent and the server there did not carry out, with its own words."""
    for group in evidence.declined[:MAX_REASONS]:
        words = " ".join(group.words.replace(";", ",").split())[:MAX_WORDS]
        yield Sentence(
            "gate_staging_refused" if group.refused else "gate_staging_unsuccessful",
            count=group.count,
            code=group.code,
            words=words or "–",
        )
    if any(group.lasting for group in evidence.declined):
        yield Sentence("gate_staging_invalid")


def _thin_coverage(evidence: Evidence, least: float) -> Sentence | None:
    tried, total = sum(evidence.tried.values()), sum(evidence.total.values())
    asked = f"{least:.0%}".rstrip("%")
    if total and tried < least * total:
        thin = Sentence("gate_staging_thin_changes", tried=tried, total=total, least=asked)
        return _and_the_rest(thin, evidence)
    for action, count in evidence.total.items():
        done = evidence.tried.get(action, 0)
        if count and done < least * count:
            return _and_the_rest(_thin_action(action, done, count, asked), evidence)
    for pattern, (count, done) in evidence.patterns.items():
        if count and not done and least > 0:
            return Sentence("gate_staging_kind_untried", pattern=pattern)
    return None


def _and_the_rest(thin: Sentence, evidence: Evidence) -> Sentence:
    records = ", ".join(evidence.untried[:5])
    missing = Sentence("gate_staging_untried", records=records) if records else ""
    return joined((thin, missing, Sentence("gate_staging_try_the_rest")))


def _thin_action(action: str, tried: int, total: int, least: str) -> Sentence:
    match Action(action):
        case Action.CREATE:
            return Sentence("gate_staging_thin_creates", tried=tried, total=total, least=least)
        case Action.DELETE:
            return Sentence("gate_staging_thin_deletes", tried=tried, total=total, least=least)
        case _:
            return Sentence("gate_staging_thin_updates", tried=tried, total=total, least=least)


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
