"""What a record must hold before a change is made to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.comparing import same
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import ABSENT, Place, PlaceRefused, Refusal, locate, parse_place
from bulkrunner.domain.records import Document

MAX_SHOWN = 120


def check_expect(document: Document, expect: Mapping[str, Any], iris: IriMap) -> Refusal | None:
    """Return a refusal where a place does not have the value expected of it.

    A list of one counts as its value, null as absent.
    """
    for text, value in expect.items():
        place = parse_place(text)
        try:
            found = locate(document, place).value
        except PlaceRefused as refused:
            return refused.refusal
        wanted = _localise(place, value, iris)
        if not same(_expected_form(found), _expected_form(wanted)):
            return Refusal(
                code="unexpected_value",
                message=f"{text} is {_shown(found)}, expected {_shown(wanted)}",
                hint="look at the record; it may already be as wanted",
            )
    return None


def _expected_form(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return None if value is ABSENT else value


def _shown(value: Any) -> str:
    if value is ABSENT or value is None:
        return "absent"
    text = canonical_bytes(value).decode("utf-8", "replace")
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text)} characters)"


def _localise(place: Place, value: Any, iris: IriMap) -> Any:
    if place.steps[-1] == "@id" and isinstance(value, str):
        return iris.localise({"@id": value})["@id"]
    return iris.localise(value)
