"""Update and delete of a record: look, send, look again."""

from __future__ import annotations

from bulkrunner.domain.catalogue import AnswerKind, Found, NotModified, WriteAnswer
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.records import (
    Document,
    component_holders,
    held_by,
    is_holding,
    last_modifier,
    modified,
)
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.rights import check_sendable
from bulkrunner.domain.run import Outcome, Result
from bulkrunner.domain.settlement.attempts import (
    PROVEN,
    SEND,
    Decision,
    Version,
    may_have_written,
    moment,
    refused,
)
from bulkrunner.domain.settlement.updates import equals_after, settle, stored_otherwise
from bulkrunner.sentences import Sentence, as_sentence
from bulkrunner.services.running.context import Frame, Work
from bulkrunner.services.running.history import read_history
from bulkrunner.services.running.preconditions import outdated, unsaved
from bulkrunner.services.running.sending import after_answer, send


def carry_out(frame: Frame, work: Work) -> Result:
    """Carry out an update or delete, or find out how an earlier try of it ended.

    The record is looked at outside the turn where something was sent, so that what is in flight is
    settled also when the run ends; and always within the turn, just before a send.

    Raises:
        Stopped: the run ends; the change stays pending.
        AccessLost, Interrupted: the run must end; the change stays pending.
    """
    while True:
        if work.attempts:
            decision = _look(frame, work)
            if decision.outcome is not SEND:
                return _result(work.change, decision)
        frame.control.check()
        with frame.turn():
            decision = _look(frame, work)
            over = decision.version
            if decision.outcome is not SEND or over is None:
                return _result(work.change, decision)
            if not frame.may_send(work):
                continue
            answer = _send(frame, work, over)
        if isinstance(answer, Decision):
            return _result(work.change, answer)
        if answer.kind is AnswerKind.DONE:
            confirmed = _confirm(frame, work, answer, over)
            if confirmed is not None:
                return confirmed
        elif (ended := after_answer(frame, work, answer)) is not None:
            return _result(work.change, _unless_carried_out(frame, work, ended))


def _look(frame: Frame, work: Work) -> Decision:
    history = read_history(frame.catalogue, work.change, work.attempts)
    if isinstance(history, Decision):
        return history
    return settle(work.change, history, work.attempts, active_sigel=frame.active_sigel)


def _unless_carried_out(frame: Frame, work: Work, refusal: Decision) -> Decision:
    """Return the refusal of the last send, unless an earlier one has come through meanwhile."""
    if not may_have_written(work.attempts[:-1]):
        return refusal
    decision = _look(frame, work)
    return decision if decision.outcome in PROVEN else refusal


def _send(frame: Frame, work: Work, over: Version) -> WriteAnswer | Decision:
    change, sigel = work.change, frame.active_sigel
    if decision := outdated(frame, change) or unsaved(frame, change):
        return decision
    if change.action is Action.DELETE:
        if refusal := _not_ours(over.document or {}, frame):
            return refusal
        return send(
            frame,
            work,
            "DELETE",
            lambda: frame.catalogue.delete(change.record, active_sigel=sigel),
        )
    document = change.after
    if document is None:
        return refused("no_document", Sentence("no_document_planned"))
    try:
        check_sendable(document, frame.iris, frame.sigels)
    except Refused as error:
        return refused(error.refusal.code, as_sentence(error.refusal.message))
    return send(
        frame,
        work,
        "PUT",
        lambda: frame.catalogue.put(change.record, document, etag=over.etag, active_sigel=sigel),
        etag=over.etag,
    )


def _not_ours(document: Document, frame: Frame) -> Decision | None:
    """Refuse to delete a holding that is not wholly the job's, as it stands at this moment."""
    if not is_holding(document):
        return None
    for holder in (held_by(document), *component_holders(document)):
        if holder not in frame.sigels:
            belongs = (
                Sentence("holder_foreign", sigel=holder) if holder else Sentence("holder_none")
            )
            return refused("foreign_sigel", belongs)
    return None


def _confirm(frame: Frame, work: Work, answer: WriteAnswer, over: Version) -> Result | None:
    """Return the outcome where one read proves the write; None: look at the history.

    A delete is proven by the history alone. An ETag proves nothing where it is the one sent: the
    server gives out the ETag of a document also where it did not store it. Where the content is
    wanted too, the read asks for anything but the version that was replaced.
    """
    change = work.change
    if change.action is Action.DELETE:
        return None
    proof = answer.etag if answer.etag and answer.etag != over.etag else None
    known = over.etag if work.confirm_fully else proof
    found = frame.catalogue.read(change.record, if_none_match=known if proof else None)
    if isinstance(found, NotModified) and proof is not None and known == proof:
        return Result(outcome=Outcome.APPLIED, record=change.record, etag=proof)
    if not isinstance(found, Found):
        return None
    version = Version(document=found.document, etag=found.etag)
    if (proof is not None and found.etag == proof) or _moved(frame, change, version, over):
        return _applied(change, version)
    return None


def _moved(frame: Frame, change: PlannedChange, version: Version, over: Version) -> bool:
    """Tell whether the wanted content was stored, by us, after the version that was replaced."""
    if version.document is None or last_modifier(version.document) != frame.active_sigel:
        return False
    then, now = moment(modified(over.document or {})), moment(modified(version.document))
    return then is not None and now is not None and now > then and equals_after(change, version)


def _applied(change: PlannedChange, version: Version) -> Result:
    return _result(change, Decision(outcome=Outcome.APPLIED, version=version))


def _result(change: PlannedChange, decision: Decision) -> Result:
    """Return the outcome as stored: with the document where it is not what was predicted."""
    version = decision.version if decision.outcome is Outcome.APPLIED else None
    document = version.document if version else None
    detail = dict(decision.detail)
    stored = None
    if document is not None and change.action is Action.DELETE:
        stored = document if decision.code == "deleted_over_edit" else None
    elif document is not None and version is not None and not equals_after(change, version):
        stored = document
        detail.update(stored_otherwise(change, document))
    return Result(
        outcome=decision.ended,
        code=decision.code,
        message=decision.message,
        record=change.record,
        etag=version.etag or None if version else None,
        stored_modified=modified(document) if document is not None else None,
        detail=detail,
        stored=stored,
    )
