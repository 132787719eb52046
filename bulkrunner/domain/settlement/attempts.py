"""What is known of a change that was perhaps sent, and what may follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from bulkrunner.domain.catalogue import AnswerKind
from bulkrunner.domain.prediction import before_fingerprint
from bulkrunner.domain.records import Document, last_modifier, modified
from bulkrunner.domain.run import MAX_SENDS, Attempt, Outcome
from bulkrunner.sentences import Sentence

# Answers in the catalogue's own form that say that nothing was stored, to any request. 302, 404,
# 410 and 412 are not among them: what stands between may repeat a PUT or DELETE, and pass on the
# answer to the second one. Nor are 401 and 429, which may be its own.
NOT_WRITTEN = frozenset(
    {AnswerKind.NOT_SENT, AnswerKind.FORBIDDEN, AnswerKind.INVALID, AnswerKind.CONFLICT}
)

# The same by method: nobody repeats a POST, so 401 and 404 are about the one that was sent.
NOT_WRITTEN_BY = {"POST": NOT_WRITTEN | {AnswerKind.UNAUTHORIZED, AnswerKind.NOT_FOUND}}

NOTHING_STORED = Sentence("saved_nothing")
STILL_THERE = Sentence("deleted_still_there")


# Stands in the place of an outcome where a change is to be sent.
SEND: Final = None

# Outcomes of an earlier send that a refusal of a later one does not change.
PROVEN = frozenset({Outcome.APPLIED, Outcome.UNKNOWN})


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a record; without a document it is the one in which it was deleted."""

    document: Document | None
    etag: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """The content's fingerprint; empty for a deletion."""
        return "" if self.document is None else before_fingerprint(self.document)


@dataclass(frozen=True, kw_only=True)
class History:
    """Versions read, newest first."""

    versions: tuple[Version, ...]
    # Every version that is newer than the plan's was read, and the one below them.
    complete: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What follows, and why."""

    outcome: Outcome | None  # ``SEND`` or how it ends
    code: str = ""
    message: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    # For APPLIED the version that is ours (for a delete the removed one), for SEND the newest one.
    version: Version | None = None
    record: str | None = None  # of a create, the record that is ours

    @property
    def ended(self) -> Outcome:
        """How it ends; ValueError where it is to be sent."""
        if self.outcome is None:
            raise ValueError("a change that is to be sent has no outcome")
        return self.outcome


def moment(text: object) -> datetime | None:
    """Return a time as the server writes it, None where it cannot be read or has no offset."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def same_moment(one: str | None, other: str | None) -> bool:
    """Return True if two times are the same, however each is written: ``Z``, or with an offset."""
    if one == other:
        return True
    found = moment(one)
    return found is not None and found == moment(other)


def by_and_when(document: Document | None) -> dict[str, Any]:
    """Return who wrote a version and when; both None for a deletion, which the server hides."""
    if document is None:
        return {"by": None, "when": None, "deleted": True}
    return {"by": last_modifier(document), "when": modified(document)}


def by_whom(facts: Mapping[str, Any]) -> str:
    """Return who it was that ``by_and_when`` found, in a sentence."""
    return facts["by"] or Sentence("somebody")


def surely_not_written(attempt: Attempt) -> bool:
    """Return True if an attempt's answer proves that it stored nothing."""
    return attempt.answer in NOT_WRITTEN_BY.get(attempt.method, NOT_WRITTEN)


def may_have_written(attempts: Sequence[Attempt]) -> bool:
    """Return True if any attempt may have stored something."""
    return not all(surely_not_written(attempt) for attempt in attempts)


def sends(attempts: Sequence[Attempt]) -> int:
    """Count the requests that left this machine, or may have."""
    return sum(attempt.answer != AnswerKind.NOT_SENT for attempt in attempts)


def again(attempts: Sequence[Attempt], newest: Version | None, *, unsaved: str) -> Decision:
    """Return what follows where nothing of ours is there: send over ``newest``, or why not."""
    # ``unsaved``: code of the refusal where the server said that it had stored something.
    last = attempts[-1] if attempts else None
    if last is not None:
        match last.answer:
            case AnswerKind.DONE:
                return refused(unsaved, NOTHING_STORED)
            case AnswerKind.INVALID | AnswerKind.CONFLICT:
                return refused_by_server(last)
    if sends(attempts) < MAX_SENDS:
        return Decision(outcome=SEND, version=newest)
    return exhausted(attempts)


def refused_by_server(attempt: Attempt) -> Decision:
    """Return the refusal for an answer that says no and means it."""
    code = {AnswerKind.INVALID: "invalid", AnswerKind.FORBIDDEN: "forbidden"}.get(
        AnswerKind(attempt.answer or AnswerKind.CONFLICT), "rejected"
    )
    if code == "forbidden" and "referenced by" in attempt.words:
        code = "linked"
    return refused(code, Sentence("refused_by_server", status=attempt.status, words=attempt.words))


def refused(code: str, message: Sentence) -> Decision:
    """Return a refusal."""
    return Decision(outcome=Outcome.REFUSED, code=code, message=message)


def exhausted(attempts: Sequence[Attempt]) -> Decision:
    """Return the failure of a change that was sent as often as it may be."""
    last = attempts[-1]
    ids = [attempt.error_id for attempt in attempts if attempt.error_id]
    said = f" ({last.status})" if last.status else ""
    words = f": {last.words}" if last.words else ""
    return Decision(
        outcome=Outcome.FAILED,
        code=last.answer or AnswerKind.LOST.value,
        message=Sentence(
            "sends_exhausted",
            count=sends(attempts),
            answer=f"{(last.answer or 'none').replace('_', ' ')}{said}{words}",
        ),
        detail={"error_ids": ids} if ids else {},
    )
