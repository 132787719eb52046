"""Gates: the conditions under which a plan may run (design: all of them, each with its reason)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bulkrunner.domain.answers import AnswerKind
from bulkrunner.domain.approval_terms import Conditions
from bulkrunner.domain.records import Document
from bulkrunner.domain.run import Outcome
from bulkrunner.domain.visible import same_to_the_eye

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


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """One gate and why it is open or closed.

    Attributes:
        next: the command that a person gives next, where it is none to look for the reason.
    """

    name: str
    open: bool
    reason: str
    next: str = ""

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
class Signer:
    """Whose signature stands under a text: identity and fingerprint of the key."""

    identity: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A recorded answer to one plan digest.

    Attributes:
        approved: False is a ``reject``. by: whose answer it is. text: the answer as recorded; of a
            signed one the very text that was signed.
        recorded_by: account@host that typed it in; an unsigned answer is shown as such.
        statements: what it agrees to in particular, word for word.
        head: the ledger's head that the answer names, empty where it names none.
        language: of the text; empty where no text was read.
        signature: armoured SSH signature, empty where there is none. signer: identity of the
            reviewer whose key it is. key: that key's fingerprint.
        given: event of the ledger that ``head`` is of, -1 where none is; the answer is not older.
        event: by which it was recorded, -1 before that.
    """

    plan: str
    plan_digest: str
    approved: bool
    by: str
    reference: str
    text: str
    recorded_by: str
    recorded_at: datetime
    statements: tuple[str, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)
    head: str = ""
    language: str = ""
    signature: str = ""
    signer: str = ""
    key: str = ""
    given: int = field(default=-1, compare=False)
    event: int = field(default=-1, compare=False)

    @property
    def person(self) -> str:
        """Who answered, for telling approvers apart."""
        return same_to_the_eye(self.signer or self.by)

    def repeats(self, other: Approval) -> bool:
        """Return True if this is the other answer once more: same person, words and head."""
        return bool(self.head) and self._said() == other._said()

    def _said(self) -> tuple[object, ...]:
        reference = same_to_the_eye(self.reference)
        terms = (frozenset(self.statements), self.conditions)
        return (self.approved, self.plan_digest, self.head, self.person, reference, terms)

    def how(self) -> str:
        """Return how it is known whose answer it is."""
        if self.signer:
            return f"signed by {self.signer} ({self.key})"
        return "recorded by the operator, not signed"


@dataclass(frozen=True, kw_only=True)
class TriedBy:
    """A test run that took part in the evidence."""

    run: str
    environment: str
    base_url: str
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Twin:
    """How a test run ended that did the same to the same record as a change of a plan.

    Attributes:
        change: number of the plan's change. record: short id of the record written in the test.
        outcome: a word of ``Outcome``. detail: of the outcome, as stored.
        before: the record as it stood in the test environment before.
    """

    change: int
    run: str
    environment: str
    base_url: str
    base_uri: str
    record: str | None
    outcome: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    before: Document | None = None


@dataclass(frozen=True, kw_only=True)
class Declined:
    """Changes that a test run sent and the server there did not carry out, all for one reason.

    Attributes:
        outcome, code: of the newest such run. words: the server's own.
        records: of the first 100.
    """

    outcome: str
    code: str
    words: str
    count: int
    records: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether the server refused them."""
        return self.outcome == Outcome.REFUSED

    @property
    def lasting(self) -> bool:
        """Whether production will refuse them too: what was sent is not valid."""
        return self.refused and self.code == AnswerKind.INVALID


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What test runs say of a production plan's changes, counted in the ledger.

    Attributes:
        total: the plan's create, update and delete changes, by action.
        tried: of those, the ones with an applied twin in a test run that counts, by action.
        untried: records of the first 100 changes that no such run sent.
        declined: those that a run sent and that were not carried out, most frequent reason first.
        patterns: pattern key → (changes, tried).
        newest_test_plan: id of the newest test plan of the same effect digest, None without one.
        bad_outcomes: outcomes of that plan's newest run that close the gate, by word; ``pending``
            includes a plan never run. refused_codes: of its refused outcomes, by code.
        runs: the test runs that gave a twin.
    """

    total: Mapping[str, int] = field(default_factory=dict)
    tried: Mapping[str, int] = field(default_factory=dict)
    untried: tuple[str, ...] = ()
    declined: tuple[Declined, ...] = ()
    patterns: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    newest_test_plan: str | None = None
    bad_outcomes: Mapping[str, int] = field(default_factory=dict)
    refused_codes: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[TriedBy, ...] = ()
