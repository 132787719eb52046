"""A ledger made or opened: the store of its parts; a copy that was put back is known."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Row, Select, func, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError

from bulkrunner.adapters.ledger.agreements import Approvals, Clients, StandingApprovals
from bulkrunner.adapters.ledger.audit import Chain
from bulkrunner.adapters.ledger.chain import append_main, read_head
from bulkrunner.adapters.ledger.columns import digest_text
from bulkrunner.adapters.ledger.database import HOME, Database, home_of, parse_url
from bulkrunner.adapters.ledger.evidence import Evidences
from bulkrunner.adapters.ledger.file import PRIVATE, PUT_BACK, Head, HeadFile, Noted, put_in_place
from bulkrunner.adapters.ledger.leases import Advances, Leases, LiveOrders
from bulkrunner.adapters.ledger.maintenance import Backups, Compactions, Exports
from bulkrunner.adapters.ledger.plan_queries import Lookups, Selections
from bulkrunner.adapters.ledger.plans import Plans
from bulkrunner.adapters.ledger.rate_limits import RateLimits
from bulkrunner.adapters.ledger.runs import Runs
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN, SCHEMA_REVISION, events
from bulkrunner.adapters.ledger.writer import GroupWriter, Part
from bulkrunner.adapters.machine import share_folder
from bulkrunner.domain.ledger_port import Restoration
from bulkrunner.domain.ports import Clock
from bulkrunner.errors import (
    BulkRunnerError,
    ConfigError,
    LedgerDamaged,
    LedgerUnavailable,
    UsageError,
)
from bulkrunner.sentences import Sentence

log = logging.getLogger(__name__)

RESTORED = "restored"

# Events that a ledger was moved: the last one of the old, and of the new one the first of its own.
MOVED_TO = "moved_to"
MOVED_HERE = "moved_here"

# Events that a process may have stored that died before it noted the first.
_FEW = 3


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
            if (gone := _moved_away(connection)) is not None:
                return gone
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
        self.settle_here()
        return self.restorations()[-1]

    def settle_here(self) -> None:
        """Note beside the file how far the ledger had come that was moved into it."""
        if self._database.heads is not None:
            self._database.heads.begin(self._newest_heads())

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


def _last_of(connection: Connection, *kinds: str) -> Row[Any] | None:
    query = _of_main().where(events.c.kind.in_(kinds)).order_by(events.c.position.desc())
    return connection.execute(query.limit(1)).first()


def _moved_away(connection: Connection) -> Sentence | None:
    """Return whereto the ledger was moved, unless somebody has taken it up again."""
    last = _last_of(connection, MOVED_TO, MOVED_HERE, RESTORED)
    if last is None or last.kind != MOVED_TO:
        return None
    return Sentence("ledger_was_moved", at=last.at, to=json.loads(last.data)["to"])


def _moved(connection: Connection) -> Sentence | None:
    """Return what is wrong with a ledger on a server."""
    last = _last_of(connection, MOVED_HERE, RESTORED) or _event(connection)
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
        event=row.position,
    )


class LedgerStore:
    """Implements ``domain.ledger_port.Ledger`` on a database; made by ``open_ledger``."""

    def __init__(self, database: Database, clock: Clock, writer: GroupWriter) -> None:
        self._database, self._writer = database, writer
        shared = (database, clock, writer)
        self.plans = Plans(*shared)
        self.lookups = Lookups(*shared)
        self.selections = Selections(*shared)
        self.runs = Runs(*shared)
        self.leases = Leases(*shared)
        self.orders = LiveOrders(*shared)
        self.rate_limits = RateLimits(*shared)
        self.approvals = Approvals(*shared)
        self.evidence = Evidences(*shared)
        self.chain = Chain(*shared)
        self.compactions = Compactions(*shared)
        self.backups = Backups(*shared)
        self.provenance = Provenance(*shared)
        self.exports = Exports(*shared)
        self.clients = Clients(*shared)
        self.standing = StandingApprovals(*shared)
        self.advances = Advances(*shared)

    def time(self) -> datetime | None:
        """Return what the server's clock says; None for a file, or where it cannot be asked."""
        return self._database.time()

    def close(self) -> None:
        """Write what is waiting and close the database."""
        self._writer.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_ledger(url: str, *, clock: Clock) -> LedgerStore:
    """Open the ledger, creating it where there is none.

    Raises:
        ConfigError: the URL or its folder is wrong, or the file is no ledger.
        UsageError: the ledger is of another version of the program.
        LedgerUnavailable: it cannot be read.
    """
    database, found = _opened(url)
    try:
        if found is not None:
            _require_current(found)
    except BulkRunnerError:
        database.close()
        raise
    store = LedgerStore(database, clock, GroupWriter(database, clock))
    store.provenance.follow()
    return store


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring a ledger to this version of the program.

    Returns:
        The revision before and after; the same where there was nothing to do, None before where
        there was no ledger.
    """
    database, found = _opened(url)
    try:
        if found is not None and found > SCHEMA_REVISION:
            _require_current(found)
        if found not in (None, SCHEMA_REVISION):
            _migrate(database)
        return found, SCHEMA_REVISION
    finally:
        database.close()


def _opened(url: str) -> tuple[Database, str | None]:
    """Open a database and tell its revision; where there is none make one, and tell None."""
    parsed = parse_url(url)
    database = Database(parsed)
    try:
        made = database.is_sqlite and _made_file(parsed)
        with database.read() as connection:
            found = None if made else _revision(connection)
        if found is None and not made:
            _migrate(database)
        database.watch()
    except BulkRunnerError:
        database.close()
        raise
    return database, found


def _made_file(url: URL) -> bool:
    """Make a new ledger where there is no file; tells whether that was so.

    Raises:
        ConfigError: there can be none. LedgerDamaged: the file is empty.
    """
    path = Path(url.database or "")
    if not path.parent.is_dir():
        raise ConfigError(
            Sentence("ledger_folder_missing", parent=str(path.parent)),
            hint=Sentence("ledger_folder_missing_hint"),
        )
    if path.is_dir():
        raise ConfigError(Sentence("ledger_is_folder", path=str(path)))
    if path.exists() and not path.is_file():
        raise ConfigError(
            Sentence("ledger_is_device", path=str(path)),
            hint=Sentence("ledger_is_device_hint"),
        )
    try:
        if not path.exists():
            _create(url, path)
            return True
        if path.stat().st_size == 0:
            raise LedgerDamaged(
                Sentence("ledger_empty", path=str(path)),
                hint=Sentence("ledger_empty_hint", path=str(path)),
            )
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LedgerUnavailable(
                Sentence("ledger_disk_full", parent=str(path.parent)),
                hint=Sentence("ledger_disk_full_hint"),
            ) from error
        raise ConfigError(
            Sentence("ledger_not_created", path=str(path), strerror=error.strerror),
            hint=Sentence("ledger_not_created_hint"),
        ) from error
    return False


def _create(url: URL, path: Path) -> None:
    """Make a new ledger, whole from the moment it is there, that only its owner may read."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)  # left by a dead process of that number
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE)
    os.close(handle)
    draft.chmod(PRIVATE)
    try:
        database = Database(url.set(database=str(draft)))
        try:
            _migrate(database)
            database.bring_together()
        finally:
            database.close()
        put_in_place(draft, path)
    finally:
        for left in path.parent.glob(f"{draft.name}*"):
            left.unlink(missing_ok=True)


