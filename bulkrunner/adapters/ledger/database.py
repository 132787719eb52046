"""The database itself: connections, transactions, and its errors in the program's own words.

The one place that knows which database it is.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    Insert,
    QueuePool,
    Table,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    PendingRollbackError,
    SQLAlchemyError,
)
from sqlalchemy.util import LRUCache

from bulkrunner.adapters.ledger.file import PUT_BACK, Head, HeadFile, LedgerFile
from bulkrunner.errors import (
    BulkRunnerError,
    ConfigError,
    LedgerAway,
    LedgerDamaged,
    LedgerUnavailable,
)
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

# How long a write waits for another process to finish its own.
BUSY_SECONDS = 30.0

# How long closing waits for a thread that is in the middle of a transaction.
LAST_SECONDS = 3.0

# A server that is gone without a word is noticed within half a minute.
ALIVE = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

_WRITES = "ledger_writes"

# Where a connection keeps the heads of the chains that its transaction has added to.
COMMITTING = "committing"

# Key of a ledger's first event, and of each restoration: where on which server it is.
HOME = "home"

# Lets one writer at a time into a database on a server, as a file does by itself.
_ALONE = text(
    f"SELECT set_config('lock_timeout', '{BUSY_SECONDS:.0f}s', true), "
    "pg_advisory_xact_lock(6401209215)"
)


class Database:
    """One ledger's engine. A write transaction excludes every other from its beginning."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._file = None if _is_server(url) else LedgerFile(Path(url.database or ""))
        self.heads = None if self._file is None else HeadFile(self._file.path)
        self.after_commit: Callable[[Mapping[str, Head]], None] | None = None
        self._engine = _engine(url, self._file)
        self._jotting: Engine | None = None
        self._closed = False
        self._writing = threading.RLock()
        self._upserts: dict[str, Insert] = {}

    @property
    def is_sqlite(self) -> bool:
        """Whether the ledger is a file."""
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def read(self, *, steady: bool = False) -> Iterator[Connection]:
        """Open a transaction that sees one state of the ledger.

        Args:
            steady: also from one statement to the next; a file is always read so.
        """
        self._look()
        with translated(), self._engine.connect() as connection:
            if steady and not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that is committed at the end, or rolled back on any error."""
        with self._writing:
            self._look()
            with translated(), self._engine.connect() as connection:
                connection.execution_options(**{_WRITES: True})
                connection.info.pop(COMMITTING, None)
                with connection.begin():
                    if not self.is_sqlite:
                        connection.execute(_ALONE)
                    yield connection
                committed = connection.info.pop(COMMITTING, None)
            if committed and self.after_commit is not None:
                self.after_commit(committed)

    @contextmanager
    def jot(self) -> Iterator[Connection]:
        """Open a transaction like ``write`` that does not wait for the disk.

        It may be lost when the power fails; for what is of no use after that anyhow.
        """
        with self._writing:
            self._look()
            if self._jotting is None:
                self._jotting = _engine(self.url, self._file, synchronous="NORMAL")
            with translated(), self._jotting.connect() as connection:
                connection.execution_options(**{_WRITES: True})
                with connection.begin():
                    yield connection

    def time(self) -> datetime | None:
        """Return what the server's clock says; None for a file, or where it cannot be asked."""
        if self.is_sqlite:
            return None
        try:
            with self.read() as connection:
                told: datetime = connection.scalars(text("SELECT clock_timestamp()")).one()
                return told
        except (LedgerUnavailable, SQLAlchemyError):
            return None

    def insert_new(self, table: Table) -> Insert:
        """Return an insert that leaves rows that are already there as they are."""
        return self._insert(table).on_conflict_do_nothing()

    def upsert(self, table: Table) -> Insert:
        """Return an insert that replaces all but the key of a row that is already there."""
        if table.name not in self._upserts:
            keys = list(table.primary_key.columns)
            names = [column.name for column in table.columns if column not in keys]
            statement = self._insert(table)
            self._upserts[table.name] = statement.on_conflict_do_update(
                index_elements=keys, set_={name: statement.excluded[name] for name in names}
            )
        return self._upserts[table.name]

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        if self.is_sqlite:
            return sqlite.insert(table)
        # Takes long to import, and most ledgers are files.
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert(table)

    def damages(self, connection: Connection) -> list[Sentence]:
        """Return what the database itself finds wrong with its file and its references."""
        if not self.is_sqlite:
            return []
        found = [
            Sentence("ledger_file_damage", words=str(row[0]))
            for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")
            if row[0] != "ok"
        ]
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(20)
        return found + [
            Sentence("ledger_row_dangling", table=row[0], row=row[1]) for row in orphans
        ]

    def size(self) -> int | None:
        """Return the bytes of the file, None where the ledger is none."""
        if not self.is_sqlite:
            return None
        with self.read() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar() or 0
            return pages * (connection.exec_driver_sql("PRAGMA page_size").scalar() or 0)

    def tidy(self) -> None:
        """Write the file anew without the room that nothing takes any more."""
        if self.is_sqlite:
            self._outside("VACUUM")

    def copy_to(self, path: str) -> None:
        """Write a copy of the file as it is at one moment; nothing is done for a server.

        Args:
            path: of an empty file, which keeps its mode.
        """
        if self.is_sqlite:
            self._outside("VACUUM INTO ?", path)

    def bring_together(self) -> None:
        """Write into the file itself what still lies beside it.

        Raises:
            LedgerUnavailable: there is no room for it.
        """
        connection = self._engine.raw_connection()
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                is_busy, _frames, _done = cursor.fetchone() or (1, 0, 0)
            if is_busy:
                raise LedgerUnavailable(Sentence("ledger_used_by_other"))
        except sqlite3.Error as error:
            raise unavailable(error) from error
        finally:
            connection.close()

    def _outside(self, statement: str, *values: str) -> None:
        """Run a statement outside of any transaction."""
        self._look()
        connection = self._engine.raw_connection()
        try:
            connection.cursor().execute(statement, values)
        except sqlite3.Error as error:
            raise LedgerUnavailable(
                Sentence("ledger_not_rewritten", error=str(error)),
                hint=Sentence("ledger_not_rewritten_hint"),
            ) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Close every connection; threads that end their last transaction are waited for."""
        self._closed = True
        self._wait_for_the_last()
        self._engine.dispose()
        if self._jotting is not None:
            self._jotting.dispose()
        if self._file is not None:
            self._file.close()

    def _wait_for_the_last(self) -> None:
        if self._file is not None:
            return
        pools = [engine.pool for engine in (self._engine, self._jotting) if engine is not None]
        end = time.monotonic() + LAST_SECONDS
        while any(isinstance(pool, QueuePool) and pool.checkedout() for pool in pools):
            if time.monotonic() > end:
                return
            time.sleep(0.01)

    def watch(self) -> None:
        """From now on refuse to go on where the ledger's file is not the one opened any more."""
        if self._file is not None:
            self._file.watch()

    def _look(self) -> None:
        if self._closed:
            raise LedgerUnavailable(Sentence("ledger_closed"))
        if self._file is not None:
            self._file.require()


