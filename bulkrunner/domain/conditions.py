"""Conditions on a record, its bib, its input row: parsed once, tested record by record.

A mapping of places to tests, of which all must hold; ``all``, ``any`` and ``not`` combine. A place
walks through every list, and it is enough that one value fits. Nothing is carried over from one
test to the next.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from bulkrunner.domain.canonical import canonical_bytes, digest
from bulkrunner.domain.context import Context
from bulkrunner.domain.dates import Span, parse_span
from bulkrunner.domain.forms import FormError, Outside, Pattern, brief, meant
from bulkrunner.domain.places import PlaceError, PlaceRefused
from bulkrunner.domain.references import Reference, parse_reference, values_at
from bulkrunner.domain.values import Dynamic, parse_value, reduce, references_of, resolve, written

MAX_DEPTH = 20
MAX_PARTS = 500
MAX_VALUES = 10_000
MAX_TEXT = 10_000
MAX_SHOWN = 20
"""Values of a list that a plan keeps of a condition; of longer ones it keeps the digest."""


class Kind(StrEnum):
    """How a value is tested."""

    EQUALS = "equals"
    IN = "in"
    IN_FILE = "in_file"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES = "matches"
    EXISTS = "exists"
    BEFORE = "before"
    AFTER = "after"


KINDS = tuple(kind.value for kind in Kind)
_OF_TEXT = (Kind.CONTAINS, Kind.STARTS_WITH, Kind.ENDS_WITH)
_OF_TIME = (Kind.BEFORE, Kind.AFTER)
_COMBINING = ("all", "any", "not")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One test of a value.

    Attributes:
        value: what is compared with, constant or ``Dynamic``; of a list of values the tuple.
        known: the canonical form of the plain values of a list, to be looked up.
        odd: the other values of a list.
        digest: of a list too long to be shown.
        pattern: of ``matches``.
        file: of ``in_file``.
    """

    kind: Kind
    value: Any = None
    known: frozenset[bytes] = frozenset()
    odd: tuple[Any, ...] = ()
    digest: str = ""
    pattern: Pattern | None = None
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Test:
    """A place some value of which must fit all the checks; without checks it must be absent."""

    __test__ = False

    ref: Reference
    checks: tuple[Check, ...]
    wanted: bool = True


@dataclass(frozen=True, kw_only=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True)
class Some:
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True, kw_only=True)
class Itself:
    """The value itself fits: what an element of a list is tested by."""

    checks: tuple[Check, ...]


Condition: TypeAlias = Test | All | Some | Not | Itself


# --- testing -----------------------------------------------------------------------------------


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
                and check.pattern.found_in(_composed(value))
            )
        case Kind.BEFORE | Kind.AFTER:
            return _fits_time(value, check, context)
    return _fits_text(value, check, context)


