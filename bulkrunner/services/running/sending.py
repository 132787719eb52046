"""One send: what else must still be so, intent on disk, one request, what its answer means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from bulkrunner.domain.catalogue import AnswerKind, Found, WriteAnswer
from bulkrunner.domain.plan import Action, Origin, PlannedChange
from bulkrunner.domain.prediction import before_fingerprint
from bulkrunner.domain.records import Document, modified
from bulkrunner.domain.run import Attempt, Outcome, Result
from bulkrunner.domain.settlement.attempts import (
    PROVEN,
    SEND,
    Decision,
    Version,
    by_and_when,
    by_whom,
    may_have_written,
    refused,
    refused_by_server,
)
from bulkrunner.domain.settlement.updates import Left
from bulkrunner.domain.transfers import takes_away
from bulkrunner.errors import AccessLost, CatalogueUnreachable, LoginDown
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.context import RunContext, Work
from bulkrunner.services.running.dispatch import PREREQUISITE
from bulkrunner.services.verify import Search

# Seconds before the look after a lost or 5xx answer, times the number of sends.
BACK_OFF = 1.0

# The same where the server is busy and does not say for how long.
BUSY_BACK_OFF = 5.0

UNAUTHORIZED = 401

INTERNAL_ERROR = 500

# Requests in a row that never left, before the environment counts as unreachable.
MAX_UNSENT = 3

# Sends of a change in a row that something else answered; one is left for the next resume.
MAX_STRANGE = 2


def send(
    context: RunContext,
    work: Work,
    method: str,
    request: Callable[[], WriteAnswer],
    *,
    etag: str | None = None,
    known_ids: tuple[str, ...] = (),
) -> WriteAnswer:
    """Send once; where the login is down nothing, and the answer is UNAUTHORIZED and not sent.

    LeaseLost: somebody else drives the run. LedgerUnavailable: the intent is not on disk.
    AccessLost: the login refuses the client. In each case nothing was sent.
    """
    context.lease.require()
    attempt = Attempt(
        change=work.change.number,
        number=len(work.attempts) + 1,
        intent_at=context.clock.now(),
        method=method,
        etag=etag,
        known_ids=known_ids,
    )
    context.journal.intend(attempt)
    work.attempts.append(attempt)
    context.lease.require()
    try:
        answer = request()
    except AccessLost as error:
        _answered(context, work, replace(attempt, answer=AnswerKind.NOT_SENT, words=error.message))
        if not isinstance(error, LoginDown):
            raise
        return _without_token(work.change, error)
    answered_at = context.clock.now()
    context.server_clock.learn(answer.server_date, answered_at)
    _answered(
        context,
        work,
        replace(
            attempt,
            answer=_kind(answer).value,
            status=answer.status,
            answered_at=answered_at,
            words=_words(method, answer),
            error_id=answer.error_id,
            server_date=answer.server_date,
        ),
    )
    return answer


def _without_token(change: PlannedChange, error: LoginDown) -> WriteAnswer:
    return WriteAnswer(
        kind=AnswerKind.UNAUTHORIZED,
        environment="",
        record=change.record,
        words=error.message,
        sent=False,
    )


def _kind(answer: WriteAnswer) -> AnswerKind:
    if answer.kind is AnswerKind.LOST and not answer.sent:
        return AnswerKind.NOT_SENT
    return answer.kind


def _words(method: str, answer: WriteAnswer) -> str:
    """Return what the server said; to a POST that went well, the id of the new record."""
    if method == "POST" and answer.kind is AnswerKind.DONE:
        return answer.location or ""
    return answer.words


def _answered(context: RunContext, work: Work, attempt: Attempt) -> None:
    work.attempts[-1] = attempt
    context.journal.answered(attempt)


def after_answer(context: RunContext, work: Work, answer: WriteAnswer) -> Decision | None:
    """Return the decision of an answer by itself; None after the wait it asks for.

    AccessLost, Interrupted, Stopped: the run ends.
    """
    last = work.attempts[-1]
    match _kind(answer):
        case AnswerKind.INVALID if answer.errors or last.method != "POST":
            decision = refused_by_server(last)
            return replace(decision, detail={"errors": [dict(error) for error in answer.errors]})
        case AnswerKind.CONFLICT if last.method != "POST":
            return refused_by_server(last)
        case AnswerKind.FORBIDDEN:
            context.access.require()
            return refused_by_server(last)
        case kind:
            _wait(context, work, answer, kind)
    return None


def _wait(context: RunContext, work: Work, answer: WriteAnswer, kind: AnswerKind) -> None:
    """Do what must be done, and wait as long as is due, before a change is looked at again."""
    last = work.attempts[-1]
    seconds = BACK_OFF
    match kind:
        case AnswerKind.UNAUTHORIZED:
            context.access.unauthorized(_at_end(work.attempts, kind) or 1)
            return
        case AnswerKind.BUSY:
            seconds = 0.0 if answer.retry_after else BUSY_BACK_OFF
        case AnswerKind.UNREADABLE:
            _give_up_strange(work.attempts)
            if last.status == UNAUTHORIZED:
                context.access.unauthorized(1)
        case AnswerKind.SERVER_ERROR:
            if last.status == INTERNAL_ERROR and not last.error_id:
                context.access.require()  # without a word it fails while its login does
        case AnswerKind.NOT_SENT:
            _give_up_unsent(work.attempts)
        case AnswerKind.LOST:
            pass
        case _:
            return
    context.control.pause(seconds * len(work.attempts))


def _give_up_strange(attempts: Sequence[Attempt]) -> None:
    if _at_end(attempts, AnswerKind.UNREADABLE) >= MAX_STRANGE:
        last = attempts[-1]
        said = f"{last.status} {last.words}".rstrip()
        raise CatalogueUnreachable(
            Sentence("writes_answered_by_other", answer=said),
            hint=Sentence("writes_answered_by_other_hint"),
        )


def _give_up_unsent(attempts: Sequence[Attempt]) -> None:
    if _at_end(attempts, AnswerKind.NOT_SENT) >= MAX_UNSENT:
        raise CatalogueUnreachable(
            Sentence("writes_unsent", why=attempts[-1].words),
            hint=Sentence("writes_unsent_hint"),
        )


def _at_end(attempts: Sequence[Attempt], kind: AnswerKind) -> int:
    count = 0
    for attempt in reversed(attempts):
        if attempt.answer != kind:
            break
        count += 1
    return count


class Sendable(Protocol):
    """One change as it is carried out, in the way of its kind."""

    def earlier(self) -> Result | Decision:
        """Return how the sends so far ended; a decision to send: another one must follow."""
        ...

    def look(self) -> Decision:
        """Return what is to be done, by what is there now."""
        ...

    def send(self, decision: Decision) -> WriteAnswer | Decision:
        """Send once, over the version of the decision; a decision says why not."""
        ...

    def confirm(self, answer: WriteAnswer, decision: Decision) -> Result | None:
        """Return the outcome where a read proves that what was answered is so."""
        ...

    def result(self, decision: Decision) -> Result:
        """Return the outcome as stored."""
        ...


def carry_out(context: RunContext, work: Work, change: Sendable) -> Result:
    """Carry out a change, or find out how an earlier try of it ended.

    What was sent is looked at outside the turn, so that it is settled also when the run ends; and
    there is always a look within the turn, just before a send.
    Stopped, AccessLost, Interrupted: the run ends, and the change stays pending.
    """
    while True:
        if work.attempts and (ended := _ended(change)) is not None:
            return ended
        context.control.check()
        with context.turn():
            decision = change.look()
            if decision.outcome is not SEND:
                return change.result(decision)
            if not context.may_send(work):
                continue
            answer = change.send(decision)
        if isinstance(answer, Decision):
            return change.result(answer)
        if answer.kind is AnswerKind.DONE:
            if (confirmed := change.confirm(answer, decision)) is not None:
                return confirmed
        elif (refusal := after_answer(context, work, answer)) is not None:
            return change.result(_unless_carried_out(work, refusal, change))


def _ended(change: Sendable) -> Result | None:
    """Return how the sends so far ended; None where another one must follow."""
    found = change.earlier()
    if isinstance(found, Result):
        return found
    return None if found.outcome is SEND else change.result(found)


def _unless_carried_out(work: Work, refusal: Decision, change: Sendable) -> Decision:
    """Return the refusal of the last send, unless an earlier one has come through meanwhile."""
    if not may_have_written(work.attempts[:-1]):
        return refusal
    decision = change.look()
    return decision if decision.outcome in PROVEN else refusal


def applied_version(decision: Decision) -> Version | None:
    """Return the version that shows that a change was applied."""
    return decision.version if decision.outcome is Outcome.APPLIED else None


def outcome(
    decision: Decision,
    *,
    record: str | None,
    detail: Mapping[str, Any],
    stored: Document | None = None,
) -> Result:
    """Return a decision as it is stored, with the document where it is not what was planned."""
    version = applied_version(decision)
    document = version.document if version else None
    return Result(
        outcome=decision.ended,
        code=decision.code,
        message=decision.message,
        record=record,
        etag=version.etag or None if version else None,
        stored_modified=modified(document) if document is not None else None,
        detail=detail,
        stored=stored,
    )


# Deletions that wait for each other, one merged into the next, that are followed.
MAX_HOPS = 20


def unsaved(context: RunContext, change: PlannedChange) -> Decision | None:
    """Return why a change must not take away what others have saved, or None."""
    if not change.prerequisites or not takes_away(change):
        return None
    for saved, result in _saving(context, change):
        record = result.record or saved.made or saved.record
        answer = context.catalogue.read(record)
        if not isinstance(answer, Found):
            gone = Sentence("taken_away_gone", change=saved.number, record=record)
            return refused(PREREQUISITE, gone)
        if not _is_as_left(context, saved, result, answer):
            facts = by_and_when(answer.document)
            edited = Sentence(
                "taken_away_edited",
                change=saved.number,
                record=record,
                by=by_whom(facts),
                when=str(facts["when"]),
            )
            return refused(PREREQUISITE, edited)
    return None


def _saving(context: RunContext, change: PlannedChange) -> Iterator[tuple[PlannedChange, Result]]:
    """Yield the changes that saved something, also where what they saved was passed on."""
    seen = {change.number}
    numbers = list(change.prerequisites)
    for _ in range(MAX_HOPS):
        numbers = [number for number in numbers if number not in seen]
        if not numbers:
            return
        seen.update(numbers)
        further: list[int] = []
        for saved in context.journal.changes(numbers):
            if saved.action is Action.DELETE:
                further += saved.prerequisites
            elif saved.action is not Action.UNCHANGED or _says_what_stood(saved):
                yield saved, context.journal.result_of(saved.number)
        numbers = further


def _says_what_stood(saved: PlannedChange) -> bool:
    return saved.made is not None or saved.before_fingerprint is not None


def _is_as_left(context: RunContext, saved: PlannedChange, result: Result, found: Found) -> bool:
    """Return True if a record is as the run left it, or as the plan found it."""
    if saved.kind == "bib":
        return True
    if saved.action is Action.UNCHANGED:
        known = saved.before_fingerprint
        return known is None or before_fingerprint(found.document) == known
    left = Left.by(saved, result, context.active_sigel)
    newest = Version(document=found.document, etag=found.etag)
    return Search(context.catalogue).is_as_left(found.record, left, newest)


# Code of a change whose content comes from a record that is not as planned any more.
ORIGIN_CHANGED = "origin_changed"


def outdated(context: RunContext, change: PlannedChange) -> Decision | None:
    """Return why content to be saved is not the other records' any more, or None."""
    for origin in change.origins:
        if (found := _changed(context, origin)) is not None:
            return found
    return None


def _changed(context: RunContext, origin: Origin) -> Decision | None:
    answer = context.catalogue.read(origin.record)
    if not isinstance(answer, Found):
        said = Sentence("origin_gone", record=origin.record)
        return _conflict(origin, said, by_and_when(None))
    if before_fingerprint(answer.document) in origin.fingerprints:
        return None
    facts = by_and_when(answer.document)
    said = Sentence(
        "origin_edited", record=origin.record, by=by_whom(facts), when=str(facts["when"])
    )
    return _conflict(origin, said, facts)


def _conflict(origin: Origin, said: Sentence, facts: Mapping[str, Any]) -> Decision:
    return Decision(
        outcome=Outcome.CONFLICT,
        code=ORIGIN_CHANGED,
        message=said,
        detail={"origin": origin.record, **facts},
    )
