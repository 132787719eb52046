"""Files: written whole or not at all, read by lines that are bounded, and those of the program."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bulkrunner.errors import UsageError, why_of
from bulkrunner.sentences import Sentence


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; it takes the path's place only when everything is on disk.

    Raises:
        UsageError: the file cannot be written.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        with _written_into(path) as file:
            yield file
        return
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error


def made_folder(folder: Path) -> Path:
    """Return the folder, made where it is not there. UsageError: it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(folder, error) from error
    return folder


@contextmanager
def _written_into(path: Path) -> Iterator[BinaryIO]:
    """Give a device or a pipe to write to: nothing may take its place."""
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> UsageError:
    return UsageError(
        Sentence("report_not_written", path=str(path), why=why_of(error)),
        hint=Sentence("report_not_written_hint"),
        code="not_written",
    )


_PACKAGE = Path(__file__).resolve().parents[1]


def share_folder(name: str) -> Path:
    """Return the folder ``migrations``, ``jobs`` or ``templates``.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for candidate in (_PACKAGE / "_share" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the installation has no folder {name}")


BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end; ``whole`` is False where it was longer than the limit and cut."""

    number: int
    data: bytes
    whole: bool


def lines_of(file: BinaryIO, limit: int) -> Iterator[Line]:
    """Yield the lines of a file, each read up to a limit; a byte order mark is dropped."""
    number = 0
    while data := file.readline(limit + 2):
        number += 1
        if number == 1:
            data = data.removeprefix(BOM)
        whole = data.endswith(b"\n") or len(data) < limit + 2
        if not whole:
            whole = _skip_rest(file)
        text = data.removesuffix(b"\n").removesuffix(b"\r")
        yield Line(number, text, whole and len(text) <= limit)


def _skip_rest(file: BinaryIO) -> bool:
    """Read on to the end of the line; True where nothing but the line's end was left."""
    nothing = True
    while data := file.readline(1 << 16):
        nothing = nothing and data in (b"\n", b"\r\n")
        if data.endswith(b"\n"):
            break
    return nothing
