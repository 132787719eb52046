"""What the parts of the store have in common."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Table, select

from bulkrunner.adapters.ledger.database import Database
from bulkrunner.adapters.ledger.writer import GroupWriter
from bulkrunner.domain.ports import Clock
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence

PAGE = 500
"""Rows read at a time by everything that streams."""

_SHOWN = 10


class Part:
    """A part of the store: the database, the clock and the group writer."""

    def __init__(self, database: Database, clock: Clock, writer: GroupWriter) -> None:
        self._database = database
        self._clock = clock
        self._writer = writer


def find_by_prefix(connection: Connection, table: Table, prefix: str, what: str) -> Row[Any]:
    """Return the row whose id is this, or the only one whose id begins with it.

    Raises:
        UsageError: none, or several.
    """
    row = connection.execute(select(table).where(table.c.id == prefix)).first()
    if row is not None:
        return row
    begins = table.c.id.startswith(prefix, autoescape=True)
    query = select(table.c.id).where(begins).order_by(table.c.seq.desc()).limit(_SHOWN + 1)
    # Some databases compare beginnings without regard to case.
    found = [item for item in connection.scalars(query) if item.startswith(prefix)]
    if not found or not prefix:
        raise UsageError(
            Sentence("prefix_unknown_plan", prefix=repr(prefix))
            if what == "plan"
            else Sentence("prefix_unknown_run", prefix=repr(prefix)),
            hint=Sentence("prefix_unknown_hint"),
            code=f"unknown_{what}",
        )
    if len(found) > 1:
        shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        raise UsageError(
            Sentence("prefix_ambiguous_plan", prefix=repr(prefix), shown=shown)
            if what == "plan"
            else Sentence("prefix_ambiguous_run", prefix=repr(prefix), shown=shown),
            hint=Sentence("prefix_ambiguous_hint"),
            code="ambiguous_id",
        )
    return connection.execute(select(table).where(table.c.id == found[0])).one()
