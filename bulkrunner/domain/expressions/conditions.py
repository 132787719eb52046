"""Conditions: what they are made of, whether a record meets them, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.expressions import Pattern, Span, brief, parse_span
from bulkrunner.domain.expressions.references import Context, Reference, compared, values_at
from bulkrunner.domain.expressions.values import Dynamic, bind, references_of, resolve, written
from bulkrunner.domain.identifiers import Number
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import ABSENT
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import comparable, in_words, kind_of, spelled, stored_text
from bulkrunner.sentences import Sentence

# Values of a list that a plan keeps of a condition; of longer ones it keeps the digest.
MAX_SHOWN = 20


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


@dataclass(frozen=True, kw_only=True)
class Check:
    """One test of a value."""

    kind: Kind
    # What is compared with, constant or ``Dynamic``; of a list of values the tuple.
    value: Any = None
    # The comparable form of the plain values of a list, to be looked up.
    known: frozenset[bytes] = frozenset()
    odd: tuple[Any, ...] = ()  # the other values of a list
    digest: str = ""  # of a list too long to be shown
    pattern: Pattern | None = None  # of ``matches``
    file: str = ""  # of ``in_file``


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many values fit; ``most`` None: any number."""

    least: int = 0
    most: int | None = None

    @property
    def data(self) -> Any:
        """Return it as it is written in a manifest."""
        if self.least == self.most:
            return self.least
        most = {} if self.most is None else {"at_most": self.most}
        return ({"at_least": self.least} if self.least else {}) | most


@dataclass(frozen=True, kw_only=True)
class Test:
    """A place some value of which must fit all the checks; without checks it must be absent."""

    __test__ = False

    ref: Reference
    checks: tuple[Check, ...]
    wanted: bool = True
    # How many values must fit, the least and the most; None: at least one.
    count: Count | None = None


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


@dataclass(frozen=True, kw_only=True)
class InCatalogue:
    """Another record of the catalogue bears a number."""

    number: Any  # the number, or a value that leads to it
    meanings: tuple[Number, ...] = ()  # what bare numbers are


Condition: TypeAlias = Test | All | Some | Not | Itself | InCatalogue


def listed(kind: Kind, values: tuple[Any, ...]) -> Check:
    """Return the check that a value is one of several."""
    odd = tuple(value for value in values if isinstance(value, (Dynamic, dict, list)))
    plain = (value for value in values if not isinstance(value, (Dynamic, dict, list)))
    long = len(values) > MAX_SHOWN
    return Check(
        kind=kind,
        value=values,
        known=frozenset(map(comparable, plain)),
        odd=odd,
        digest=digest([written(value) for value in values]) if long else "",
    )


def holds(condition: Condition, context: Context) -> bool:
    """Return True if a condition is met."""
    # Refused: a value to compare with is missing or ambiguous.
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
    """Return the first part that is not met of what must hold whole, None where all is met."""
    # Refused: a value to compare with is missing or ambiguous.
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
        raise Refused(
            "not_text",
            Sentence("number_no_text", value=brief(value)),
            Sentence("name_place_inside"),
        )
    found = (context.bearing(in_words(number), condition.meanings) for number in numbers)
    return any(record != context.short_id for records in found for record in records)


def _last_key(ref: Reference) -> str:
    last = ref.steps[-1] if ref.steps else ""
    return last if isinstance(last, str) else ""


def _is_there(value: Any) -> bool:
    return value is not None and value != []


def fits(value: Any, condition: Itself, context: Context, *, key: str) -> bool:
    """Return True if a value, or each of a list, meets what is asked of the value itself."""
    # Refused: a value to compare with is missing or ambiguous.
    # ``key``: the last one of its place. ``ABSENT`` meets nothing.
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
            return compared(value, context.iris, key) == compared(wanted, context.iris, key)
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
    form = compared(value, context.iris, key)
    if form in check.known or (key == "@id" and _is_id_among(value, check, context)):
        return True
    others = check.value if key == "value" else check.odd
    return any(
        compared(resolve(one, context, at_id=key == "@id"), context.iris, key) == form
        for one in others
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
        raise Refused(
            "not_a_date",
            Sentence("not_a_date", text=brief(value)),
            Sentence("not_a_date_hint"),
        )
    return span


LONGEST_LINE = 300

SHOWN = 5  # values of a long list in a line


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
    """Return the condition as it is written; with ``iris``, record IRIs without a base."""
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
    data = condition_data(_made_anew(condition, _check_in_short, lambda number: number))
    text = json.dumps(data, ensure_ascii=False)
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 2]} …"


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


def bind_condition(condition: Condition, context: Context) -> Condition:
    """Return the condition with the row's cells and the parameters put in."""
    return _made_anew(
        condition, lambda check: _bound(check, context), lambda number: bind(number, context)
    )


def _made_anew(
    condition: Condition, made: Callable[[Check], Check], numbered: Callable[[Any], Any]
) -> Condition:
    """Return the condition with other checks, and other numbers that are looked up."""
    match condition:
        case All(parts=parts) | Some(parts=parts):
            inner = tuple(_made_anew(part, made, numbered) for part in parts)
            return replace(condition, parts=inner)
        case Not(part=part):
            return Not(part=_made_anew(part, made, numbered))
        case InCatalogue(number=number):
            return replace(condition, number=numbered(number))
        case Test(checks=checks) | Itself(checks=checks):
            return replace(condition, checks=tuple(map(made, checks)))


def _bound(check: Check, context: Context) -> Check:
    if check.odd:
        values = tuple(bind(value, context) for value in check.value)
        return replace(listed(check.kind, values), file=check.file)
    return replace(check, value=bind(check.value, context))
