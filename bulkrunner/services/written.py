"""Finds, in a record's history, the version that a run wrote and what lay below it."""

from __future__ import annotations

from dataclasses import dataclass

from bulkrunner.domain.answers import Found, Gone
from bulkrunner.domain.decisions import Version
from bulkrunner.domain.fingerprint import before_fingerprint
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.records import last_modifier
from bulkrunner.domain.run import Result
from bulkrunner.domain.settling import MAX_VERSIONS, is_later


@dataclass(frozen=True, kw_only=True)
class Written:
    """What the history says.

    Attributes:
        version: that the run wrote; None where no version later than the plan's is as it left it.
        below: the version before that one; None where it cannot be read.
    """

    version: Version | None = None
    below: Version | None = None


class Search:
    """Looks for what one run wrote."""

    def __init__(self, reader: CatalogueReader, active_sigel: str) -> None:
        self._reader = reader
        self._sigel = active_sigel

    def written(self, change: PlannedChange, result: Result, newest: Version) -> Written:
        """Walk back from the newest version, as far as that is later than the plan's.

        Somebody may have saved ours again without a change: of several alike the oldest is ours.
        """
        version, found = newest, Written()
        for number in range(2, MAX_VERSIONS + 2):
            older = self._version(change.record, -number)
            if is_as_left(change, result, version) and self._may_be_ours(version, older):
                found = Written(version=version, below=older)
            if older is None or not is_later(change, older):
                break
            version = older
        return found

    def _may_be_ours(self, version: Version, below: Version | None) -> bool:
        """Tell whether it may be we who wrote it, where it stands on a deletion."""
        if below is None or below.document is not None:
            return True
        return version.document is not None and last_modifier(version.document) == self._sigel

    def _version(self, record: str, number: int) -> Version | None:
        match self._reader.read_version(record, number):
            case Found() as found:
                return Version(document=found.document, etag=found.etag)
            case Gone():
                return Version(document=None)
            case _:
                return None


def is_as_left(change: PlannedChange, result: Result, version: Version) -> bool:
    """Tell whether a version has the content that the run left.

    Where the run has not read the content, its ETag stands for it.
    """
    if version.document is None or not is_later(change, version):
        return False
    left = before_fingerprint(result.stored) if result.stored else change.after_fingerprint
    return version.fingerprint == left or bool(result.etag and version.etag == result.etag)
