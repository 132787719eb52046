"""The manifest's JSON Schema, and validation by it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

import jsonschema_rs

from bulkrunner.adapters.manifests.problems import PathKey

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
