"""How an update or delete stands, by history, attempts and plan; which version a run left."""

# Pure. Used on every path, also for the first look before anything was sent: the first send, the
# look after an answer that proves nothing, a confirmation that failed, and every resume.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.catalogue import AnswerKind
from bulkrunner.domain.diff import diff
from bulkrunner.domain.plan import Action, AppliedChange, PlannedChange
from bulkrunner.domain.prediction import before_fingerprint, create_fingerprint
from bulkrunner.domain.records import (
    WRITTEN_AT_CREATION,
    WRITTEN_AT_SAVE,
    Document,
    creator,
    last_modifier,
    modified,
)
from bulkrunner.domain.run import Attempt, Outcome, Result
from bulkrunner.domain.settlement.attempts import (
    STILL_THERE,
    Decision,
    History,
    Version,
    again,
    by_and_when,
    by_whom,
    may_have_written,
    moment,
    refused,
    same_moment,
)
from bulkrunner.sentences import Sentence, joined

MAX_VERSIONS = 20  # versions read back at most

# Places that the server writes and no comparison looks at.
SERVERS_OWN = frozenset(f"@record.{name}" for name in WRITTEN_AT_SAVE)

# Places of a new record that nobody knows beforehand.
NAMES_OF_NEW = frozenset({"@id", "@record.@id", "@record.mainEntity.@id"}) | {
    f"@record.{name}" for name in WRITTEN_AT_CREATION - WRITTEN_AT_SAVE
}


def is_later(change: PlannedChange, version: Version) -> bool:
    """Return True if a version is newer than the one that the plan read."""
    if version.document is None:
        return True
    planned = moment(modified(change.before or {}))
    found = moment(modified(version.document))
    if planned is None or found is None:
        return not equals_before(change, version)
    return found > planned


def equals_before(change: PlannedChange, version: Version) -> bool:
    """Return True if a version is, by fingerprint, the record as planned from."""
    return version.fingerprint == change.before_fingerprint


def equals_after(change: PlannedChange, version: Version) -> bool:
    """Return True if a version is, by fingerprint, what the plan wants stored."""
    return version.fingerprint == change.after_fingerprint


def goes_further(
    change: PlannedChange, versions: Sequence[Version], attempts: Sequence[Attempt]
) -> bool:
    """Return True if one more older version must be read before ``settle`` can decide."""
    if not may_have_written(attempts) or len(versions) >= MAX_VERSIONS:
        return False
    if change.action is Action.DELETE and versions[0].document is None:
        return len(versions) < 2
    return is_later(change, versions[-1])


def settle(
    change: PlannedChange, history: History, attempts: Sequence[Attempt], *, active_sigel: str
) -> Decision:
    """Decide how an update or delete stands, by a history as long as ``goes_further`` asked for."""
    if change.action is Action.DELETE:
        return _settle_delete(change, history, attempts)
    return _settle_update(change, history, attempts, active_sigel)


def _settle_update(
    change: PlannedChange, history: History, attempts: Sequence[Attempt], sigel: str
) -> Decision:
    newest = history.versions[0]
    maybe = may_have_written(attempts)
    if maybe and (ours := _ours(change, history.versions, sigel)) is not None:
        return ours
    if maybe and not history.complete and is_later(change, newest):
        return _unread(newest)
    if newest.document is None:
        return Decision(
            outcome=Outcome.CONFLICT,
            code="deleted",
            message=Sentence("deleted_since_plan"),
            detail=by_and_when(None),
        )
    if equals_after(change, newest) and (
        change.after_fingerprint != change.before_fingerprint or is_later(change, newest)
    ):
        return _done_by_other(newest.document)
    if all(equals_before(change, version) for version in history.versions):
        return again(attempts, newest, unsaved="not_saved")
    return _conflict(newest.document)


def _ours(change: PlannedChange, versions: Sequence[Version], sigel: str) -> Decision | None:
    """Find the version that an attempt of ours stored, following one that equals before."""
    for place, version in enumerate(versions):
        document, older = version.document, versions[place + 1 :]
        if document is None or last_modifier(document) != sigel or not is_later(change, version):
            continue
        revived = _on_a_deletion(change, older)
        if not revived and not (older and equals_before(change, older[0])):
            continue
        cleanups: list[str] = []
        if not equals_after(change, version):
            beside = None if revived else differs_beside(change, document)
            if beside is None:
                continue
            cleanups = beside
        detail: dict[str, Any] = {"cleanups": cleanups} if cleanups else {}
        if place:
            detail["changed_since"] = by_and_when(versions[0].document)
        return _revived(version, detail) if revived else _applied(version, detail)
    return None


