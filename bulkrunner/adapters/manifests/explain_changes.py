"""Values, conditions and changes of a manifest in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bulkrunner.adapters.manifests.faults import harmless
from bulkrunner.domain.expressions.parsing import FormError
from bulkrunner.domain.expressions.values import parse_call

MOST = 120

"""Characters of a value that are shown."""

_TESTS = {
    "equals": "is",
    "in": "is one of",
    "in_file": "is in the file",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "matches": "matches",
    "before": "is before",
    "after": "is after",
}

_ORIGINS = {
    "@row.": "the column {}",
    "@param.": "the parameter {}",
    "@bib.@record.": "{} of the bib's record part",
    "@bib.": "{} of the bib",
    "@item.": "{} of the item",
    "@record.": "{} of the record part",
    "@component.": "{} of a component",
}

_CALLS = {
    "trim": "freed of blanks at the ends",
    "collapse": "left with single blanks between words",
    "upper": "put in capitals",
    "lower": "put in small letters",
    "capitalize": "given a capital first letter",
    "strip_zeros": "freed of zeros at the beginning",
    "strip_prefix": "freed of {} at the beginning",
    "strip_suffix": "freed of {} at the end",
    "split": "split at {}, part {} kept",
    "first_word": "cut after the first word",
    "after_first_word": "freed of the first word",
    "replace": "given {1} in place of {0}",
    "digits": "left with their digits only",
    "pad": "filled with zeros at the beginning to {} characters",
    "default": "{} where there is nothing",
}

"""What each function makes of a text, after its arguments."""

_HOLDINGS = re.compile(r"@bib\.holdings(?:\[([^]]*)\])?(?:\.(@record\.)?(.+))?")

_WHOLE = {"@self.id": "the record's id", "@bib.id": "the bib's id"}


def value_said(value: Any) -> str:
    """Return a value: texts in quotes, references by what they lead to, objects by their content."""
    return _short(_value(value))


def name_said(value: Any) -> str:
    """Return a name, such as a library's or a record's, without quotes; or what it refers to."""
    return _short(harmless(value)) if isinstance(value, str) else value_said(value)


def record_said(kind: str, value: Any) -> str:
    """Return a record by its id, or by what names it: ``the bib in the column Bibid``."""
    return f"the {kind} {'' if isinstance(value, str) else 'in '}{name_said(value)}"


def reference_said(text: str) -> str:
    """Return a reference by what it leads to."""
    if text in _WHOLE:
        return _WHOLE[text]
    if found := _HOLDINGS.fullmatch(text):
        return _holding_said(found)
    for prefix, words in _ORIGINS.items():
        if text.startswith(prefix):
            return words.format(harmless(text.removeprefix(prefix)))
    return harmless(text)


def _holding_said(found: re.Match[str]) -> str:
    holding = f"another holding{' of ' + harmless(found[1]) if found[1] else ''} on the bib"
    if not found[3]:
        return holding
    return f"{harmless(found[3])} of {'the record part of ' if found[2] else ''}{holding}"


def place_said(place: str) -> str:
    """Return a place as it stands in a sentence."""
    return reference_said(place) if place.startswith("@") else harmless(place)


def joined(parts: Iterable[str], word: str = "and") -> str:
    """Return ``a, b and c``."""
    *first, last = list(parts) or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def condition_said(where: Any) -> str:
    """Return a condition, or a value that something must be equal to."""
    if not isinstance(where, dict):
        return f"is {value_said(where)}"
    return " and ".join(_clause(key, value) for key, value in where.items())


def through_said(calls: Sequence[str]) -> str:
    """Return what functions make of a text: ``put in capitals, then split at " ", part 2 kept``."""
    return ", then ".join(map(_call_said, calls))


def _call_said(text: str) -> str:
    try:
        call = parse_call(text)
    except FormError:
        return harmless(text)
    given = [f'"{harmless(one)}"' if isinstance(one, str) else str(one) for one in call.arguments]
    return _CALLS.get(call.name, text).format(*given)


def matching_said(matching: Any) -> str:
    """Return what the elements of a list are matched with: a test, a condition or a value."""
    if isinstance(matching, dict) and not _is_test(matching):
        return condition_said(matching)
    return f"it {test_said(matching)}"


def test_said(value: Any) -> str:
    """Return what a place is asked."""
    if value is None:
        return "is absent"
    if _is_test(value):
        return " and ".join(_tests(value))
    return f"is {value_said(value)}"


def _is_test(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and set(value) <= {*_TESTS, "exists", "count"}


def _clause(key: str, value: Any) -> str:
    match key:
        case "all" | "any" if isinstance(value, list):
            return "(" + _each(value, " and " if key == "all" else " or ") + ")"
        case "in_catalogue":
            given = value if isinstance(value, dict) and "number" in value else {"number": value}
            return f"another record of the catalogue bears {value_said(given['number'])}"
        case "not":
            return f"not ({condition_said(value)})"
        case _:
            return f"{place_said(key)} {test_said(value)}"


def _each(conditions: Sequence[Any], word: str) -> str:
    return word.join(condition_said(one) for one in conditions)


def _tests(value: Mapping[str, Any]) -> Iterable[str]:
    for name, wanted in value.items():
        match name:
            case "exists":
                yield "is there" if wanted else "is absent"
            case "count":
                yield f"is there {_count_said(wanted)}"
            case "in" if isinstance(wanted, list):
                yield f"is {joined(map(_value, wanted), 'or')}"
            case "in_file":
                yield f"is in the file {name_said(_file(wanted))}"
            case _:
                yield f"{_TESTS[name]} {value_said(wanted)}"


def _count_said(count: Any) -> str:
    if not isinstance(count, dict):
        return f"exactly {_times(count)}"
    bounds = {"at least": count.get("at_least"), "at most": count.get("at_most")}
    return joined(f"{word} {_times(one)}" for word, one in bounds.items() if one is not None)


def _times(number: Any) -> str:
    return f"{number} time{'s' * (number != 1)}"


def _file(named: Any) -> Any:
    return named.get("file", named) if isinstance(named, dict) else named


def _value(value: Any) -> str:
    match value:
        case {"$value": str(text)}:
            return _looked_up(text, value)
        case {"$values": str(text)}:
            split = f"the parts, split at {_value(value['split'])}, of " if "split" in value else ""
            return f"a list of {split}every value of {_looked_up(text, value)}"
        case {"$text": str(text)}:
            return f'the text "{harmless(re.sub(r"{([^{}]+)}", _in_text, text))}"'
        case {"@id": str(iri)} if len(value) == 1:
            return f"the link {harmless(iri)}"
        case dict():
            return _object(value)
        case [one]:
            return _value(one)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case str():
            return f'"{harmless(value)}"'
        case _:
            return json.dumps(value)


def _looked_up(text: str, value: Mapping[str, Any]) -> str:
    said = reference_said(text)
    if through := value.get("through"):
        said += f" ({through_said(through)})"
    if "default" in value:
        said += f", or {_value(value['default'])} where there is none"
    return said


def _in_text(found: re.Match[str]) -> str:
    reference, *through = found[1].split("|")
    said = reference_said(reference.strip())
    return "{" + (f"{said}, {through_said(through)}" if through else said) + "}"


def _object(value: Mapping[str, Any]) -> str:
    kind = value.get("@type")
    rest = {key: inner for key, inner in value.items() if key != "@type" or not _is_name(kind)}
    inside = ", ".join(f"{harmless(key)} {_value(inner)}" for key, inner in rest.items())
    if not _is_name(kind):
        return "{" + inside + "}"
    return f"{harmless(str(kind))} ({inside})" if inside else f"an empty {harmless(str(kind))}"


def _is_name(kind: Any) -> bool:
    return isinstance(kind, str) and bool(kind)


def _short(text: str) -> str:
    return text if len(text) <= MOST else text[:MOST] + "…"


PAIRS = 3

"""Rows of a table in the manifest that are shown."""

VERBS = (
    "set",
    "remove",
    "append",
    "remove_items",
    "replace_value",
    "replace_text",
    "move_value",
    "retype",
)

_SCOPES = {
    "item": "on the item itself",
    "components": "in every component",
    "item_and_components": "on the item and in every component",
    "each_place": "wherever the shelf data is, on the item or in its components",
    "anywhere": "anywhere in the record",
    "record": "in the record part",
}


def change_said(change: Mapping[str, Any]) -> str:
    """Return what one change does, where, and when."""
    verb = next(verb for verb in VERBS if verb in change)
    said = _verb(verb, change[verb])
    if scope := change.get("in"):
        said += f", {_scope(scope)}"
    if when := change.get("when"):
        said += f", where {condition_said(when)}"
    return said + _pruned(verb, change)


def _scope(scope: Any) -> str:
    if isinstance(scope, dict):
        return f"in each object at {place_said(str(scope.get('each', '')))}"
    return _SCOPES.get(scope, "")


def _pruned(verb: str, change: Mapping[str, Any]) -> str:
    """Return that what is emptied goes too; ``remove`` alone leaves it."""
    removes = verb == "remove_items" or (verb == "remove" and ("in" in change or "when" in change))
    return " (what that empties goes too)" if removes else ""


def _verb(verb: str, given: Mapping[str, Any]) -> str:
    at = place_said(str(given.get("at", "")))
    match verb:
        case "set":
            return f"{at} becomes {value_said(given['to'])}"
        case "remove":
            return f"{at} is removed"
        case "append":
            return f"{at} gets {value_said(given['value'])} unless it is there"
        case "remove_items":
            return f"of {at} each is removed where {matching_said(given['matching'])}"
        case "replace_value":
            return _replaced_values(at, given)
        case "replace_text":
            return _replaced_text(at, given)
        case "move_value":
            return f"{place_said(given['from'])} is moved to {place_said(given['to'])}"
        case _:
            return f"what is at {at} becomes of the type {name_said(given['to'])}"


def _replaced_values(at: str, given: Mapping[str, Any]) -> str:
    table = given["table"]
    if "file" in table and isinstance(table.get("file"), str):
        said = f"at {at} each value becomes what the table {name_said(table['file'])} says"
    else:
        pairs = [_pair(old, new) for old, new in list(table.items())[:PAIRS]]
        if len(table) > PAIRS:
            pairs.append(f"{len(table) - PAIRS:,} more by the table")
        said = f"at {at} " + joined(pairs)
    refuses = given.get("otherwise") == "refuse"
    return said + ("; any other is refused" if refuses else "; any other is kept")


def _pair(old: str, new: Any) -> str:
    return f"{value_said(old)} " + ("goes" if new is None else f"becomes {value_said(new)}")


def _replaced_text(at: str, given: Mapping[str, Any]) -> str:
    if "pattern" in given:
        what = f"what matches {value_said(given['pattern'])}"
    else:
        what = value_said(given.get("find"))
    instead = given.get("with", "")
    became = "is taken out" if instead == "" else f"becomes {value_said(instead)}"
    trimmed = ", blanks at the ends go" if given.get("trim") else ""
    return f"in the texts at {at} {what} {became}{trimmed}"
