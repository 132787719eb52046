"""The manifest's JSON Schema, and its faults in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

import jsonschema_rs

from bulkrunner.adapters.manifests.faults import PathKey, meant, path_text, shown
from bulkrunner.domain.expressions.parsing import proposal

MOST = 2_000

"""Violations of one value that are looked at; the rest are counted."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One violation of the schema, free of the validator's own types.

    Attributes:
        path: of the value that violates it.
        keyword: of the schema, ``type`` or ``required`` for instance.
        rule: the part of the schema that holds the keyword.
        names: keys that are unknown or missing.
    """

    path: tuple[PathKey, ...]
    keyword: str
    rule: dict[str, Any]
    names: tuple[str, ...] = ()


def schema_text() -> str:
    """Return the published schema as it is written."""
    return files(__package__).joinpath("job.schema.json").read_text(encoding="utf-8")


@cache
def schema() -> dict[str, Any]:
    """Return the published schema."""
    loaded: dict[str, Any] = json.loads(schema_text())
    return loaded


@cache
def _compiled(definition: str | None) -> tuple[dict[str, Any], jsonschema_rs.Draft202012Validator]:
    rules = schema()
    if definition is not None:
        rules = {"$ref": f"#/$defs/{definition}", "$defs": rules["$defs"]}
    return rules, jsonschema_rs.Draft202012Validator(rules)


class Validator:
    """Validates values by the schema or a definition of it."""

    def __init__(self, definition: str | None = None) -> None:
        self._schema, self._validator = _compiled(definition)

    def fits(self, value: Any) -> bool:
        """Tell whether the value fits; much quicker than listing what does not."""
        return self._validator.is_valid(value)

    def violations(self, value: Any) -> tuple[list[Violation], int]:
        """Return what does not fit, and how many violations more were not looked at."""
        errors = iter(self._validator.iter_errors(value))
        found = [self._violation(error) for error in islice(errors, MOST)]
        return list(_telling(found)), sum(1 for _ in errors)

    def _violation(self, error: jsonschema_rs.ValidationError) -> Violation:
        keyword = error.kind.name
        names: tuple[str, ...] = ()
        if keyword == "additionalProperties":
            names = tuple(error.kind.as_dict()["unexpected"])
        elif keyword == "required":
            names = (str(error.kind.as_dict()["property"]),)
        return Violation(
            path=tuple(error.instance_path),
            keyword=keyword,
            rule=self._rule(error.schema_path, keyword),
            names=names,
        )

    def _rule(self, path: Iterable[PathKey], keyword: str) -> dict[str, Any]:
        rule: Any = self._schema
        holder: dict[str, Any] = {}
        for part in path:
            if isinstance(rule, dict) and part == keyword:
                holder = rule
            rule = rule.get(part, {}) if isinstance(rule, dict) else rule[int(part)]
        return holder


def _telling(violations: list[Violation]) -> Iterator[Violation]:
    """Drop violations that only follow from another one of the same value."""
    wrong_type = {found.path for found in violations if found.keyword == "type"}
    seen = set()
    for found in violations:
        mark = (found.path, found.keyword, found.names, found.rule.get("title", ""))
        follows = found.path in wrong_type and found.keyword != "type"
        if mark not in seen and not follows:
            seen.add(mark)
            yield found


def belongs(name: str, path: Sequence[PathKey]) -> str:
    """Return where the key belongs, as a hint; empty where it belongs nowhere.

    Args:
        name: that is unknown where it stands.
        path: of the object that it stands in.
    """
    match list(path):
        case []:
            if name in _keys("step"):
                return f"`{name}` belongs into a step, below steps: and a dash"
        case ["steps", int()]:
            if name in schema()["properties"]:
                return f"`{name}` belongs to the manifest, in the first column"
        case ["steps", int(), *_, verb] if name in _keys("step"):
            return f"`{name}` stands beside `{verb}`, not in it: one level further out"
        case ["operations", int()] if name in _keys("change"):
            return f"changes of an operation stand in a list: changes: [{{{name}: …}}]"
        case ["operations", int(), "changes", int()] if name in _keys("stepChange"):
            return f"`{name}` is for steps; an explicit operation has set, remove and append"
    return ""


@cache
def _keys(definition: str) -> frozenset[str]:
    return frozenset(schema()["$defs"][definition]["properties"])


_TYPES = {
    "string": "text",
    "object": "an object",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "empty",
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """A violation in words; ``key`` is the key of the object at ``path`` that is meant, if any."""

    path: tuple[PathKey, ...]
    key: str | None = None
    code: str
    message: str
    hint: str = ""


def tell(found: Violation, root: Any, prefix: Sequence[PathKey] = ()) -> Iterator[Told]:
    """Yield what is wrong.

    Args:
        found: a violation somewhere in the value.
        root: the value that was validated.
        prefix: path of ``root`` in the file, for the words.
    """
    value = _at(root, found.path)
    full = (*prefix, *found.path)
    match found.keyword:
        case "additionalProperties":
            for name in found.names:
                yield _unknown(found, name, value, full)
        case "required":
            name = found.names[0]
            yield Told(
                path=found.path,
                code="missing_key",
                message=f"the key `{name}` is missing{_within(full)}",
                hint=_misspelt(value, name, found.rule),
            )
        case "propertyNames":
            yield from _names(found, value, full)
        case "oneOf" | "anyOf":
            yield _choice(found, value, full)
        case _:
            message, hint = _value(found, value)
            code = "wrong_type" if found.keyword == "type" else "wrong_value"
            where = path_text(full)
            yield Told(
                path=found.path,
                code=code,
                message=f"{where}: {message}" if where else message,
                hint=hint,
            )


def _unknown(found: Violation, name: str, value: Any, full: Sequence[PathKey]) -> Told:
    known = list(found.rule.get("properties", {}))
    word = meant(name, known) or _only_missing(found.rule, value)
    hint = proposal(name, word) if word else belongs(name, full)
    return Told(
        path=found.path,
        key=name,
        code="unknown_key",
        message=f"unknown key {shown(name)}{_within(full)}",
        hint=hint or f"known here: {', '.join(known)}",
    )


def _misspelt(value: Any, name: str, rule: dict[str, Any]) -> str:
    known = rule.get("properties", {})
    strange = [key for key in value if key not in known] if isinstance(value, dict) else []
    near = meant(name, strange) if known else ""
    if not near and len(strange) == 1 and _only_missing(rule, value) == name:
        near = strange[0]
    return f"is {shown(near)} meant to be `{name}`?" if near else ""


def _only_missing(rule: dict[str, Any], value: Any) -> str:
    """Return the one required key that is missing where one other key is unknown, if so."""
    missing = [name for name in rule.get("required", ()) if name not in value]
    strange = [name for name in value if name not in rule.get("properties", {})]
    return missing[0] if len(missing) == len(strange) == 1 else ""


def _names(found: Violation, value: Any, full: Sequence[PathKey]) -> Iterator[Told]:
    rule = found.rule["propertyNames"]
    forbidden = rule.get("not", {}).get("enum", [])
    for name in value:
        if name in forbidden:
            yield Told(
                path=found.path,
                key=name,
                code="forbidden_key",
                message=f"`{name}` cannot be given{_within(full)}: it is set by the program",
                hint="leave it out",
            )
    if not forbidden:
        text = rule.get("errorMessage", "a name here is empty or too long")
        yield Told(path=found.path, code="wrong_value", message=f"{path_text(full)}: {text}")


def _choice(found: Violation, value: Any, full: Sequence[PathKey]) -> Told:
    options = [name for rule in found.rule[found.keyword] for name in rule["required"]]
    given = [name for name in options if name in value]
    message = found.rule.get("errorMessage", f"exactly one of {', '.join(options)} is needed")
    hint = f"given: {', '.join(given)}" if given else ""
    for name in value:
        if not given and name not in options and (word := meant(name, options)):
            hint = f"is {shown(name)} meant to be `{word}`?"
    if not hint and len(full) == 2 and full[0] == "steps":
        hint = (
            "a dash begins a new step; the other keys of a step stand below its first, without one"
        )
    where = path_text(full)
    return Told(
        path=found.path,
        code="wrong_choice" if given else "missing_key",
        message=f"{where}: {message}" if where else message,
        hint=hint,
    )


def _value(found: Violation, value: Any) -> tuple[str, str]:
    rule = found.rule
    match found.keyword:
        case "type":
            return _type(rule, value)
        case "enum" | "const":
            message, hint = _allowed(rule.get("enum", [rule.get("const")]), value)
            return message, hint or rule.get("errorMessage", "")
        case "minLength" | "minItems" | "minProperties":
            return "must not be empty", ""
        case "maxLength":
            return f"is longer than {rule['maxLength']:,} characters", ""
        case "maxItems":
            return f"has more than {rule['maxItems']:,} items", ""
        case "minimum":
            return f"is {shown(value)}, must be at least {rule['minimum']}", ""
        case "exclusiveMinimum":
            return f"is {shown(value)}, must be more than {rule['exclusiveMinimum']}", ""
        case "maximum":
            return f"is {shown(value)}, must be at most {rule['maximum']:,}", ""
        case "uniqueItems":
            return f"names {shown(_repeated(value))} more than once", ""
        case _:
            text = rule.get("errorMessage", "must not be blank")
            return (f"{shown(value)}: {text}" if isinstance(value, str) else text), ""


def _type(rule: dict[str, Any], value: Any) -> tuple[str, str]:
    wanted = rule["type"]
    types = [wanted] if isinstance(wanted, str) else wanted
    message = f"must be {' or '.join(_TYPES[name] for name in types)}, not {_kind(value)}"
    return message, _type_hint(types, value) or _example_hint(types, rule)


def _type_hint(types: Sequence[str], value: Any) -> str:
    if value is None:
        return "nothing stands after the colon"
    if "string" in types and isinstance(value, (int, float)) and not isinstance(value, bool):
        return "put it in quotes"
    if isinstance(value, str) and ("integer" in types or "number" in types):
        return "write a plain number, without quotes, blanks and leading zeros"
    if isinstance(value, str) and "boolean" in types:
        return "write true or false in small letters, without quotes"
    if types == ["array"] and isinstance(value, str) and value.isprintable():
        return f"write a list: [{value[:40]}]"
    if types == ["array"] and isinstance(value, dict):
        return "write a list: each of its items begins with a dash and a blank"
    return ""


def _example_hint(types: Sequence[str], rule: dict[str, Any]) -> str:
    kind = dict if "object" in types else str
    examples = [one for one in rule.get("examples", ()) if isinstance(one, kind)]
    if not examples or not {"object", "string"} & set(types):
        return ""
    one = examples[0]
    return f"for example {one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)}"


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, (bool, int, float)):
        return shown(value)
    return shown(value)


def _allowed(options: list[Any], value: Any) -> tuple[str, str]:
    texts = [shown(option) for option in options]
    message = f"is {_kind(value)}, must be {' or '.join(texts)}"
    if options == [True]:
        return message, "write true, in small letters and without quotes, or leave the key out"
    if not isinstance(value, str):
        return message, ""
    for option in options:
        if not isinstance(option, str) and json.dumps(option) == value.strip().lower():
            return message, f"write {json.dumps(option)}, in small letters and without quotes"
    word = meant(value, [option for option in options if isinstance(option, str)])
    return message, proposal(value, word) if word else ""


def _repeated(value: list[Any]) -> Any:
    seen: list[Any] = []
    for item in value:
        if item in seen:
            return item
        seen.append(item)
    return value


def _within(path: Sequence[PathKey]) -> str:
    return f" in {path_text(path)}" if path else ""


def _at(value: Any, path: Sequence[PathKey]) -> Any:
    for part in path:
        value = value[part]
    return value
