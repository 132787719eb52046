"""Finds a manifest and reads it into a tree."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bulkrunner.adapters.manifests.files import BOM, FileRefused, JobFolder
from bulkrunner.adapters.manifests.json_text import read_json
from bulkrunner.adapters.manifests.problems import Problems, Stop
from bulkrunner.adapters.manifests.tree import Tree, control_message
from bulkrunner.adapters.manifests.yaml_text import read_yaml
from bulkrunner.domain.job import Source

NAMES = ("job.yaml", "job.yml", "job.json")
MAX_BYTES = 16_000_000

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A manifest that exists.

    Attributes:
        folder: the job folder.
        name: of the manifest in it.
        prefix: the folder as the user named it, for messages.
        again: absolute path that finds the same manifest again.
    """

    folder: JobFolder
    name: str
    prefix: str
    again: Path


def find(path: Path) -> Found:
    """Find the manifest that a job folder or a manifest file stands for.

    Raises:
        ManifestError: there is none, or more than one.
    """
    if path.is_dir():
        return _in_folder(path)
    named = _found(path.parent, path.name)
    if not os.path.lexists(path):
        _refuse(
            named,
            "missing_manifest",
            "there is no such job folder or manifest",
            _where_else(path),
        )
    if path.suffix not in (".yaml", ".yml", ".json"):
        _refuse(named, "not_a_manifest", "a manifest is a .yaml, .yml or .json file")
    return named


def _where_else(path: Path) -> str:
    """Say where a job folder of that name is, one level further down, or how to make one."""
    if path.suffix:
        return ""
    there = sorted(
        folder.as_posix()
        for folder in path.parent.glob(f"*/{glob.escape(path.name)}")
        if any((folder / name).is_file() for name in NAMES)
    )
    if there:
        return f"did you mean {' or '.join(there[:3])}?"
    return f"bulkrunner new {path.name} makes a job folder"


def _in_folder(path: Path) -> Found:
    names = [name for name in NAMES if os.path.lexists(path / name)]
    if not names:
        _refuse(
            _found(path, NAMES[0]),
            "missing_manifest",
            f"the folder holds no manifest ({', '.join(NAMES)})",
        )
    if len(names) > 1:
        _refuse(
            _found(path, names[1]),
            "several_manifests",
            f"the folder holds several manifests: {', '.join(names)}",
            "keep one, or name the file that is meant",
        )
    return _found(path, names[0])


def _found(folder: Path, name: str) -> Found:
    resolved = folder.resolve()
    prefix = "" if str(folder) == "." else str(folder)
    again = resolved if name in NAMES else resolved / name
    return Found(folder=JobFolder(path=resolved), name=name, prefix=prefix, again=again)


def _refuse(found: Found, code: str, message: str, hint: str = "") -> NoReturn:
    problems = Problems(found.prefix)
    problems.add(Source(file=found.name), code, message, hint)
    raise problems.as_error()


def read_tree(found: Found, problems: Problems) -> Tree:
    """Read the manifest.

    Raises:
        ManifestError: it cannot be read on, or is no object.
    """
    try:
        return _read(found, problems)
    except Stop:
        raise problems.as_error() from None


def _read(found: Found, problems: Problems) -> Tree:
    text = _text(found, problems)
    read = read_json if found.name.endswith(".json") else read_yaml
    tree = read(text, found.name, problems)
    whole = Source(file=found.name, line=1, column=1)
    if tree is None or tree.data is None:
        raise problems.stop(whole, "empty", "the manifest is empty")
    if not isinstance(tree.data, dict):
        raise problems.stop(
            tree.source(), "wrong_type", "a manifest is an object: lines of `key: value`"
        )
    return tree


def _text(found: Found, problems: Problems) -> str:
    source = Source(file=found.name)
    try:
        with found.folder.open(found.name) as file:
            size = os.fstat(file.fileno()).st_size
            # The size is looked at first: a huge manifest is not read at all.
            data = file.read(size + 1) if size <= MAX_BYTES else b""
    except FileRefused as refused:
        raise problems.stop(source, refused.code, refused.message, refused.hint) from None
    if size > MAX_BYTES:
        raise problems.stop(
            source,
            "too_large",
            f"the manifest has {size / 1e6:,.0f} MB, more than {MAX_BYTES / 1e6:.0f} MB are not read",
            "put the operations into a JSON Lines file, which may be of any size: "
            "operations: {file: ops.jsonl}",
        )
    if len(data) > size:
        raise problems.stop(source, "file_changed", "the manifest was changed while it was read")
    text = _decode(data, found.name, problems)
    _check_characters(text, found.name, problems)
    return text


def _decode(data: bytes, name: str, problems: Problems) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise problems.stop(
            Source(file=name, line=1, column=1),
            "not_utf8",
            "the manifest is UTF-16",
            "save it as UTF-8",
        )
    try:
        return data.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].rpartition(b"\n")
        source = Source(
            file=name,
            line=error.object.count(b"\n", 0, error.start) + 1,
            column=len(before[2].decode("utf-8", "replace")) + 1,
        )
        raise problems.stop(
            source,
            "not_utf8",
            f"the manifest is not UTF-8 (byte 0x{error.object[error.start]:02X})",
            "save it as UTF-8",
        ) from None


def _check_characters(text: str, name: str, problems: Problems) -> None:
    stop: Stop | None = None
    line, counted = 1, 0
    for letter in _FORBIDDEN.finditer(text):
        line += text.count("\n", counted, letter.start())
        counted = letter.start()
        column = letter.start() - text.rfind("\n", 0, letter.start())
        source = Source(file=name, line=line, column=column)
        stop = problems.stop(source, "control_character", control_message(letter[0]))
    if stop is not None:
        raise stop
