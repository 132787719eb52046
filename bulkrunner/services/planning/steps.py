"""What the steps of planning one operation hand to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.fingerprint import before_fingerprint
from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import Action, BibSummary, Made
from bulkrunner.domain.records import Document

MAX_DEPTH = 100
"""Levels of a record to be sent; real ones have a dozen. Components deeper than that go unseen."""

MAX_MESSAGE = 1000


class Refused(Exception):
    """Carries a refusal out of the steps; never leaves planning."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class NotFound(Exception):
    """The record is not there; never leaves planning."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def demand(refusal: Refusal | None) -> None:
    """Go on where there is no refusal.

    Raises:
        Refused: there is one.
    """
    if refusal is not None:
        raise Refused(refusal)


@dataclass(kw_only=True)
class Known:
    """What is known of the record so far, for whatever the change turns out to be."""

    record: str
    kind: str | None = None
    sigel: str | None = None
    bib: BibSummary | None = None
    library: str = ""
    etag: str | None = None
    before: Document | None = None
    target_key: str | None = None
    notes: tuple[tuple[str, str], ...] = ()


def as_refused(refusal: Refusal) -> dict[str, Any]:
    """Return the fields of a refused change."""
    message = f"{refusal.message}; {refusal.hint}" if refusal.hint else refusal.message
    return {"action": Action.REFUSED, "code": refusal.code, "message": message}


def made_earlier(known: Known, made: Made) -> dict[str, Any]:
    """Return the fields of a change that an earlier run has made."""
    fingerprint = before_fingerprint(known.before) if known.before is not None else None
    return {
        "action": Action.UNCHANGED,
        "code": "applied_earlier",
        "message": f"run {made.run} of this job has done it",
        "before_fingerprint": fingerprint,
    }


def printable(text: str) -> str:
    """Return text that may hold parts of records on one line, bounded, without control characters."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: MAX_MESSAGE + 1])
    return shown if len(text) <= MAX_MESSAGE else shown[:MAX_MESSAGE] + "…"


def shallow(document: Document) -> Refusal | None:
    """Refuse a record that would be nested more deeply than any real one."""
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for node in level
            for inner in (node.values() if isinstance(node, dict) else node)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return None
    return Refusal(
        code="unreadable_record",
        message=f"the record would be nested more than {MAX_DEPTH} levels deep",
        hint="give it a flatter value",
    )
