"""The manifest's JSON Schema, and what of a value does not fit it.

``jsonschema`` checks a manifest, once; ``jsonschema_rs`` what there may be a million of: lines of an
operations file, what functions return, and the elements of a long list, of which ``jsonschema`` then
sees only those that do not fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import create

from bulkrunner.adapters.manifests.problems import KeyPath, PathKey

if TYPE_CHECKING:
    import jsonschema_rs

# Violations of one value that are looked at; the rest are counted.
MOST = 2_000

# Parts of a list or object up to which `jsonschema` looks at each.
LONG = 100

Rule: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One violation of the schema, free of the validators' own types.

    Attributes:
        path: of the value that violates it.
        keyword: of the schema, ``type`` or ``required`` for instance.
        rule: the part of the schema that holds the keyword.
        names: keys that are unknown or missing.
    """

    path: KeyPath
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


def manifest_violations(manifest: Any) -> tuple[list[Violation], int]:
    """Return what does not fit, and how many violations more were not looked at."""
    errors = _checker().iter_errors(manifest)
    found = [_of_jsonschema(error) for error in islice(errors, MOST)]
    more = len(found) == MOST and sum(1 for _ in _quick(None)[1].iter_errors(manifest)) - MOST
    return list(_telling(found)), max(more, 0)


class OperationChecker:
    """Checks one operation after the other."""

    def __init__(self) -> None:
        self._schema, self._validator = _quick("#/$defs/operation")

    def fits(self, value: Any) -> bool:
        """Return True if the value fits; much quicker than listing what does not."""
        return self._validator.is_valid(value)

    def violations(self, value: Any) -> list[Violation]:
        """Return what does not fit, as far as it is looked at."""
        errors = islice(self._validator.iter_errors(value), MOST)
        return list(_telling([_of_rs(error, self._schema) for error in errors]))


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


# --- jsonschema-rs -------------------------------------------------------------------------------


@cache
def _quick(definition: str | None) -> tuple[Rule, jsonschema_rs.Draft202012Validator]:
    import jsonschema_rs

    rules = schema()
    if definition is not None:
        rules = {"$ref": definition, "$defs": rules["$defs"]}
    return rules, jsonschema_rs.Draft202012Validator(rules)


def _of_rs(error: jsonschema_rs.ValidationError, rules: Rule) -> Violation:
    keyword = error.kind.name
    names: tuple[str, ...] = ()
    if keyword == "additionalProperties":
        names = tuple(error.kind.as_dict()["unexpected"])
    elif keyword == "required":
        names = (str(error.kind.as_dict()["property"]),)
    rule = _holder(rules, error.schema_path, keyword)
    return Violation(path=tuple(error.instance_path), keyword=keyword, rule=rule, names=names)


def _holder(rule: Any, path: Iterable[PathKey], keyword: str) -> dict[str, Any]:
    holder: dict[str, Any] = {}
    for part in path:
        if isinstance(rule, dict) and part == keyword:
            holder = rule
        rule = rule.get(part, {}) if isinstance(rule, dict) else rule[int(part)]
    return holder


# --- jsonschema ----------------------------------------------------------------------------------


def _of_jsonschema(error: ValidationError) -> Violation:
    keyword, rule, value = (
        str(error.validator),
        cast("dict[str, Any]", error.schema),
        error.instance,
    )
    names: tuple[str, ...] = ()
    if keyword == "additionalProperties" and isinstance(value, dict):
        names = tuple(key for key in value if key not in rule.get("properties", {}))
    elif keyword == "required":
        names = (error.message,)
    return Violation(path=tuple(error.absolute_path), keyword=keyword, rule=rule, names=names)


Errors: TypeAlias = Iterator[ValidationError]


def _parts(validator: Any, rule: Rule, parts: Iterable[tuple[PathKey, Any]], count: int) -> Errors:
    """Yield what does not fit of the parts of a list or object."""
    fits = _fits(json.dumps(rule)) if count > LONG else None
    for key, part in parts:
        if fits is None or not fits(part):
            yield from validator.descend(part, rule, path=key)


@lru_cache(maxsize=64)
def _fits(rule: str) -> Callable[[Any], bool]:
    import jsonschema_rs

    with_parts = json.loads(rule) | {"$defs": schema()["$defs"]}
    return jsonschema_rs.Draft202012Validator(with_parts).is_valid


def _items(validator: Any, rule: Rule, value: Any, _schema: Rule) -> Errors:
    if isinstance(value, list):
        yield from _parts(validator, rule, enumerate(value), len(value))


def _additional(validator: Any, rule: Any, value: Any, schema: Rule) -> Errors:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        others = [(key, part) for key, part in value.items() if key not in known]
        if isinstance(rule, Mapping):
            yield from _parts(validator, rule, others, len(others))
        elif others and not rule:
            yield ValidationError("unknown keys")


def _names(validator: Any, rule: Rule, value: Any, _schema: Rule) -> Errors:
    if isinstance(value, dict):
        fits = (
            validator.evolve(schema=rule).is_valid
            if len(value) <= LONG
            else _fits(json.dumps(rule))
        )
        if not all(map(fits, value)):
            yield ValidationError("names")


def _required(_validator: Any, names: list[str], value: Any, _schema: Rule) -> Errors:
    if isinstance(value, dict):
        yield from (ValidationError(name) for name in names if name not in value)


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Rule) -> Errors:
    # ``$`` is the end of the text, as in the standard; in Python a line may end there.
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError("pattern")


def unique_key(value: Any) -> str:
    """Return what equal values of JSON have in common."""
    return json.dumps(value, sort_keys=True)


def _unique(_validator: Any, wanted: bool, value: Any, _schema: Rule) -> Errors:  # noqa: FBT001
    if wanted and isinstance(value, list) and len(set(map(unique_key, value))) < len(value):
        yield ValidationError("repeated")


def _in_order(rule: Any) -> list[tuple[str, Any]]:
    """Return the keywords in the other validator's order: what is wrong at one place is told in it."""
    first = {"required": "additionalProperties"} if "additionalProperties" in rule else {}
    return sorted(rule.items(), key=lambda item: first.get(item[0], item[0]))


@cache
def _checker() -> Validator:
    own: dict[str, Any] = {
        "additionalProperties": _additional,
        "items": _items,
        "pattern": _pattern,
        "propertyNames": _names,
        "required": _required,
        "uniqueItems": _unique,
    }
    kind = create(
        meta_schema=Draft202012Validator.META_SCHEMA,
        validators={**Draft202012Validator.VALIDATORS, **own},
        type_checker=Draft202012Validator.TYPE_CHECKER,
        applicable_validators=_in_order,
    )
    made: Validator = kind(schema())
    return made
