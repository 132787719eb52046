"""Turns the selection of a step, as written, into what reads its input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bulkrunner.adapters.manifests.files import JobFolder
from bulkrunner.adapters.manifests.problems import PathKey
from bulkrunner.adapters.manifests.selections import (
    IdFile,
    InlineIds,
    ReportLines,
    Selection,
    TableRows,
)
from bulkrunner.adapters.manifests.tree import Tree
from bulkrunner.adapters.tables import Form
from bulkrunner.domain.identifiers import Number
from bulkrunner.domain.job import Source
from bulkrunner.domain.text_functions import parse_call

Path = tuple[PathKey, ...]

SELECTIONS = ("ids", "rows", "report", "find", "library")
"""Keys of a step that say which records are meant."""

APPLIED = ("applied",)


def selection_of(
    step: Mapping[str, Any],
    path: Path,
    tree: Tree,
    folder: JobFolder,
    wanted: Mapping[str, Source],
) -> Selection:
    """Return what reads the input of a step that fits the schema.

    Args:
        step: as written.
        path: its own in the manifest.
        tree: the manifest.
        folder: holds the input.
        wanted: columns that the step's values refer to, each with its place.
    """
    if "rows" in step:
        return replace(_rows(step["rows"], (*path, "rows"), tree, folder), wanted=wanted)
    if "report" in step:
        return _report(step["report"], (*path, "report"), tree, folder)
    return ids_of(step["ids"], (*path, "ids"), tree, folder)


def ids_of(declared: Any, path: Path, tree: Tree, folder: JobFolder) -> Selection:
    """Return what reads a list of ids, in the manifest or in a file."""
    long = declared if isinstance(declared, dict) else {}
    meanings = meanings_of(long.get("as"))
    listed = declared if isinstance(declared, list) else long.get("list")
    if listed is not None:
        at = path if isinstance(declared, list) else (*path, "list")
        places = [(text, tree.source((*at, number))) for number, text in enumerate(listed)]
        return InlineIds(ids=places, meanings=meanings)
    return IdFile(
        folder=folder,
        name=long.get("file", declared),
        at=tree.source((*path, "file")),
        meanings=meanings,
        encoding=long.get("encoding"),
    )


def meanings_of(declared: Any) -> tuple[Number, ...]:
    """Return what bare numbers are taken for."""
    words = declared if isinstance(declared, list) else [declared] if declared else []
    return tuple(Number(word) for word in words)


def _rows(declared: Mapping[str, Any], path: Path, tree: Tree, folder: JobFolder) -> TableRows:
    return TableRows(
        folder=folder,
        name=declared["file"],
        at=tree.source((*path, "file")),
        key=str(declared["key"]),
        key_at=tree.source((*path, "key")),
        form=Form(
            encoding=declared.get("encoding"),
            separator=declared.get("separator"),
            header=declared.get("header", True),
            columns=tuple(declared.get("columns", ())),
            quotes=declared.get("quotes", True),
            sheet=declared.get("sheet"),
            hidden=declared.get("hidden"),
        ),
        clean={
            name: tuple(parse_call(text) for text in texts)
            for name, texts in declared.get("clean", {}).items()
        },
        cleaned_at={
            name: tree.source((*path, "clean", name), key=name)
            for name in declared.get("clean", {})
        },
        meanings=meanings_of(declared.get("as")),
    )


def _report(declared: Mapping[str, Any], path: Path, tree: Tree, folder: JobFolder) -> Selection:
    others = any(key in declared for key in ("actions", "codes"))
    return ReportLines(
        folder=folder,
        name=declared["file"],
        at=tree.source((*path, "file")),
        outcomes=frozenset(declared.get("outcomes", () if others else APPLIED)),
        actions=frozenset(declared.get("actions", ())),
        codes=frozenset(declared.get("codes", ())),
    )
