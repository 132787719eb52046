"""Decides how the creation of a record stands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bulkrunner.domain.answers import AnswerKind
from bulkrunner.domain.decisions import (
    Decision,
    Verdict,
    Version,
    again,
    by_and_when,
    may_have_written,
    moment,
)
from bulkrunner.domain.fingerprint import create_fingerprint
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.records import Document, creator, record_part
from bulkrunner.domain.run import Attempt


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A holding that stands where ours should be.

    Attributes:
        first: its first version, None where that cannot be read.
    """

    record: str
    first: Document | None
    newest: Version


def settle_create(
    change: PlannedChange,
    candidates: Sequence[Candidate],
    attempts: Sequence[Attempt],
    *,
    active_sigel: str,
    not_before: datetime | None = None,
) -> Decision:
    """Decide how the creation of a holding stands.

    Args:
        change: as planned.
        candidates: live holdings of the sigel on the bib, now.
        attempts: every send so far, with what is known of its answer.
        active_sigel: as whom the attempts were made.
        not_before: time of the first intent by the server's clock, None where that is not known.
    """
    known = {record for attempt in attempts for record in attempt.known_ids}
    ours = [
        found
        for found in candidates
        if may_have_written(attempts)
        and found.record not in known
        and _is_ours(change, found, active_sigel, not_before)
    ]
    if len(ours) == 1:
        return _created(change, ours[0])
    if candidates:
        ids = [found.record for found in candidates]
        return Decision(
            verdict=Verdict.REFUSED,
            code="duplicate",
            message=f"the library already has a holding on this bib: {', '.join(ids)}",
            detail={"existing": ids, **by_and_when(candidates[0].newest.document)},
        )
    return again(attempts, None, unsaved="not_saved")


def _is_ours(
    change: PlannedChange, found: Candidate, sigel: str, not_before: datetime | None
) -> bool:
    if found.first is None or creator(found.first) != sigel:
        return False
    created = moment(record_part(found.first).get("created"))
    if not_before is not None and (created is None or created < not_before):
        return False
    return create_fingerprint(found.first) == change.after_fingerprint


def _created(change: PlannedChange, found: Candidate) -> Decision:
    newest = found.newest.document
    same = newest is not None and create_fingerprint(newest) == change.after_fingerprint
    return Decision(
        verdict=Verdict.APPLIED,
        detail={} if same else {"changed_since": by_and_when(newest)},
        version=found.newest,
        record=found.record,
    )


def settle_bib_create(change: PlannedChange, attempts: Sequence[Attempt]) -> Decision:
    """Decide how the creation of a bib stands: never a second POST on a guess."""
    if not may_have_written(attempts):
        if attempts and attempts[-1].answer == AnswerKind.NOT_FOUND:
            return Decision(
                verdict=Verdict.FAILED,
                code="not_stored",
                message=f"the server could not store it: {attempts[-1].words}".rstrip(": "),
            )
        return again(attempts, None, unsaved="not_saved")
    last = attempts[-1]
    return Decision(
        verdict=Verdict.UNKNOWN,
        code="bib_create_unproven",
        message="the answer to the creation of a bib was lost; search the catalogue for it, "
        "then record what you found",
        detail={
            "sent_at": last.intent_at.isoformat(),
            "answer": last.answer,
            "status": last.status,
            "error_id": last.error_id,
            "title": change.bib.title if change.bib else "",
        },
    )
