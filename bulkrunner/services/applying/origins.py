"""A change into which other records' content went is sent only while they still have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkrunner.domain.answers import Found
from bulkrunner.domain.decisions import Decision, Verdict, by_and_when
from bulkrunner.domain.fingerprint import before_fingerprint
from bulkrunner.domain.plan import Origin, PlannedChange
from bulkrunner.services.applying.frame import Frame

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
        return _conflict(origin, "is not there any more", by_and_when(None))
    if before_fingerprint(answer.document) in origin.fingerprints:
        return None
    facts = by_and_when(answer.document)
    who = f"{facts['by'] or 'somebody'} at {facts['when']}"
    return _conflict(origin, f"was edited by {who}", facts)


def _conflict(origin: Origin, what: str, facts: Mapping[str, Any]) -> Decision:
    return Decision(
        verdict=Verdict.CONFLICT,
        code=ORIGIN_CHANGED,
        message=f"{origin.record}, whose content was to be saved here, {what}; nothing was sent",
        detail={"origin": origin.record, **facts},
    )
