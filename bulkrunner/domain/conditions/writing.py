"""What a condition refers to, and how it is written in a plan."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bulkrunner.domain.conditions.kinds import (
    All,
    Check,
    Condition,
    Count,
    InCatalogue,
    Itself,
    Kind,
    Not,
    Some,
    Test,
    listed,
)
from bulkrunner.domain.context import Context
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.references import Reference
from bulkrunner.domain.values import ground, references_of, written

LONGEST_LINE = 300
SHOWN = 5
"""Values of a long list in a line."""


def condition_references(condition: Condition) -> Iterator[Reference]:
    """Yield every reference of a condition, those of its values included."""
    match condition:
        case All(parts=parts) | Some(parts=parts):
            for part in parts:
                yield from condition_references(part)
        case Not(part=part):
            yield from condition_references(part)
        case Itself(checks=checks):
            yield from _check_references(checks)
        case InCatalogue(number=number):
            yield from references_of(number)
        case Test(ref=ref, checks=checks):
            yield ref
            yield from _check_references(checks)


def _check_references(checks: tuple[Check, ...]) -> Iterator[Reference]:
    for check in checks:
        for value in check.value if isinstance(check.value, tuple) else (check.value,):
            yield from references_of(value)


def condition_data(condition: Condition, iris: IriMap | None = None) -> Any:
    """Return the condition as plain data.

    Args:
        condition: the condition.
        iris: where given, record IRIs are written without a base.
    """
    match condition:
        case All(parts=parts):
            return {"all": [condition_data(part, iris) for part in parts]}
        case Some(parts=parts):
            return {"any": [condition_data(part, iris) for part in parts]}
        case Not(part=part):
            return {"not": condition_data(part, iris)}
        case Itself(checks=checks):
            return _checks_data(checks, iris)
        case InCatalogue(number=number, meanings=()):
            return {"in_catalogue": _neutral(written(number), iris)}
        case InCatalogue(number=number, meanings=meanings):
            own = {"number": _neutral(written(number), iris), "as": list(map(str, meanings))}
            return {"in_catalogue": own}
        case Test(ref=ref, checks=checks, count=Count() as count):
            return {ref.text: {**_checks_data(checks, iris), "count": count.data}}
        case Test(ref=ref, checks=checks, wanted=wanted):
            return {ref.text: _checks_data(checks, iris) if wanted else {"exists": False}}


def condition_text(condition: Condition) -> str:
    """Return the condition in a line, as a manifest may have it; lists in short, files by name."""
    data = condition_data(_in_short(condition))
    text = json.dumps(data, ensure_ascii=False)
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 2]} …"


def _in_short(condition: Condition) -> Condition:
    match condition:
        case All(parts=parts) | Some(parts=parts):
            return replace(condition, parts=tuple(map(_in_short, parts)))
        case Not(part=part):
            return replace(condition, part=_in_short(part))
        case Test(checks=checks) | Itself(checks=checks):
            return replace(condition, checks=tuple(map(_check_in_short, checks)))
        case InCatalogue():
            return condition


def _check_in_short(check: Check) -> Check:
    if check.kind is Kind.IN_FILE:
        return replace(check, value=(check.file,), digest="")
    return replace(check, value=(*check.value[:SHOWN], "…"), digest="") if check.digest else check


def _checks_data(checks: tuple[Check, ...], iris: IriMap | None) -> Mapping[str, Any]:
    return {check.kind.value: _check_data(check, iris) for check in checks}


def _check_data(check: Check, iris: IriMap | None) -> Any:
    match check.kind:
        case Kind.EXISTS:
            return True
        case Kind.MATCHES:
            return check.pattern.text if check.pattern else ""
        case Kind.IN | Kind.IN_FILE:
            if check.digest:
                return {"digest": check.digest}
            return [_neutral(written(value), iris) for value in check.value]
    return _neutral(written(check.value), iris)


def _neutral(value: Any, iris: IriMap | None) -> Any:
    if iris is None:
        return value
    if isinstance(value, str):
        return iris.neutral({"@id": value})["@id"]
    return iris.neutral(value)


def ground_condition(condition: Condition, context: Context) -> Condition:
    """Return the condition with the row's cells and the parameters put in."""
    match condition:
        case All(parts=parts):
            return All(parts=tuple(ground_condition(part, context) for part in parts))
        case Some(parts=parts):
            return Some(parts=tuple(ground_condition(part, context) for part in parts))
        case Not(part=part):
            return Not(part=ground_condition(part, context))
        case InCatalogue(number=number):
            return replace(condition, number=ground(number, context))
        case Itself(checks=checks):
            return Itself(checks=tuple(_grounded(check, context) for check in checks))
        case Test(checks=checks):
            return replace(
                condition,
                checks=tuple(_grounded(check, context) for check in checks),
            )


def _grounded(check: Check, context: Context) -> Check:
    if check.odd:
        values = tuple(ground(value, context) for value in check.value)
        return replace(listed(check.kind, values), file=check.file)
    return replace(check, value=ground(check.value, context))
