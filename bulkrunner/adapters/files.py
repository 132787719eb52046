"""Files: written whole or not at all, and the characters that no name of one may have."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bulkrunner.errors import UsageError, why_of
from bulkrunner.sentences import Sentence


def shares(wants: Sequence[int], places: int, turn: int) -> list[int]:
    """Return how many places each process may have; together no more than there are.

    Nobody gets fewer than it wants while another has more than it; what nobody wants is given out
    evenly too, so that whoever is alone has all. Where there are more processes than places, each
    has one in its turn.

    Args:
        wants: places that each process could use now, at least 1.
        places: how many there are.
        turn: a number that grows with time.
    """
    count = len(wants)
    if count > places:
        begin = turn % count
        lucky = {(begin + place) % count for place in range(places)}
        return [int(number in lucky) for number in range(count)]
    given = [0] * count
    left = places
    while left and (hungry := [n for n in range(count) if given[n] < wants[n]]):
        for number in hungry[:left]:
            given[number] += 1
        left -= len(hungry[:left])
    return [one + left // count + (n < left % count) for n, one in enumerate(given)]


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


_PACKAGE = Path(__file__).resolve().parent


def share_folder(name: str) -> Path:
    """Return the folder ``migrations``, ``jobs`` or ``templates``.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for candidate in (_PACKAGE / "_share" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the installation has no folder {name}")
