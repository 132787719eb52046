"""Domain objects as rows, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Row

from bulkrunner.adapters.ledger.columns import kind_of, said
from bulkrunner.adapters.ledger.document_store import Parcel
from bulkrunner.adapters.ledger.tables import planned_changes, plans
from bulkrunner.domain.approvals import Approval, Conditions
from bulkrunner.domain.canonical import canonical_bytes, digest_of_bytes
from bulkrunner.domain.plan import (
    Action,
    BibSummary,
    Origin,
    Part,
    Plan,
    PlannedChange,
    PlanState,
    origins_data,
)
from bulkrunner.domain.records import Document
from bulkrunner.domain.run import Attempt, Lease, Outcome, Owner, Result, Run, RunState
from bulkrunner.domain.standing import Bounds
from bulkrunner.errors import Source
from bulkrunner.sentences import stored_text

# Columns of an attempt that are written before the request.
INTENT = ("change", "number", "intent_at", "method", "etag", "known_ids")

# Columns of an attempt that are written after it.
ANSWER = ("change", "number", "answer", "status", "answered_at", "words", "error_id", "server_date")

# Columns of a run that change only together with an event.
RUN = ("id", "plan", "job", "environment", "state", "started_at", "finished_at", "stop_reason")

# Columns of a run that change often; events say what they were.
RUN_ALSO = ("active_at", "requests", "stop_request", "paused", "rate", "hold", "ordered_by")

# Columns of a plan that change only together with an event.
PLAN = tuple(
    column.name for column in plans.c if column.name not in ("seq", "cursor", "requests", "event")
)

APPROVAL = (
    "plan",
    "plan_digest",
    "approved",
    "given_by",
    "reference",
    "answer",
    "statements",
    "recorded_by",
    "recorded_at",
    "conditions",
    "head",
    "language",
    "signature",
    "signer",
    "signing_key",
    "standing",
)

STANDING_CLAIM = (
    *("claimed_by", "number", "plan", "approved", "rule", "bounds", "claimed_at", "after"),
)

STANDING_END = ("plan", "ended_by", "reason", "ended_at")

RESULT = (
    "change",
    "outcome",
    "code",
    "message",
    "record",
    "etag",
    "stored_modified",
    "detail",
    "stored",
    "decided_at",
)

# Columns of a client's use that never change.
CLIENT_USE = ("environment", "client", "use", "first_used_at")

# Columns of a client that say that it is used no more.
CLIENT_RETIRED = ("environment", "client", "retired_at", "retired_by")

# Columns of a change that its event covers; ``batch`` says which event that is.
CHANGE = tuple(column.name for column in planned_changes.c if column.name != "batch")


def pick(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the named values only."""
    return {name: values[name] for name in names}


def plan_row(plan: Plan) -> dict[str, Any]:
    """Return a plan's columns, without ``seq`` and ``event``."""
    return {
        "id": plan.id,
        "job": plan.job,
        "environment": plan.environment,
        "kind": plan.addresses.get("kind", ""),
        "addresses": dict(plan.addresses),
        "manifest_digest": plan.manifest_digest,
        "effect_digest": plan.effect_digest,
        "policy": dict(plan.policy),
        "manifest": dict(plan.manifest),
        "rights": [dict(right) for right in plan.rights],
        "program_version": plan.program_version,
        "folder": plan.folder,
        "created_at": plan.created_at,
        "state": plan.state.value,
        "finished_at": plan.finished_at,
        "plan_digest": plan.plan_digest,
        "counts": dict(plan.counts),
        "tallies": dict(plan.tallies),
        "cursor": plan.cursor,
        "requests": plan.requests,
    }


def plan_of(row: Row[Any]) -> Plan:
    return Plan(
        id=row.id,
        job=row.job,
        environment=row.environment,
        addresses=row.addresses,
        manifest_digest=row.manifest_digest,
        effect_digest=row.effect_digest,
        policy=row.policy,
        manifest=row.manifest,
        rights=tuple(row.rights),
        program_version=row.program_version,
        folder=row.folder,
        created_at=row.created_at,
        state=PlanState(row.state),
        finished_at=row.finished_at,
        plan_digest=row.plan_digest,
        counts=row.counts,
        tallies=row.tallies,
        cursor=row.cursor,
        requests=row.requests,
    )


