"""A ledger made or opened: the store of all its parts; one of another version is left alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError

import bulkrunner
from bulkrunner.adapters.ledger.approvals import Approvals, Clients
from bulkrunner.adapters.ledger.audit import Chain
from bulkrunner.adapters.ledger.database import Database, parse_url
from bulkrunner.adapters.ledger.evidence import Evidences
from bulkrunner.adapters.ledger.file import PRIVATE, PUT_BACK, put_in_place
from bulkrunner.adapters.ledger.leases import Leases
from bulkrunner.adapters.ledger.maintenance import Backups, Compactions, Exports
from bulkrunner.adapters.ledger.orders import LiveOrders
from bulkrunner.adapters.ledger.plan_queries import Lookups, Selections
from bulkrunner.adapters.ledger.plans import Plans
from bulkrunner.adapters.ledger.provenance import Provenance
from bulkrunner.adapters.ledger.rate_limits import RateLimits
from bulkrunner.adapters.ledger.runs import Runs
from bulkrunner.adapters.ledger.schema import SCHEMA_REVISION
from bulkrunner.adapters.ledger.writer import GroupWriter
from bulkrunner.domain.ports import Clock
from bulkrunner.errors import (
    BulkRunnerError,
    ConfigError,
    LedgerDamaged,
    LedgerUnavailable,
    UsageError,
)
from bulkrunner.sentences import Sentence


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


def migrations_folder() -> Path:
    """Return where the migrations are: beside the package in a checkout, inside it in a wheel."""
    package = Path(bulkrunner.__file__).parent
    packed = package / "_share" / "migrations"
    return packed if packed.is_dir() else package.parent / "migrations"


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
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
