"""Decides how the creation of a record stands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bulkrunner.domain.canonical import same
from bulkrunner.domain.catalogue import AnswerKind
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.prediction import create_fingerprint
from bulkrunner.domain.records import (
    Document,
    creator,
    held_by,
    item_of,
    record_part,
    thing_part,
)
from bulkrunner.domain.run import Attempt, Outcome
from bulkrunner.domain.settlement.attempts import (
    SEND,
    Decision,
    Version,
    again,
    by_and_when,
    may_have_written,
    moment,
)
from bulkrunner.sentences import Sentence

MAX_IDENTIFIERS = 10  # names, and identifiers, of a bib that are searched for

MAX_IDENTIFIER = 200  # characters of one that is searched for


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A record that may be the one that was created."""

    record: str
    first: Document | None  # its first version, None where that cannot be read
    newest: Version


def is_named_rightly(change: PlannedChange, sent: Document, first: Document, sigel: str) -> bool:
    """Return True if the record that a 201 names, by its first version, can be the one sent."""
    # What the server stores need not be as predicted; but whose record it is, and of what, is. No
    # clock is asked: that of the answer may be a proxy's.
    if creator(first) != sigel:
        return False
    if create_fingerprint(first) == change.after_fingerprint:
        return True
    if change.kind == "holding":
        return (held_by(first), item_of(first)) == (held_by(sent), item_of(sent))
    wanted = change.predicted or sent
    titles = [thing_part(one).get("hasTitle") for one in (first, wanted)]
    return identifiers_of(first) == identifiers_of(wanted) and same(*titles)


def settle_create(
    change: PlannedChange,
    candidates: Sequence[Candidate],
    attempts: Sequence[Attempt],
    *,
    active_sigel: str,
    not_before: datetime | None = None,
) -> Decision:
    """Decide how the creation of a holding stands, by the live ones of its library on the bib."""
    # ``not_before`` is the time of the first intent by the server's clock, None if unknown.
    known = {record for attempt in attempts for record in attempt.known_ids}
    ours = [
        found
        for found in candidates
        if may_have_written(attempts)
        and found.record not in known
        and is_ours(change, found, active_sigel, not_before)
    ]
    if len(ours) == 1:
        return _created(change, ours[0])
    if ours:
        made = [found.record for found in ours]
        return Decision(
            outcome=Outcome.UNKNOWN,
            code="several_created",
            message=Sentence("several_created", records=made),
            detail={"existing": made, "candidates": [_described(found) for found in ours]},
        )
    ids = [found.record for found in candidates]
    if may_have_written(attempts) and any(
        found.first is None and found.record not in known for found in candidates
    ):
        return Decision(
            outcome=Outcome.UNKNOWN,
            code="history_unread",
            message=Sentence("candidate_history_unread", records=", ".join(ids)),
            detail={"existing": ids},
        )
    if candidates:
        return Decision(
            outcome=Outcome.REFUSED,
            code="duplicate",
            message=Sentence("duplicate_holding", records=", ".join(ids)),
            detail={"existing": ids, **by_and_when(candidates[0].newest.document)},
        )
    return again(attempts, None, unsaved="not_saved")


def _described(found: Candidate) -> dict[str, object]:
    newest = found.newest.document or {}
    return {
        "record": found.record,
        "created": record_part(newest).get("created"),
        "creator": creator(newest),
        **by_and_when(found.newest.document),
    }


def identifiers_of(document: Document) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names (IRIs) and identifiers by which a new bib can be found again."""
    thing = thing_part(document)
    same = [*_nodes(record_part(document).get("sameAs")), *_nodes(thing.get("sameAs"))]
    names = [node.get("@id") for node in same]
    values = [node.get("value") for node in _nodes(thing.get("identifiedBy"))]
    return _texts(names), _texts(values)


def _nodes(value: object) -> list[dict[str, object]]:
    nodes = value if isinstance(value, list) else [value]
    return [node for node in nodes if isinstance(node, dict)]


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    texts = (value.strip() for value in values if isinstance(value, str))
    usable = (text for text in texts if text and len(text) <= MAX_IDENTIFIER)
    return tuple(dict.fromkeys(usable))[:MAX_IDENTIFIERS]


def is_ours(
    change: PlannedChange, found: Candidate, sigel: str, not_before: datetime | None
) -> bool:
    """Return True if a record was created as planned, by us, and not before a moment."""
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
        outcome=Outcome.APPLIED,
        detail={} if same else {"changed_since": by_and_when(newest)},
        version=found.newest,
        record=found.record,
    )


def settle_bib_create(
    change: PlannedChange,
    attempts: Sequence[Attempt],
    candidates: Sequence[Candidate] = (),
    *,
    active_sigel: str = "",
    not_before: datetime | None = None,
) -> Decision:
    """Decide how the creation of a bib stands: never a second POST on a guess."""
    # The candidates have an identifier of the bib's, and no other change has made them. Where the
    # server's time of the first intent is not known nothing can be proven to be ours.
    if not may_have_written(attempts):
        if attempts and attempts[-1].answer == AnswerKind.NOT_FOUND:
            words = attempts[-1].words.rstrip(": ")
            return Decision(
                outcome=Outcome.FAILED,
                code="not_stored",
                message=Sentence("not_stored_because", words=words)
                if words
                else Sentence("not_stored"),
            )
        return again(attempts, None, unsaved="not_saved")
    ours = [
        found
        for found in candidates
        if not_before is not None and is_ours(change, found, active_sigel, not_before)
    ]
    if len(ours) == 1:
        return _created(change, ours[0])
    last = attempts[-1]
    listed = ", ".join(found.record for found in candidates)
    seen = Sentence("bib_create_found", records=listed) if listed else Sentence("bib_create_search")
    return Decision(
        outcome=Outcome.UNKNOWN,
        code="bib_create_unproven",
        message=Sentence("bib_create_unproven", seen=seen),
        detail={
            "sent_at": last.intent_at.isoformat(),
            "answer": last.answer,
            "status": last.status,
            "error_id": last.error_id,
            "title": change.bib.title if change.bib else "",
            "candidates": [_described(found) for found in candidates],
        },
    )


def settle_unsent_bib(
    change: PlannedChange,
    candidates: Sequence[Candidate],
    *,
    active_sigel: str,
    since: datetime,
) -> Decision:
    """Decide on a new bib that was never sent as far as a restored ledger knows."""
    # ``candidates``: records with an identifier of the bib's that no other change has made.
    # ``since``: when something may have been sent that the ledger does not know.
    ours = [found for found in candidates if is_ours(change, found, active_sigel, since)]
    if len(ours) == 1:
        return Decision(
            outcome=Outcome.UNCHANGED,
            code="made_unknown",
            message=Sentence("bib_made_unknown", record=ours[0].record, sigel=active_sigel),
            detail=_described(ours[0]),
            record=ours[0].record,
        )
    recent = [found for found in candidates if _is_recent(found, active_sigel, since)]
    if ours or recent:
        ids = [found.record for found in ours or recent]
        return Decision(
            outcome=Outcome.REFUSED,
            code="similar_bib",
            message=Sentence("similar_bib", sigel=active_sigel, records=", ".join(ids)),
            detail={"existing": ids},
        )
    return Decision(outcome=SEND)


def _is_recent(found: Candidate, sigel: str, since: datetime) -> bool:
    document = found.first or found.newest.document or {}
    created = moment(record_part(document).get("created")) if document else None
    return creator(document) == sigel and (created is None or created >= since)
