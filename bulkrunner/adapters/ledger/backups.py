"""Copies of a ledger's file, beside it: losing the ledger loses the undo."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.chain import append_main, read_head
from bulkrunner.adapters.ledger.schema import MAIN_CHAIN
from bulkrunner.errors import LedgerUnavailable

PRIVATE = 0o600
UNFINISHED = ".unfinished"


class Backups(Part):
    """Part of the store: see ``domain.ports.KeptLedger``."""

    def back_up(self, label: str, *, keep: int) -> str | None:
        """Copy the ledger's file and remove older copies; None where there is no file to copy.

        Args:
            label: part of the copy's name, e.g. a plan's id.
            keep: copies that stay, this one included; 0: nothing is copied.

        Raises:
            LedgerUnavailable: the copy cannot be written.
        """
        if keep <= 0 or not self._database.is_sqlite:
            return None
        place = Path(self._database.url.database or "")
        now = self._clock.now()
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
        path = place.with_name(f"{place.stem}-backup-{stamp}-{label}{place.suffix}")
        with self._database.write() as connection:
            head = read_head(connection, MAIN_CHAIN).text
            data = {"file": path.name, "head": head}
            append_main(connection, "backed_up", data, at=now)
        self._copy(path)
        _remove_older(place, keep)
        return str(path)

    def _copy(self, path: Path) -> None:
        unfinished = path.with_name(path.name + UNFINISHED)
        try:
            handle = os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_RDWR, PRIVATE)
            os.close(handle)
            self._database.copy_to(str(unfinished))
            _to_disk(unfinished, os.O_RDWR)
            unfinished.replace(path)
            if hasattr(os, "O_DIRECTORY"):  # elsewhere a folder cannot be opened
                _to_disk(path.parent, os.O_RDONLY)
        except OSError as error:
            raise LedgerUnavailable(
                f"the ledger cannot be copied to {path} ({error.strerror or error})",
                hint="make room there; or set [ledger] backups = 0 and copy it yourself",
            ) from error
        finally:
            unfinished.unlink(missing_ok=True)


def _to_disk(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_older(place: Path, keep: int) -> None:
    beginning = f"{place.stem}-backup-"
    copies = sorted(
        found
        for found in place.parent.iterdir()
        if found.name.startswith(beginning) and found.suffix == place.suffix
    )
    for old in copies[:-keep]:
        old.unlink(missing_ok=True)
