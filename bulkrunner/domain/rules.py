"""Gates and rules: the conditions under which a plan may run, and how a plan stands by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from bulkrunner.domain.canonical import same
from bulkrunner.domain.catalogue import AnswerKind
from bulkrunner.domain.environment import Kind
from bulkrunner.domain.plan import WRITING, Action, Plan, PlannedChange
from bulkrunner.domain.prediction import in_set_order
from bulkrunner.domain.records import Document, record_part, thing_part
from bulkrunner.domain.run import Outcome
from bulkrunner.sentences import Sentence, says

GATE_NAMES = (
    "plan",
    "environment",
    "rights",
    "ceilings",
    "refusals",
    "staging",
    "approval",
    "ledger",
)


# As people are told of them; in English by their codes.
GATES_SAID = {
    "plan": Sentence("gate_name_plan"),
    "environment": Sentence("gate_name_environment"),
    "rights": Sentence("gate_name_rights"),
    "ceilings": Sentence("gate_name_ceilings"),
    "refusals": Sentence("gate_name_refusals"),
    "staging": Sentence("gate_name_staging"),
    "approval": Sentence("gate_name_approval"),
    "ledger": Sentence("gate_name_ledger"),
}


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """One gate and why it is open or closed."""

    name: str
    open: bool
    reason: str
    next: str = ""  # the command that a person gives next, where it is none to look for the reason

    @property
    def said(self) -> str:
        """The gate, as people are told of it."""
        return GATES_SAID.get(self.name, self.name)

    def as_dict(self) -> dict[str, Any]:
        """Return the contract's ``{"name", "open", "reason"}``."""
        return {"name": self.name, "open": self.open, "reason": self.reason}


def ledger_fault(gates: Iterable[GateResult]) -> str:
    """Return what does not fit in the ledger, an empty text where all does."""
    closed = (gate for gate in gates if gate.name == "ledger" and not gate.open)
    return next((gate.reason for gate in closed if not gate.next), "")


def next_of(gates: Iterable[GateResult]) -> str:
    """Return the command that opens the gate ``ledger``, an empty text where it is not closed."""
    if ledger_fault(gates := list(gates)):
        return "bulkrunner ledger check"
    return next((gate.next for gate in gates if not gate.open and gate.next), "")


@dataclass(frozen=True, kw_only=True)
class TriedBy:
    """A test run that took part in the evidence."""

    run: str
    environment: str
    base_url: str
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Counterpart:
    """How a test run ended that did the same to the same record as a change of a plan."""

    change: int  # number of the plan's change
    run: str
    environment: str
    base_url: str
    base_uri: str
    record: str | None  # short id of the record written in the test
    outcome: str  # a word of ``Outcome``
    detail: Mapping[str, Any] = field(default_factory=dict)  # of the outcome, as stored
    before: Document | None = None  # the record as it stood in the test environment before


@dataclass(frozen=True, kw_only=True)
class Declined:
    """Changes that a test run sent and the server there did not carry out, all for one reason."""

    # outcome, code: of the newest such run.
    outcome: str
    code: str
    words: str  # the server's own
    count: int
    records: tuple[str, ...]  # of the first 100

    @property
    def refused(self) -> bool:
        """Return True if the server refused them."""
        return self.outcome == Outcome.REFUSED

    @property
    def lasting(self) -> bool:
        """Return True if production will refuse them too: what was sent is not valid."""
        return self.refused and self.code == AnswerKind.INVALID


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What evidence rests on: until one of it is another, it would be found the same."""

    source: str  # digest over the test plans and runs that were looked at
    not_before: datetime  # outcomes before it did not count
    oldest: datetime | None  # the oldest that counted; None: none did


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What test runs say of a production plan's changes, counted in the ledger."""

    # The plan's create, update and delete changes, by action.
    total: Mapping[str, int] = field(default_factory=dict)
    # Of those, the ones with an applied twin in a test run that counts, by action.
    tried: Mapping[str, int] = field(default_factory=dict)
    untried: tuple[str, ...] = ()  # records of the first 100 changes that no such run sent
    # Those that a run sent and that were not carried out, most frequent reason first.
    declined: tuple[Declined, ...] = ()
    # Pattern key → (changes, tried).
    patterns: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    # Id of the newest test plan of the same effect digest, None without one.
    newest_test_plan: str | None = None
    # Outcomes of that plan's newest run that close the gate, by word; ``pending`` includes a plan
    # never run.
    bad_outcomes: Mapping[str, int] = field(default_factory=dict)
    # Of its refused outcomes, by code.
    refused_codes: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[TriedBy, ...] = ()  # the test runs that gave a twin
    basis: Basis | None = field(default=None, compare=False)  # None: it was kept from before


