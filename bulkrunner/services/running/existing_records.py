"""Update and delete of a record: look, send, look again."""

from __future__ import annotations

from bulkrunner.domain.catalogue import Found, NotModified, WriteAnswer
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
    Decision,
    Version,
    moment,
    refused,
)
from bulkrunner.domain.settlement.updates import equals_after, settle, stored_otherwise
from bulkrunner.sentences import Sentence, as_sentence
from bulkrunner.services.running.context import RunContext, Work
from bulkrunner.services.running.history import read_history
from bulkrunner.services.running.sending import applied_version, outcome, outdated, send, unsaved


class ExistingRecord:
    """An update or delete."""

    def __init__(self, context: RunContext, work: Work) -> None:
        self._context = context
        self._work = work

    def earlier(self) -> Decision:
        return self.look()

    def look(self) -> Decision:
        context, work = self._context, self._work
        history = read_history(context.catalogue, work.change, work.attempts)
        if isinstance(history, Decision):
            return history
        return settle(work.change, history, work.attempts, active_sigel=context.active_sigel)

    def send(self, decision: Decision) -> WriteAnswer | Decision:
        context, work, over = self._context, self._work, decision.version
        change, sigel = work.change, context.active_sigel
        if over is None:
            return decision
        if refusal := outdated(context, change) or unsaved(context, change):
            return refusal
        if change.action is Action.DELETE:
            if refusal := _not_ours(over.document or {}, context):
                return refusal
            return send(
                context,
                work,
                "DELETE",
                lambda: context.catalogue.delete(change.record, active_sigel=sigel),
            )
        document = change.after
        if document is None:
            return refused("no_document", Sentence("no_document_planned"))
        try:
            check_sendable(document, context.iris, context.sigels)
        except Refused as error:
            return refused(error.refusal.code, as_sentence(error.refusal.message))
        return send(
            context,
            work,
            "PUT",
            lambda: context.catalogue.put(
                change.record, document, etag=over.etag, active_sigel=sigel
            ),
            etag=over.etag,
        )

    def confirm(self, answer: WriteAnswer, decision: Decision) -> Result | None:
        """Return the outcome where one read proves the write; None: look at the history.

        A delete is proven by the history alone. The server gives out the ETag of a document also
        where it did not store it. Where content is wanted, any but the replaced version is read.
        """
        change, over = self._work.change, decision.version
        if change.action is Action.DELETE or over is None:
            return None
        proof = answer.etag if answer.etag and answer.etag != over.etag else None
        known = over.etag if self._work.confirm_fully else proof
        found = self._context.catalogue.read(change.record, if_none_match=known if proof else None)
        if isinstance(found, NotModified) and proof is not None and known == proof:
            return Result(outcome=Outcome.APPLIED, record=change.record, etag=proof)
        if not isinstance(found, Found):
            return None
        version = Version(document=found.document, etag=found.etag)
        ours = self._context.active_sigel
        if (proof is not None and found.etag == proof) or _moved(ours, change, version, over):
            return self.result(Decision(outcome=Outcome.APPLIED, version=version))
        return None

    def result(self, decision: Decision) -> Result:
        """Return the outcome as stored: with the document where it is not what was predicted."""
        change, version = self._work.change, applied_version(decision)
        document = version.document if version else None
        record, detail = change.record, dict(decision.detail)
        if document is not None and change.action is Action.DELETE:
            stored = document if decision.code == "deleted_over_edit" else None
            return outcome(decision, record=record, detail=detail, stored=stored)
        if document is None or version is None or equals_after(change, version):
            return outcome(decision, record=record, detail=detail)
        detail.update(stored_otherwise(change, document))
        return outcome(decision, record=record, detail=detail, stored=document)


def _not_ours(document: Document, context: RunContext) -> Decision | None:
    """Refuse to delete a holding that is not wholly the job's, as it stands at this moment."""
    if not is_holding(document):
        return None
    for holder in (held_by(document), *component_holders(document)):
        if holder not in context.sigels:
            belongs = (
                Sentence("holder_foreign", sigel=holder) if holder else Sentence("holder_none")
            )
            return refused("foreign_sigel", belongs)
    return None


def _moved(ours: str, change: PlannedChange, version: Version, over: Version) -> bool:
    """Return True if the wanted content was stored, by us, after the version that was replaced."""
    if version.document is None or last_modifier(version.document) != ours:
        return False
    then, now = moment(modified(over.document or {})), moment(modified(version.document))
    return then is not None and now is not None and now > then and equals_after(change, version)
