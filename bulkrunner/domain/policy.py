"""Policy: what a plan and a run may do, and where it is looser than what is built in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bulkrunner.domain.manifest import Accept
from bulkrunner.domain.plan import WRITING, Plan
from bulkrunner.domain.rules import Level, Rule, broken, counted
from bulkrunner.sentences import Sentence


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Values that decide when a run may start; part of every plan's digest."""

    staging_max_age_days: float = 30
    plan_max_age_hours: float = 336
    resume_max_idle_days: float = 7
    min_staging_coverage: float = 0.95
    # Further hosts whose test runs count for a production that is not on loopback.
    test_hosts: tuple[str, ...] = ()
    reviewers: str | None = None  # allowed-signers file; then an approval must be signed
    functions: str = "confined"
    # At most so many changes by action (``records``: all together).
    ceilings: dict[str, int] = field(default_factory=dict)
    signers: tuple[str, ...] = ()  # its lines when the plan was made, without comments
    rules: tuple[Rule, ...] = ()  # of the policy file, besides KB's
    client_unused_days: float = 180  # after which ``doctor`` speaks of an API client

    def as_dict(self) -> dict[str, Any]:
        """Return the values as plain JSON data, for the plan digest and the report."""
        return {
            "staging_max_age_days": self.staging_max_age_days,
            "plan_max_age_hours": self.plan_max_age_hours,
            "resume_max_idle_days": self.resume_max_idle_days,
            "min_staging_coverage": self.min_staging_coverage,
            "test_hosts": list(self.test_hosts),
            "reviewers": self.reviewers,
            "functions": self.functions,
            "ceilings": dict(sorted(self.ceilings.items())),
            "signers": list(self.signers),
            "rules": [rule.as_dict() for rule in self.rules],
            "client_unused_days": self.client_unused_days,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Policy:
        """Read back what ``as_dict`` wrote."""
        lists = {name: tuple(data.get(name, ())) for name in ("test_hosts", "signers")}
        rules = tuple(Rule.from_dict(item) for item in data.get("rules", ()))
        return cls(**{**data, **lists, "rules": rules})

    def loosened(self) -> tuple[LooserValue, ...]:
        """Return every value that allows more than the built-in one."""
        built_in = Policy()
        at_most = ("staging_max_age_days", "plan_max_age_hours", "resume_max_idle_days")
        mine, theirs = self.as_dict(), built_in.as_dict()
        looser = [name for name in at_most if mine[name] > theirs[name]]
        if self.min_staging_coverage < built_in.min_staging_coverage:
            looser.append("min_staging_coverage")
        if self.test_hosts:
            looser.append("test_hosts")
        if self.functions not in (built_in.functions, "none"):
            looser.append("functions")
        return tuple(
            LooserValue(name=name, value=mine[name], built_in=theirs[name]) for name in looser
        )


@dataclass(frozen=True, kw_only=True)
class LooserValue:
    """A policy value that allows more than the built-in one."""

    name: str
    value: Any
    built_in: Any

    def statement(self) -> str:
        """Return the sentence that the approval must contain, word for word."""
        shown = (
            ", ".join(self.value)
            if isinstance(self.value, list)
            else f"{self.value:g}"
            if isinstance(self.value, (int, float))
            else str(self.value)
        )
        return f"{self.name} = {shown}"


def exceeded_ceilings(counts: Mapping[str, int], *ceilings: Mapping[str, int]) -> list[Sentence]:
    """Return a sentence for each ceiling that the counts exceed.

    Args:
        counts: by action.
        ceilings: of the manifest and of the policy; the lower one counts.
    """
    writes = {action.value: counts.get(action.value, 0) for action in WRITING}
    writes = {"records": sum(writes.values()), **writes}
    found = []
    for name, count in writes.items():
        limits = [ceiling[name] for ceiling in ceilings if name in ceiling]
        if limits and count > min(limits):
            what = counted(name, count)
            found.append(Sentence("ceiling", what=what, name=name, most=min(limits)))
    return found


def plan_ceilings(plan: Plan) -> list[Sentence]:
    """Return a sentence for each ceiling that a complete plan exceeds, rules among them."""
    exceeded = exceeded_ceilings(
        plan.counts,
        plan.manifest.get("ceilings") or {},
        Policy.from_dict(dict(plan.policy)).ceilings,
    )
    rules = (
        Sentence("rule_broken", rule=rule.id, why=why) for rule, why in broken(plan, Level.REFUSE)
    )
    return [*exceeded, *rules]


def plan_faults(plan: Plan, refused: Mapping[str, int]) -> list[str]:
    """Return why a complete plan cannot be run, by its numbers of refusals by code."""
    return [*plan_ceilings(plan), *unaccepted(refused, accepts_of(plan.manifest))]


def unaccepted(refused: Mapping[str, int], accept: tuple[Accept, ...]) -> list[str]:
    """Return count and code of the refusals that the manifest does not live with."""
    limits: dict[str, int] = {}
    for item in accept:
        limits[item.code] = max(limits.get(item.code, 0), item.at_most)
    return [
        f"{count} × {code}"
        for code, count in sorted(refused.items())
        if count > limits.get(code, 0)
    ]


def accepts_of(manifest: Mapping[str, object]) -> tuple[Accept, ...]:
    """Read ``accept`` back from a stored plan's manifest head."""
    items = manifest.get("accept")
    return tuple(
        Accept(code=item["code"], at_most=item["at_most"], reason=item.get("reason", ""))
        for item in (items if isinstance(items, list) else [])
    )
