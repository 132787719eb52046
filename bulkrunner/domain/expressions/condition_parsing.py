"""Reads conditions as a manifest writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bulkrunner.domain.dates import parse_span
from bulkrunner.domain.expressions.conditions import (
    KINDS,
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
from bulkrunner.domain.expressions.parsing import FormError, Outside, brief, meant
from bulkrunner.domain.expressions.references import parse_reference
from bulkrunner.domain.expressions.value_parsing import MARKS, parse_value
from bulkrunner.domain.expressions.values import Dynamic
from bulkrunner.domain.identifiers import Number
from bulkrunner.domain.places import PlaceError

MAX_DEPTH = 20
MAX_PARTS = 500
MAX_VALUES = 10_000
MAX_TEXT = 10_000

_OF_TIME = (Kind.BEFORE, Kind.AFTER)
_COMBINING = ("all", "any", "not", "in_catalogue")


def parse_condition(data: Any, outside: Outside) -> Condition:
    """Read a condition as written in a manifest.

    Raises:
        FormError: malformed or too large; says where.
    """
    return _Parser(outside).condition(data, 0)


def parse_matching(data: Any, outside: Outside) -> Condition:
    """Read what an element of a list is tested by: a condition on it, a test, or its value.

    Raises:
        FormError: malformed or too large; says where.
    """
    parser = _Parser(outside)
    if isinstance(data, dict) and not any(key in KINDS or key in MARKS for key in data):
        return parser.condition(data, 0)
    return Itself(checks=parser.checks(data))


def parse_expected(data: Any, outside: Outside) -> Any:
    """Read what a place is expected to have: a value, None where it must be absent, or tests of it.

    Raises:
        FormError: malformed or too large; says where.
    """
    if isinstance(data, dict) and data.get("exists") is False:
        if len(data) > 1:
            raise FormError("what is absent has no other test: write `exists: false` alone")
        return None
    checks = _Parser(outside).checks(data)
    if len(checks) == 1 and checks[0].kind is Kind.EQUALS:
        return checks[0].value
    return Itself(checks=checks)


def _meant(key: str) -> str:
    if key == "count":
        return "how many values a place has is asked in `where` or `when`: {place: {count: 2}}"
    return meant(key, KINDS)


def _in_catalogue(data: Any) -> InCatalogue:
    given = data if isinstance(data, dict) and "number" in data else {"number": data}
    for key in given:
        if key not in ("number", "as"):
            raise FormError(f"{brief(key)} cannot stand beside `number`", key=key)
    number, named = given["number"], given.get("as", [])
    meanings = [named] if isinstance(named, str) else named
    known = [one.value for one in Number]
    if not isinstance(meanings, list) or not all(one in known for one in meanings):
        raise FormError(f"`as` is one or more of {', '.join(known)}", key="as")
    value = parse_value(number)
    if not isinstance(value, Dynamic | str) or not value:
        raise FormError(
            "`in_catalogue` takes a number", hint='a text, or {$value: "@row.ISBN"} for instance'
        )
    return InCatalogue(number=value, meanings=tuple(Number(one) for one in meanings))


def _count(data: Any) -> Count:
    bounds = {"at_least": data, "at_most": data} if isinstance(data, int) else data
    if (
        not isinstance(bounds, dict)
        or not bounds
        or not bounds.keys() <= {"at_least", "at_most"}
        or not all(type(one) is int and 0 <= one <= MAX_VALUES for one in bounds.values())
    ):
        raise FormError(
            "`count` is a number, or at_least and at_most with numbers",
            key="count",
            hint="write count: 1, or count: {at_least: 2}",
        )
    count = Count(least=bounds.get("at_least", 0), most=bounds.get("at_most"))
    if count.most is not None and count.most < count.least:
        raise FormError("`count` can hold for no number: at_most is below at_least", key="count")
    return count


class _Parser:
    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._parts = 0

    def condition(self, data: Any, depth: int) -> Condition:
        if not isinstance(data, dict):
            raise FormError("a condition is an object of places and tests")
        if not data:
            raise FormError("a condition must not be empty")
        if depth > MAX_DEPTH:
            raise FormError(f"conditions are nested more than {MAX_DEPTH} deep")
        parts = tuple(
            self._below((key,), self._part, key, item, depth) for key, item in data.items()
        )
        return parts[0] if len(parts) == 1 else All(parts=parts)

    def _part(self, key: str, data: Any, depth: int) -> Condition:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise FormError(f"a condition has more than {MAX_PARTS} parts")
        match key:
            case "not":
                return Not(part=self.condition(data, depth + 1))
            case "in_catalogue":
                return _in_catalogue(data)
            case "all" | "any":
                return self._list(key, data, depth)
        return self._test(key, data)

    def _list(self, key: str, data: Any, depth: int) -> Condition:
        if not isinstance(data, list) or not data:
            raise FormError(f"`{key}` takes a list of conditions")
        parts = tuple(
            self._below((index,), self.condition, item, depth + 1)
            for index, item in enumerate(data)
        )
        return All(parts=parts) if key == "all" else Some(parts=parts)

    @staticmethod
    def _below(path: tuple[str | int, ...], read: Any, *given: Any) -> Condition:
        try:
            condition: Condition = read(*given)
        except FormError as error:
            raise error.below(*path) from None
        return condition

    def _test(self, place: str, data: Any) -> Condition:
        try:
            ref = parse_reference(place)
        except PlaceError as error:
            hint = meant(place, _COMBINING) if len(place) < 5 and place.isalpha() else ""
            raise FormError(
                f"{brief(place)} is no place: {error}", hint=hint, code="bad_place"
            ) from None
        if data is None:
            return Test(ref=ref, checks=(), wanted=False)
        if isinstance(data, dict) and data.get("exists") is False:
            if len(data) > 1:
                raise FormError("what is absent has no other test: write `exists: false` alone")
            return Test(ref=ref, checks=(), wanted=False)
        if isinstance(data, dict) and "count" in data:
            others = {key: value for key, value in data.items() if key != "count"}
            checks = self.checks(others) if others else ()
            return Test(ref=ref, checks=checks, count=_count(data["count"]))
        return Test(ref=ref, checks=self.checks(data))

    def checks(self, data: Any) -> tuple[Check, ...]:
        """Read the tests of one value."""
        if not isinstance(data, dict) or any(mark in data for mark in MARKS):
            return (self._equals(data),)
        named = [key for key in data if key in KINDS]
        if not named and "count" in data:
            raise FormError("`count` is no test here", key="count", hint=_meant("count"))
        if not named:
            if any(key in ("@id", "@type") for key in data):
                return (self._equals(data),)
            raise FormError(
                f"{brief(next(iter(data), ''))} is no test",
                hint=meant(next(iter(data), ""), KINDS)
                + "; to compare with an object write {equals: {…}}",
            )
        found = []
        for key, value in data.items():
            if key not in KINDS:
                raise FormError(f"{brief(key)} is no test", key=key, hint=_meant(key))
            try:
                found.append(self._check(Kind(key), value))
            except FormError as error:
                raise error.below(key) from None
        return tuple(found)

    def _equals(self, data: Any) -> Check:
        return Check(kind=Kind.EQUALS, value=parse_value(data))

    def _check(self, kind: Kind, data: Any) -> Check:
        match kind:
            case Kind.EQUALS:
                return self._equals(data)
            case Kind.IN:
                return self._among(data)
            case Kind.IN_FILE:
                return self._in_file(data)
            case Kind.MATCHES:
                if not isinstance(data, str) or not data:
                    raise FormError("`matches` takes a regular expression")
                return Check(kind=kind, pattern=self._outside.engine.compile(data))
            case Kind.EXISTS:
                if data is not True:
                    raise FormError("`exists` is true or false")
                return Check(kind=kind)
        return self._compared(kind, data)

    @staticmethod
    def _compared(kind: Kind, data: Any) -> Check:
        value = parse_value(data)
        if not isinstance(value, Dynamic):
            if not isinstance(value, str) or not value:
                raise FormError(f"`{kind}` takes a text", hint="put it in quotes")
            if len(value) > MAX_TEXT:
                raise FormError(f"is longer than {MAX_TEXT:,} characters")
            if kind in _OF_TIME and parse_span(value) is None:
                raise FormError(
                    f"{brief(value)} is no date",
                    hint="write 2026, 2026-11, 2026-11-02 or 2026-11-02T09:00:00+01:00",
                )
        return Check(kind=kind, value=value)

    @staticmethod
    def _among(data: Any) -> Check:
        if not isinstance(data, list) or not data:
            raise FormError("`in` takes a list of values")
        if len(data) > MAX_VALUES:
            raise FormError(
                f"`in` has more than {MAX_VALUES:,} values", hint="put them into a file: in_file"
            )
        return listed(Kind.IN, tuple(map(parse_value, data)))

    def _in_file(self, data: Any) -> Check:
        if not isinstance(data, str) or not data:
            raise FormError("`in_file` takes the name of a file")
        values = tuple(self._outside.lists.values(data))
        if not values:
            raise FormError(f"{brief(data)} holds no value")
        return replace(listed(Kind.IN_FILE, values), file=data)
