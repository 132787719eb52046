"""The policy file: rules over plans, each with its source."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bulkrunner.config.file import Faults, Table, read_config_file
from bulkrunner.domain.environment import CEILING_KEYS
from bulkrunner.domain.rules import KB_RULES, MOST_RULES, Level, Rule, RuleKind
from bulkrunner.domain.windows import parse_window

_ID = re.compile(r"[a-z][a-z0-9-]{0,59}")
_PLACE = re.compile(r"(@record\.)?[^\s.\[\]\"'\\@]+(\.[^\s.\[\]\"'\\]+)*")
_MOST_CHANGES = 10**9
_MOST_PEOPLE = 10


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read a policy file.

    Raises:
        ConfigError: it cannot be read, or with every fault found.
    """
    file = read_config_file(path)
    faults = Faults(file)
    top = Table(file.data, (), faults)
    top.only(("rule",))
    items = top.data.get("rule", [])
    if not isinstance(items, list) or len(items) > MOST_RULES:
        top.fault("rule", f"must be at most {MOST_RULES} tables, each begun with [[rule]]")
        items = []
    found: dict[str, Rule] = {}
    for number, item in enumerate(items, start=1):
        table = Table(item, ("rule", str(number)), faults)
        rule = _rule(table)
        if rule is None:
            continue
        if rule.id in found or rule.id in {known.id for known in KB_RULES}:
            table.fault("id", f"another rule is called {rule.id}")
        found[rule.id] = rule
    faults.raise_if_any()
    return tuple(found.values())


def _rule(table: Table) -> Rule | None:
    kind = table.choice("kind", _READERS)
    name = _demanded(table, "id")
    source = _demanded(table, "source")
    if name is not None and not _ID.fullmatch(name):
        table.fault("id", "must have small letters, digits and dashes, a letter first")
        return None
    if kind is None:
        if "kind" not in table:
            table.fault("kind", f"is missing; one of {', '.join(_READERS)}")
        return None
    values = _READERS[kind](table)
    if name is None or source is None or values is None:
        return None
    return Rule(id=name, kind=RuleKind(kind), source=source, **values)


def _demanded(table: Table, key: str) -> str | None:
    value = table.text(key)
    if key not in table:
        table.fault(key, "is missing")
    return value


_COMMON = ("id", "kind", "source")


def _agreement(table: Table) -> dict[str, Any]:
    table.only((*_COMMON, "level"))
    return {"level": _level(table)}


def _most(table: Table) -> dict[str, Any] | None:
    table.only((*_COMMON, "level", "action", "number", "share"))
    action = table.choice("action", CEILING_KEYS)
    number = table.whole("number", least=0, most=_MOST_CHANGES)
    share = table.number("share", least=0, most=1)
    if "action" not in table:
        table.fault("action", f"is missing; one of {', '.join(CEILING_KEYS)}")
    if "number" not in table and "share" not in table:
        table.fault("number", "is missing; or give share, from 0 to 1")
    if action is None or (number is None and share is None):
        return None
    return {"level": _level(table), "action": action, "number": number, "share": share}


def _places(table: Table) -> dict[str, Any] | None:
    table.only((*_COMMON, "places"))
    places = table.texts("places") or ()
    if not places:
        table.fault(
            "places", "must name at least one place, as shelfMark or @record.descriptionNote"
        )
    for place in places:
        if not _PLACE.fullmatch(place):
            table.fault("places", f"{place[:60]!r} is no place; write keys with dots between them")
    return {"places": places} if places else None


def _hours(table: Table) -> dict[str, Any] | None:
    table.only((*_COMMON, "hours"))
    given = table.texts("hours") or ()
    if not given:
        table.fault("hours", 'must name at least one window, as "22:00-06:00"')
    for window in given:
        try:
            parse_window(window)
        except ValueError as error:
            table.fault("hours", f"{window[:20]!r} {error}")
    return {"hours": given} if given else None


def _approvers(table: Table) -> dict[str, Any] | None:
    table.only((*_COMMON, "above", "people"))
    above = table.whole("above", least=0, most=_MOST_CHANGES)
    people = table.whole("people", least=2, most=_MOST_PEOPLE)
    if "above" not in table:
        table.fault("above", "is missing; the number of changes above which it counts")
    return None if above is None else {"above": above, "people": people or 2}


def _level(table: Table) -> Level:
    return Level(table.choice("level", [level.value for level in Level]) or Level.REFUSE)


_READERS: dict[str, Callable[[Table], dict[str, Any] | None]] = {
    RuleKind.AGREEMENT.value: _agreement,
    RuleKind.MOST.value: _most,
    RuleKind.PLACES.value: _places,
    RuleKind.HOURS.value: _hours,
    RuleKind.APPROVERS.value: _approvers,
}
