"""Finds, in a record's history, the version that a run wrote and what lay below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bulkrunner.domain.answers import Found, Gone
from bulkrunner.domain.decisions import Version
from bulkrunner.domain.ports import CatalogueReader, LaterWrite
from bulkrunner.domain.settlement.versions import Left
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
    """Looks through the versions of records for what a run wrote; reads no more than it must."""

    def __init__(self, reader: CatalogueReader) -> None:
        self._reader = reader

    def is_as_left(self, record: str, left: Left, newest: Version) -> bool:
        """Return True if the newest version of a record has what a run left.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        if newest.document is None or left.is_known(newest):
            return left.is_as_left(newest, None)
        return left.is_as_left(newest, self.written(record, left, newest).version)

    def written(self, record: str, left: Left, newest: Version) -> Written:
        """Walk back from the newest version, as far as that is later than the plan's.

        Somebody may have saved ours again without a change: of several alike the oldest is ours.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        if left.is_new:
            return self._first(record, left)
        version, found = newest, Written()
        for number in range(2, MAX_VERSIONS + 2):
            older = self._version(record, -number)
            if left.is_ours(version, older):
                found = Written(version=version, below=older)
            if older is None or (left.change is not None and not is_later(left.change, older)):
                break
            version = older
        return found

    def _first(self, record: str, left: Left) -> Written:
        first = self._version(record, 0)
        return Written(version=first if first and left.is_ours(first, None) else None)

    def _version(self, record: str, number: int) -> Version | None:
        match self._reader.read_version(record, number):
            case Found() as found:
                return Version(document=found.document, etag=found.etag)
            case Gone():
                return Version(document=None)
            case _:
                return None


def by_a_later_run(later: Sequence[LaterWrite], etag: str | None) -> str:
    """Return which later run of the ledger it was, as the end of a message; empty if none.

    Args:
        later: what later runs applied to the record, oldest first.
        etag: of the newest version; None if the record is deleted.
    """
    for write in reversed(later):
        if write.deleted if etag is None else bool(write.etag) and write.etag == etag:
            return f"; by run {write.run} of job {write.job}"
    return ""
