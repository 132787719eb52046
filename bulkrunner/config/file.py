"""Reading a TOML file with care: bounded, every fault at once, with the line where it can be told."""

from __future__ import annotations

import difflib
import math
import os
import re
import stat
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkrunner.errors import ConfigError

MOST_BYTES = 1024 * 1024

_KINDS = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


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
                raise ConfigError(f"{path} is no file.")
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"The configuration {path} cannot be read: {error.strerror or error}."
        ) from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"The configuration {path} is longer than {MOST_BYTES} bytes.")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no TOML file: {error}") from None
    own = facts.st_uid == os.getuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return ConfigFile(path=path, text=text, data=data, own=own)


class Faults:
    """Collects every fault of one file."""

    def __init__(self, file: ConfigFile | None) -> None:
        self._file = file
        self._found: list[tuple[int, str]] = []

    def add(self, place: tuple[str, ...], message: str) -> None:
        """Note one fault at a key (the last of the place)."""
        line = _line_of(self._file.text, place) if self._file else 0
        self._found.append((line, f"{'.'.join(place)}: {message}"))

    def raise_if_any(self) -> None:
        """Raise all of them as one error.

        Raises:
            ConfigError: there was any.
        """
        if not self._found:
            return
        name = str(self._file.path) if self._file else "configuration"
        lines = [
            f"{name}:{line}: {message}" if line else f"{name}: {message}"
            for line, message in sorted(self._found)
        ]
        raise ConfigError("\n".join(lines), hint="See docs/reference/configuration.md.")


def _line_of(text: str, place: tuple[str, ...]) -> int:
    """Return the line of a key, or of its table; 0 where it cannot be told."""
    table: tuple[str, ...] = ()
    items: dict[tuple[str, ...], int] = {}
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


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


class Table:
    """One table of the file; takes its values out by name and type and notes what is wrong."""

    def __init__(self, data: Any, place: tuple[str, ...], faults: Faults) -> None:
        self.place = place
        self.faults = faults
        if not isinstance(data, dict):
            faults.add(place, "must be a table")
            data = {}
        self.data: dict[str, Any] = data

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def fault(self, key: str, message: str) -> None:
        """Note a fault of one key."""
        self.faults.add((*self.place, key), message)

    def only(self, known: Collection[str]) -> None:
        """Note every key that is not known, with a suggestion."""
        for key in self.data:
            if key in known:
                continue
            near = difflib.get_close_matches(key, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
            self.fault(key, f"unknown key; {advice}")

    def table(self, key: str) -> Table:
        """Return a table inside this one, empty where it is absent."""
        return Table(self.data.get(key, {}), (*self.place, key), self.faults)

    def text(self, key: str) -> str | None:
        """Return text, None where it is absent or wrong."""
        value: str | None = self._typed(key, str)
        if value is not None and (not value.strip() or not value.isprintable()):
            self.fault(key, "must be text of one line, and not empty")
            return None
        return value

    def choice(self, key: str, choices: Iterable[str]) -> str | None:
        """Return one of the words, None where it is absent or wrong."""
        value = self.text(key)
        known = list(choices)
        if value is not None and value not in known:
            self.fault(key, f"must be one of {', '.join(known)}")
            return None
        return value

    def number(self, key: str, *, least: float, most: float) -> float | None:
        """Return a number within bounds, None where it is absent or wrong."""
        value = self.data.get(key)
        if key not in self.data:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fault(key, f"must be a number, not {_kind(value)}")
            return None
        if not math.isfinite(value) or not least <= value <= most:
            self.fault(key, f"must be from {least:g} to {most:g}")
            return None
        return float(value)

    def whole(self, key: str, *, least: int, most: int) -> int | None:
        """Return a whole number within bounds, None where it is absent or wrong."""
        value = self.number(key, least=least, most=most)
        if value is not None and not isinstance(self.data[key], int):
            self.fault(key, "must be a whole number")
            return None
        return None if value is None else int(value)

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Return a list of texts, None where it is absent or wrong."""
        value = self._typed(key, list)
        if value is None:
            return None
        if not all(isinstance(item, str) and item and item.isprintable() for item in value):
            self.fault(key, "must be a list of texts of one line")
            return None
        return tuple(value)

    def _typed(self, key: str, kind: type) -> Any:
        value = self.data.get(key)
        if key in self.data and not isinstance(value, kind):
            self.fault(key, f"must be {_KINDS[kind]}, not {_kind(value)}")
            return None
        return value


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a date or time")
