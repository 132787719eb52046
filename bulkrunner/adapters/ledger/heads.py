"""How far a ledger's file had come, beside it: a file that does not know that is an older copy.

Everything in a database can be restored with the database. So the newest events are also noted in a
small file of its own, which in turn knows itself: a copy of both is found to be one.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import struct
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bulkrunner.adapters.ledger.file import PRIVATE
from bulkrunner.adapters.ledger.schema import MAIN_CHAIN
from bulkrunner.errors import LedgerUnavailable
from bulkrunner.sentences import Sentence

try:
    import fcntl
except ImportError:  # not on Windows; then a file is known by its number alone
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

SUFFIX = "-head"

_SIZE = 4096
"""Bytes of the file: written at once, so that it is never found half written."""

_GET_GENERATION = 0x80087601
"""Linux' question for the generation of an inode: a number that is given again has another."""

_FLAGS = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))
"""As far as the system has them: Windows knows the last alone."""

Head = tuple[int, str]
"""Position of an event in its chain, and its hash as text."""


@dataclass(frozen=True, kw_only=True)
class Noted:
    """What the file says.

    Attributes:
        first: hash of the ledger's first event, by which it is told from others; empty before it.
        heads: chain → its newest event: the ledger's own chain, and the run written to last.
        path: of the ledger that it is noted of.
        is_itself: whether this is the file that was written, and no copy of it.
    """

    first: str = ""
    heads: Mapping[str, Head] = field(default_factory=dict)
    path: str = ""
    is_itself: bool = True

    def is_copy_of(self, other: Noted | None) -> bool:
        """Return True if the other one is still there and has come no further."""
        return (
            other is not None
            and other.is_itself
            and (other.first, other.heads) == (self.first, self.heads)
        )


class HeadFile:
    """The file beside one ledger. Several processes may write it, each later on.

    Attributes:
        follows: whether what is committed is noted; None until it is known that this is no copy.
    """

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.path = ledger.with_name(ledger.name + SUFFIX)
        self.follows: bool | None = None
        self._last: dict[str, Head] = {}

    def read(self) -> Noted | None:
        """Return what it says; None where it is not there, or says nothing."""
        try:
            handle = os.open(self.path, os.O_RDONLY | _FLAGS)
        except OSError:
            return None
        try:
            return _read(handle)
        finally:
            os.close(handle)

    def begin(self, noted: Noted) -> None:
        """Write it anew, as another file.

        Raises:
            LedgerUnavailable: that is not possible.
        """
        try:
            handle, draft = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
            try:
                try:
                    Path(draft).chmod(PRIVATE)  # whatever the umask takes away
                    self._write(handle, noted)
                    os.fsync(handle)
                finally:
                    os.close(handle)  # a file that is open keeps its name on Windows
                os.replace(draft, self.path)  # noqa: PTH105 (mkstemp gives no path)
            except OSError:
                Path(draft).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise LedgerUnavailable(
                Sentence(
                    "ledger_heads_unwritten",
                    path=str(self.path),
                    strerror=str(error.strerror or error),
                ),
                hint=Sentence("ledger_heads_unwritten_hint"),
            ) from error
        self.follows, self._last = True, dict(noted.heads)

    def remove(self) -> None:
        """Forget what is noted."""
        self.path.unlink(missing_ok=True)

    def note(self, heads: Mapping[str, Head]) -> None:
        """Note the newest events, after they have been committed.

        What cannot be noted is no reason to stop: the file then only says less than it might.
        """
        if any(head[0] < self._last.get(chain, head)[0] for chain, head in heads.items()):
            self.follows = False  # the ledger was put back under this process
            return
        self._last = {**self._last, **heads}
        try:
            handle = os.open(self.path, os.O_RDWR | _FLAGS)
            try:
                said = _read(handle)
                if said is None or not said.is_itself:
                    self.follows = False
                    return
                # Another process may have been further.
                main = max(
                    (found[MAIN_CHAIN] for found in (said.heads, heads) if MAIN_CHAIN in found),
                    default=None,
                )
                known = {} if main is None else {MAIN_CHAIN: main}
                found = {**said.heads, **heads, **known}
                self._write(handle, Noted(first=said.first, heads=found))
            finally:
                os.close(handle)
        except OSError as error:
            log.warning("%s cannot be written: %s", self.path, error)

    def _write(self, handle: int, noted: Noted) -> None:
        runs = {chain: head for chain, head in noted.heads.items() if chain != MAIN_CHAIN}
        main = {chain: head for chain, head in noted.heads.items() if chain == MAIN_CHAIN}
        said = {
            "ledger": str(self.ledger.resolve()),
            "first": noted.first,
            "heads": {**main, **dict(list(runs.items())[-1:])},
            "file": _identity(handle),
        }
        content = json.dumps(said).encode().ljust(_SIZE - 1) + b"\n"
        os.lseek(handle, 0, os.SEEK_SET)
        if os.write(handle, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read(handle: int) -> Noted | None:
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        said = json.loads(os.read(handle, _SIZE))
        heads = {str(chain): (int(at), str(head)) for chain, (at, head) in said["heads"].items()}
        itself = list(said["file"]) == _identity(handle)
        path = str(said["ledger"])
        return Noted(first=str(said["first"]), heads=heads, path=str(path), is_itself=itself)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _identity(handle: int) -> list[int]:
    """Return what tells a file from its copies, also from one that was given its number again."""
    generation = 0
    with suppress(OSError, AttributeError):
        answer = fcntl.ioctl(handle, _GET_GENERATION, bytes(8))
        generation = struct.unpack("=q", answer)[0] & 0xFFFF_FFFF
    return [os.fstat(handle).st_ino, generation]