def _is_among(value: Any, check: Check, context: Context, *, at_id: bool) -> bool:
    form = _form(value, context, at_id=at_id)
    if form in check.known or (at_id and _is_id_among(value, check, context)):
        return True
    return any(
        _form(resolve(one, context, at_id=at_id), context, at_id=at_id) == form
        for one in check.odd
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
    text, part = _composed(value), _composed(wanted)
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
    return canonical_bytes(_all_composed(context.iris.neutral(value)))


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _all_composed(value: Any) -> Any:
    match value:
        case str():
            return _composed(value)
        case dict():
            return {key: _all_composed(item) for key, item in value.items()}
        case list():
            return [_all_composed(item) for item in value]
    return value


# --- reading -----------------------------------------------------------------------------------


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
    if isinstance(data, dict) and not any(key in KINDS for key in data):
        return parser.condition(data, 0)
    return Itself(checks=parser.checks(data))


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
        parts = tuple(self._below((key,), self._part, key, item, depth) for key, item in data.items())
        return parts[0] if len(parts) == 1 else All(parts=parts)

    def _part(self, key: str, data: Any, depth: int) -> Condition:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise FormError(f"a condition has more than {MAX_PARTS} parts")
        match key:
            case "not":
                return Not(part=self.condition(data, depth + 1))
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
            raise FormError(f"{brief(place)} is no place: {error}", hint=hint) from None
        if data is None:
            return Test(ref=ref, checks=(), wanted=False)
        if isinstance(data, dict) and data.get("exists") is False:
            if len(data) > 1:
                raise FormError("what is absent has no other test: write `exists: false` alone")
            return Test(ref=ref, checks=(), wanted=False)
        return Test(ref=ref, checks=self.checks(data))

    def checks(self, data: Any) -> tuple[Check, ...]:
        """Read the tests of one value."""
        if not isinstance(data, dict) or "$value" in data or "$text" in data:
            return (self._equals(data),)
        named = [key for key in data if key in KINDS]
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
                raise FormError(f"{brief(key)} is no test", key=key, hint=meant(key, KINDS))
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
        return _listed(Kind.IN, tuple(map(parse_value, data)))

    def _in_file(self, data: Any) -> Check:
        if not isinstance(data, str) or not data:
            raise FormError("`in_file` takes the name of a file")
        values = tuple(self._outside.lists.values(data))
        if not values:
            raise FormError(f"{brief(data)} holds no value")
        return replace(_listed(Kind.IN_FILE, values), file=data)


def _listed(kind: Kind, values: tuple[Any, ...]) -> Check:
    odd = tuple(value for value in values if isinstance(value, (Dynamic, dict, list)))
    plain = (value for value in values if not isinstance(value, (Dynamic, dict, list)))
    long = len(values) > MAX_SHOWN
    return Check(
        kind=kind,
        value=values,
        known=frozenset(canonical_bytes(_all_composed(value)) for value in plain),
        odd=odd,
        digest=digest([written(value) for value in values]) if long else "",
    )


# --- what it refers to, and how it is written ----------------------------------------------------


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
        case Test(ref=ref, checks=checks):
            yield ref
            yield from _check_references(checks)


def _check_references(checks: tuple[Check, ...]) -> Iterator[Reference]:
    for check in checks:
        for value in check.value if isinstance(check.value, tuple) else (check.value,):
            yield from references_of(value)


def reduce_condition(condition: Condition, context: Context) -> Condition:
    """Return the condition with everything looked up that does not depend on where it is tested.

    What cannot be looked up stays as it is; it may never be needed.
    """
    match condition:
        case All(parts=parts):
            return All(parts=tuple(reduce_condition(part, context) for part in parts))
        case Some(parts=parts):
            return Some(parts=tuple(reduce_condition(part, context) for part in parts))
        case Not(part=part):
            return Not(part=reduce_condition(part, context))
        case Itself(checks=checks):
            return Itself(checks=tuple(_reduced(check, context, at_id=False) for check in checks))
        case Test(ref=ref, checks=checks):
            return replace(
                condition,
                checks=tuple(_reduced(check, context, at_id=ref.is_id) for check in checks),
            )


def _reduced(check: Check, context: Context, *, at_id: bool) -> Check:
    try:
        if check.odd:
            values = tuple(reduce(value, context, at_id=at_id) for value in check.value)
            return replace(_listed(check.kind, values), file=check.file)
        return replace(check, value=reduce(check.value, context, at_id=at_id))
    except PlaceRefused:
        return check


def condition_data(condition: Condition, context: Context | None = None) -> Any:
    """Return the condition as plain data.

    Args:
        condition: the condition.
        context: where given, record IRIs are written without a base.
    """
    match condition:
        case All(parts=parts):
            return {"all": [condition_data(part, context) for part in parts]}
        case Some(parts=parts):
            return {"any": [condition_data(part, context) for part in parts]}
        case Not(part=part):
            return {"not": condition_data(part, context)}
        case Itself(checks=checks):
            return _checks_data(checks, context)
        case Test(ref=ref, checks=checks, wanted=wanted):
            return {ref.text: _checks_data(checks, context) if wanted else {"exists": False}}


def _checks_data(checks: tuple[Check, ...], context: Context | None) -> Mapping[str, Any]:
    return {check.kind.value: _check_data(check, context) for check in checks}


def _check_data(check: Check, context: Context | None) -> Any:
    match check.kind:
        case Kind.EXISTS:
            return True
        case Kind.MATCHES:
            return check.pattern.text if check.pattern else ""
        case Kind.IN | Kind.IN_FILE:
            if check.digest:
                return {"digest": check.digest}
            return [_neutral(written(value), context) for value in check.value]
    return _neutral(written(check.value), context)


def _neutral(value: Any, context: Context | None) -> Any:
    if context is None:
        return value
    if isinstance(value, str):
        return context.iris.neutral({"@id": value})["@id"]
    return context.iris.neutral(value)
