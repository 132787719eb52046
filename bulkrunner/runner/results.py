"""What commands answer: documents, for ``--json`` and, as frozen objects, for whoever calls the program.

Every key is there also after an error, with None where nothing is known. What each holds is told in
docs/reference/cli.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self, TypeAlias

Counts: TypeAlias = Mapping[str, int]
Rows: TypeAlias = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """The document of a command; ``document`` is all of it, as ``--json`` prints it."""

    document: Mapping[str, Any]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return a document as an object."""
        return cls(document=dict(document), **{name: document.get(name) for name in cls.names()})

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the document's keys, in their order."""
        return tuple(one.name for one in fields(cls) if one.name != "document")


@dataclass(frozen=True, kw_only=True)
class Checked(Result):
    """A manifest that was read."""

    job: str | None
    manifest_digest: str | None
    effect_digest: str | None
    operations: Counts | None
    inputs: Rows | None
    problems: Rows | None
    notes: Rows | None


@dataclass(frozen=True, kw_only=True)
class Planned(Result):
    """A plan."""

    plan: str | None
    job: str | None
    environment: str | None
    manifest_digest: str | None
    effect_digest: str | None
    plan_digest: str | None
    state: str | None
    counts: Counts | None
    findings: Rows | None
    requests: int | None


@dataclass(frozen=True, kw_only=True)
class Ran(Result):
    """A run."""

    run: str | None
    plan: str | None
    environment: str | None
    state: str | None
    outcomes: Counts | None
    gates: Rows | None
    requests: int | None


@dataclass(frozen=True, kw_only=True)
class Reported(Result):
    """A report that was written."""

    plan: str | None
    run: str | None
    format: str | None
    path: str | None
    head: str | None
    older: str | None
    changed: bool | None
    libraries: Rows | None


@dataclass(frozen=True, kw_only=True)
class Approved(Result):
    """A yes that was recorded."""

    plan: str | None
    plan_digest: str | None
    answer: str | None
    by: str | None
    reference: str | None
    statements: Sequence[str] | None
    conditions: Mapping[str, Any] | None
    signed_by: str | None
    draft: str | None
    standing: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Rejected(Result):
    """A no that was recorded; ``stopping``: runs that were asked to stop."""

    plan: str | None
    plan_digest: str | None
    answer: str | None
    by: str | None
    reference: str | None
    stopping: Sequence[str] | None
    draft: str | None


@dataclass(frozen=True, kw_only=True)
class Verified(Result):
    """A run's records, read again."""

    run: str | None
    environment: str | None
    checked: int | None
    differences: Rows | None
    requests: int | None


@dataclass(frozen=True, kw_only=True)
class Undone(Result):
    """A job that was written to take another back."""

    run: str | None
    job: str | None
    folder: str | None
    manifest: str | None
    undoes: str | None
    effect_digest: str | None


@dataclass(frozen=True, kw_only=True)
class Stood(Result):
    """Where jobs, plans, runs and gates stand, and the next command."""

    jobs: Rows | None
    plans: Rows | None
    runs: Rows | None
    gates: Rows | None
    rules: Rows | None
    queue: Rows | None
    workers: Rows | None
    next: str | None


@dataclass(frozen=True, kw_only=True)
class Advanced(Result):
    """How far a job was taken."""

    job: str | None
    steps: Rows | None
    stopped_at: str | None
    why: str | None
    next: str | None
    plan: str | None
    run: str | None
    report: str | None
    gates: Rows | None
    standing: str | None


# What the commands answer that a caller can give too.
RESULTS: Mapping[str, type[Result]] = {
    "advance": Advanced,
    "approve": Approved,
    "check": Checked,
    "plan": Planned,
    "reject": Rejected,
    "report": Reported,
    "resume": Ran,
    "run": Ran,
    "status": Stood,
    "undo": Undone,
    "verify": Verified,
}

KEYS: Mapping[str, tuple[str, ...]] = {
    **{command: result.names() for command, result in RESULTS.items()},
    "clients": ("clients", "environment", "client", "retired_at", "retired_by", "notice"),
    "completion": ("script",),
    "demo": ("report", "folder", "steps"),
    "doctor": ("environments", "network", "ledger", "hosts", "idle_clients"),
    "ledger": (
        *("ledger", "state", "faults", "head", "against", "bundle", "path", "compacted"),
        *("copied", "restored", "moved"),
    ),
    "new": ("job", "kind", "folder", "manifest", "files", "kinds"),
    "pause": ("run", "state", "paused"),
    "rate": ("run", "state", "rate"),
    "sandbox": ("test", "production", "pid", "config", "credentials"),
    "schema": ("schema", "path"),
    "settle": ("run", "change", "was", "outcome", "record", "by", "reason", "outcomes"),
    "standing": ("standing", "stopping"),
    "stop": ("run", "state"),
    "submit": ("job", "environment", "manifest_digest", "at", "workers"),
    "worker": ("name", "done"),
}


def blank(command: str | None) -> dict[str, Any]:
    """Return the command's document with every key null."""
    return dict.fromkeys(KEYS.get(command or "", ()))
