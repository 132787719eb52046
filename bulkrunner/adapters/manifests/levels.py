"""Says where in a manifest a key belongs that stands on the wrong level."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from bulkrunner.adapters.manifests.problems import PathKey
from bulkrunner.adapters.manifests.schema import schema


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
