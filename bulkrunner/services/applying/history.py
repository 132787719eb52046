"""Reads a record, and its versions as far back as is needed to know how a change stands."""

from __future__ import annotations

from collections.abc import Sequence

from bulkrunner.domain.answers import AnswerKind, Found, Gone, Missing, Moved, NotModified
from bulkrunner.domain.decisions import (
    Decision,
    History,
    Verdict,
    Version,
    may_have_written,
    same_moment,
)
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.records import modified
from bulkrunner.domain.run import Attempt
from bulkrunner.domain.settling import MAX_VERSIONS, goes_further, is_later
from bulkrunner.errors import CatalogueUnreachable


def read_history(
    catalogue: CatalogueReader, change: PlannedChange, attempts: Sequence[Attempt]
) -> History | Decision:
    """Return the versions needed, or the decision where there is no such record.

    Raises:
        CatalogueUnreachable: something else than the catalogue answers; nothing can be said at all.
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
                verdict=Verdict.CONFLICT,
                code="missing",
                message="the environment knows no such record any more",
            )
        case Moved(target=target):
            return Decision(
                verdict=Verdict.CONFLICT,
                code="moved",
                message=f"the id has become another name of {target}",
            )
        case NotModified():
            raise AssertionError("an unconditional read was answered 304")


_SAID = {"missing": AnswerKind.NOT_FOUND, "moved": AnswerKind.REDIRECT}
"""The answer to a send by which the catalogue says the same of a record as to a read."""


def _unproven(found: Decision, attempts: Sequence[Attempt]) -> Decision | None:
    """Return that nobody can tell, where a request may have been carried out before that."""
    if not may_have_written([one for one in attempts if one.answer != _SAID[found.code]]):
        return None
    return Decision(
        verdict=Verdict.UNKNOWN,
        code="history_unread",
        message=f"a request was sent, and whether it was carried out cannot be read back: "
        f"{found.message}",
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
