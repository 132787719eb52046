"""Reads a bundle's members line by line; it may come from anybody."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bulkrunner.adapters.bundles import form
from bulkrunner.errors import ChainBroken, UsageError

_CHUNK = 1 << 16


class Members:
    """The members of an open bundle, each verified against its digest as it is read."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive = archive
        self._path = path
        names = archive.namelist()
        if len(set(names)) != len(names) or form.HEAD not in names:
            raise not_a_bundle(path)
        self.head = self._head()
        wanted = {*form.OF_PLAN, *(form.OF_RUN if self.head["run"] else ())}
        if {*names} != wanted | {form.HEAD} or {*self.head["members"]} != wanted:
            raise ChainBroken(f"{path} has not the members that a bundle has")

    def _head(self) -> dict[str, Any]:
        with self._archive.open(form.HEAD) as member:
            text = member.read(form.MOST_LINE)
        head = json.loads(text)
        if not isinstance(head, dict) or head.get("bundle") != form.VERSION:
            raise UsageError(
                f"{self._path} is a bundle of a form that this version does not know",
                hint="verify it with the version that made it",
                code="not_a_bundle",
            )
        return head

    def one(self, name: str) -> dict[str, Any]:
        """Return the only line of a member."""
        rows = list(self.lines(name))
        if len(rows) != 1:
            raise ChainBroken(f"{name} of the bundle has {len(rows)} lines, not one")
        return rows[0]

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of a member; at its end the digest must be the one that was told."""
        digest = hashlib.sha256()
        with self._archive.open(name) as member:
            while line := member.readline(form.MOST_LINE):
                digest.update(line)
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ChainBroken(f"a line of {name} of the bundle is no object")
                yield row
        self._require(name, digest.hexdigest())

    def whole(self, name: str) -> None:
        """Read a member through.

        Raises:
            ChainBroken: it is not the one that the bundle was made with.
        """
        digest = hashlib.sha256()
        with self._archive.open(name) as member:
            while chunk := member.read(_CHUNK):
                digest.update(chunk)
        self._require(name, digest.hexdigest())

    def _require(self, name: str, found: str) -> None:
        if self.head["members"][name] != f"sha256:{found}":
            raise ChainBroken(f"{name} of the bundle was changed afterwards")


@contextmanager
def opened(path: Path) -> Iterator[Members]:
    """Open a bundle.

    Raises:
        UsageError: it cannot be read, or is no bundle.
        ChainBroken: it is damaged.
    """
    try:
        with path.open("rb") as file:
            yield from _archive(file, path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror or error})", code="not_a_bundle"
        ) from error


def _archive(file: IO[bytes], path: Path) -> Iterator[Members]:
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        raise not_a_bundle(path) from None
    try:
        with archive:
            yield Members(archive, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ChainBroken(f"{path} is damaged ({error})") from error
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as error:
        raise ChainBroken(f"{path} holds what no bundle holds ({error!r})") from error


def not_a_bundle(path: Path) -> UsageError:
    """Return the error of a file that is no bundle."""
    return UsageError(
        f"{path} is no bundle",
        hint="bulkrunner ledger export writes one",
        code="not_a_bundle",
    )
