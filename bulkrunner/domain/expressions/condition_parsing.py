"""Reads conditions as a manifest writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bulkrunner.domain.expressions import Outside, brief, meant, parse_span
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
from bulkrunner.domain.expressions.references import parse_reference
from bulkrunner.domain.expressions.value_parsing import MARKS, parse_value
from bulkrunner.domain.expressions.values import Dynamic
from bulkrunner.domain.identifiers import Number
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence, joined

MAX_DEPTH = 20
MAX_PARTS = 500
MAX_VALUES = 10_000
MAX_TEXT = 10_000

_OF_TIME = (Kind.BEFORE, Kind.AFTER)
_COMBINING = ("all", "any", "not", "in_catalogue")


def parse_condition(data: Any, outside: Outside) -> Condition:
    """Read a condition as written in a manifest; Fault, malformed or too large, says where."""
    return _Parser(outside).condition(data, 0)


def parse_matching(data: Any, outside: Outside) -> Condition:
    """Read what an element of a list is tested by: a condition on it, a test, or its value."""
    # Fault, where it is malformed, says what is wrong.
    parser = _Parser(outside)
    if isinstance(data, dict) and not any(key in KINDS or key in MARKS for key in data):
        return parser.condition(data, 0)
    return Itself(checks=parser.checks(data))


def parse_checks(data: Any, outside: Outside) -> tuple[Check, ...]:
    """Read tests of one value, or the value that it must equal; Fault says what is wrong."""
    return _Parser(outside).checks(data)


def _meant(key: str) -> Sentence:
    if key == "count":
        return Sentence("count_asked_elsewhere", form="{place: {count: 2}}")
    return meant(key, KINDS)


def _in_catalogue(data: Any) -> InCatalogue:
    given = data if isinstance(data, dict) and "number" in data else {"number": data}
    for key in given:
        if key not in ("number", "as"):
            raise Fault(Sentence("beside_number", key_=brief(key)), key=key)
    number, named = given["number"], given.get("as", [])
    meanings = [named] if isinstance(named, str) else named
    known = [one.value for one in Number]
    if not isinstance(meanings, list) or not all(one in known for one in meanings):
        raise Fault(Sentence("number_meanings", known=", ".join(known)), key="as")
    value = parse_value(number)
    if not isinstance(value, Dynamic | str) or not value:
        raise Fault(
            Sentence("in_catalogue_form"),
            hint=Sentence("in_catalogue_form_hint", form='{$value: "@row.ISBN"}'),
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
        raise Fault(
            Sentence("count_form"),
            key="count",
            hint=Sentence("count_form_hint", form="count: {at_least: 2}"),
        )
    count = Count(least=bounds.get("at_least", 0), most=bounds.get("at_most"))
    if count.most is not None and count.most < count.least:
        raise Fault(Sentence("count_never"), key="count")
    return count


class _Parser:
    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._parts = 0

    def condition(self, data: Any, depth: int) -> Condition:
        if not isinstance(data, dict):
            raise Fault(Sentence("condition_form"))
        if not data:
            raise Fault(Sentence("condition_empty"))
        if depth > MAX_DEPTH:
            raise Fault(Sentence("condition_too_deep", most=MAX_DEPTH))
        parts = tuple(
            self._below((key,), self._part, key, item, depth) for key, item in data.items()
        )
        return parts[0] if len(parts) == 1 else All(parts=parts)

    def _part(self, key: str, data: Any, depth: int) -> Condition:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Fault(Sentence("condition_long", most=MAX_PARTS))
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
            raise Fault(Sentence("condition_list", key_=key))
        parts = tuple(
            self._below((index,), self.condition, item, depth + 1)
            for index, item in enumerate(data)
        )
        return All(parts=parts) if key == "all" else Some(parts=parts)

    @staticmethod
    def _below(path: tuple[str | int, ...], read: Any, *given: Any) -> Condition:
        try:
            condition: Condition = read(*given)
        except Fault as error:
            raise error.below(*path) from None
        return condition

    def _test(self, place: str, data: Any) -> Condition:
        try:
            ref = parse_reference(place)
        except Fault as error:
            hint = meant(place, _COMBINING) if len(place) < 5 and place.isalpha() else ""
            raise Fault(
                Sentence("no_place", text=brief(place), why=error.said),
                hint=hint,
                code="bad_place",
            ) from None
        if data is None:
            return Test(ref=ref, checks=(), wanted=False)
        if isinstance(data, dict) and data.get("exists") is False:
            if len(data) > 1:
                raise Fault(Sentence("absent_alone"))
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
            raise Fault(Sentence("count_no_test"), key="count", hint=_meant("count"))
        if not named:
            if any(key in ("@id", "@type") for key in data):
                return (self._equals(data),)
            raise Fault(
                Sentence("no_test", given=brief(next(iter(data), ""))),
                hint=joined(
                    (
                        meant(next(iter(data), ""), KINDS),
                        Sentence("compare_with_object", form="{equals: {…}}"),
                    )
                ),
            )
        found = []
        for key, value in data.items():
            if key not in KINDS:
                raise Fault(Sentence("no_test", given=brief(key)), key=key, hint=_meant(key))
            try:
                found.append(self._check(Kind(key), value))
            except Fault as error:
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
                    raise Fault(Sentence("matches_form"))
                return Check(kind=kind, pattern=self._outside.engine.compile(data))
            case Kind.EXISTS:
                if data is not True:
                    raise Fault(Sentence("exists_form"))
                return Check(kind=kind)
        return self._compared(kind, data)

    @staticmethod
    def _compared(kind: Kind, data: Any) -> Check:
        value = parse_value(data)
        if not isinstance(value, Dynamic):
            if not isinstance(value, str) or not value:
                raise Fault(Sentence("test_takes_text", kind=kind), hint=Sentence("put_in_quotes"))
            if len(value) > MAX_TEXT:
                raise Fault(Sentence("test_long", most=MAX_TEXT))
            if kind in _OF_TIME and parse_span(value) is None:
                raise Fault(
                    Sentence("not_a_date", text=brief(value)),
                    hint=Sentence("not_a_date_hint"),
                )
        return Check(kind=kind, value=value)

    @staticmethod
    def _among(data: Any) -> Check:
        if not isinstance(data, list) or not data:
            raise Fault(Sentence("in_form"))
        if len(data) > MAX_VALUES:
            raise Fault(Sentence("in_long", most=MAX_VALUES), hint=Sentence("in_long_hint"))
        return listed(Kind.IN, tuple(map(parse_value, data)))

    def _in_file(self, data: Any) -> Check:
        if not isinstance(data, str) or not data:
            raise Fault(Sentence("in_file_form"))
        values = tuple(self._outside.lists.values(data))
        if not values:
            raise Fault(Sentence("file_without_value", file=brief(data)))
        return replace(listed(Kind.IN_FILE, values), file=data)
