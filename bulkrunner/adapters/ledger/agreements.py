"""What KB agreed to: answers to plans, and API clients with their use."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, func, insert, select, update

from bulkrunner.adapters.ledger.chain import (
    append_main,
    plain_row,
    position_of,
    row_digest,
)
from bulkrunner.adapters.ledger.codecs import APPROVAL, CLIENT_USE, approval_of, approval_row, pick
from bulkrunner.adapters.ledger.tables import approvals, client_uses, clients
from bulkrunner.adapters.ledger.witness import ALSO, TOTALS
from bulkrunner.adapters.ledger.writer import Part
from bulkrunner.domain.approvals import Approval
from bulkrunner.domain.ledger_port import Client, ClientUse
from bulkrunner.errors import AnswerRefused
from bulkrunner.sentences import Sentence


class Approvals(Part):
    """Part of the store."""

    def add(self, approval: Approval, *, known: int | None = None) -> None:
        """Store a yes or a no."""
        row = approval_row(approval)
        kind = "approved" if approval.approved else "rejected"
        count = select(func.count()).where(approvals.c.plan == approval.plan)
        with self._database.write() as connection:
            if known is not None and connection.scalar(count) != known:
                raise AnswerRefused(
                    Sentence("ledger_answered_meanwhile", plan=approval.plan),
                    hint=Sentence("ledger_answered_meanwhile_hint", plan=approval.plan),
                    code="answered_meanwhile",
                )
            data = {"plan": approval.plan, "row": row_digest(pick(row, APPROVAL))}
            event = append_main(connection, kind, data, at=self._clock.now())
            connection.execute(insert(approvals).values(**row, event=event))

    def of_plan(self, plan: str) -> list[Approval]:
        """Return answers to a plan, oldest first."""
        query = select(approvals).where(approvals.c.plan == plan).order_by(approvals.c.seq)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [approval_of(row, given=self._given(row.head)) for row in rows]

    def _given(self, head: str | None) -> int:
        try:
            with self._database.read() as connection:
                found = position_of(connection, head) if head else None
        except ValueError:
            found = None
        return -1 if found is None else found


class Clients(Part):
    """Part of the store."""

    def note(self, environment: str, client: str, *, use: str, at: datetime) -> None:
        """Note that an API client was used; ``use`` says for what, e.g. a plan's or run's id."""
        named = {"environment": environment, "client": client}
        with self._database.write() as connection:
            total = self._noted(connection, clients, named, {"last_used_at": at, "last_use": use})
            row = self._noted(connection, client_uses, {**named, "use": use}, {"last_used_at": at})
            told = pick(row, CLIENT_USE)
            data = {
                **named,
                "use": use,
                "row": row_digest(told),
                ALSO: plain_row({"last_used_at": at}),
                TOTALS: plain_row(pick(total, _TOTAL)),
            }
            event = append_main(connection, "client_used", data, at=self._clock.now())
            moved = update(client_uses).where(_is(client_uses, {**named, "use": use}))
            connection.execute(moved.values(event=event))

    def _noted(
        self, connection: Connection, table: Table, key: dict[str, str], last: dict[str, Any]
    ) -> dict[str, Any]:
        """Store a use in a table, and return the row."""
        of_it = _is(table, key)
        if connection.execute(update(table).where(of_it).values(**last)).rowcount == 0:
            row = {**key, "first_used_at": last["last_used_at"], **last}
            if table is client_uses:
                row["event"] = 0  # the event that tells of the row is not there yet
            connection.execute(insert(table).values(**row))
        return dict(connection.execute(select(table).where(of_it)).one()._mapping)

    def retire(self, environment: str, client: str, *, by: str, at: datetime) -> Client:
        """Note that an API client is used no more."""
        key = (clients.c.environment == environment) & (clients.c.client == client)
        with self._database.write() as connection:
            if connection.scalar(select(clients.c.client).where(key)) is None:
                never = {"first_used_at": at, "last_used_at": at, "last_use": ""}
                row = {"environment": environment, "client": client, **never}
                connection.execute(insert(clients).values(**row))
            row = {
                "environment": environment,
                "client": client,
                "retired_at": at,
                "retired_by": by,
            }
            found = connection.execute(select(clients).where(key)).one()
            totals = plain_row(pick(dict(found._mapping), _TOTAL))
            named = {"environment": environment, "client": client}
            data = {**named, "row": row_digest(row), TOTALS: totals}
            event = append_main(connection, "client_retired", data, at=self._clock.now())
            values = {"retired_at": at, "retired_by": by, "event": event}
            connection.execute(update(clients).where(key).values(**values))
        return next(
            found
            for found in self.all()
            if (found.environment, found.client) == (environment, client)
        )

    def all(self) -> list[Client]:
        """Return the API clients that were used, the latest first, each with what it did."""
        uses: dict[tuple[str, str], list[ClientUse]] = {}
        with self._database.read() as connection:
            query = select(client_uses).order_by(client_uses.c.last_used_at.desc())
            for row in connection.execute(query):
                uses.setdefault((row.environment, row.client), []).append(
                    ClientUse(
                        use=row.use,
                        first_used_at=row.first_used_at,
                        last_used_at=row.last_used_at,
                    )
                )
            query = select(clients).order_by(clients.c.last_used_at.desc(), clients.c.environment)
            return [
                _client(row, tuple(uses.get((row.environment, row.client), ())))
                for row in connection.execute(query)
            ]


_TOTAL = ("first_used_at", "last_used_at", "last_use")


def _is(table: Table, key: dict[str, str]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in key.items()))


def _client(row: Row[Any], uses: tuple[ClientUse, ...]) -> Client:
    return Client(
        environment=row.environment,
        client=row.client,
        first_used_at=row.first_used_at,
        last_used_at=row.last_used_at,
        last_use=row.last_use,
        retired_at=row.retired_at,
        retired_by=row.retired_by or "",
        uses=uses,
    )
