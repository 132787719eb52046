"""Tests a record by a condition."""

from __future__ import annotations

from typing import Any

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.conditions.kinds import (
    All,
    Check,
    Condition,
    Itself,
    Kind,
    Not,
    Some,
    Test,
    composed,
    composed_value,
)
from bulkrunner.domain.context import Context
from bulkrunner.domain.dates import Span, parse_span
from bulkrunner.domain.forms import brief
from bulkrunner.domain.places import PlaceRefused
from bulkrunner.domain.references import values_at
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
            return _fits_all(context.start, checks, context, at_id=False)
        case Test():
            return _test(condition, context)


def _test(test: Test, context: Context) -> bool:
    at_id = test.ref.is_id
    found = any(
        _is_there(value) and _fits_all(value, test.checks, context, at_id=at_id)
        for value in values_at(test.ref, context)
    )
    return found is test.wanted


def _is_there(value: Any) -> bool:
    return value is not None and value != []


def _fits_all(value: Any, checks: tuple[Check, ...], context: Context, *, at_id: bool) -> bool:
    return all(_fits(value, check, context, at_id=at_id) for check in checks)


def _fits(value: Any, check: Check, context: Context, *, at_id: bool) -> bool:
    match check.kind:
        case Kind.EQUALS:
            wanted = resolve(check.value, context, at_id=at_id)
            return _form(value, context, at_id=at_id) == _form(wanted, context, at_id=at_id)
        case Kind.IN | Kind.IN_FILE:
            return _is_among(value, check, context, at_id=at_id)
        case Kind.EXISTS:
            return True
        case Kind.MATCHES:
            return (
                isinstance(value, str)
                and check.pattern is not None
                and check.pattern.found_in(composed(value))
            )
        case Kind.BEFORE | Kind.AFTER:
            return _fits_time(value, check, context)
    return _fits_text(value, check, context)


def _is_among(value: Any, check: Check, context: Context, *, at_id: bool) -> bool:
    form = _form(value, context, at_id=at_id)
    if form in check.known or (at_id and _is_id_among(value, check, context)):
        return True
    return any(
        _form(resolve(one, context, at_id=at_id), context, at_id=at_id) == form for one in check.odd
    )


def _is_id_among(value: Any, check: Check, context: Context) -> bool:
    """Look a record IRI up as it is written in any environment, and as the bare short id."""
    parts = context.iris.split(value) if isinstance(value, str) else None
    if parts is None:
        return False
    _, short, suffix = parts
    names = (short, *(f"{base}{short}{suffix}" for base in context.iris.bases))
    return any(canonical_bytes(name) in check.known for name in names)


def _fits_text(value: Any, check: Check, context: Context) -> bool:
    if not isinstance(value, str):
        return False
    wanted = resolve(check.value, context)
    if not isinstance(wanted, str):
        return False
    text, part = composed(value), composed(wanted)
    match check.kind:
        case Kind.CONTAINS:
            return part in text
        case Kind.STARTS_WITH:
            return text.startswith(part)
        case _:
            return text.endswith(part)


def _fits_time(value: Any, check: Check, context: Context) -> bool:
    found = parse_span(value.strip()) if isinstance(value, str) else None
    if found is None:
        return False
    limit = _limit(resolve(check.value, context))
    return found.is_before(limit) if check.kind is Kind.BEFORE else found.is_after(limit)


def _limit(value: Any) -> Span:
    span = parse_span(value) if isinstance(value, str) else None
    if span is None:
        raise PlaceRefused(
            "not_a_date",
            f"{brief(value)} is no date",
            "write 2026, 2026-11, 2026-11-02 or 2026-11-02T09:00:00+01:00",
        )
    return span


def _form(value: Any, context: Context, *, at_id: bool) -> bytes:
    """Return what is compared: a list of one counts as its value, record IRIs without a base."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if at_id and isinstance(value, str):
        return canonical_bytes(context.iris.neutral({"@id": value})["@id"])
    return canonical_bytes(composed_value(context.iris.neutral(value)))
