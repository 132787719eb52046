"""A record, its versions, and what was created lately: as much as tells how a change stands."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from bulkrunner.domain.catalogue import AnswerKind, Found, Gone, Missing, Moved, NotModified
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.ports import CatalogueReader, Clock
from bulkrunner.domain.records import library_iri, modified
from bulkrunner.domain.run import Attempt, Outcome
from bulkrunner.domain.settlement.attempts import (
    Decision,
    History,
    Version,
    may_have_written,
    same_moment,
)
from bulkrunner.domain.settlement.updates import MAX_VERSIONS, goes_further, is_later
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.sentences import Sentence


def read_history(
    catalogue: CatalogueReader, change: PlannedChange, attempts: Sequence[Attempt]
) -> History | Decision:
    """Return the versions needed, or the decision where there is no such record.

    CatalogueUnreachable: something else than the catalogue answers.
    """
    newest = _newest(catalogue, change.record)
    if isinstance(newest, Decision):
        return _unproven(newest, attempts) or newest
    versions = [newest]
    number = 1
    while goes_further(change, versions, attempts) and number <= MAX_VERSIONS:
        number += 1
        older = _older(catalogue, change.record, -number)
        if older is None:
            return History(versions=tuple(versions))
        if isinstance(older, Missing):
            return History(versions=tuple(versions), complete=True)
        # A version stored between two reads moves the numbers: the same one is met twice.
        if not _same(older, versions[-1]):
            versions.append(older)
    return History(versions=tuple(versions), complete=not is_later(change, versions[-1]))


def _newest(catalogue: CatalogueReader, record: str) -> Version | Decision:
    match catalogue.read(record):
        case Found() as found:
            return Version(document=found.document, etag=found.etag)
        case Gone():
            return Version(document=None)
        case Missing():
            return Decision(
                outcome=Outcome.CONFLICT,
                code="missing",
                message=Sentence("record_missing"),
            )
        case Moved(target=target):
            return Decision(
                outcome=Outcome.CONFLICT,
                code="moved",
                message=Sentence("record_moved", target=target),
            )
        case NotModified():
            raise AssertionError("an unconditional read was answered 304")


# The answer to a send by which the catalogue says the same of a record as to a read.
_SAID = {"missing": AnswerKind.NOT_FOUND, "moved": AnswerKind.REDIRECT}


def _unproven(found: Decision, attempts: Sequence[Attempt]) -> Decision | None:
    """Return that nobody can tell, where a request may have been carried out before that."""
    if not may_have_written([one for one in attempts if one.answer != _SAID[found.code]]):
        return None
    return Decision(
        outcome=Outcome.UNKNOWN,
        code="history_unread",
        message=Sentence("sent_unreadable", why=found.message),
        detail={"found": found.code},
    )


def _older(catalogue: CatalogueReader, record: str, number: int) -> Version | Missing | None:
    """Return a version; None where the catalogue says that it cannot be read, and the record can."""
    try:
        answer = catalogue.read_version(record, number)
    except CatalogueUnreachable as error:
        if not error.by_server:
            raise
        catalogue.read(record)
        return None
    match answer:
        case Found():
            return Version(document=answer.document, etag=answer.etag)
        case Gone():
            return Version(document=None)
        case Missing():
            return answer
        case _:
            return None


def _same(one: Version, other: Version) -> bool:
    if one.document is None or other.document is None:
        return one.document is other.document
    moments = modified(one.document), modified(other.document)
    return same_moment(*moments) and one.fingerprint == other.fingerprint


log = logging.getLogger(__name__)

# Pages of a hundred changes that are read at most, newest first.
MOST_PAGES = 20

# The server's clock may be ahead of any that we know.
LATER = timedelta(hours=24)


class Creations:
    """Asks the feed, and no more once it failed: a table of versions, with deleted ones, no lag."""

    def __init__(self, reader: CatalogueReader, clock: Clock, iris: IriMap) -> None:
        self._reader = reader
        self._clock = clock
        self._iris = iris
        self._failed = threading.Event()

    def since(self, moment: datetime, sigel: str) -> frozenset[str] | None:
        """Return ids of a library's holdings made since then by the server's clock, or None."""
        if self._failed.is_set():
            return None
        try:
            return self._read(moment, library_iri(sigel))
        except CatalogueUnreachable as error:
            self._failed.set()
            log.warning("the feed of changes does not answer: %s", error)
            return None

    def _read(self, moment: datetime, library: str) -> frozenset[str] | None:
        found: set[str] = set()
        until = _milliseconds(max(moment, self._clock.now()) + LATER)
        for _ in range(MOST_PAGES):
            page = self._reader.feed_page(until=until)
            for change in page:
                if change.kind == "Create" and change.library == library:
                    record = self._iris.short_id(change.iri.removesuffix("#it"))
                    found |= {record} if record and change.published >= moment else set()
            if not page or page[-1].published < moment:
                return frozenset(found)
            # The oldest moment once more: a page may have ended within it.
            before, until = until, _milliseconds(page[-1].published) + 1
            if until >= before:
                return None
        return None


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
