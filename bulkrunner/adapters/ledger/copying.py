"""A ledger moved into another database: every row as it stands, compared, and the old one closed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    Table,
    TypeDecorator,
    func,
    insert,
    select,
    text,
    update,
)

from bulkrunner.adapters.ledger.chain import append_main, read_head
from bulkrunner.adapters.ledger.codecs import lease_of
from bulkrunner.adapters.ledger.database import Database, home_of, parse_url, shown_url
from bulkrunner.adapters.ledger.opening import MOVED_HERE, MOVED_TO, LedgerStore
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN, events, leases, metadata, plans
from bulkrunner.adapters.machine import is_alive
from bulkrunner.domain.ledger_port import RESTORE
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.run import ownership
from bulkrunner.errors import ChainBroken, LedgerDamaged, UsageError
from bulkrunner.sentences import Sentence, verbatim

# What is of use only while processes work: paces, shares of requests, what is waited for.
PASSING = ("paces", "places", "waits", "advances")

# Rows on their way at a time.
PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What was moved: how many rows, and the head that the ledger goes on from."""

    rows: int
    head: str


def move_ledger(source: LedgerStore, target: LedgerStore, *, clock: Clock, by: str) -> Moved:
    """Put all that a ledger holds into an empty one; nothing runs from the first any more.

    Both are written in one transaction each, the old one's mark first: whatever ends this leaves the
    new one empty, or whole.

    Raises:
        UsageError: the target holds something, the source nothing; it is a copy; a run is driven.
        ChainBroken: the source does not fit its own chain.
        LedgerDamaged: what the target holds is not what the source held.
    """
    old, new = source._database, target._database
    _require_empty(new)
    _require_sound(source, old)
    now = clock.now()
    said = {"from": _shown(old), "to": _shown(new), "by": by}
    with new.write() as into:
        with old.write() as out:
            _require_unused(out, clock)
            head = read_head(out, MAIN_CHAIN).text
            append_main(out, MOVED_TO, {**said, "head": head}, at=now)
            rows = sum(_copied(table, out, into) for table in _tables())
            _complete_plans(out, into)
            _count_on(into)
            for table in _tables():
                if _sum(_rows(into, table)) != _sum(_rows(out, table)):
                    raise LedgerDamaged(
                        Sentence("ledger_not_the_same", table=table.name),
                        hint=Sentence("ledger_not_the_same_hint"),
                    )
            append_main(into, MOVED_HERE, {**said, "head": head, **home_of(into)}, at=now)
        reached = read_head(into, MAIN_CHAIN).text
    target.provenance.settle_here()
    return Moved(rows=rows, head=reached)


def require_there(url: str) -> None:
    """Refuse where a ledger's file is missing: to open it would make a new one."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise UsageError(Sentence("ledger_nothing_there", place=shown_url(url)))


def _shown(database: Database) -> str:
    return database.url.render_as_string(hide_password=True)


def _require_empty(database: Database) -> None:
    with database.read() as connection:
        if connection.scalar(select(func.count()).select_from(events)):
            raise UsageError(
                Sentence("ledger_not_empty", place=_shown(database)),
                hint=Sentence("ledger_not_empty_hint"),
                code="ledger_not_empty",
            )


def _require_sound(source: LedgerStore, database: Database) -> None:
    if not source.chain.length():
        raise UsageError(Sentence("ledger_holds_nothing", place=_shown(database)))
    if (why := source.provenance.copied()) is not None:
        raise UsageError(
            Sentence("ledger_copied_on", why=why), hint=verbatim(RESTORE), code="ledger_is_copy"
        )
    if faults := source.chain.check():
        raise ChainBroken(faults[0], hint=Sentence("ledger_broken_hint"))


def _require_unused(connection: Connection, clock: Clock) -> None:
    """Refuse while somebody drives a run, or may still."""
    for row in connection.execute(select(leases).where(leases.c.host.is_not(None))):
        lease = lease_of(row)
        found = ownership(lease, alive=is_alive(lease.owner), now=clock.now())
        if not found.is_free:
            why, todo = found.held()
            raise UsageError(why, hint=todo, code="run_held")


def _tables() -> Iterator[Table]:
    """Yield the tables in an order in which they can be filled, with values as they are stored."""
    for table in metadata.sorted_tables:
        if table.name not in PASSING:
            columns = [Column(column.name, _stored(column.type)) for column in table.columns]
            yield Table(table.name, MetaData(), *columns)


def _stored(kind: Any) -> Any:
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    query = select(table).execution_options(yield_per=PAGE)
    with connection.execute(query) as found:
        for page in found.mappings().partitions():
            yield from (dict(row) for row in page)


def _copied(table: Table, out: Connection, into: Connection) -> int:
    count = 0
    page: list[dict[str, Any]] = []
    for row in _rows(out, table):
        page.append(_unfinished(row) if table.name == plans.name else row)
        if len(page) == PAGE:
            into.execute(insert(table), page)
            count, page = count + len(page), []
    if page:
        into.execute(insert(table), page)
    return count + len(page)


def _unfinished(row: dict[str, Any]) -> dict[str, Any]:
    """Return a plan's row as it is while changes may be added."""
    return {**row, "state": "planning", "plan_digest": None}


def _complete_plans(out: Connection, into: Connection) -> None:
    """Give the plans their states, now that all their changes are there."""
    c = plans.c
    for row in out.execute(select(c.id, c.state, c.plan_digest)).all():
        values = {"state": row.state, "plan_digest": row.plan_digest}
        into.execute(update(plans).where(c.id == row.id).values(values))


def _count_on(connection: Connection) -> None:
    """Let a server number new rows from behind those that were brought."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        if "seq" in table.columns and (most := connection.scalar(select(func.max(table.c.seq)))):
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:name, 'seq'), :most)"),
                {"name": table.name, "most": most},
            )


def _sum(rows: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """Return a digest of rows in whatever order, and their number."""
    total = count = 0
    for row in rows:
        digest = hashlib.sha256(repr(sorted(row.items())).encode("utf-8", "surrogatepass"))
        total, count = total + int.from_bytes(digest.digest(), "big"), count + 1
    return total % (1 << 256), count
