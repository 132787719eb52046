"""Tests a record by a condition."""

from __future__ import annotations

from typing import Any

from bulkrunner.domain.conditions.kinds import (
    All,
    Check,
    Condition,
    InCatalogue,
    Itself,
    Kind,
    Not,
    Some,
    Test,
)
from bulkrunner.domain.context import Context
from bulkrunner.domain.dates import Span, parse_span
from bulkrunner.domain.forms import brief
from bulkrunner.domain.places import ABSENT, PlaceRefused
from bulkrunner.domain.references import Reference, values_at
from bulkrunner.domain.stored_form import comparable, in_words, kind_of, spelled, stored_text
from bulkrunner.domain.values import resolve


def holds(condition: Condition, context: Context) -> bool:
    """Tell whether a condition is met.

    Raises:
        PlaceRefused: a value that it compares with is missing or ambiguous.
    """
    match condition:
        case All(parts=parts):
            return all(holds(part, context) for part in parts)
        case Some(parts=parts):
            return any(holds(part, context) for part in parts)
        case Not(part=part):
            return not holds(part, context)
        case Itself(checks=checks):
            return _fits_all(context.start, checks, context, key="")
        case InCatalogue():
            return _in_catalogue(condition, context)
        case Test():
            return _test(condition, context)


def unmet(condition: Condition, context: Context) -> Condition | None:
    """Return the first part that is not met of what must hold whole, None where all is met.

    Raises:
        PlaceRefused: a value that it compares with is missing or ambiguous.
    """
    if isinstance(condition, All):
        found = (unmet(part, context) for part in condition.parts)
        return next((part for part in found if part is not None), None)
    return None if holds(condition, context) else condition


def _test(test: Test, context: Context) -> bool:
    key = _last_key(test.ref)
    fitting = (
        value
        for value in values_at(test.ref, context)
        if _is_there(value) and _fits_all(value, test.checks, context, key=key)
    )
    if test.count is None:
        return any(True for _ in fitting) is test.wanted
    # A list is not counted beside its elements.
    number = sum(not isinstance(value, list) for value in fitting)
    return test.count.least <= number <= (number if test.count.most is None else test.count.most)


def _in_catalogue(condition: InCatalogue, context: Context) -> bool:
    value = resolve(condition.number, context)
    numbers = value if isinstance(value, list) else [value]
    if not all(kind_of(number) is not None for number in numbers):
        raise PlaceRefused("not_text", f"{brief(value)} is no number", "name a place inside it")
    found = (context.bearing(in_words(number), condition.meanings) for number in numbers)
    return any(record != context.short_id for records in found for record in records)


def _last_key(ref: Reference) -> str:
    last = ref.steps[-1] if ref.steps else ""
    return last if isinstance(last, str) else ""


def _is_there(value: Any) -> bool:
    return value is not None and value != []


def fits(value: Any, condition: Itself, context: Context, *, key: str) -> bool:
    """Return True if a value, or each of a list of values, meets what is asked of the value itself.

    Args:
        value: of a place; ``ABSENT`` meets nothing.
        condition: the tests.
        context: what they refer to.
        key: the last key of the place.

    Raises:
        PlaceRefused: a value that it compares with is missing or ambiguous.
    """
    if value is ABSENT or not _is_there(value):
        return False
    if _fits_all(value, condition.checks, context, key=key):
        return True
    return isinstance(value, list) and all(
        _fits_all(one, condition.checks, context, key=key) for one in value
    )


def _fits_all(value: Any, checks: tuple[Check, ...], context: Context, *, key: str) -> bool:
    return all(_fits(value, check, context, key=key) for check in checks)


def _fits(value: Any, check: Check, context: Context, *, key: str) -> bool:
    match check.kind:
        case Kind.EQUALS:
            wanted = resolve(check.value, context, at_id=key == "@id")
            return _form(value, context, key=key) == _form(wanted, context, key=key)
        case Kind.IN | Kind.IN_FILE:
            return _is_among(value, check, context, key=key)
        case Kind.EXISTS:
            return True
        case Kind.MATCHES:
            # Not trimmed: what the server will tidy must be found by somebody.
            return (
                kind_of(value) is not None
                and check.pattern is not None
                and check.pattern.found_in(spelled(in_words(value)))
            )
        case Kind.BEFORE | Kind.AFTER:
            return _fits_time(value, check, context)
    return _fits_text(value, check, context)


def _is_among(value: Any, check: Check, context: Context, *, key: str) -> bool:
    form = _form(value, context, key=key)
    if form in check.known or (key == "@id" and _is_id_among(value, check, context)):
        return True
    others = check.value if key == "value" else check.odd
    return any(
        _form(resolve(one, context, at_id=key == "@id"), context, key=key) == form for one in others
    )


def _is_id_among(value: Any, check: Check, context: Context) -> bool:
    """Look a record IRI up as it is written in any environment, and as the bare short id."""
    parts = context.iris.split(value) if isinstance(value, str) else None
    if parts is None:
        return False
    _, short, suffix = parts
    names = (short, *(f"{base}{short}{suffix}" for base in context.iris.bases))
    return any(comparable(name) in check.known for name in names)


def _fits_text(value: Any, check: Check, context: Context) -> bool:
    wanted = resolve(check.value, context)
    if kind_of(value) is None or kind_of(wanted) is None:
        return False
    text, part = stored_text(in_words(value)), spelled(in_words(wanted))
    match check.kind:
        case Kind.CONTAINS:
            return part in text
        case Kind.STARTS_WITH:
            return text.startswith(part)
        case _:
            return text.endswith(part)


def _fits_time(value: Any, check: Check, context: Context) -> bool:
    found = parse_span(in_words(value).strip()) if kind_of(value) is not None else None
    if found is None:
        return False
    limit = _limit(resolve(check.value, context))
    return found.is_before(limit) if check.kind is Kind.BEFORE else found.is_after(limit)


def _limit(value: Any) -> Span:
    span = parse_span(in_words(value).strip()) if kind_of(value) is not None else None
    if span is None:
        raise PlaceRefused(
            "not_a_date",
            f"{brief(value)} is no date",
            "write 2026, 2026-11, 2026-11-02 or 2026-11-02T09:00:00+01:00",
        )
    return span


def _form(value: Any, context: Context, *, key: str) -> bytes:
    """Return what is compared: as the server stores it, record IRIs without a base."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if key == "@id" and isinstance(value, str):
        return comparable(context.iris.neutral({"@id": value})["@id"])
    return comparable(context.iris.neutral(value), key)
