"""What a finished plan says: findings, ceilings, and refusals nobody accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bulkrunner.domain.catalogue import Compared, compared
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.manifest import Accept
from bulkrunner.domain.plan import (
    WRITING,
    Finding,
    Plan,
)
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.rules import Level, broken, counted
from bulkrunner.sentences import Sentence


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


def plan_findings(ledger: Ledger, plan: Plan, *, limit: int = 100) -> list[Finding]:
    """Return the plan's first findings: ceilings, refusals, what was not found, notes, searches."""
    ceilings = [Finding(code="ceiling", record="", message=text) for text in plan_ceilings(plan)]
    searches = list(search_findings(ledger, plan))[:limit]
    found = [*ceilings, *ledger.plans.findings(plan.id, limit=limit)]
    return [*found[: limit - len(searches)], *searches]


def search_findings(ledger: Ledger, plan: Plan) -> Iterator[Finding]:
    """Yield where the index that a search asked does not agree with a library's list."""
    for chosen in ledger.selections.all(plan.id):
        for sigel, facts in compared(chosen).items():
            told = Sentence("index_has", step=chosen["step"], count=facts.index, sigel=sigel)
            if facts.listed is None:
                said = Sentence("index_unchecked", index=told, why=facts.unread)
                yield Finding(code="index_unchecked", record="find", message=said)
            elif facts.difference:
                said = Sentence(
                    "index_differs",
                    index=told,
                    started=facts.started,
                    listed=facts.listed,
                    since=_since(facts),
                    sigel=sigel,
                )
                yield Finding(code="index_differs", record="find", message=said)


def _since(facts: Compared) -> Sentence:
    if facts.created is None or facts.deleted is None:
        return Sentence("changed_uncounted")
    return Sentence("changed_meanwhile", created=facts.created, deleted=facts.deleted)


def unaccepted(refused: Mapping[str, int], accept: tuple[Accept, ...]) -> dict[str, int]:
    """Return the refusals by code that the manifest does not live with, with their counts."""
    limits: dict[str, int] = {}
    for item in accept:
        limits[item.code] = max(limits.get(item.code, 0), item.at_most)
    return {code: count for code, count in refused.items() if count > limits.get(code, 0)}


def accepts_of(manifest: Mapping[str, object]) -> tuple[Accept, ...]:
    """Read ``accept`` back from a stored plan's manifest head."""
    items = manifest.get("accept")
    return tuple(
        Accept(code=item["code"], at_most=item["at_most"], reason=item.get("reason", ""))
        for item in (items if isinstance(items, list) else [])
    )