def home_of(connection: Connection) -> dict[str, str]:
    """Return where a ledger on a server is, as data of an event; nothing for a file."""
    if connection.dialect.name != "postgresql":
        return {}
    return {HOME: "/".join(str(part) for part in connection.execute(_WHERE).one())}


# The cluster, its timeline (another one after a recovery), the database, and its table: a dump that
# is read in has others.
_WHERE = text(
    """
    SELECT CASE WHEN has_function_privilege('pg_control_system()', 'execute')
                THEN (SELECT system_identifier FROM pg_control_system()) END,
           CASE WHEN has_function_privilege('pg_control_checkpoint()', 'execute')
                THEN (SELECT timeline_id FROM pg_control_checkpoint()) END,
           (SELECT oid FROM pg_database WHERE datname = current_database()),
           'events'::regclass::oid
    """
)


def shown_url(url: str) -> str:
    """Return the URL as it may be shown: without its password."""
    return parse_url(url).render_as_string(hide_password=True)


def parse_url(url: str) -> URL:
    """Read a ledger's URL. ConfigError: not a URL, or of a database that is not supported."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(
            Sentence("ledger_url_unread"),
            hint=Sentence("ledger_url_unread_hint"),
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(Sentence("ledger_kind_unknown", parsed=parsed.get_backend_name()))
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and (parsed.database or ":memory:") == ":memory:":
        raise ConfigError(Sentence("ledger_no_file"), hint=Sentence("ledger_no_file_hint"))
    return parsed


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into the program's; what is wrong with a row is the caller's."""
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except DBAPIError as error:
        raise _away(error) if is_lost(error) else unavailable(error.orig or error) from error
    except PendingRollbackError as error:
        raise _away(error) from error
    except UnicodeDecodeError as error:
        raise LedgerDamaged(Sentence("ledger_damaged_no_text"), hint=PUT_BACK) from error


