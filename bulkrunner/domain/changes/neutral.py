"""A change as plain data that is equal in every environment, as a plan keeps it."""

from __future__ import annotations

from typing import Any

from bulkrunner.domain.changes.kinds import (
    AppendChange,
    Change,
    ExampleChange,
    MoveValueChange,
    RemoveChange,
    RemoveItemsChange,
    ReplaceTextChange,
    ReplaceValueChange,
    RetypeChange,
    Scope,
    SetChange,
    Table,
    Template,
)
from bulkrunner.domain.conditions import condition_data
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.values import joined_text, written

MAX_SHOWN = 20
"""Rows of a table that a plan keeps; of longer ones it keeps the digest."""


def neutral_change(change: Change, iris: IriMap) -> dict[str, Any]:
    """Return the change with record IRIs written without a base."""
    return _verb(change, iris) | _scope(change.scope, iris)


def written_change(change: Change) -> dict[str, Any]:
    """Return the change as it is declared, the content of its input files included."""
    return _verb(change, None) | _scope(change.scope, None)


def _verb(change: Change, iris: IriMap | None) -> dict[str, Any]:
    match change:
        case SetChange(at=at, to=to):
            return {"set": {"at": at, "to": neutral_value(at, to, iris)}}
        case RemoveChange(at=at):
            return {"remove": {"at": at}}
        case AppendChange(at=at, value=value):
            return {"append": {"at": at, "value": neutral_value(at, value, iris)}}
        case RemoveItemsChange(at=at, matching=matching):
            return {"remove_items": {"at": at, "matching": condition_data(matching, iris)}}
        case ReplaceValueChange():
            return {"replace_value": _replace_value(change, iris)}
        case ReplaceTextChange():
            return {"replace_text": _replace_text(change)}
        case MoveValueChange(origin=origin, to=goal):
            return {"move_value": {"from": origin, "to": goal}}
        case RetypeChange(at=at, to=name):
            return {"retype": {"at": at, "to": name}}
        case ExampleChange(match=match, result=result):
            forms = {"match": written(match), "result": written(result)}
            return {"example": neutral_value("", forms, iris)}


def _scope(scope: Scope, iris: IriMap | None) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if scope.within is not None:
        data["in"] = scope.within.value
    if scope.each is not None:
        data["in"] = {"each": scope.each}
    if scope.when is not None:
        data["when"] = condition_data(scope.when, iris)
    return data


def _replace_value(change: ReplaceValueChange, iris: IriMap | None) -> dict[str, Any]:
    table = _table(change.table, change.at, iris)
    return {
        "at": change.at,
        "table": table,
        "otherwise": "refuse" if change.refuse_others else "keep",
    }


def _table(table: Table, at: str, iris: IriMap | None) -> dict[str, Any]:
    if len(table.pairs) > MAX_SHOWN:
        return {"digest": table.digest}
    return {
        neutral_value(at, old, iris): neutral_value(at, new, iris)
        for old, new in table.pairs.items()
    }


def _replace_text(change: ReplaceTextChange) -> dict[str, Any]:
    data: dict[str, Any] = {"at": change.at}
    if change.pattern is not None:
        data |= {"pattern": change.pattern.text, "with": _written_template(change.template)}
    else:
        data |= {"find": written(change.find), "with": written(change.into)}
    return data | ({"trim": True} if change.trim else {})


def _written_template(template: Template) -> Any:
    """Return the replacement of a pattern as it is written in a manifest."""
    pieces = [
        f"\\{piece}"
        if isinstance(piece, int)
        else piece.replace("\\", "\\\\")
        if isinstance(piece, str)
        else piece
        for piece in template
    ]
    return written(joined_text(pieces))


def neutral_value(at: str, value: Any, iris: IriMap | None) -> Any:
    """Return a value that is to stand at a place, with record IRIs written without a base."""
    plain = written(value)
    if iris is None:
        return plain
    if isinstance(plain, str) and at.rpartition(".")[2] == "@id":
        return iris.neutral({"@id": plain})["@id"]
    return iris.neutral(plain)
