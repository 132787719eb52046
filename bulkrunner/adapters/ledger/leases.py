"""Who drives a run, orders to it from elsewhere, and what it says it waits for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from bulkrunner.adapters.ledger.chain import Appender
from bulkrunner.adapters.ledger.codecs import lease_of
from bulkrunner.adapters.ledger.columns import instant_text, said
from bulkrunner.adapters.ledger.tables import advances, events, leases, results, runs, waits
from bulkrunner.adapters.ledger.writer import Part
from bulkrunner.domain.run import Lease, Orders, Owner, RunEvent, RunState, Wait
from bulkrunner.sentences import stored_text


class Leases(Part):
    """Part of the store.

    A lease that was given back keeps its token, so that the next one's is higher.
    """

    def of(self, run: str) -> Lease | None:
        """Return who holds the run."""
        held = select(leases).where(leases.c.run == run, leases.c.host.is_not(None))
        with self._database.read() as connection:
            row = connection.execute(held).first()
        return None if row is None else lease_of(row)

    def take(
        self, run: str, owner: Owner, *, expires_at: datetime, replaces: int | None
    ) -> Lease | None:
        """Take the lease if its token is still ``replaces`` (None: nobody holds it)."""
        as_expected = leases.c.host.is_(None) if replaces is None else _held(replaces)
        now = self._clock.now()
        values = {**asdict(owner), "expires_at": expires_at, "taken_at": now}
        with self._database.write() as connection:
            taken = connection.execute(
                update(leases)
                .where(leases.c.run == run, as_expected)
                .values(**values, token=leases.c.token + 1)
            )
            if taken.rowcount != 1:
                return None
            row = connection.execute(select(leases).where(leases.c.run == run)).one()
            chain = Appender(connection, run)
            data = {"token": row.token, "host": owner.host, "pid": owner.pid}
            chain.append("lease_taken", data, at=now)
            chain.flush()
        self._writer.fence.admit(run, row.token)
        return lease_of(row)

    def renew(self, lease: Lease, *, expires_at: datetime) -> bool:
        """Extend the lease; False where it is no longer this token's."""
        return self._change(lease, expires_at=expires_at)

    def drop(self, lease: Lease) -> None:
        """Give the lease back; does nothing where it is no longer this token's."""
        nobody = dict.fromkeys(("host", "boot", "pid", "started", "expires_at", "taken_at"))
        self._change(lease, **nobody)
        self._writer.fence.forget(lease.run, lease.token)

    def _change(self, lease: Lease, **values: Any) -> bool:
        query = update(leases).where(leases.c.run == lease.run, _held(lease.token)).values(values)
        with self._database.write() as connection:
            return connection.execute(query).rowcount == 1


class Advances(Part):
    """Part of the store."""

    def take(
        self, job: str, owner: Owner, *, expires_at: datetime, replaces: Owner | None = None
    ) -> tuple[Owner, datetime] | None:
        """Let a process take a job forward; else return which one does, and until when that counts."""
        c, values = advances.c, {**asdict(owner), "expires_at": expires_at}
        with self._database.write() as connection:
            row = connection.execute(select(advances).where(c.job == job)).first()
            if row is None:
                connection.execute(insert(advances).values(job=job, **values))
                return None
            held = Owner(host=row.host, boot=row.boot, pid=row.pid, started=row.started)
            if held != replaces:
                return held, row.expires_at
            connection.execute(update(advances).where(c.job == job).values(**values))
        return None

    def drop(self, job: str) -> None:
        """Let another process take the job forward."""
        with self._database.write() as connection:
            connection.execute(delete(advances).where(advances.c.job == job))


def _held(token: int) -> ColumnElement[bool]:
    return (leases.c.token == token) & leases.c.host.is_not(None)


# Events that are about a single change.
OF_CHANGES = ("intent", "answer", "outcome")

# Characters of a reason that are kept in the chain.
MAX_REASON = 600


