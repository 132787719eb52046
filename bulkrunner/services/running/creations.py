"""Creation of holdings and bibs: look, send, read what was made, also what has vanished since."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bulkrunner.domain.catalogue import AnswerKind, Found, Gone, Missing, WriteAnswer
from bulkrunner.domain.iris import SHORT_ID
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.prediction import create_fingerprint
from bulkrunner.domain.records import Document, held_by, item_of, library_iri, record_part
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.rights import check_sendable
from bulkrunner.domain.run import Outcome, Result
from bulkrunner.domain.settlement.attempts import (
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
from bulkrunner.services.running.context import RunContext, Work
from bulkrunner.services.running.sending import applied_version, outcome, outdated, send
from bulkrunner.services.settle import candidate_of, first_version

# Records of the library whose first version is read, at most.
MAX_CREATED = 50


def vanished(
    context: RunContext, work: Work, document: Document, live: Sequence[str], since: datetime | None
) -> Decision | None:
    """Return that a holding of ours was made and is gone; None where that cannot be shown.

    ``live``: holdings looked at already. ``since``: first intent by the server's clock.
    CatalogueUnreachable: the environment does not answer.
    """
    sigel = held_by(document)
    if sigel is None or since is None:
        return None
    created = context.creations.since(since, sigel)
    if created is None:
        return None
    known = {record for attempt in work.attempts for record in attempt.known_ids}
    claimed = context.journal.claimed(sorted(created), change=work.change.number)
    left = created - known - claimed - set(live)
    if len(left) > MAX_CREATED:
        return None
    candidates = [
        one for record in sorted(left) if (one := _candidate(context, record)) is not None
    ]
    decision = settle_create(
        work.change, candidates, work.attempts, active_sigel=context.active_sigel, not_before=since
    )
    if decision.outcome is not Outcome.APPLIED:
        return None
    return replace(decision, message=Sentence("made_then_deleted"))


def _candidate(context: RunContext, record: str) -> Candidate | None:
    first = context.catalogue.read_version(record, 0)
    if not isinstance(first, Found):
        return None
    newest = context.catalogue.read(record)
    version = (
        Version(document=newest.document, etag=newest.etag)
        if isinstance(newest, Found)
        else Version(document=None)
    )
    return Candidate(record=record, first=first.document, newest=version)


log = logging.getLogger(__name__)

# Holdings of one library on one bib that are looked at; more than one is already odd.
MAX_CANDIDATES = 5

# Records with an identifier of a new bib that are looked at.
MAX_BIBS = 50

# Seconds before each search for a bib whose creation was not answered: the index lags behind.
SEARCHES = (0.0, 2.0, 5.0)


class Creation:
    """The creation of a holding or bib; ``known`` are the holdings that were there at the look."""

    def __init__(self, context: RunContext, work: Work) -> None:
        self._context = context
        self._work = work
        self._known: tuple[str, ...] = ()

    def earlier(self) -> Result | Decision:
        context, work, document = self._context, self._work, self._work.change.after or {}
        if (made := self._made()) is not None:
            return made
        decision = self.look()
        nothing = decision.outcome in (SEND, Outcome.FAILED) and work.change.kind != "bib"
        if nothing and may_have_written(work.attempts):
            since = _not_before(context, work)
            decision = vanished(context, work, document, self._known, since) or decision
        return decision

    def look(self) -> Decision:
        """Decide by what is there now."""
        context, work, document = self._context, self._work, self._work.change.after
        if document is None:
            return refused("no_document", Sentence("no_document_planned"))
        if work.change.kind == "bib":
            return _look_for_bib(context, work)
        bib, sigel = item_of(document), held_by(document)
        if bib is None or sigel is None:
            return refused("no_sigel", Sentence("planned_no_sigel"))
        self._known = context.catalogue.holdings_of(bib, sigel)
        candidates = [
            candidate
            for record in self._known[:MAX_CANDIDATES]
            if (candidate := candidate_of(context.catalogue, record)) is not None
        ]
        decision = settle_create(
            work.change,
            candidates,
            work.attempts,
            active_sigel=context.active_sigel,
            not_before=_not_before(context, work),
        )
        if decision.outcome in (SEND, Outcome.FAILED) and _not_found(work):
            return _what_is_missing(context, work.change, sigel) or decision
        return decision

    def send(self, _decision: Decision) -> WriteAnswer | Decision:
        context, document = self._context, self._work.change.after or {}
        if conflict := outdated(context, self._work.change):
            return conflict
        try:
            check_sendable(document, context.iris, context.sigels)
        except Refused as error:
            return refused(error.refusal.code, as_sentence(error.refusal.message))
        return send(
            context,
            self._work,
            "POST",
            lambda: context.catalogue.post(document, active_sigel=context.active_sigel),
            known_ids=self._known,
        )

    def confirm(self, answer: WriteAnswer, _decision: Decision) -> Result | None:
        return self._made(etag=answer.etag)

    def _made(self, *, etag: str | None = None) -> Result | None:
        """Read the record that the server said it made; None where it said none, or it is another."""
        context, work, document = self._context, self._work, self._work.change.after or {}
        last = work.attempts[-1]
        if last.answer != AnswerKind.DONE or not SHORT_ID.fullmatch(last.words):
            return None
        found = context.catalogue.read(last.words)
        first = (
            first_version(context.catalogue, found) if isinstance(found, (Found, Gone)) else None
        )
        ours = first is not None and is_named_rightly(
            work.change, document, first, context.active_sigel
        )
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
        return self.result(decision)

    def result(self, decision: Decision) -> Result:
        change, version = self._work.change, applied_version(decision)
        document = version.document if version else None
        record, detail = decision.record, dict(decision.detail)
        if document is None or create_fingerprint(document) == change.after_fingerprint:
            return outcome(decision, record=record, detail=detail)
        if "changed_since" not in detail:
            detail.update(stored_otherwise(change, document))
        return outcome(decision, record=record, detail=detail, stored=document)


def _look_for_bib(context: RunContext, work: Work) -> Decision:
    """Decide how the creation of a bib stands, searching for it where it may have been stored."""
    decision = settle_bib_create(work.change, work.attempts)
    names, values = identifiers_of(work.change.predicted or {})
    if decision.outcome is SEND and context.unknown is not None:
        return _look_before_sending(context, work, names, values)
    if decision.outcome is not Outcome.UNKNOWN or not (names or values):
        return decision
    for pause in SEARCHES:
        context.control.pause(pause)
        context.control.check()
        ids = _search(context, work, names, values)
        if ids is None:
            break
        decision = _among(context, work, ids)
        if decision.outcome is not Outcome.UNKNOWN:
            break
    return decision


def _look_before_sending(
    context: RunContext, work: Work, names: tuple[str, ...], values: tuple[str, ...]
) -> Decision:
    """Search for a new bib that the ledger, as it was restored, may not know to have been made.

    The index lags behind: what was made just before is given time to show.
    """
    unknown = context.unknown
    if unknown is None or not (names or values or unknown.plan_is_older):
        return Decision(outcome=SEND)
    if not (names or values):
        return refused("not_searchable", Sentence("bib_not_searchable"))
    shown = unknown.until + timedelta(seconds=sum(SEARCHES))
    if (wait := (shown - context.clock.now()).total_seconds()) > 0:
        context.control.pause(wait)
        context.control.check()
    ids = context.catalogue.bibs_named(names, values)
    return settle_unsent_bib(
        work.change,
        _unclaimed(context, work, ids),
        active_sigel=context.active_sigel,
        since=unknown.since,
    )


def _search(
    context: RunContext, work: Work, names: tuple[str, ...], values: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Search by names and identifiers; None where the catalogue says that this does not work."""
    try:
        return context.catalogue.bibs_named(names, values)
    except CatalogueUnreachable as error:
        if not error.by_server:
            raise
        context.catalogue.read(library_iri(work.change.sigel or context.active_sigel))
        log.warning("change %d: the search failed: %s", work.change.number, error)
        return None


