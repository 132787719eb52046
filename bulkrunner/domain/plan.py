"""Plans and planned changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bulkrunner.domain.canonical import canonical_bytes, digest
from bulkrunner.domain.records import Document
from bulkrunner.errors import Source
from bulkrunner.sentences import Sentence


class Action(StrEnum):
    """What the plan says of a record."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    NOT_FOUND = "not_found"


WRITING = (Action.CREATE, Action.UPDATE, Action.DELETE)  # actions that a run carries out


class PlanState(StrEnum):
    """Whether planning reached its end."""

    PLANNING = "planning"
    INTERRUPTED = "interrupted"
    COMPLETE = "complete"


@dataclass(frozen=True, kw_only=True)
class BibSummary:
    """How a bib is named to people; every part may be empty."""

    id: str
    title: str = ""
    author: str = ""
    year: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One entry of a manifest that concerns the record of a change, and how it came out by itself."""

    step: int | None  # number of its step; None for an explicit operation
    source: Source
    given: str  # the record as written there
    # action, code, message: as of a change.
    action: Action
    code: str = ""
    message: str = ""
    wish: str = ""  # digest of what it wants of the record, before anything was read
    # The entry names this record; False where it names another one, and this one is written as
    # well.
    subject: bool = True


FROM_DUMP = "dump"
"""The record was read in a dump of its library."""

FROM_BIB = "bib"
"""The record was read with its bib's holdings."""


def reads_data(counts: Mapping[str, int]) -> dict[str, Any]:
    """Return how records were read, counted by ``read_by``, as reports have it."""
    why = {code: n for code, n in sorted(counts.items()) if code not in ("", FROM_DUMP, FROM_BIB)}
    return {
        "dump": counts.get(FROM_DUMP, 0),
        "bib": counts.get(FROM_BIB, 0),
        "singly": counts.get("", 0) + sum(why.values()),
        "why_singly": why,
    }


def reads_said(counts: Mapping[str, int]) -> Sentence | None:
    """Return in words how records were read; None where all were read one by one, as ever."""
    data = reads_data(counts)
    if set(counts) <= {""}:
        return None
    parts: list[str] = [Sentence("read_in_dump", count=data["dump"])] if data["dump"] else []
    if data["bib"]:
        parts.append(Sentence("read_with_bib", count=data["bib"]))
    why = [_read_why(code, count) for code, count in data["why_singly"].items()]
    singly = data["singly"]
    if why:
        parts.append(Sentence("read_singly_why", count=singly, why=why))
    elif singly:
        parts.append(Sentence("read_singly", count=singly))
    return Sentence("records_read", parts=parts)


