"""Opens a ledger: a new file is created, one of another version is left alone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

import bulkrunner
from bulkrunner.adapters.ledger.database import Database, parse_url
from bulkrunner.adapters.ledger.schema import SCHEMA_REVISION
from bulkrunner.adapters.ledger.store import LedgerStore
from bulkrunner.adapters.ledger.writer import GroupWriter
from bulkrunner.domain.ports import Clock
from bulkrunner.errors import BulkRunnerError, ConfigError, UsageError

PRIVATE = 0o600


def open_ledger(url: str, *, clock: Clock) -> LedgerStore:
    """Open the ledger, creating it where there is none.

    Raises:
        ConfigError: the URL or its folder is wrong, or the file is no ledger.
        UsageError: the ledger is of another version of the program.
        LedgerUnavailable: it cannot be read.
    """
    parsed = parse_url(url)
    database = Database(parsed)
    try:
        if database.is_sqlite:
            _create_file(Path(parsed.database or ""))
        with database.read() as connection:
            found = _revision(connection)
        if found is None:
            _migrate(database)
        else:
            _require_current(found)
    except BulkRunnerError:
        database.close()
        raise
    return LedgerStore(database, clock, GroupWriter(database, clock))


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring a ledger to this version of the program.

    Returns:
        The revision before and after; the same where there was nothing to do.
    """
    parsed = parse_url(url)
    database = Database(parsed)
    try:
        if database.is_sqlite:
            _create_file(Path(parsed.database or ""))
        with database.read() as connection:
            found = _revision(connection)
        if found is not None and found > SCHEMA_REVISION:
            _require_current(found)
        if found != SCHEMA_REVISION:
            _migrate(database)
        return found, SCHEMA_REVISION
    finally:
        database.close()


def migrations_folder() -> Path:
    """Return where the migrations are: beside the package in a checkout, inside it in a wheel."""
    package = Path(bulkrunner.__file__).parent
    packed = package / "_share" / "migrations"
    return packed if packed.is_dir() else package.parent / "migrations"


def _create_file(path: Path) -> None:
    """Create an empty file that only its owner may read, whatever the umask."""
    if not path.parent.is_dir():
        raise ConfigError(
            f"the ledger's folder {path.parent} does not exist",
            hint="create it, or give another file: --ledger sqlite:///FILE",
        )
    if path.is_dir():
        raise ConfigError(f"the ledger {path} is a folder, not a file")
    try:
        with suppress(FileExistsError):
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE)
            os.fchmod(handle, PRIVATE)
            os.close(handle)
    except OSError as error:
        raise ConfigError(f"the ledger {path} cannot be created ({error.strerror})") from error


def _revision(connection: Connection) -> str | None:
    """Return the ledger's revision, or None where the database is empty.

    Raises:
        ConfigError: it holds something else.
    """
    try:
        tables = inspect(connection).get_table_names()
    except DatabaseError as error:
        if "not a database" in str(error.orig):
            raise ConfigError("the file is not a ledger", hint="check the ledger's URL") from error
        raise
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise ConfigError(
            "the database holds something else than a ledger", hint="check the ledger's URL"
        )
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def _require_current(found: str) -> None:
    if found > SCHEMA_REVISION:
        raise UsageError(
            f"the ledger was written by a newer bulkrunner (schema {found}, this one knows "
            f"{SCHEMA_REVISION})",
            hint="install the newer version",
            code="ledger_newer",
        )
    if found < SCHEMA_REVISION:
        raise UsageError(
            f"the ledger is of an older bulkrunner (schema {found}, now {SCHEMA_REVISION})",
            hint="make a copy of it, then: bulkrunner ledger upgrade",
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