def _on_a_deletion(change: PlannedChange, older: Sequence[Version]) -> bool:
    """Return True if what lies below a version is a deletion of the record as planned from."""
    # A deletion may leave the ETag as it was; a PUT that was on its way then revives the record.
    return len(older) > 1 and older[0].document is None and equals_before(change, older[1])


def _applied(version: Version, detail: dict[str, Any]) -> Decision:
    return Decision(outcome=Outcome.APPLIED, detail=detail, version=version)


def _revived(version: Version, detail: dict[str, Any]) -> Decision:
    return Decision(
        outcome=Outcome.APPLIED,
        code="revived",
        message=Sentence("revived"),
        detail={**detail, "revived": by_and_when(None)},
        version=version,
    )


def differs_beside(change: PlannedChange, document: Document) -> list[str] | None:
    """Return where a version differs from the prediction outside the places the plan changes."""
    # None where it differs in such a place, or where the plan changes none (a mere resave).
    if change.before is None or change.predicted is None:
        return None
    wanted = _properties(change.before, change.predicted)
    found = _places(change.predicted, document)
    if not wanted or any(_overlap(_property(one), other) for one in found for other in wanted):
        return None
    return sorted(found)


def stored_otherwise(change: PlannedChange, document: Document) -> dict[str, Any]:
    """Return, as detail of an outcome, where a stored document is not as predicted."""
    # ``cleanups`` lie outside the places that the plan changes; ``not_as_predicted`` do not.
    unknown = NAMES_OF_NEW if change.action is Action.CREATE else frozenset()
    found = sorted(_places(change.predicted or {}, document, unknown))
    if not found:
        return {}
    beside = change.operation.get("resave") is True or differs_beside(change, document) is not None
    return {"cleanups" if beside else "not_as_predicted": found}


def differing(one: Document, other: Document) -> list[str]:
    """Return where two documents of one record differ, but for what is the server's own."""
    return sorted(_places(one, other))


def _places(one: Document, other: Document, besides: frozenset[str] = frozenset()) -> set[str]:
    """Return where two documents differ, but for what is the server's own."""
    own = SERVERS_OWN | besides
    places = (difference.place for difference in diff(one, other))
    return {place for place in places if not any(_lies_in(place, name) for name in own)}


def _lies_in(place: str, name: str) -> bool:
    return place == name or place.startswith(name + ".")


def _properties(one: Document, other: Document) -> set[str]:
    return {_property(place) for place in _places(one, other)}


def _property(place: str) -> str:
    """Return a place without list indexes: elements of one list are not told apart."""
    return ".".join(part for part in place.split(".") if not part.isdigit())


def _overlap(one: str, other: str) -> bool:
    return _lies_in(one, other) or _lies_in(other, one)


def _settle_delete(
    change: PlannedChange, history: History, attempts: Sequence[Attempt]
) -> Decision:
    newest = history.versions[0]
    if newest.document is None:
        if not may_have_written(attempts):
            return Decision(
                outcome=Outcome.UNCHANGED,
                code="done_by_other",
                message=Sentence("deleted_by_other"),
                detail=by_and_when(None),
            )
        return _deleted(change, history, attempts)
    maybe = may_have_written(attempts)
    if maybe and not history.complete and is_later(change, newest):
        return _unread(newest)
    restored = any(version.document is None for version in history.versions)
    if _answered(attempts):
        return _still_there(newest, restored=restored)
    if equals_before(change, newest) and not restored:
        return again(attempts, newest, unsaved="not_deleted")
    return _conflict(newest.document)


def _still_there(newest: Version, *, restored: bool) -> Decision:
    """The server said that it deleted the record, but there it is."""
    if restored:
        return Decision(
            outcome=Outcome.APPLIED,
            message=Sentence("deleted_and_restored"),
            detail={"changed_since": by_and_when(newest.document)},
        )
    return refused("not_deleted", STILL_THERE)


def _answered(attempts: Sequence[Attempt]) -> bool:
    return any(attempt.answer == AnswerKind.DONE for attempt in attempts)


