"""Creation of holdings and bibs: look, send, read what was made, also what has vanished since."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bulkrunner.domain.catalogue import AnswerKind, Found, Gone, Missing, WriteAnswer
from bulkrunner.domain.fingerprints import create_fingerprint
from bulkrunner.domain.iris import SHORT_ID
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.records import Document, held_by, item_of, library_iri, modified, record_part
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.rights import check_sendable
from bulkrunner.domain.run import Outcome, Result
from bulkrunner.domain.settlement.attempts import (
    PROVEN,
    SEND,
    Decision,
    Version,
    by_and_when,
    may_have_written,
    refused,
)
from bulkrunner.domain.settlement.creates import (
    Candidate,
    identifiers_of,
    is_named_rightly,
    settle_bib_create,
    settle_create,
    settle_unsent_bib,
)
from bulkrunner.domain.settlement.updates import stored_otherwise
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.sentences import Sentence, as_sentence
from bulkrunner.services.running.context import Frame, Work
from bulkrunner.services.running.preconditions import outdated
from bulkrunner.services.running.sending import after_answer, send
from bulkrunner.services.unknown_writes import candidate_of, first_version

MAX_CREATED = 50

"""Records of the library whose first version is read, at most."""


def vanished(
    frame: Frame, work: Work, document: Document, live: Sequence[str], since: datetime | None
) -> Decision | None:
    """Return that a holding of ours was made and is gone; None where that cannot be shown.

    Args:
        frame: of the run.
        work: a creation of which a request may have been carried out.
        document: as it was sent.
        live: ids of the library's holdings on the bib, which were looked at already.
        since: the first intent by the server's clock.

    Raises:
        CatalogueUnreachable: the environment does not answer.
    """
    sigel = held_by(document)
    if sigel is None or since is None:
        return None
    created = frame.creations.since(since, sigel)
    if created is None:
        return None
    known = {record for attempt in work.attempts for record in attempt.known_ids}
    claimed = frame.records.claimed(sorted(created), change=work.change.number)
    left = created - known - claimed - set(live)
    if len(left) > MAX_CREATED:
        return None
    candidates = [one for record in sorted(left) if (one := _candidate(frame, record)) is not None]
    decision = settle_create(
        work.change, candidates, work.attempts, active_sigel=frame.active_sigel, not_before=since
    )
    if decision.outcome is not Outcome.APPLIED:
        return None
    return replace(decision, message=Sentence("made_then_deleted"))


def _candidate(frame: Frame, record: str) -> Candidate | None:
    first = frame.catalogue.read_version(record, 0)
    if not isinstance(first, Found):
        return None
    newest = frame.catalogue.read(record)
    version = (
        Version(document=newest.document, etag=newest.etag)
        if isinstance(newest, Found)
        else Version(document=None)
    )
    return Candidate(record=record, first=first.document, newest=version)


log = logging.getLogger(__name__)

MAX_CANDIDATES = 5

"""Holdings of one library on one bib that are looked at; more than one is already odd."""

MAX_BIBS = 50

"""Records with an identifier of a new bib that are looked at."""

SEARCHES = (0.0, 2.0, 5.0)

"""Seconds before each search for a bib whose creation was not answered: the index lags behind."""


def carry_out(frame: Frame, work: Work) -> Result:
    """Carry out a create, or find out how an earlier try of it ended.

    Raises:
        Stopped: the run ends; the change stays pending.
        AccessLost, Interrupted: the run must end; the change stays pending.
    """
    document = work.change.after
    if document is None:
        return _result(work, refused("no_document", Sentence("no_document_planned")))
    while True:
        if (ended := _earlier(frame, work, document)) is not None:
            return ended
        frame.control.check()
        with frame.turn():
            decision, known = _look(frame, work, document)
            if decision.outcome is not SEND:
                return _result(work, decision)
            if not frame.may_send(work):
                continue
            answer = _send(frame, work, document, known)
        if isinstance(answer, Decision):
            return _result(work, answer)
        if answer.kind is AnswerKind.DONE:
            made = _made(frame, work, document, etag=answer.etag)
            if made is not None:
                return made
        elif (decided := after_answer(frame, work, answer)) is not None:
            return _result(work, _unless_carried_out(frame, work, document, decided))


def _unless_carried_out(
    frame: Frame, work: Work, document: Document, refusal: Decision
) -> Decision:
    """Return the refusal of the last send, unless an earlier one has come through meanwhile."""
    if not may_have_written(work.attempts[:-1]):
        return refusal
    decision, _ = _look(frame, work, document)
    return decision if decision.outcome in PROVEN else refusal


def _earlier(frame: Frame, work: Work, document: Document) -> Result | None:
    """Return how the sends so far ended; None where there was none, or another must follow."""
    if not work.attempts:
        return None
    if (made := _made(frame, work, document)) is not None:
        return made
    decision, ids = _look(frame, work, document)
    nothing = decision.outcome in (SEND, Outcome.FAILED) and work.change.kind != "bib"
    if nothing and may_have_written(work.attempts):
        decision = vanished(frame, work, document, ids, _not_before(frame, work)) or decision
    return None if decision.outcome is SEND else _result(work, decision)


def _send(
    frame: Frame, work: Work, document: Document, known: tuple[str, ...]
) -> WriteAnswer | Decision:
    if conflict := outdated(frame, work.change):
        return conflict
    try:
        check_sendable(document, frame.iris, frame.sigels)
    except Refused as error:
        return refused(error.refusal.code, as_sentence(error.refusal.message))
    return send(
        frame,
        work,
        "POST",
        lambda: frame.catalogue.post(document, active_sigel=frame.active_sigel),
        known_ids=known,
    )


def _look(frame: Frame, work: Work, document: Document) -> tuple[Decision, tuple[str, ...]]:
    """Decide by what is there now; returns also the ids that are there."""
    if work.change.kind == "bib":
        return _look_for_bib(frame, work), ()
    bib, sigel = item_of(document), held_by(document)
    if bib is None or sigel is None:
        return refused("no_sigel", Sentence("planned_no_sigel")), ()
    ids = frame.catalogue.holdings_of(bib, sigel)
    candidates = [
        candidate
        for record in ids[:MAX_CANDIDATES]
        if (candidate := candidate_of(frame.catalogue, record)) is not None
    ]
    decision = settle_create(
        work.change,
        candidates,
        work.attempts,
        active_sigel=frame.active_sigel,
        not_before=_not_before(frame, work),
    )
    if decision.outcome in (SEND, Outcome.FAILED) and _not_found(work):
        decision = _what_is_missing(frame, work.change, sigel) or decision
    return decision, ids


def _look_for_bib(frame: Frame, work: Work) -> Decision:
    """Decide how the creation of a bib stands, searching for it where it may have been stored."""
    decision = settle_bib_create(work.change, work.attempts)
    names, values = identifiers_of(work.change.predicted or {})
    if decision.outcome is SEND and frame.unknown is not None:
        return _look_before_sending(frame, work, names, values)
    if decision.outcome is not Outcome.UNKNOWN or not (names or values):
        return decision
    for pause in SEARCHES:
        frame.control.pause(pause)
        frame.control.check()
        ids = _search(frame, work, names, values)
        if ids is None:
            break
        decision = _among(frame, work, ids)
        if decision.outcome is not Outcome.UNKNOWN:
            break
    return decision


def _look_before_sending(
    frame: Frame, work: Work, names: tuple[str, ...], values: tuple[str, ...]
) -> Decision:
    """Search for a new bib that the ledger, as it was restored, may not know to have been made.

    The index lags behind: what was made just before the ledger was restored is given time to show.

    Raises:
        CatalogueUnreachable: the search does not work.
    """
    unknown = frame.unknown
    if unknown is None or not (names or values or unknown.plan_is_older):
        return Decision(outcome=SEND)
    if not (names or values):
        return refused("not_searchable", Sentence("bib_not_searchable"))
    shown = unknown.until + timedelta(seconds=sum(SEARCHES))
    if (wait := (shown - frame.clock.now()).total_seconds()) > 0:
        frame.control.pause(wait)
        frame.control.check()
    ids = frame.catalogue.bibs_named(names, values)
    return settle_unsent_bib(
        work.change,
        _unclaimed(frame, work, ids),
        active_sigel=frame.active_sigel,
        since=unknown.since,
    )


def _search(
    frame: Frame, work: Work, names: tuple[str, ...], values: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Search by names and identifiers; None where the catalogue says that this does not work."""
    try:
        return frame.catalogue.bibs_named(names, values)
    except CatalogueUnreachable as error:
        if not error.by_server:
            raise
        frame.catalogue.read(library_iri(work.change.sigel or frame.active_sigel))
        log.warning("change %d: the search failed: %s", work.change.number, error)
        return None