def _read_why(code: str, count: int) -> Sentence:
    match code:
        case "changed":
            return Sentence("read_changed", count=count)
        case "unlisted":
            return Sentence("read_unlisted", count=count)
        case "form":
            return Sentence("read_form", count=count)
        case "dump_differs":
            return Sentence("read_dump_differs", count=count)
        case "dump_unsteady":
            return Sentence("read_dump_unsteady", count=count)
        case "dump_broken":
            return Sentence("read_dump_broken", count=count)
        case "dump_stale":
            return Sentence("read_dump_stale", count=count)
        case _:
            return Sentence("read_dump_unread", count=count)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A record whose content went into a change to another one."""

    record: str  # short id
    # Of the content as planned from, and as the plan will have left it.
    fingerprints: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PlannedChange:
    """What becomes of one record: one operation, or those of several steps, in one environment."""

    number: int  # place in the plan, from 1; the change id shown to people is ``<plan>.<number>``
    action: Action
    record: str  # short id; for a create the bib's; unresolved input as written
    given: str
    source: Source
    # The resolved operation in neutral form (short ids, ``libris:`` IRIs), equal in every
    # environment.
    operation: Mapping[str, Any]
    kind: str | None = None  # ``holding``, ``bib`` or None where the record was never read
    declared: str | None = None
    sigel: str | None = None
    bib: BibSummary | None = None
    library: str = ""  # name of the sigel's library, as its record in the environment says
    etag: str | None = None  # plain ETag of the record as read, without quotes; None: not known
    # How it was read: ``FROM_DUMP``, ``FROM_BIB``, empty where singly; else why it was so.
    read_by: str = ""
    before: Document | None = None  # document as read
    after: Document | None = None  # document to be sent
    predicted: Document | None = None  # what the server will store
    before_fingerprint: str | None = None
    after_fingerprint: str | None = None
    target_key: str | None = None  # what two changes of one plan may not share
    # What the change does, values left out; staging must have tried every pattern.
    pattern: str = ""
    # What the server will also change, outside the declared places, as readable text.
    cleanups: tuple[str, ...] = ()
    # code, message: of a refusal, or the reason why nothing changes.
    code: str = ""
    message: str = ""
    # Other findings that do not refuse the change, as (code, message).
    notes: tuple[tuple[str, str], ...] = ()
    # numbers of other changes; this one is sent only when they ended well.
    prerequisites: tuple[int, ...] = ()
    # records whose content went into it; it is sent only while they have that content.
    origins: tuple[Origin, ...] = ()
    # records that link to a bib to be deleted; known while planning, not stored.
    links: tuple[str, ...] = ()
    # number of the manifest's step that it comes from; None for an explicit operation.
    step: int | None = None
    # Every entry that concerns the record, where it is more than this one.
    parts: tuple[Part, ...] = ()
    made: str | None = None  # record that an earlier run made, of a create that is ``unchanged``
    # By which it is found besides the target key: ``holding:<bib>:<sigel>`` that an update takes,
    # ``left:<bib>:<sigel>`` where a holding is deleted.
    place: str | None = None
    # Digest of what the manifest wants of the record, before anything was read; None where the
    # operation is that. By it a change is known again after a run has carried it out.
    wish: str | None = None

    def wish_digest(self) -> str:
        """Return the digest by which a change is known again when the job is planned again."""
        return self.wish or self.operation_digest()

    def operation_digest(self) -> str:
        """Return the digest that staging and production changes are matched by."""
        return operation_digest(self.operation)

    def digest(self) -> str:
        """Return the digest of what a run would do for this change."""
        parts: list[Any] = [
            self.number,
            self.action.value,
            self.record,
            self.operation,
            self.etag,
            self.before,
            self.after,
            self.before_fingerprint,
            self.after_fingerprint,
            self.kind,
            self.sigel,
            self.code,
        ]
        if self.prerequisites:  # added only where there are any: older plans keep their digest
            parts.append(list(self.prerequisites))
        if self.origins:
            parts.append({"origins": origins_data(self.origins)})
        return digest(parts)


@dataclass(frozen=True, kw_only=True)
class AppliedChange:
    """A change that a run applied, as the ledger knows it."""

    run: str
    action: Action
    record: str | None  # short id of the record written; of a create the new one
    # etag, stored_modified: of the version that the run stored, where known.
    etag: str | None = None
    stored_modified: str | None = None
    after_fingerprint: str | None = None  # of the content that was planned
    operation: Mapping[str, Any] | None = None  # as it was resolved then


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A line of ``findings`` in the plan's JSON document; people are told the input's line too."""

    code: str
    record: str
    message: str
    source: Source | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The head of a plan; its changes are streamed from the ledger."""

    id: str
    job: str
    environment: str  # name
    addresses: Mapping[str, str]  # kind, base_url, token_url, base_uri at planning
    manifest_digest: str
    effect_digest: str
    policy: Mapping[str, Any]  # effective policy as plain data
    manifest: Mapping[str, Any]  # the job's head as plain data
    program_version: str
    created_at: datetime
    state: PlanState
    folder: str  # job folder as an absolute path, for ``resume``
    finished_at: datetime | None = None
    plan_digest: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)  # by action, once complete
    # Once complete: ``sigels`` by sigel and action, ``kinds`` of what is written, ``refused`` by code,
    # ``patterns`` with how many changes each has and the number of the first.
    tallies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cursor: int = 0  # entries of the manifest planned so far
    requests: int = 0
    rights: tuple[Mapping[str, Any], ...] = ()

    @property
    def active_sigel(self) -> str:
        """The library that its writes are made as."""
        return str(self.manifest.get("active_sigel") or self.manifest.get("on_behalf_of"))

    def digest_head(self) -> dict[str, Any]:
        """Return what the plan digest covers besides the changes."""
        return {
            "plan": self.id,
            "created_at": self.created_at.isoformat(),
            "job": self.job,
            "environment": self.environment,
            "addresses": dict(self.addresses),
            "manifest_digest": self.manifest_digest,
            "effect_digest": self.effect_digest,
            "policy": dict(self.policy),
            "program_version": self.program_version,
        }


def plan_digest(head: Mapping[str, Any], change_digests: Iterable[str]) -> str:
    """Return the digest over the head and every change, in plan order, in constant memory."""
    state = hashlib.sha256(canonical_bytes(head))
    for item in change_digests:
        state.update(b"\n")
        state.update(item.encode())
    return "sha256:" + state.hexdigest()


def origins_data(origins: Iterable[Origin]) -> list[list[str]]:
    """Return origins as plain data: of each the record, then its fingerprints."""
    return [[origin.record, *origin.fingerprints] for origin in origins]


RECORD_KEY = "record:"


def record_key(record: str) -> str:
    """Return the target key of a change to an existing record."""
    return f"{RECORD_KEY}{record}"


HOLDING_KEY = "holding:"


def holding_key(bib: str, sigel: str) -> str:
    """Return the target key of a library's holding to be made on a bib."""
    return f"{HOLDING_KEY}{bib}:{sigel}"


def copied_key(source: str) -> str:
    """Return the place by which what was made of a record, named by its target key, is found again."""
    return f"copied:{source}"


# Code of a record for which a function asks for operations: they are planned by themselves.
OPERATIONS = "operations_of_function"


def concerns_record(key: str) -> bool:
    """Return True if a target key is that of a record, or of a library's holding on a bib."""
    return key.startswith((RECORD_KEY, HOLDING_KEY))


def left_key(bib: str, sigel: str) -> str:
    """Return the place by which the deletion of a library's holding on a bib is found again."""
    return f"left:{bib}:{sigel}"


def operation_digest(operation: Mapping[str, Any]) -> str:
    """Return the digest of an operation in neutral form."""
    return digest(operation)


def empty_counts() -> dict[str, int]:
    """Return the contract's counts, all 0."""
    return {action.value: 0 for action in Action}
