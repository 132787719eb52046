"""What a manifest declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, TypeAlias

from bulkrunner.domain.changes.kinds import AppendChange, Change, RemoveChange, SetChange

__all__ = [
    "Accept",
    "Agreement",
    "AppendChange",
    "Change",
    "Create",
    "Creates",
    "Declared",
    "Delete",
    "Job",
    "Operation",
    "Problem",
    "RemoveChange",
    "SetChange",
    "Source",
    "Undo",
    "Unreadable",
    "Update",
]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where something was declared; line and column count from 1, 0 where there is none."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        return place


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A fault of a manifest or an input file, for ``check``."""

    source: Source
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.source}: {self.message}"
        return f"{text} ({self.hint})" if self.hint else text


@dataclass(frozen=True, kw_only=True)
class Update:
    """Changes to one existing record. Exactly one of changes, replace, resave, repoint is given.

    ``repoint`` is the bib that a holding is hung on, also as ``new:N``. ``after`` holds the numbers, in the list of operations, of those that must end well first.
    """

    source: Source
    target: str
    changes: tuple[Change, ...] = ()
    replace: Mapping[str, Any] | None = None
    resave: bool = False
    repoint: str | None = None
    expect: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Delete:
    """Deletion of one existing record."""

    source: Source
    target: str
    expect: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[int, ...] = ()


class Creates(StrEnum):
    """What a create makes."""

    HOLDING = "holding"
    BIB = "bib"


@dataclass(frozen=True, kw_only=True)
class Create:
    """A new record. ``of`` is the bib of a holding, also as ``new:N``; None for a bib."""

    source: Source
    creates: Creates
    sigel: str
    of: str | None
    body: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A line of an id list that names no record; it becomes a refusal of the plan, never silence.

    Attributes:
        on_missing: set where nothing was found, not misread: ``report`` or ``refuse``.
    """

    source: Source
    given: str
    code: str
    message: str
    on_missing: str | None = None


@dataclass(frozen=True, kw_only=True)
class Undo:
    """Restore what a job changed; planning resolves it to the environment's own runs of that job.

    Attributes:
        effect_digest: of the job's manifest, as its plans have it.
        only: short ids or legacy IRIs; nothing else is restored. None: everything.
    """

    source: Source
    job: str
    effect_digest: str
    only: frozenset[str] | None = None


Operation: TypeAlias = Update | Delete | Create
Declared: TypeAlias = Operation | Unreadable | Undo


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What was agreed with KB."""

    reference: str = ""
    contact: str = ""
    agreed_on: date | None = None
    rate: float | None = None
    covers: tuple[str, ...] = ("holdings",)


@dataclass(frozen=True, kw_only=True)
class Accept:
    """Refusals of one code that the manifest lives with."""

    code: str
    at_most: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """A manifest's head: all but its operations.

    Attributes:
        on_missing: ``report`` (a missing record is ``not_found``) or ``refuse``.
        policy: values of ``[policy]`` that the manifest overrides.
        manifest_digest: over everything, input files included.
        effect_digest: without title, purpose, agreement, ceilings, policy and accept.
    """

    id: str
    title: str
    purpose: str
    on_behalf_of: str
    sigels: tuple[str, ...]
    active_sigel: str
    agreement: Agreement
    ceilings: Mapping[str, int]
    accept: tuple[Accept, ...]
    on_missing: str
    policy: Mapping[str, Any]
    manifest_digest: str
    effect_digest: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