FORBIDDEN = "forbidden_place"  # code of a change that touches what a rule forbids

MOST_RULES = 100


class RuleKind(StrEnum):
    """What a rule is about."""

    GATE = "gate"
    AGREEMENT = "agreement"
    MOST = "most"
    PLACES = "places"
    HOURS = "hours"
    APPROVERS = "approvers"


class Level(StrEnum):
    """What becomes of a plan that breaks a rule."""

    REFUSE = "refuse"
    AGREE = "agree"
    TELL = "tell"

    @property
    def said(self) -> Sentence:
        """The level, as people are told of it; in English by its code."""
        match self:
            case Level.REFUSE:
                return Sentence("rule_level_refuse")
            case Level.AGREE:
                return Sentence("rule_level_agree")
        return Sentence("rule_level_tell")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule."""

    id: str
    kind: RuleKind
    source: str  # where it comes from, in words
    level: Level = Level.REFUSE
    gate: str = ""  # that sees to it
    action: str = ""  # whose number is limited (``records``: of all that write)
    # number, share: at most so many, at most this part of all that write.
    number: int | None = None
    share: float | None = None
    places: tuple[str, ...] = ()  # that no change may touch
    hours: tuple[str, ...] = ()  # in which production may be written to
    above: int = 0  # changes above which ``people`` must approve
    people: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data, for the plan's policy; what a rule does not use is left out."""
        found: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default:
                found[one.name] = list(value) if isinstance(value, tuple) else value
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Rule:
        """Read back what ``as_dict`` wrote."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        values["kind"] = RuleKind(values["kind"])
        values["level"] = Level(values.get("level", Level.REFUSE))
        return cls(**values)


# KB's rules, which every plan for production is held against; no configuration drops one.
KB_RULES = (
    Rule(
        id="kb-agreement",
        kind=RuleKind.AGREEMENT,
        level=Level.TELL,
        source=Sentence("rule_kb_agreement"),
    ),
    Rule(
        id="kb-consent",
        kind=RuleKind.GATE,
        gate="approval",
        source=Sentence("rule_kb_consent"),
    ),
    Rule(
        id="kb-test-first",
        kind=RuleKind.GATE,
        gate="staging",
        source=Sentence("rule_kb_test_first"),
    ),
    Rule(
        id="kb-own-holdings",
        kind=RuleKind.GATE,
        gate="rights",
        source=Sentence("rule_kb_own_holdings"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class RuleResult:
    """How a plan stands to one rule."""

    rule: Rule
    kept: bool | None  # None where the rule does not concern the plan
    said: str

    @property
    def state(self) -> str:
        """Return ``rule_kept``, ``rule_broken``, ``rule_waits`` for an answer, or ``rule_idle``."""
        if self.kept is False and says(self.said, "answer_nobody"):
            return "rule_waits"
        return "rule_idle" if self.kept is None else "rule_kept" if self.kept else "rule_broken"

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "id": self.rule.id,
            "kind": self.rule.kind.value,
            "level": self.rule.level.value,
            "kept": self.kept,
            "said": self.said,
            "source": self.rule.source,
        }


def rules_of(plan: Plan) -> tuple[Rule, ...]:
    """Return the rules that the plan was made under, besides KB's."""
    return tuple(Rule.from_dict(item) for item in plan.policy.get("rules") or ())


def counted(name: str, count: int) -> Sentence:
    """Return a number of changes of an action; of all where the name is ``records``."""
    match name:
        case Action.CREATE:
            return Sentence("counted_creates", count=count)
        case Action.UPDATE:
            return Sentence("counted_updates", count=count)
        case Action.DELETE:
            return Sentence("counted_deletes", count=count)
    return Sentence("counted_changes", count=count)


def over(rule: Rule, counts: Mapping[str, int]) -> Sentence | None:
    """Return by how much a plan's counts, by action, exceed a rule of the kind ``most``."""
    # None: they do not.
    all_writes = sum(counts.get(action.value, 0) for action in WRITING)
    count = all_writes if rule.action == "records" else counts.get(rule.action, 0)
    if rule.number is not None and count > rule.number:
        return Sentence("rule_number", what=counted(rule.action, count), most=rule.number)
    if rule.share is not None and all_writes and count > rule.share * all_writes:
        return Sentence(
            "rule_share",
            what=counted(rule.action, count),
            all=all_writes,
            share=f"{rule.share:.0%}",
        )
    return None