def change_row(plan: str, change: PlannedChange, parcel: Parcel) -> dict[str, Any]:
    """Return a change's columns; its documents go into the parcel."""
    return {
        "plan": plan,
        "number": change.number,
        "action": change.action.value,
        "record": change.record,
        "given": change.given,
        "source_file": change.source.file,
        "source_line": change.source.line,
        "source_column": change.source.column,
        "operation": dict(change.operation),
        "operation_digest": change.operation_digest(),
        "kind": change.kind,
        "declared": change.declared,
        "sigel": change.sigel,
        "bib": None if change.bib is None else asdict(change.bib),
        "etag": change.etag,
        "before": parcel.add(change.before),
        "after": parcel.add(change.after),
        "predicted": parcel.add(change.predicted),
        "before_fingerprint": change.before_fingerprint,
        "after_fingerprint": change.after_fingerprint,
        "target_key": change.target_key,
        "pattern": stored_text(change.pattern),
        "cleanups": [stored_text(text) for text in change.cleanups] or None,
        "code": change.code,
        "message": stored_text(change.message),
        "notes": [[code, stored_text(message)] for code, message in change.notes] or None,
        "prerequisites": list(change.prerequisites) or None,
        "origins": origins_data(change.origins) or None,
        "library": change.library or None,
        "step": change.step,
        "parts": [_part_row(part) for part in change.parts] or None,
        "made": change.made,
        "place": change.place,
        "wish": change.wish,
        "read_by": change.read_by or None,
    }


def change_of(row: Row[Any], found: Mapping[str, Document]) -> PlannedChange:
    """Read a row of planned_changes; documents that were not fetched are None."""
    return PlannedChange(
        number=row.number,
        action=Action(row.action),
        record=row.record,
        given=row.given,
        source=Source(file=row.source_file, line=row.source_line, column=row.source_column),
        operation=row.operation,
        kind=kind_of(row.kind),
        declared=row.declared,
        sigel=row.sigel,
        bib=None if row.bib is None else BibSummary(**row.bib),
        etag=row.etag,
        before=found.get(row.before),
        after=found.get(row.after),
        predicted=found.get(row.predicted),
        before_fingerprint=row.before_fingerprint,
        after_fingerprint=row.after_fingerprint,
        target_key=row.target_key,
        pattern=said(row.pattern),
        cleanups=tuple(map(said, row.cleanups or ())),
        code=row.code,
        message=said(row.message),
        notes=tuple((code, said(message)) for code, message in row.notes or ()),
        prerequisites=tuple(row.prerequisites or ()),
        origins=tuple(
            Origin(record=record, fingerprints=tuple(known)) for record, *known in row.origins or ()
        ),
        library=row.library or "",
        step=row.step,
        parts=tuple(_part_of(part) for part in row.parts or ()),
        made=row.made,
        place=row.place,
        wish=row.wish,
        read_by=row.read_by or "",
    )


def _part_row(part: Part) -> list[Any]:
    source = part.source
    place = [source.file, source.line, source.column]
    how = [part.action.value, part.code, stored_text(part.message), part.wish, part.subject]
    return [part.step, *place, part.given, *how]


def _part_of(row: list[Any]) -> Part:
    step, file, line, column, given, action, code, message, wish, subject = row
    return Part(
        step=step,
        source=Source(file=file, line=line, column=column),
        given=given,
        action=Action(action),
        code=code,
        message=said(message),
        wish=wish,
        subject=subject,
    )


def run_row(run: Run) -> dict[str, Any]:
    """Return a run's columns, without ``seq`` and ``event``."""
    return {
        "id": run.id,
        "plan": run.plan,
        "job": run.job,
        "environment": run.environment,
        "state": run.state.value,
        "started_at": run.started_at,
        "active_at": run.active_at,
        "finished_at": run.finished_at,
        "stop_reason": stored_text(run.stop_reason),
        "requests": run.requests,
        "paused": run.paused,
        "rate": run.rate,
        "hold": run.hold,
        "ordered_by": run.ordered_by,
    }


def run_of(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        plan=row.plan,
        job=row.job,
        environment=row.environment,
        state=RunState(row.state),
        started_at=row.started_at,
        active_at=row.active_at,
        finished_at=row.finished_at,
        stop_reason=said(row.stop_reason),
        requests=row.requests,
        paused=row.paused,
        rate=row.rate,
        hold=row.hold,
        ordered_by=row.ordered_by,
    )


