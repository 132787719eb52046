"""Says the changes of a step in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkrunner.adapters.manifests.explaining_values import (
    condition_said,
    joined,
    matching_said,
    name_said,
    place_said,
    value_said,
)

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