def _deleted(change: PlannedChange, history: History, attempts: Sequence[Attempt]) -> Decision:
    """The record is gone and a DELETE of ours was sent: was it ours, and over whose edit."""
    unproven = not _answered(attempts)
    removed = history.versions[1] if len(history.versions) > 1 else None
    code = "author_unproven" if unproven else ""
    message = Sentence("delete_unproven") if unproven else ""
    detail: dict[str, Any] = {"author_unproven": True} if unproven else {}
    if removed is None:
        return Decision(
            outcome=Outcome.APPLIED,
            code=code or "removed_unread",
            message=message or Sentence("removed_unread"),
            detail={**detail, "removed_unread": True},
        )
    if removed.document is not None and not equals_before(change, removed):
        return Decision(
            outcome=Outcome.APPLIED,
            code="deleted_over_edit",
            message=joined((Sentence("deleted_over_edit"), message)),
            detail={**detail, "deleted_over_edit": by_and_when(removed.document)},
            version=removed,
        )
    return Decision(
        outcome=Outcome.APPLIED, code=code, message=message, detail=detail, version=removed
    )


def _done_by_other(document: Document) -> Decision:
    return Decision(
        outcome=Outcome.UNCHANGED,
        code="done_by_other",
        message=Sentence("as_wanted_already"),
        detail=by_and_when(document),
    )


def _conflict(document: Document) -> Decision:
    facts = by_and_when(document)
    return Decision(
        outcome=Outcome.CONFLICT,
        code="edited",
        message=Sentence("edited_since_plan", by=by_whom(facts), when=str(facts["when"])),
        detail=facts,
    )


def _unread(newest: Version) -> Decision:
    return Decision(
        outcome=Outcome.UNKNOWN,
        code="history_unread",
        message=Sentence("update_history_unread"),
        detail=by_and_when(newest.document),
    )


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a run left of a record."""

    sigel: str  # as whom it wrote
    etag: str | None  # of the version that it stored, where known; so is ``modified``
    modified: str | None
    content: str | None  # fingerprint of what it read back, else of what was planned
    change: PlannedChange | None = None  # None where the ledger gave only what it stored

    @classmethod
    def by(cls, change: PlannedChange, result: Result, sigel: str) -> Left:
        """Return what a run left by a change that it applied."""
        new = change.action is Action.CREATE
        # A new record that was edited before it was read back: what was read is not ours.
        edited = new and "changed_since" in result.detail
        content = change.after_fingerprint
        if result.stored is not None and not edited:
            content = (create_fingerprint if new else before_fingerprint)(result.stored)
        return cls(
            sigel=sigel,
            etag=None if edited else result.etag,
            modified=None if edited else result.stored_modified,
            content=content,
            change=change,
        )

    @classmethod
    def by_earlier(cls, made: AppliedChange, sigel: str) -> Left:
        """Return what an earlier run of the job left."""
        return cls(
            sigel=sigel,
            etag=made.etag,
            modified=made.stored_modified,
            content=made.after_fingerprint,
        )

    @property
    def is_new(self) -> bool:
        """Return True if the run created the record: its first version is what was left."""
        return self.change is not None and self.change.action is Action.CREATE

    def is_known(self, version: Version) -> bool:
        """Return True if a version is as the run left it by its ETag or content alone."""
        if version.document is None or not self._is_later(version):
            return False
        if self.etag and version.etag == self.etag and self._is_of_then(version):
            return True
        return self._content_of(version) == self.content

    def is_ours(self, version: Version, below: Version | None) -> bool:
        """Return True if the run stored this version, with another one below it."""
        document = version.document
        if document is None or not self._is_later(version):
            return False
        if self.is_new:
            return creator(document) == self.sigel
        if self.modified is not None:
            return last_modifier(document) == self.sigel and self._is_of_then(version)
        if self.etag and version.etag == self.etag:
            return True
        if last_modifier(document) != self.sigel:
            return False
        return version.fingerprint == self.content or self._is_tidied(version, below)

    def is_as_left(self, version: Version, ours: Version | None) -> bool:
        """Return True if a version has what the run left; ``ours`` is what it stored, if known."""
        if version.document is None:
            return False
        if self.is_known(version):
            return True
        return ours is not None and version.fingerprint == ours.fingerprint

    def _is_later(self, version: Version) -> bool:
        return self.change is None or self.is_new or is_later(self.change, version)

    def _is_of_then(self, version: Version) -> bool:
        """Return True if a version was saved when the run's was, as far as that is known."""
        if self.modified is None:
            return True
        return same_moment(modified(version.document or {}), self.modified)

    def _content_of(self, version: Version) -> str:
        if self.is_new:
            return create_fingerprint(version.document or {})
        return version.fingerprint

    def _is_tidied(self, version: Version, below: Version | None) -> bool:
        """Return True if a version is what the server made of the plan's, beside its places."""
        change = self.change
        if change is None or self.etag or below is None or not equals_before(change, below):
            return False
        return version.document is not None and differs_beside(change, version.document) is not None