def without_agreement(plan: Plan) -> Sentence | None:
    """Say that the manifest names no agreement; None where it does."""
    agreement = plan.manifest.get("agreement")
    named = isinstance(agreement, dict) and agreement.get("reference")
    return None if named else Sentence("no_agreement")


def broken(plan: Plan, level: Level) -> Iterator[tuple[Rule, Sentence]]:
    """Yield the rules of this level that a plan breaks by itself, each with how."""
    for rule in rules_of(plan):
        if rule.level is not level:
            continue
        if rule.kind is RuleKind.MOST and (said := over(rule, plan.counts)):
            yield rule, said
        if rule.kind is RuleKind.AGREEMENT and (said := without_agreement(plan)):
            yield rule, said


def approvers(plan: Plan) -> int:
    """Return how many people must say yes to a plan."""
    writes = sum(plan.counts.get(action.value, 0) for action in WRITING)
    asked = [
        rule.people
        for rule in rules_of(plan)
        if rule.kind is RuleKind.APPROVERS and writes > rule.above
    ]
    return max([1, *asked])


def hours(plan: Plan) -> list[tuple[str, ...]]:
    """Return the hours that rules allow, one set for each; all of them count."""
    if plan.addresses.get("kind") != "production":
        return []
    return [rule.hours for rule in rules_of(plan) if rule.kind is RuleKind.HOURS]


# --- places -------------------------------------------------------------------------------------


def forbidden_places(plan: Plan) -> dict[str, Rule]:
    """Return the places that rules forbid, each with its rule."""
    return {
        place: rule
        for rule in rules_of(plan)
        if rule.kind is RuleKind.PLACES
        for place in rule.places
    }


def touches(change: PlannedChange, places: Sequence[str]) -> str:
    """Return the first of the places that a change gives another content; empty where none."""
    if change.after is None:
        return ""
    before: Document = change.before or {"@graph": [{}, {}]}
    for place in places:
        if not _alike(place, _values(before, place), _values(change.after, place)):
            return place
    return ""


def _values(document: Document, place: str) -> list[Any]:
    """Return everything at a place, through every list on the way."""
    keys = place.removeprefix("@record.").split(".")
    nodes: list[Any] = [(record_part if place.startswith("@record.") else thing_part)(document)]
    for key in keys:
        nodes = [value for node in nodes for value in _inside(node, key)]
    return nodes


def _inside(node: Any, key: str) -> Iterator[Any]:
    if isinstance(node, dict):
        if key in node:
            yield node[key]
    elif isinstance(node, list):
        for item in node:
            yield from _inside(item, key)


def _alike(place: str, one: list[Any], other: list[Any]) -> bool:
    """Return True if the same stands at a place, by the rules of fingerprints."""
    key = place.rpartition(".")[2]
    ordered = ([in_set_order(key, value) for value in values] for values in (one, other))
    return same(*ordered)


def rule_results(
    plan: Plan, gates: Sequence[GateResult], refused: Mapping[str, int]
) -> tuple[RuleResult, ...]:
    """Return how a plan, perhaps incomplete, stands to every rule, KB's first."""
    # ``gates``: as evaluated by the caller; may be none. ``refused``: refused changes by code.
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
            return None, Sentence("rule_of_gate", gate=GATES_SAID.get(rule.gate, rule.gate))
        return gate.open, gate.reason

    def _agreement(self, _rule: Rule) -> tuple[bool | None, str]:
        if fault := without_agreement(self._plan):
            return False, fault
        reference = self._plan.manifest["agreement"]["reference"]
        return True, Sentence("agreement_named", reference=reference)

    def _most(self, rule: Rule) -> tuple[bool | None, str]:
        said = over(rule, self._plan.counts)
        return said is None, said or Sentence("rule_numbers_kept")

    def _places(self, rule: Rule) -> tuple[bool | None, str]:
        count = self._refused.get(FORBIDDEN, 0)
        listed = ", ".join(rule.places)
        if not count:
            return True, Sentence("rule_places_untouched", places=listed)
        return True, Sentence("rule_places_refused", count=count, places=listed)

    def _hours(self, rule: Rule) -> tuple[bool | None, str]:
        if self._plan.addresses.get("kind") != Kind.PRODUCTION:
            return None, Sentence("rule_of_production")
        return True, Sentence("rule_hours", hours=", ".join(rule.hours))

    def _approvers(self, rule: Rule) -> tuple[bool | None, str]:
        needed = approvers(self._plan)
        if needed < rule.people:
            return None, Sentence("rule_of_large_plans", above=rule.above)
        gate = self._gates.get("approval")
        said = Sentence("rule_approvers", people=rule.people, above=rule.above)
        return None if gate is None else gate.open, said
