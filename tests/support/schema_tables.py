"""The tables of docs/reference/manifest.md and changes.md as the schema says them."""

from __future__ import annotations

from typing import Any

SECTIONS: dict[str, tuple[str | int, ...]] = {
    "Top level": (),
    "agreement": ("properties", "agreement"),
    "ceilings": ("properties", "ceilings"),
    "accept": ("properties", "accept", "items"),
    "policy": ("properties", "policy"),
    "recurring": ("properties", "recurring"),
    "at_most of recurring": ("properties", "recurring", "properties", "at_most"),
    "per_run of recurring": (
        *("properties", "recurring", "properties", "at_most"),
        *("properties", "per_run"),
    ),
    "per_day of recurring": (
        *("properties", "recurring", "properties", "at_most"),
        *("properties", "per_day"),
    ),
    "update": ("$defs", "update"),
    "delete": ("$defs", "delete"),
    "create: holding": ("$defs", "createHolding"),
    "create: bib": ("$defs", "createBib"),
    "changes": ("$defs", "change"),
    "set": ("$defs", "set"),
    "remove": ("$defs", "remove"),
    "append": ("$defs", "append"),
    "replace": ("$defs", "replace"),
    "repoint": ("$defs", "repoint"),
    "parameters": ("$defs", "parameter"),
    "Steps": ("$defs", "step"),
    "ids": ("$defs", "ids"),
    "rows": ("$defs", "rows"),
    "report": ("$defs", "stepReport"),
    "update of a step": ("$defs", "stepUpdate"),
    "delete of a step": ("$defs", "stepDelete"),
    "create of a step": ("$defs", "stepCreate"),
    "move of a step": ("$defs", "stepMove"),
    "repoint of a step": ("$defs", "stepRepoint"),
    "copy of a step": ("$defs", "stepCopy"),
    "merge of a step": ("$defs", "stepMerge"),
    "split of a step": ("$defs", "stepSplit"),
    "revert of a step": ("$defs", "stepRevert"),
    "before_run_of": ("$defs", "stepRevert", "properties", "before_run_of"),
    "undo of a step": ("$defs", "stepUndo"),
    "function of a step": ("$defs", "function"),
    "Changes": ("$defs", "stepChange"),
    "set of a step": ("$defs", "stepSet"),
    "append of a step": ("$defs", "stepAppend"),
    "remove_items": ("$defs", "removeItems"),
    "replace_value": ("$defs", "replaceValue"),
    "table": ("$defs", "table"),
    "replace_text": ("$defs", "replaceText"),
    "move_value": ("$defs", "moveValue"),
    "retype": ("$defs", "retype"),
    "example": ("$defs", "example"),
    "Conditions": ("$defs", "condition"),
    "Tests": ("$defs", "test"),
}


def rows(schema: dict[str, Any], path: tuple[str | int, ...]) -> list[str]:
    """Return the table rows of one object of the schema."""
    node: Any = schema
    for part in path:
        node = node[part]
    required = set(node.get("required", ()))
    found = []
    for key, value in node["properties"].items():
        if "$ref" in value:
            target = schema["$defs"][value["$ref"].rpartition("/")[2]]
            value = {**target, **value}
        need = "required" if key in required else ""
        found.append(f"| `{key}` | {need} | {value['description']} |")
    return found
