"""Files: written whole or not at all, those that go with the program, and those not readable."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
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


class BadFile(Exception):
    """A file that cannot be read as what it should be.

    Attributes:
        line: of the file or row of the sheet, from 1; 0 where no single one is meant.
        column: from 1; 0 where no single one is meant.
    """

    def __init__(
        self,
        code: str,
        message: Sentence,
        hint: Sentence | str = "",
        *,
        line: int = 0,
        column: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.line = line
        self.column = column
