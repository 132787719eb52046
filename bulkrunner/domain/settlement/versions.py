"""Which version of a record a run left, and whether the record still is as the run left it."""

# The only rules of both, for runs, verifications, undos and reverts. In their order of strength:
# the ETag, the version, the content. Of a change that a 304 proved no content is kept, and the
# server may have tidied or linked what it was sent: then the version in the history says what was
# left.

from __future__ import annotations

from dataclasses import dataclass

from bulkrunner.domain.fingerprints import before_fingerprint, create_fingerprint
from bulkrunner.domain.plan import Action, AppliedChange, PlannedChange
from bulkrunner.domain.records import creator, last_modifier, modified
from bulkrunner.domain.run import Result
from bulkrunner.domain.settlement.attempts import Version, same_moment
from bulkrunner.domain.settlement.updates import differs_beside, equals_before, is_later


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
