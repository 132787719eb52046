"""Change sets between the versions of a record."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from bulkrunner.sandbox import documents
from bulkrunner.sandbox.catalogue import Entry
from bulkrunner.sandbox.clock import server_time

_CRUD_TOOL = "https://id.kb.se/generator/crud"
_Path = tuple[str | int, ...]
_MISSING = object()


def change_sets(entry: Entry, zone: ZoneInfo) -> dict[str, Any]:
    """Return the record's change sets, oldest first; the first one names no paths."""
    sets: list[dict[str, Any]] = []
    before: Any = _MISSING
    for version in entry.versions:
        after = entry.document(version)
        added: list[_Path] = []
        removed: list[_Path] = []
        if before is not _MISSING:
            _compare(before, after, (), added, removed)
        agent = documents.link(documents.node(after, 0), "descriptionLastModifier")
        sets.append(
            {
                "@type": "ChangeSet",
                "version": {"@id": f"{entry.record_iri}/data?version={version.number}"},
                "addedPaths": [list(path) for path in added],
                "removedPaths": [list(path) for path in removed],
                "agent": {"@id": agent},
                "date": server_time(version.modified, zone),
                "tool": {"@id": _CRUD_TOOL},
            }
        )
        before = after
    return {"@id": f"{entry.record_iri}/_changesets", "changeSets": sets}


def _compare(
    before: Any, after: Any, path: _Path, added: list[_Path], removed: list[_Path]
) -> None:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            _step(before.get(key, _MISSING), after.get(key, _MISSING), (*path, key), added, removed)
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            old = before[place] if place < len(before) else _MISSING
            new = after[place] if place < len(after) else _MISSING
            _step(old, new, (*path, place), added, removed)
    else:
        added.append(path)
        removed.append(path)


def _step(before: Any, after: Any, path: _Path, added: list[_Path], removed: list[_Path]) -> None:
    if before is _MISSING:
        added.append(path)
    elif after is _MISSING:
        removed.append(path)
    else:
        _compare(before, after, path, added, removed)
