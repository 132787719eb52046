"""What was saved elsewhere is looked at once more, just before it is taken away where it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bulkrunner.domain.catalogue import Found
from bulkrunner.domain.fingerprints import before_fingerprint
from bulkrunner.domain.plan import Action, Origin, PlannedChange
from bulkrunner.domain.run import Outcome, Result
from bulkrunner.domain.settlement.attempts import (
    Decision,
    Version,
    by_and_when,
    by_whom,
    refused,
)
from bulkrunner.domain.settlement.versions import Left
from bulkrunner.domain.transfers import takes_away
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.context import Frame
from bulkrunner.services.running.dispatch import PREREQUISITE
from bulkrunner.services.verify import Search

MAX_HOPS = 20

"""Deletions that wait for each other, one merged into the next, that are followed."""


def unsaved(frame: Frame, change: PlannedChange) -> Decision | None:
    """Return why a change must not take away what others have saved; None where they still stand.

    Raises:
        CatalogueUnreachable: the environment does not answer.
    """
    if not change.prerequisites or not takes_away(change):
        return None
    for saved, result in _saving(frame, change):
        record = result.record or saved.made or saved.record
        answer = frame.catalogue.read(record)
        if not isinstance(answer, Found):
            gone = Sentence("taken_away_gone", change=saved.number, record=record)
            return refused(PREREQUISITE, gone)
        if not _is_as_left(frame, saved, result, answer):
            facts = by_and_when(answer.document)
            edited = Sentence(
                "taken_away_edited",
                change=saved.number,
                record=record,
                by=by_whom(facts),
                when=str(facts["when"]),
            )
            return refused(PREREQUISITE, edited)
    return None


def _saving(frame: Frame, change: PlannedChange) -> Iterator[tuple[PlannedChange, Result]]:
    """Yield the changes that saved something, also where what they saved was passed on."""
    seen = {change.number}
    numbers = list(change.prerequisites)
    for _ in range(MAX_HOPS):
        numbers = [number for number in numbers if number not in seen]
        if not numbers:
            return
        seen.update(numbers)
        further: list[int] = []
        for saved in frame.records.changes(numbers):
            if saved.action is Action.DELETE:
                further += saved.prerequisites
            elif saved.action is not Action.UNCHANGED or _says_what_stood(saved):
                yield saved, frame.records.result_of(saved.number)
        numbers = further


def _says_what_stood(saved: PlannedChange) -> bool:
    return saved.made is not None or saved.before_fingerprint is not None


def _is_as_left(frame: Frame, saved: PlannedChange, result: Result, found: Found) -> bool:
    """Return True if a record is as the run left it, or as the plan found it."""
    if saved.kind == "bib":
        return True
    if saved.action is Action.UNCHANGED:
        known = saved.before_fingerprint
        return known is None or before_fingerprint(found.document) == known
    left = Left.by(saved, result, frame.active_sigel)
    newest = Version(document=found.document, etag=found.etag)
    return Search(frame.catalogue).is_as_left(found.record, left, newest)


ORIGIN_CHANGED = "origin_changed"

"""Code of a change whose content comes from a record that is not as planned any more."""


def outdated(frame: Frame, change: PlannedChange) -> Decision | None:
    """Return why content would be saved that is not the other records' any more; None where it is.

    Raises:
        CatalogueUnreachable: the environment does not answer.
    """
    for origin in change.origins:
        if (found := _changed(frame, origin)) is not None:
            return found
    return None


def _changed(frame: Frame, origin: Origin) -> Decision | None:
    answer = frame.catalogue.read(origin.record)
    if not isinstance(answer, Found):
        said = Sentence("origin_gone", record=origin.record)
        return _conflict(origin, said, by_and_when(None))
    if before_fingerprint(answer.document) in origin.fingerprints:
        return None
    facts = by_and_when(answer.document)
    said = Sentence(
        "origin_edited", record=origin.record, by=by_whom(facts), when=str(facts["when"])
    )
    return _conflict(origin, said, facts)


def _conflict(origin: Origin, said: Sentence, facts: Mapping[str, Any]) -> Decision:
    return Decision(
        outcome=Outcome.CONFLICT,
        code=ORIGIN_CHANGED,
        message=said,
        detail={"origin": origin.record, **facts},
    )