def attempt_row(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt's columns, without ``run`` and the events."""
    return {
        "change": attempt.change,
        "number": attempt.number,
        "intent_at": attempt.intent_at,
        "method": attempt.method,
        "etag": attempt.etag,
        "known_ids": list(attempt.known_ids) or None,
        "answer": attempt.answer,
        "status": attempt.status,
        "answered_at": attempt.answered_at,
        "words": attempt.words,
        "error_id": attempt.error_id,
        "server_date": attempt.server_date,
    }


def attempt_of(row: Row[Any]) -> Attempt:
    return Attempt(
        change=row.change,
        number=row.number,
        intent_at=row.intent_at,
        method=row.method,
        etag=row.etag,
        known_ids=tuple(row.known_ids or ()),
        answer=row.answer,
        status=row.status,
        answered_at=row.answered_at,
        words=row.words,
        error_id=row.error_id,
        server_date=row.server_date,
    )


def result_row(change: int, result: Result, parcel: Parcel) -> dict[str, Any]:
    """Return a result's columns, without ``run`` and ``event``."""
    return {
        "change": change,
        "outcome": result.outcome.value,
        "code": result.code,
        "message": stored_text(result.message),
        "record": result.record,
        "etag": result.etag,
        "stored_modified": result.stored_modified,
        "detail": dict(result.detail) or None,
        "stored": parcel.add(result.stored),
        "decided_at": result.decided_at,
    }


def result_of(row: Any, found: Mapping[str, Document]) -> Result:
    """Read a row of results; without one the outcome is ``pending``."""
    if row is None:
        return Result(outcome=Outcome.PENDING)
    return Result(
        outcome=Outcome(row.outcome),
        code=row.code,
        message=said(row.message),
        record=row.record,
        etag=row.etag,
        stored_modified=row.stored_modified,
        detail=row.detail or {},
        stored=found.get(row.stored),
        decided_at=row.decided_at,
    )


def lease_row(lease: Lease) -> dict[str, Any]:
    """Return a lease's columns."""
    return {
        "run": lease.run,
        "token": lease.token,
        **asdict(lease.owner),
        "expires_at": lease.expires_at,
        "taken_at": lease.taken_at,
    }


def lease_of(row: Row[Any]) -> Lease:
    """Read a row of leases that somebody holds."""
    return Lease(
        run=row.run,
        owner=Owner(host=row.host, boot=row.boot, pid=row.pid, started=row.started),
        token=row.token,
        expires_at=row.expires_at,
        taken_at=row.taken_at,
    )


def approval_row(approval: Approval) -> dict[str, Any]:
    """Return an approval's columns, without ``seq`` and ``event``."""
    return {
        "plan": approval.plan,
        "plan_digest": approval.plan_digest,
        "approved": approval.approved,
        "given_by": approval.by,
        "reference": approval.reference,
        "answer": approval.text,
        "statements": list(approval.statements),
        "recorded_by": approval.recorded_by,
        "recorded_at": approval.recorded_at,
        "conditions": approval.conditions.as_dict() or None,
        "head": approval.head or None,
        "language": approval.language or None,
        "signature": approval.signature or None,
        "signer": approval.signer or None,
        "signing_key": approval.key or None,
        "standing": None if approval.standing is None else approval.standing.as_dict(),
    }


def approval_of(row: Row[Any] | SimpleNamespace, *, given: int) -> Approval:
    """Read a row of approvals; ``given``: event that its head is of."""
    return Approval(
        plan=row.plan,
        plan_digest=row.plan_digest,
        approved=row.approved,
        by=row.given_by,
        reference=row.reference,
        text=row.answer,
        statements=tuple(row.statements),
        recorded_by=row.recorded_by,
        recorded_at=row.recorded_at,
        conditions=Conditions.from_dict(row.conditions or {}),
        head=row.head or "",
        language=row.language or "",
        signature=row.signature or "",
        signer=row.signer or "",
        key=row.signing_key or "",
        standing=None if row.standing is None else Bounds.from_dict(row.standing),
        given=given,
        event=row.event,
    )


def document_digests(rows: Sequence[Row[Any]]) -> list[str | None]:
    """Return the digests of every document that the rows of changes refer to."""
    return [digest for row in rows for digest in (row.before, row.after, row.predicted)]


def change_digest(row: Any, content: Mapping[str, bytes]) -> str:
    """Return ``PlannedChange.digest`` of a row, from the canonical bytes of its parts."""
    parts = [
        canonical_bytes(row.number),
        canonical_bytes(row.action),
        canonical_bytes(row.record),
        canonical_bytes(row.operation),
        canonical_bytes(row.etag),
        _content(row.before, content),
        _content(row.after, content),
        canonical_bytes(row.before_fingerprint),
        canonical_bytes(row.after_fingerprint),
        canonical_bytes(row.kind),
        canonical_bytes(row.sigel),
        canonical_bytes(row.code),
    ]
    if row.prerequisites:
        parts.append(canonical_bytes(row.prerequisites))
    if row.origins:
        parts.append(canonical_bytes({"origins": row.origins}))
    return digest_of_bytes(b"[" + b",".join(parts) + b"]")


def _content(digest: str | None, content: Mapping[str, bytes]) -> bytes:
    return b"null" if digest is None else content.get(digest, b"")


class ResultOfRow:
    """The result's columns of a joined row, by their own names."""

    def __init__(self, row: Row[Any]) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, f"result_{name}")