def _among(frame: Frame, work: Work, ids: tuple[str, ...]) -> Decision:
    return settle_bib_create(
        work.change,
        work.attempts,
        _unclaimed(frame, work, ids),
        active_sigel=frame.active_sigel,
        not_before=_not_before(frame, work),
    )


def _unclaimed(frame: Frame, work: Work, ids: tuple[str, ...]) -> list[Candidate]:
    """Read the records that no other change has made."""
    claimed = frame.records.claimed(ids, change=work.change.number)
    looked_at = [record for record in ids if record not in claimed][:MAX_BIBS]
    found = (candidate_of(frame.catalogue, record) for record in looked_at)
    return [candidate for candidate in found if candidate is not None]


def _not_before(frame: Frame, work: Work) -> datetime | None:
    if not work.attempts:
        return None
    for attempt in work.attempts:
        frame.server_clock.learn(attempt.server_date, attempt.answered_at)
    if frame.server_clock.ahead is None:
        frame.server_clock.learn(frame.catalogue.server_time(), frame.clock.now())
    return frame.server_clock.at(work.attempts[0].intent_at)


def _not_found(work: Work) -> bool:
    return bool(work.attempts) and work.attempts[-1].answer == AnswerKind.NOT_FOUND


def _what_is_missing(frame: Frame, change: PlannedChange, sigel: str) -> Decision | None:
    """Say what the server's 404 to a POST was about, where it was not a duplicate."""
    if isinstance(frame.catalogue.read(change.record), (Gone, Missing)):
        return refused("bib_gone", Sentence("bib_gone"))
    if not frame.catalogue.library_exists(sigel):
        return refused("library_unresolved", Sentence("library_gone", sigel=sigel))
    return None


