"""How a plan stands to KB's rules and to those of its policy file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bulkrunner.domain.environment import Kind
from bulkrunner.domain.gates import GateResult
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.rules import (
    FORBIDDEN,
    KB_RULES,
    Rule,
    RuleKind,
    RuleResult,
    approvers,
    over,
    rules_of,
    without_agreement,
)


def rule_results(
    plan: Plan, gates: Sequence[GateResult], refused: Mapping[str, int]
) -> tuple[RuleResult, ...]:
    """Return how a plan stands to every rule, KB's first.

    Args:
        plan: which may be incomplete.
        gates: as evaluated by the caller; may be none.
        refused: refused changes of the plan by code.
    """
    production = plan.addresses.get("kind") == Kind.PRODUCTION
    rules = (*(KB_RULES if production else ()), *rules_of(plan))
    ruling = _Ruling(plan, {gate.name: gate for gate in gates}, refused)
    return tuple(ruling.result(rule) for rule in rules)


class _Ruling:
    """Judges one plan."""

    def __init__(
        self, plan: Plan, gates: Mapping[str, GateResult], refused: Mapping[str, int]
    ) -> None:
        self._plan = plan
        self._gates = gates
        self._refused = refused
        self._judges: dict[RuleKind, Callable[[Rule], tuple[bool | None, str]]] = {
            RuleKind.GATE: self._gate,
            RuleKind.AGREEMENT: self._agreement,
            RuleKind.MOST: self._most,
            RuleKind.PLACES: self._places,
            RuleKind.HOURS: self._hours,
            RuleKind.APPROVERS: self._approvers,
        }

    def result(self, rule: Rule) -> RuleResult:
        """Return how the plan stands to a rule."""
        kept, said = self._judges[rule.kind](rule)
        return RuleResult(rule=rule, kept=kept, said=said)

    def _gate(self, rule: Rule) -> tuple[bool | None, str]:
        gate = self._gates.get(rule.gate)
        if gate is None:
            return None, f"seen to by the gate {rule.gate}"
        return gate.open, gate.reason

    def _agreement(self, _rule: Rule) -> tuple[bool | None, str]:
        if fault := without_agreement(self._plan):
            return False, fault
        return (
            True,
            f"the manifest names the agreement {self._plan.manifest['agreement']['reference']}",
        )

    def _most(self, rule: Rule) -> tuple[bool | None, str]:
        said = over(rule, self._plan.counts)
        return not said, said or "within the rule's numbers"

    def _places(self, rule: Rule) -> tuple[bool | None, str]:
        count = self._refused.get(FORBIDDEN, 0)
        listed = ", ".join(rule.places)
        if not count:
            return True, f"no change touches {listed}"
        return True, f"{count} changes are refused, since they touch what a rule forbids: {listed}"

    def _hours(self, rule: Rule) -> tuple[bool | None, str]:
        if self._plan.addresses.get("kind") != Kind.PRODUCTION:
            return None, "concerns production only"
        return True, f"writes are sent {', '.join(rule.hours)} only"

    def _approvers(self, rule: Rule) -> tuple[bool | None, str]:
        needed = approvers(self._plan)
        if needed < rule.people:
            return None, f"concerns plans of more than {rule.above} changes"
        gate = self._gates.get("approval")
        return (
            None if gate is None else gate.open,
            f"{rule.people} people must approve a plan of more than {rule.above} changes",
        )