def _among(context: RunContext, work: Work, ids: tuple[str, ...]) -> Decision:
    return settle_bib_create(
        work.change,
        work.attempts,
        _unclaimed(context, work, ids),
        active_sigel=context.active_sigel,
        not_before=_not_before(context, work),
    )


def _unclaimed(context: RunContext, work: Work, ids: tuple[str, ...]) -> list[Candidate]:
    """Read the records that no other change has made."""
    claimed = context.journal.claimed(ids, change=work.change.number)
    looked_at = [record for record in ids if record not in claimed][:MAX_BIBS]
    found = (candidate_of(context.catalogue, record) for record in looked_at)
    return [candidate for candidate in found if candidate is not None]


def _not_before(context: RunContext, work: Work) -> datetime | None:
    if not work.attempts:
        return None
    for attempt in work.attempts:
        context.server_clock.learn(attempt.server_date, attempt.answered_at)
    if context.server_clock.ahead is None:
        context.server_clock.learn(context.catalogue.server_time(), context.clock.now())
    return context.server_clock.at(work.attempts[0].intent_at)


def _not_found(work: Work) -> bool:
    return bool(work.attempts) and work.attempts[-1].answer == AnswerKind.NOT_FOUND


def _what_is_missing(context: RunContext, change: PlannedChange, sigel: str) -> Decision | None:
    """Say what the server's 404 to a POST was about, where it was not a duplicate."""
    if isinstance(context.catalogue.read(change.record), (Gone, Missing)):
        return refused("bib_gone", Sentence("bib_gone"))
    if not context.catalogue.library_exists(sigel):
        return refused("library_unresolved", Sentence("library_gone", sigel=sigel))
    return None


def _edited(found: Found, etag: str | None) -> bool:
    if etag is not None:
        return found.etag != etag
    fields = record_part(found.document)
    return fields.get("created") != fields.get("modified")
