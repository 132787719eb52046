"""A TOML file, read with care and held against its schema: every fault at once, with its line."""

from __future__ import annotations

import difflib
import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bulkrunner.errors import ConfigError
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

MOST_BYTES = 1024 * 1024

# Keys from the top of a file; of several tables of one name, their number from 1.
Place: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """A file as read.

    Attributes:
        own: belongs to this user, and nobody else can write to it.
    """

    path: Path
    text: str = field(repr=False)
    data: dict[str, Any] = field(repr=False)
    own: bool


def read_config_file(path: Path) -> ConfigFile:
    """Read a file; what is known of its owner is known of the very bytes that were read.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise ConfigError(Sentence("config_no_file", path=str(path)))
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(Sentence("config_unreadable", path=str(path), why=why)) from None
    if len(content) > MOST_BYTES:
        raise ConfigError(Sentence("config_too_long", path=str(path), most=MOST_BYTES))
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(Sentence("config_no_toml", path=str(path), why=str(error))) from None
    # Where the system does not tell whose a file is, it is nobody's own.
    is_mine = hasattr(os, "getuid") and facts.st_uid == os.getuid()
    own = is_mine and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return ConfigFile(path=path, text=text, data=data, own=own)


class Faults:
    """Collects every fault of one file."""

    def __init__(self, file: ConfigFile | None) -> None:
        self._file = file
        self._found: list[tuple[int, Place, Sentence]] = []

    def add(self, place: Place, said: Sentence) -> None:
        """Note one fault at a key (the last of the place)."""
        line = _line_of(self._file.text, place) if self._file else 0
        self._found.append((line, place, said))

    def at(self, place: Place) -> bool:
        """Return True if a fault was noted at the key."""
        return any(place == found for _line, found, _said in self._found)

    def raise_if_any(self) -> None:
        """Raise all of them as one error. ConfigError: there was any."""
        if not self._found:
            return
        name = str(self._file.path) if self._file else "configuration"
        found = sorted(self._found, key=lambda fault: (fault[0], fault[1], str(fault[2])))
        lines = [
            Sentence(
                "config_fault",
                at=f"{name}:{line}" if line else name,
                place=".".join(place),
                said=said,
            )
            for line, place, said in found
        ]
        raise ConfigError(Sentence("lines", parts=lines), hint=Sentence("config_reference"))


def _line_of(text: str, place: Place) -> int:
    """Return the line of a key, or of its table; 0 where it cannot be told."""
    table: Place = ()
    items: dict[Place, int] = {}
    best = 0
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            table = _keys(stripped.strip("[]").partition("]")[0])
            if stripped.startswith("[["):  # one of several tables, told apart by its number
                items[table] = items.get(table, 0) + 1
                table = (*table, str(items[table]))
            if table == place[: len(table)] and table:
                best = number
        elif match := re.match(r"[\w.\"'-]+(?=\s*=)", stripped):
            full = table + _keys(match[0])
            if full == place:
                return number
            if full == place[: len(full)]:
                best = number
    return best


def _keys(dotted: str) -> Place:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


# --- the schema ------------------------------------------------------------------------------


def schema_text() -> str:
    """Return the published schema of ``bulkrunner.toml`` as it is written."""
    return files(__package__).joinpath("config.schema.json").read_text(encoding="utf-8")


@cache
def _validator(definition: str | None) -> Validator:
    from jsonschema import FormatChecker
    from jsonschema.validators import Draft202012Validator, extend

    schema = json.loads(schema_text())
    if definition is not None:
        schema = {"$ref": f"#/$defs/{definition}", "$defs": schema["$defs"]}
    numbers = {"number": _is_number, "integer": _is_whole}
    kind = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(numbers),
    )
    formats = FormatChecker(formats=())
    formats.checks("line")(_is_line)
    found: Validator = kind(schema, format_checker=formats)
    return found


def _is_number(_checker: object, value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(_checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_line(value: object) -> bool:
    return not isinstance(value, str) or (bool(value.strip()) and value.isprintable())


def fitting(file: ConfigFile | None, faults: Faults, definition: str | None = None) -> Any:
    """Return a file's data without what does not fit the schema; of that faults are noted.

    Args:
        file: may be absent; then there is nothing.
        faults: gets a fault for each violation.
        definition: of the schema, where the file is not the configuration itself.
    """
    if file is None:
        return {}
    data = deepcopy(file.data)
    noted: set[tuple[Place, Sentence]] = set()
    for error in list(_validator(definition).iter_errors(data)):
        path = list(error.absolute_path)
        for key, said in _told(error):
            fault = (_place([*path, *key]), said)
            if fault not in noted:
                noted.add(fault)
                faults.add(*fault)
        _drop(data, path, [key[0] for key, _said in _told(error) if key])
    return data


def _place(path: Sequence[str | int]) -> Place:
    """Return where a fault is told: at a key, or at one of several tables of one name."""
    if isinstance(path[-1], int) and len(path) != 2:
        path = path[:-1]
    return tuple(str(key + 1) if isinstance(key, int) else key for key in path)


def _drop(data: Any, path: list[str | int], keys: Sequence[str]) -> None:
    """Take out what does not fit, so that the rest can be read on; of a rule, all of it."""
    if path[:1] == ["rule"] and len(path) > 1:
        data["rule"][path[1]] = None
        return
    names = [key for key in path if isinstance(key, str)]
    holder = data
    for key in names if keys else names[:-1]:
        holder = holder.get(key, {})
    for key in keys or names[-1:]:
        holder.pop(key, None)


def _told(error: ValidationError) -> Iterator[tuple[Place, Sentence]]:
    """Yield what a violation comes to: the key below its path, and what is wrong there."""
    rule: Any = error.schema
    value: Any = error.instance
    match error.validator:
        case "additionalProperties":
            for key in value.keys() - rule["properties"].keys():
                yield (key,), _unknown(key, rule["properties"])
        case "required":
            for key in rule["required"]:
                if key not in value:
                    yield (key,), _missing(rule["properties"][key])
        case "anyOf":
            yield ("number",), Sentence("config_number_or_share")
        case "pattern" | "format" if rule["title"] == "name":
            yield (value,), Sentence("config_name")
        case _:
            yield (), _unfit(str(error.validator), rule, value)


def _unfit(keyword: str, rule: Mapping[str, Any], value: Any) -> Sentence:
    """Return what is wrong with a single value."""
    title = rule.get("title", "")
    match keyword:
        case "enum":
            return Sentence("config_choice", choices=", ".join(rule["enum"]))
        case "minimum" | "maximum":
            least, most = rule["minimum"], rule["maximum"]
            return Sentence("config_range", least=f"{least:.7g}", most=f"{most:.10g}")
        case "not":
            return Sentence("config_secret")
        case "minItems":
            return _EMPTY[title]
        case "maxItems":
            return Sentence("config_rules_many", most=rule["maxItems"])
        case "pattern" | "format":
            return _misshapen(title, value)
    if title == "rules":
        return Sentence("config_rules_many", most=rule["maxItems"])
    return Sentence("config_type", wanted=_KINDS[rule["type"]], found=_kind_of(value))


_EMPTY = {
    "command": Sentence("config_command_empty"),
    "places": Sentence("config_places_empty"),
    "windows": Sentence("config_hours_empty"),
}

_KINDS = {
    "string": Sentence("kind_text"),
    "number": Sentence("kind_number"),
    "integer": Sentence("kind_whole"),
    "array": Sentence("kind_list"),
    "object": Sentence("kind_table"),
    "boolean": Sentence("kind_truth"),
}


def _kind_of(value: object) -> Sentence:
    names = {str: "string", bool: "boolean", int: "number", list: "array", dict: "object"}
    if isinstance(value, float):
        return _KINDS["number"] if math.isfinite(value) else Sentence("kind_endless")
    return _KINDS[names[type(value)]] if type(value) in names else Sentence("kind_moment")


def _unknown(key: str, known: Mapping[str, Any]) -> Sentence:
    names = [name for name, rule in known.items() if rule.get("title") != "secret"]
    near = difflib.get_close_matches(key, names, n=1)
    if near:
        return Sentence("config_unknown_near", near=near[0])
    return Sentence("config_unknown", known=", ".join(sorted(names)))


def _missing(rule: Mapping[str, Any]) -> Sentence:
    if "enum" in rule:
        return Sentence("config_missing_choice", choices=", ".join(rule["enum"]))
    return Sentence("config_missing")


def _misshapen(title: str, value: str) -> Sentence:
    if title == "id":
        return Sentence("config_rule_id")
    if title == "place":
        return Sentence("config_no_place", given=repr(value[:60]))
    return Sentence("config_line")
