"""Leases: who drives a run."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, update

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.chain import Appender
from bulkrunner.adapters.ledger.codecs import lease_of
from bulkrunner.adapters.ledger.schema import leases
from bulkrunner.domain.run import Lease, Owner


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


def _held(token: int) -> ColumnElement[bool]:
    return (leases.c.token == token) & leases.c.host.is_not(None)
