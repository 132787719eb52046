"""A holding that was created, whose answer was lost, and which somebody deleted before we looked.

Look-ups show live records only; the feed of changes shows what was created, whatever became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bulkrunner.domain.answers import Found
from bulkrunner.domain.decisions import Decision, Verdict, Version
from bulkrunner.domain.records import Document, held_by
from bulkrunner.domain.settling_creates import Candidate, settle_create
from bulkrunner.services.applying.frame import Frame, Work

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
    if decision.verdict is not Verdict.APPLIED:
        return None
    return replace(decision, message="made by this run; somebody deleted it afterwards")


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