def is_lost(error: DBAPIError) -> bool:
    """Return True if it was the connection that failed, and not what was asked."""
    # psycopg's own errors have a class for each of the server's codes; this one stands for none.
    kind = type(error.orig)
    return error.connection_invalidated or (kind.__module__, kind.__name__) == _NO_CODE


_NO_CODE = ("psycopg", "OperationalError")


def _away(error: BaseException) -> LedgerAway:
    words = str(getattr(error, "orig", None) or error)
    return LedgerAway(
        Sentence("ledger_away", words=words.strip().partition("\n")[0]),
        hint=Sentence("ledger_away_hint"),
    )


def unavailable(error: BaseException) -> BulkRunnerError:
    """Return the program's own error for a database's."""
    words = str(error)
    named = f"{getattr(error, 'sqlite_errorname', '')} {words}"
    if any(part in named for part in _DAMAGES):
        return LedgerDamaged(Sentence("ledger_damaged", words=words), hint=PUT_BACK)
    for part, message, hint in _FAULTS:
        if part in named:
            return LedgerUnavailable(
                Sentence("ledger_fault", fault=message, words=words), hint=hint
            )
    hint = Sentence("ledger_check_tells")
    return LedgerUnavailable(Sentence("ledger_unusable", words=words), hint=hint)


# What the database says of a file of which something is missing or wrong.
_DAMAGES = ("malformed", "SQLITE_IOERR_SHORT_READ", "no such table", "no such column")

_FAULTS = (
    ("full", Sentence("ledger_fault_full"), Sentence("ledger_disk_full_hint")),
    ("lock timeout", Sentence("ledger_fault_locked"), Sentence("ledger_fault_waits_hint")),
    ("locked", Sentence("ledger_fault_locked"), Sentence("ledger_fault_locked_hint")),
    ("readonly", Sentence("ledger_fault_unwritten"), Sentence("ledger_fault_unwritten_hint")),
    ("not a database", Sentence("ledger_fault_no_ledger"), Sentence("ledger_check_url")),
    ("unable to open", Sentence("ledger_fault_unopened"), Sentence("ledger_fault_unopened_hint")),
    ("SQLITE_IOERR", Sentence("ledger_fault_disk"), Sentence("ledger_fault_disk_hint")),
)


def _is_server(url: URL) -> bool:
    return url.get_backend_name() != "sqlite"


# Compiled statements of every ledger's file in this process.
_STATEMENTS: LRUCache[Any, Any] = LRUCache(500)


@cache
def _file_dialect(driver: str) -> Dialect:
    """Return the dialect of all files: a statement is compiled once for each dialect."""
    engine = create_engine(f"{driver}://")
    engine.connect().close()
    engine.dispose()
    return engine.dialect


def _engine(url: URL, file: LedgerFile | None, *, synchronous: str = "FULL") -> Engine:
    try:
        if file is None:
            return create_engine(url, pool_pre_ping=True, connect_args=ALIVE)
        dialect = _file_dialect(url.drivername)
    except (ImportError, NoSuchModuleError):
        raise ConfigError(
            Sentence("ledger_driver_missing", drivername=url.drivername),
            hint=Sentence("ledger_driver_missing_hint"),
        ) from None
    connect: Any = partial(file.connect, BUSY_SECONDS)
    pool = QueuePool(connect, pool_size=8, max_overflow=64, dialect=dialect)
    engine = Engine(pool, dialect, url, execution_options={"compiled_cache": _STATEMENTS})
    event.listen(engine, "connect", partial(_prepare, synchronous))
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(synchronous: str, connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    # A writer that began as a reader could not wait for another one: it would fail at once.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