class LiveOrders(Part):
    """Part of the store."""

    def of(self, run: str) -> Orders:
        """Return what was asked of the run."""
        columns = (runs.c.stop_request, runs.c.paused, runs.c.ordered_by, runs.c.rate)
        with self._database.read() as connection:
            row = connection.execute(select(*columns).where(runs.c.id == run)).one()
        return Orders(
            stop=None if row.stop_request is None else said(row.stop_request),
            paused=row.paused,
            by=row.ordered_by,
            rate=row.rate,
        )

    def pause(self, run: str, *, paused: bool, by: str) -> bool:
        """Pause a running run, or lift its pause; False where it is not running."""
        kind = "paused" if paused else "pause_lifted"
        return self._order(run, kind, {"by": by}, paused=paused, ordered_by=by)

    def set_rate(self, run: str, *, rate: float, by: str) -> bool:
        """Give a running run another rate; False where it is not running."""
        return self._order(run, "rate_set", {"by": by, "rate": rate}, rate=rate, ordered_by=by)

    def hold(self, run: str, *, hold: bool) -> bool:
        """Let a running run pause after its first changes, or no more."""
        return self._order(run, "hold_set", {"hold": hold}, hold=hold)

    def _order(self, run: str, kind: str, data: dict[str, Any], **values: Any) -> bool:
        running = (runs.c.id == run) & (runs.c.state == RunState.RUNNING.value)
        with self._database.write() as connection:
            if connection.execute(update(runs).where(running).values(**values)).rowcount != 1:
                return False
            chain = Appender(connection, run)
            chain.append(kind, data, at=self._clock.now())
            chain.flush()
        return True

    def note_wait(self, run: str, wait: Wait | None) -> None:
        """Remember what the run waits for; None: for nothing."""
        with self._database.jot() as connection:
            if wait is None:
                connection.execute(delete(waits).where(waits.c.run == run))
                return
            row = {"run": run, "reason": stored_text(wait.reason), "until": wait.until}
            connection.execute(self._database.upsert(waits), [row])

    def wait_of(self, run: str) -> Wait | None:
        """Return what the run last said it waits for."""
        query = select(waits.c.reason, waits.c.until).where(waits.c.run == run)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else Wait(reason=said(row.reason), until=row.until)

    def log_wait(self, run: str, wait: Wait | None) -> None:
        """Enter a long wait in the run's chain; None: that it went on."""
        data: dict[str, Any] = {}
        if wait is not None:
            until = None if wait.until is None else instant_text(wait.until)
            data = {"reason": kept_reason(wait.reason), "until": until}
        with self._database.write() as connection:
            chain = Appender(connection, run)
            chain.append("went_on" if wait is None else "waiting", data, at=self._clock.now())
            chain.flush()

    def events(self, run: str, *, limit: int) -> Sequence[RunEvent]:
        """Return what happened to the run as a whole, oldest first, at most ``limit``."""
        query = (
            select(events.c.at, events.c.kind, events.c.data)
            .where(events.c.chain == run, events.c.kind.not_in(OF_CHANGES))
            .order_by(events.c.position)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [
                RunEvent(at=datetime.fromisoformat(row.at), kind=row.kind, data=_data(row.data))
                for row in connection.execute(query)
            ]

    def latest_outcomes(self, run: str, *, limit: int) -> Sequence[datetime]:
        """Return when the last changes in plan order were decided, oldest first."""
        query = (
            select(results.c.decided_at)
            .where(results.c.run == run)
            .order_by(results.c.change.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return sorted(connection.scalars(query))


def kept_reason(reason: str) -> str:
    """Return what an event keeps of a reason; a very long one as its first characters in English."""
    stored = stored_text(reason)
    return stored if len(stored) <= MAX_REASON else stored_text(str(reason)[:MAX_REASON])


def _data(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        return {}
    if isinstance(reason := found.get("reason"), str):
        found["reason"] = said(reason)
    return found
