"""Whether the ledger is the one that was written to last, or a copy that was put back."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.chain import append_main, read_head
from bulkrunner.adapters.ledger.columns import digest_text
from bulkrunner.adapters.ledger.database import HOME, home_of
from bulkrunner.adapters.ledger.heads import Head, HeadFile, Noted
from bulkrunner.adapters.ledger.schema import MAIN_CHAIN, events
from bulkrunner.domain.ledger_port import Restoration
from bulkrunner.errors import LedgerUnavailable
from bulkrunner.sentences import Sentence

log = logging.getLogger(__name__)

RESTORED = "restored"

_FEW = 3
"""Events that a process may have stored that died before it noted the first."""


class Provenance(Part):
    """Part of the store."""

    def copied(self) -> Sentence | None:
        """Return what says that this is a copy, or an older state; None where nothing does."""
        file = self._database.heads
        # Looked at before the ledger: what is noted was committed.
        noted = None if file is None else file.read()
        with self._database.read() as connection:
            newest = _event(connection, newest=True)
            if newest is None:
                return None
            why = _moved(connection) if file is None else _doubt(connection, noted, file.ledger)
            if why is not None and newest.kind == "backed_up":
                return Sentence("ledger_is_copy", at=newest.at, why=why)
            return why

    def restorations(self) -> list[Restoration]:
        """Return who said that this ledger is to be used though it was a copy, oldest first."""
        query = _of_main().where(events.c.kind == RESTORED).order_by(events.c.position)
        with self._database.read() as connection:
            return [_restoration(row) for row in connection.execute(query)]

    def restore(self, *, by: str, reason: str, recorded_by: str) -> Restoration:
        """Enter that this ledger is to be used; from now on it is the one."""
        was = self.copied()
        now = self._clock.now()
        with self._database.write() as connection:
            latest = connection.scalar(select(func.max(events.c.at)))
            said = {
                "by": by,
                "reason": reason,
                "recorded_by": recorded_by,
                "known_until": latest or now.isoformat(),
                "was": was or "",
                **home_of(connection),
            }
            append_main(connection, RESTORED, said, at=now)
        if self._database.heads is not None:
            self._database.heads.begin(self._newest_heads())
        return self.restorations()[-1]

    def follow(self) -> None:
        """Have the newest events noted beside the ledger's file from now on, unless it is a copy."""
        file = self._database.heads
        if file is None:
            return
        if file.read() is not None and self._newest_heads() == Noted():
            file.remove()  # it was noted of a ledger that is gone
        self._database.after_commit = self._note

    def _newest_heads(self) -> Noted:
        with self._database.read() as connection:
            first = _event(connection)
            head = read_head(connection, MAIN_CHAIN)
        if first is None:
            return Noted()
        return Noted(first=digest_text(first.hash), heads={MAIN_CHAIN: (head.position, head.text)})

    def _note(self, heads: Mapping[str, Head]) -> None:
        file = self._database.heads
        if file is None or file.follows is False:
            return
        if file.follows:
            file.note(heads)
            return
        file.follows = self.copied() is None
        if not file.follows:
            return
        noted = file.read()
        if noted is not None and noted.is_itself:
            file.note(heads)
            return
        try:
            file.begin(self._newest_heads())
        except LedgerUnavailable as error:  # what was to be noted is on disk all the same
            file.follows = None
            log.warning("%s", error)


def _moved(connection: Connection) -> Sentence | None:
    """Return what is wrong with a ledger on a server."""
    query = _of_main().where(events.c.kind == RESTORED).order_by(events.c.position.desc()).limit(1)
    last = connection.execute(query).first() or _event(connection)
    then = None if last is None else json.loads(last.data).get(HOME)
    if then is None or then == home_of(connection)[HOME]:
        return None
    return Sentence("ledger_read_in")


def _doubt(connection: Connection, noted: Noted | None, here: Path) -> Sentence | None:
    """Return what is wrong with a ledger's file, by what is noted beside it."""
    if noted is None:
        if _is_new(connection):
            return None
        return Sentence("ledger_moved_alone")
    if not noted.is_itself and not _is_duplicate(noted, here):
        return Sentence("ledger_moved_together")
    first = _event(connection)
    if first is None or digest_text(first.hash) != noted.first:
        return Sentence("ledger_of_another")
    for chain, (position, head) in noted.heads.items():
        of_chain = (events.c.chain == chain, events.c.position == position)
        there = connection.scalar(select(events.c.hash).where(*of_chain))
        if there is None:
            last = _event(connection, newest=True)
            if last is None:
                return Sentence("ledger_lags")
            return Sentence("ledger_lags_since", at=last.at)
        if digest_text(there) != head:
            return Sentence("ledger_twice")
    return None


def _is_duplicate(noted: Noted, here: Path) -> bool:
    """Return True for the copy of a ledger that is there still, and has come no further."""
    there = Path(noted.path)
    return there != here.resolve() and noted.is_copy_of(HeadFile(there).read())


def _is_new(connection: Connection) -> bool:
    """Return True where a process can have died that began it and had noted nothing yet."""
    count = connection.scalar(select(func.count()).select_from(_some()))
    return count is not None and count <= _FEW


def _some() -> Any:
    return select(events.c.position).limit(_FEW + 1).subquery()


def _of_main() -> Select[Any]:
    return select(events).where(events.c.chain == MAIN_CHAIN)


def _event(connection: Connection, *, newest: bool = False) -> Row[Any] | None:
    """Return the first or newest event of the ledger's own chain."""
    position = events.c.position
    query = _of_main().order_by(position.desc() if newest else position).limit(1)
    return connection.execute(query).first()


def _restoration(row: Row[Any]) -> Restoration:
    data = json.loads(row.data)
    return Restoration(
        at=datetime.fromisoformat(row.at),
        by=data["by"],
        reason=data["reason"],
        recorded_by=data["recorded_by"],
        known_until=datetime.fromisoformat(data["known_until"]),
        was=data["was"],
    )