def _made(
    frame: Frame, work: Work, document: Document, *, etag: str | None = None
) -> Result | None:
    """Read the record that the server said it made; None where it said nothing, or it is not so.

    Where it is another record the answer is none, and settled like a lost one.
    """
    last = work.attempts[-1]
    if last.answer != AnswerKind.DONE or not SHORT_ID.fullmatch(last.words):
        return None
    found = frame.catalogue.read(last.words)
    first = first_version(frame.catalogue, found) if isinstance(found, (Found, Gone)) else None
    ours = first is not None and is_named_rightly(work.change, document, first, frame.active_sigel)
    if not ours or last.words in last.known_ids:
        log.warning("change %d: %s is not what was made", work.change.number, last.words)
        work.attempts[-1] = replace(last, answer=AnswerKind.UNREADABLE.value)
        return None
    if not isinstance(found, Found):
        return Result(
            outcome=Outcome.APPLIED,
            record=last.words,
            message=Sentence("made_then_deleted"),
            detail={"changed_since": by_and_when(None)},
        )
    decision = Decision(
        outcome=Outcome.APPLIED,
        version=Version(document=found.document, etag=found.etag),
        record=last.words,
    )
    if _edited(found, etag):
        decision = replace(decision, detail={"changed_since": by_and_when(found.document)})
    return _result(work, decision)


def _edited(found: Found, etag: str | None) -> bool:
    if etag is not None:
        return found.etag != etag
    fields = record_part(found.document)
    return fields.get("created") != fields.get("modified")


def _result(work: Work, decision: Decision) -> Result:
    change = work.change
    version = decision.version if decision.outcome is Outcome.APPLIED else None
    document = version.document if version else None
    detail = dict(decision.detail)
    stored = None
    if document is not None and create_fingerprint(document) != change.after_fingerprint:
        stored = document
        if "changed_since" not in detail:
            detail.update(stored_otherwise(change, document))
    return Result(
        outcome=decision.ended,
        code=decision.code,
        message=decision.message,
        record=decision.record,
        etag=version.etag or None if version else None,
        stored_modified=modified(document) if document is not None else None,
        detail=detail,
        stored=stored,
    )
