"""Gates: the conditions under which a plan may run (design: all of them, each with its reason)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bulkrunner.domain.catalogue import AnswerKind
from bulkrunner.domain.records import Document
from bulkrunner.domain.run import Outcome
from bulkrunner.sentences import Sentence

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
