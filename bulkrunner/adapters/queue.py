"""The queue on the ledger's PostgreSQL server, by procrastinate: errands, and the workers that live.

An errand in the queue is a wake-up: whoever takes it looks how the job stands and does what is next,
so that one too many does nothing. A new one is stored before the old one is taken out.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bulkrunner.adapters.ledger.database import ALIVE, parse_url, unavailable
from bulkrunner.domain.run import Errand, Presence, Step
from bulkrunner.errors import ConfigError, LedgerUnavailable
from bulkrunner.sentences import Sentence, text_of

try:
    import psycopg
    from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
    from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
    from procrastinate.jobs import Job
    from procrastinate.manager import JobManager
    from procrastinate.schema import SchemaManager
    from procrastinate.worker import Worker
    from psycopg.rows import dict_row
    from psycopg.types.json import Jsonb

    MISSING = False
except ImportError:
    JobManager, MISSING = object, True  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from procrastinate.jobs import Status

log = logging.getLogger(__name__)

# Where its tables are: apart from the ledger's.
SCHEMA = "bulkrunner_queue"

QUEUE = "errands"
TASK = "bulkrunner:errand"

# Seconds between two signs of life; without any for so long a worker counts as dead.
BEAT = 5.0
SILENT = 20.0

# Seconds between two looks for errands that have come of age, and tries to store what became of one.
LOOK_EVERY = 2.0

_OWN = """
CREATE TABLE IF NOT EXISTS workers (
    worker bigint PRIMARY KEY REFERENCES procrastinate_workers (id) ON DELETE CASCADE,
    name text NOT NULL, host text NOT NULL, pid integer NOT NULL,
    concurrency integer NOT NULL, since timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS ended (
    errand text PRIMARY KEY, args jsonb NOT NULL, at timestamptz NOT NULL DEFAULT now());
"""


class Queue:
    """What is to be done, and who does it."""

    def __init__(self, url: str) -> None:
        parsed = parse_url(url)
        if parsed.get_backend_name() != "postgresql":
            raise ConfigError(
                Sentence("queue_needs_server"), hint=Sentence("queue_needs_server_hint")
            )
        if MISSING:
            raise ConfigError(
                Sentence("queue_driver_missing"), hint=Sentence("queue_driver_missing_hint")
            )
        plain = parsed.set(drivername="postgresql")
        self._conninfo = plain.render_as_string(hide_password=False)
        self._options = {**ALIVE, "options": f"-c search_path={SCHEMA}"}
        self._manager = JobManager(SyncPsycopgConnector())

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        try:
            with psycopg.connect(self._conninfo, row_factory=dict_row, **self._options) as found:  # type: ignore[arg-type]
                yield found
        except (psycopg.Error, ConnectorException) as error:
            raise unavailable(error.__cause__ or error) from error

    def prepare(self) -> None:
        """Make the tables where they are missing."""
        with self._connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(6401209216)")
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            if not _is_there(connection):
                connection.execute(SchemaManager.get_schema())
            connection.execute(_OWN)

    def put(self, errand: Errand, seconds: float, *, instead: bool) -> None:
        """Queue an errand, to be taken in some seconds by the server's clock.

        ``instead`` of one that waits for the same job and environment; else that one stays.
        """
        with self._connection() as connection:
            self._put(connection, errand, seconds, instead=instead)

    def _put(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        errand: Errand,
        seconds: float,
        *,
        instead: bool,
    ) -> None:
        key = {"key": errand.key}
        if connection.execute(_WAITING, key).fetchone() is not None:
            if not instead:
                return
            connection.execute(_DROP_WAITING, key)
        connection.execute("DELETE FROM ended WHERE errand = %(key)s", key)
        now = connection.execute("SELECT now() AS now").fetchone()
        at = now["now"] + timedelta(seconds=seconds) if now and seconds > 0 else None
        with suppress(AlreadyEnqueued), connection.transaction():
            self._manager.defer_job(
                Job(
                    queue=QUEUE,
                    task_name=TASK,
                    lock=errand.key,
                    queueing_lock=errand.key,
                    task_kwargs=asdict(errand),
                    scheduled_at=at,
                ),
                connection=connection,
            )

    def end(self, errand: Errand) -> None:
        """Store how an errand ended."""
        with self._connection() as connection:
            args = Jsonb(asdict(errand))
            connection.execute(_END, {"key": errand.key, "args": args})

    def listed(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the errands and the workers as plain data; nothing where nobody has queued any."""
        with self._connection() as connection:
            if not _is_there(connection):
                return [], []
            rows = connection.execute(_ERRANDS).fetchall()
            workers = connection.execute(_WORKERS, {"silent": SILENT}).fetchall()
        return [_entry(row) for row in rows], [_worker(row) for row in workers]

    def requeue(self, mine: int, running: Iterable[int]) -> None:
        """Let others take what a dead worker had, or what this one only seems to have."""
        given = {"mine": mine, "running": list(running), "silent": SILENT}
        with self._connection() as connection:
            for row in connection.execute(_ORPHANS, given).fetchall():
                errand = Errand(**row["args"])
                log.warning("%s is taken up: its worker is gone", errand.key)
                connection.execute(
                    "DELETE FROM procrastinate_jobs WHERE id = %(id)s", {"id": row["id"]}
                )
                self._put(connection, errand, 0, instead=False)

    def work(self, do: Callable[[Errand], Step], presence: Presence) -> Working:
        """Return what takes errands and has them done, ``concurrency`` at a time."""
        return Working(self, do, presence, self._conninfo, self._options)


class Working:
    """One worker: takes errands until it is told to stop."""

    def __init__(
        self,
        queue: Queue,
        do: Callable[[Errand], Step],
        presence: Presence,
        conninfo: str,
        options: Mapping[str, Any],
    ) -> None:
        self._queue = queue
        self._do = do
        self._presence = presence
        size = presence.concurrency + 4
        connector = PsycopgConnector(
            conninfo=conninfo, kwargs=dict(options), min_size=1, max_size=size
        )
        self._app = App(connector=connector)
        self._manager = self._app.job_manager = _QueueKeeper(connector, presence)
        self._stopping = threading.Event()
        self._wake: Callable[[], object] = lambda: None

    def run(self) -> None:
        """Work until stopped; what is in hand then is finished first."""
        asyncio.run(self._run())

    def stop(self) -> None:
        """Take nothing more; may be called by a signal's handler."""
        self._stopping.set()
        self._wake()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        threads = ThreadPoolExecutor(self._presence.concurrency, thread_name_prefix="errand")

        @self._app.task(name=TASK, queue=QUEUE)
        async def errand(**given: Any) -> None:
            await loop.run_in_executor(threads, self._carry, Errand(**given))

        async with self._app.open_async():
            worker = Worker(
                app=self._app,
                queues=[QUEUE],
                name=self._presence.name,
                concurrency=self._presence.concurrency,
                fetch_job_polling_interval=LOOK_EVERY,
                delete_jobs="always",
                install_signal_handlers=False,
                update_heartbeat_interval=BEAT,
                stalled_worker_timeout=SILENT,
            )
            self._wake = lambda: loop.call_soon_threadsafe(worker.stop)
            working = asyncio.create_task(worker.run())
            looking = asyncio.create_task(self._look_for_orphans())
            await asyncio.sleep(0)
            if self._stopping.is_set():
                worker.stop()
            try:
                await working
            finally:
                looking.cancel()
                threads.shutdown(wait=False)

    async def _look_for_orphans(self) -> None:
        while True:
            if (mine := self._manager.worker) is not None:
                running = list(self._manager.running)
                with suppress(LedgerUnavailable):
                    await asyncio.to_thread(self._queue.requeue, mine, running)
            await asyncio.sleep(BEAT)

    def _carry(self, errand: Errand) -> None:
        """Do what is next, and store what became of it, however long the server is away."""
        step = self._do(errand)
        while True:
            try:
                if step.seconds is None:
                    self._queue.end(step.errand)
                else:
                    self._queue.put(step.errand, step.seconds, instead=False)
            except LedgerUnavailable as error:
                log.warning("%s: %s", errand.key, error)
                if self._stopping.wait(LOOK_EVERY):
                    return  # as it stood before: another worker takes it up
            else:
                return


class _QueueKeeper(JobManager):
    """Outlives a server that goes away: whatever could not be said is said again."""

    def __init__(self, connector: PsycopgConnector, presence: Presence) -> None:
        super().__init__(connector)
        self._presence = presence
        self.worker: int | None = None
        self.running: set[int] = set()

    async def register_worker(self) -> int:
        self.worker = await super().register_worker()
        await self.update_heartbeat(self.worker)
        return self.worker

    async def update_heartbeat(self, worker_id: int) -> None:
        """Say that the worker lives, also where others believed it dead."""
        me = self._presence
        with _endured("no sign of life could be given"):
            await self.connector.execute_query_async(_BEAT, worker_id=worker_id)
            await self.connector.execute_query_async(
                _PRESENT,
                worker_id=worker_id,
                name=me.name,
                host=me.owner.host.partition("/")[0],
                pid=me.owner.pid,
                concurrency=me.concurrency,
            )

    async def unregister_worker(self, worker_id: int) -> None:
        with _endured("the worker's leave could not be told"):
            await super().unregister_worker(worker_id)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        found = None
        with _endured("nothing can be taken from the queue"):
            found = await super().fetch_job(queues, worker_id)
        if found is not None and found.id is not None:
            self.running.add(found.id)
        return found

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: FBT001
        with _endured("what was done stays in the queue"):
            await super().finish_job(job, status, delete_job)
        if job.id is not None:
            self.running.discard(job.id)

    async def listen_for_jobs(self, **given: Any) -> None:
        while True:
            with _endured("news of the queue cannot be heard"):
                await super().listen_for_jobs(**given)
            await asyncio.sleep(LOOK_EVERY)


@contextmanager
def _endured(what: str) -> Iterator[None]:
    try:
        yield
    except ConnectorException as error:
        log.warning("%s: %s", what, error.__cause__ or error)


def _is_there(connection: psycopg.Connection[dict[str, Any]]) -> bool:
    row = connection.execute(f"SELECT to_regclass('{SCHEMA}.procrastinate_jobs') AS it").fetchone()
    return row is not None and row["it"] is not None


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    errand = Errand(**row["args"])
    left = {name: text_of(why) for name, why in errand.left_by.items()}
    return {
        "job": errand.job,
        "environment": errand.environment,
        "state": row["state"],
        "worker": row["worker"],
        "at": None if row["at"] is None else row["at"].isoformat(),
        "by": errand.by,
        "manifest_digest": errand.digest,
        "reason": text_of(errand.said) if errand.said else "",
        "left_by": left,
    }


def _worker(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "since": row["since"].isoformat(), "seen_at": row["seen_at"].isoformat()}


_WAITING = """
    SELECT id FROM procrastinate_jobs
    WHERE queueing_lock = %(key)s AND status = 'todo' FOR UPDATE
"""

_DROP_WAITING = "DELETE FROM procrastinate_jobs WHERE queueing_lock = %(key)s AND status = 'todo'"

_END = """
    INSERT INTO ended (errand, args) VALUES (%(key)s, %(args)s)
    ON CONFLICT (errand) DO UPDATE SET args = excluded.args, at = now()
"""

# What is driven hides what waits for its end, and both hide how it ended before.
_ERRANDS = """
    SELECT DISTINCT ON (key) key, args, state, at, worker FROM (
        SELECT 2 AS rank, errand AS key, args, 'ended' AS state, at, NULL AS worker FROM ended
        UNION ALL
        SELECT CASE WHEN j.status = 'doing' THEN 0 ELSE 1 END, j.lock, j.args,
               CASE WHEN j.status = 'doing' THEN 'driven' ELSE 'waiting' END,
               j.scheduled_at, w.name
        FROM procrastinate_jobs j LEFT JOIN workers w ON w.worker = j.worker_id
        WHERE j.task_name = 'bulkrunner:errand' AND j.status IN ('todo', 'doing')
    ) AS each ORDER BY key, rank
"""

_WORKERS = """
    SELECT name, host, pid, concurrency, since, last_heartbeat AS seen_at,
           last_heartbeat > now() - make_interval(secs => %(silent)s) AS alive
    FROM workers JOIN procrastinate_workers ON id = worker ORDER BY name, since
"""

_ORPHANS = """
    SELECT j.id, j.args FROM procrastinate_jobs j
    WHERE j.status = 'doing' AND j.task_name = 'bulkrunner:errand' AND (
        j.worker_id IS NULL
        OR (j.worker_id = %(mine)s AND j.id <> ALL(%(running)s::bigint[]) AND NOT EXISTS (
            SELECT 1 FROM procrastinate_events e WHERE e.job_id = j.id AND e.type = 'started'
            AND e.at > now() - make_interval(secs => %(silent)s)))
        OR (j.worker_id <> %(mine)s AND NOT EXISTS (
            SELECT 1 FROM procrastinate_workers w WHERE w.id = j.worker_id
            AND w.last_heartbeat > now() - make_interval(secs => %(silent)s))))
    FOR UPDATE OF j SKIP LOCKED
"""

_BEAT = """
    INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE
    VALUES (%(worker_id)s, now()) ON CONFLICT (id) DO UPDATE SET last_heartbeat = now()
"""

_PRESENT = """
    INSERT INTO workers (worker, name, host, pid, concurrency)
    VALUES (%(worker_id)s, %(name)s, %(host)s, %(pid)s, %(concurrency)s) ON CONFLICT DO NOTHING
"""
