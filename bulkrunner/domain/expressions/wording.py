"""Values and conditions in words, as a manifest writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

from bulkrunner.domain.expressions.text_functions import parse_call
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence, as_sentence, verbatim

MOST = 120  # characters of a value that are shown

_TESTS: Mapping[str, Callable[[str], Sentence]] = {
    "equals": lambda wanted: Sentence("test_is", wanted=wanted),
    "in": lambda wanted: Sentence("test_is_one_of", wanted=wanted),
    "contains": lambda wanted: Sentence("test_contains", wanted=wanted),
    "starts_with": lambda wanted: Sentence("test_starts_with", wanted=wanted),
    "ends_with": lambda wanted: Sentence("test_ends_with", wanted=wanted),
    "matches": lambda wanted: Sentence("test_matches", wanted=wanted),
    "before": lambda wanted: Sentence("test_is_before", wanted=wanted),
    "after": lambda wanted: Sentence("test_is_after", wanted=wanted),
    "in_file": lambda wanted: Sentence("test_in_file", file=wanted),
}

_ORIGINS: Mapping[str, Callable[[str], Sentence]] = {
    "@row.": lambda name: Sentence("the_column", name=name),
    "@param.": lambda name: Sentence("the_parameter", name=name),
    "@bib.@record.": lambda name: Sentence("of_bib_record", name=name),
    "@bib.": lambda name: Sentence("of_bib", name=name),
    "@item.": lambda name: Sentence("of_item", name=name),
    "@record.": lambda name: Sentence("of_record", name=name),
    "@component.": lambda name: Sentence("of_component", name=name),
}

_HOLDINGS = re.compile(r"@bib\.holdings(?:\[([^]]*)\])?(?:\.(@record\.)?(.+))?")

_WHOLE = {"@self.id": Sentence("record_id"), "@bib.id": Sentence("bib_id")}


def value_said(value: Any) -> Sentence:
    """Return a value: texts in quotes, references by what they lead to, objects by their content."""
    return _short(_value(value))


def name_said(value: Any) -> Sentence:
    """Return a name, such as a library's or a record's, without quotes; or what it refers to."""
    return _short(verbatim(harmless(value))) if isinstance(value, str) else value_said(value)


def bib_said(value: Any) -> Sentence:
    """Return a bib by its id, or by what names it: ``the bib in the column Bibid``."""
    if isinstance(value, str):
        return Sentence("the_bib", id=name_said(value))
    return Sentence("the_bib_in", place=name_said(value))


def holding_said(value: Any) -> Sentence:
    """Return a holding by its id, or by what names it."""
    if isinstance(value, str):
        return Sentence("the_holding", id=name_said(value))
    return Sentence("the_holding_in", place=name_said(value))


def reference_said(text: str) -> Sentence:
    """Return a reference by what it leads to."""
    if text in _WHOLE:
        return _WHOLE[text]
    if found := _HOLDINGS.fullmatch(text):
        return _holding_said(found)
    for prefix, words in _ORIGINS.items():
        if text.startswith(prefix):
            return words(harmless(text.removeprefix(prefix)))
    return verbatim(harmless(text))


def _holding_said(found: re.Match[str]) -> Sentence:
    holding = Sentence("another_holding")
    if found[1]:
        holding = Sentence("another_holding_of", sigel=harmless(found[1]))
    if not found[3]:
        return holding
    if found[2]:
        return Sentence("of_record_of", name=harmless(found[3]), what=holding)
    return Sentence("of_what", name=harmless(found[3]), what=holding)


def place_said(place: str) -> Sentence:
    """Return a place as it stands in a sentence."""
    return reference_said(place) if place.startswith("@") else verbatim(harmless(place))


def all_of(parts: Iterable[str]) -> Sentence:
    """Return ``a, b and c``."""
    return Sentence("all_of", parts=tuple(parts))


def any_of(parts: Iterable[str]) -> Sentence:
    """Return ``a, b or c``."""
    return Sentence("any_of", parts=tuple(parts))


def both(parts: Iterable[Sentence]) -> Sentence:
    """Return ``a and b and c``."""
    return _reduced(lambda one, other: Sentence("both", one=one, other=other), parts)


def either(parts: Iterable[Sentence]) -> Sentence:
    """Return ``a or b or c``."""
    return _reduced(lambda one, other: Sentence("either", one=one, other=other), parts)


def then(parts: Iterable[Sentence]) -> Sentence:
    """Return ``a; then b; then c``."""
    return _reduced(lambda one, other: Sentence("then", one=one, other=other), parts)


def _reduced(join: Callable[[Sentence, Sentence], Sentence], parts: Iterable[Sentence]) -> Sentence:
    found = list(parts)
    return reduce(join, found) if found else verbatim("")


def condition_said(where: Any) -> Sentence:
    """Return a condition, or a value that something must be equal to."""
    if not isinstance(where, dict):
        return Sentence("test_is", wanted=value_said(where))
    return both(_clause(key, value) for key, value in where.items())


def through_said(calls: Sequence[str]) -> Sentence:
    """Return what functions make of a text: ``put in capitals, then split at " ", part 2 kept``."""
    return _reduced(
        lambda one, other: Sentence("call_then", one=one, other=other), map(_call_said, calls)
    )


def _call_said(text: str) -> Sentence:
    try:
        return parse_call(text).said
    except Fault:
        return verbatim(harmless(text))


def matching_said(matching: Any) -> Sentence:
    """Return what the elements of a list are matched with: a test, a condition or a value."""
    if isinstance(matching, dict) and not _is_test(matching):
        return condition_said(matching)
    return Sentence("it_is", test=test_said(matching))


def test_said(value: Any) -> Sentence:
    """Return what a place is asked."""
    if value is None:
        return Sentence("test_absent")
    if _is_test(value):
        return both(_tests(value))
    return Sentence("test_is", wanted=value_said(value))


def _is_test(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and set(value) <= {*_TESTS, "exists", "count"}


def _clause(key: str, value: Any) -> Sentence:
    match key:
        case "all" | "any" if isinstance(value, list):
            conditions = map(condition_said, value)
            return Sentence(
                "bracketed", said=both(conditions) if key == "all" else either(conditions)
            )
        case "in_catalogue":
            given = value if isinstance(value, dict) and "number" in value else {"number": value}
            return Sentence("test_in_catalogue", number=value_said(given["number"]))
        case "not":
            return Sentence("test_not", condition=condition_said(value))
        case _:
            return Sentence("place_test", place=place_said(key), test=test_said(value))


def _tests(value: Mapping[str, Any]) -> Iterable[Sentence]:
    for name, wanted in value.items():
        match name:
            case "exists":
                yield Sentence("test_there" if wanted else "test_absent")
            case "count":
                yield _count_said(wanted)
            case "in" if isinstance(wanted, list):
                yield Sentence("test_is", wanted=any_of(map(_value, wanted)))
            case "in_file":
                yield Sentence("test_in_file", file=name_said(_file(wanted)))
            case _:
                yield _TESTS[name](value_said(wanted))


def _count_said(count: Any) -> Sentence:
    if not isinstance(count, dict):
        return Sentence("test_exactly", count=count)
    least, most = count.get("at_least"), count.get("at_most")
    if least is None:
        return Sentence("test_at_most", most=most)
    if most is None:
        return Sentence("test_at_least", least=least)
    return Sentence("test_between", least=least, most=most)


def _file(named: Any) -> Any:
    return named.get("file", named) if isinstance(named, dict) else named


def _value(value: Any) -> Sentence:
    match value:
        case {"$value": str(text)}:
            return _looked_up(text, value)
        case {"$values": str(text)}:
            said = _looked_up(text, value)
            if "split" in value:
                return Sentence("value_list_split", split=_value(value["split"]), of=said)
            return Sentence("value_list", of=said)
        case {"$text": str(text)}:
            return _text(text)
        case {"@id": str(iri)} if len(value) == 1:
            return Sentence("value_link", iri=harmless(iri))
        case dict():
            return _object(value)
        case [one]:
            return _value(one)
        case list():
            return Sentence("value_in_brackets", parts=tuple(map(_value, value)))
        case str():
            return verbatim(f'"{harmless(value)}"')
        case _:
            return verbatim(json.dumps(value))


def _looked_up(text: str, value: Mapping[str, Any]) -> Sentence:
    said = reference_said(text)
    if through := value.get("through"):
        said = Sentence("value_through", said=said, through=through_said(through))
    if "default" in value:
        said = Sentence("value_or", said=said, default=_value(value["default"]))
    return said


def _text(text: str) -> Sentence:
    """Return a text with references in it."""
    said: list[str] = []
    at = 0
    for found in re.finditer(r"{([^{}]+)}", text):
        reference, *through = found[1].split("|")
        inner = reference_said(reference.strip())
        if through:
            inner = Sentence("listed", parts=(inner, through_said(through)))
        said += [harmless(text[at : found.start()]), "{", inner, "}"]
        at = found.end()
    return Sentence("value_text", parts=_run(*said, harmless(text[at:])))


def _run(*parts: str) -> Sentence:
    """Return texts without anything between them."""
    return _reduced(
        lambda one, other: Sentence("value_run", one=one, other=other),
        [as_sentence(part) for part in parts if part],
    )


def _object(value: Mapping[str, Any]) -> Sentence:
    kind = value.get("@type")
    named = harmless(kind) if isinstance(kind, str) and kind else ""
    inside = Sentence(
        "listed",
        parts=tuple(
            Sentence("key_value", name=harmless(key), value=_value(inner))
            for key, inner in value.items()
            if key != "@type" or not named
        ),
    )
    if not named:
        return _run("{", inside, "}") if inside else verbatim("{}")
    if inside:
        return Sentence("value_object", kind=named, inside=inside)
    return Sentence("value_empty_object", kind=named)


def _short(said: Sentence) -> Sentence:
    return said if len(said) <= MOST else verbatim(said[:MOST] + "…")