def _revision(connection: Connection) -> str | None:
    """Return the ledger's revision, or None where the database is empty.

    Raises:
        ConfigError: it holds something else.
    """
    try:
        tables = inspect(connection).get_table_names()
    except DatabaseError as error:
        if "not a database" in str(error.orig):
            raise ConfigError(
                Sentence("ledger_not_one"), hint=Sentence("ledger_check_url")
            ) from error
        raise
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise ConfigError(Sentence("ledger_other_database"), hint=Sentence("ledger_check_url"))
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if found is None:
        raise LedgerDamaged(Sentence("ledger_versionless"), hint=PUT_BACK)
    return str(found)


def _require_current(found: str) -> None:
    if found > SCHEMA_REVISION:
        raise UsageError(
            Sentence("ledger_newer", found=found, schema_revision=SCHEMA_REVISION),
            hint=Sentence("ledger_newer_hint"),
            code="ledger_newer",
        )
    if found < SCHEMA_REVISION:
        raise UsageError(
            Sentence("ledger_outdated", found=found, schema_revision=SCHEMA_REVISION),
            hint=Sentence("ledger_outdated_hint"),
            code="ledger_outdated",
        )


def _migrate(database: Database) -> None:
    # Alembic takes long to import and is needed once in a ledger's life.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(share_folder("migrations")).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
