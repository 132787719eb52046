"""API clients: what each did, when it was used last, and which are used no more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.chain import append_main, row_digest
from bulkrunner.adapters.ledger.rows import pick
from bulkrunner.adapters.ledger.schema import client_uses, clients
from bulkrunner.domain.clients import Client, ClientUse


class Clients(Part):
    """Part of the store: see ``domain.ports.ClientLedger``."""

    def note_client(self, environment: str, client: str, *, use: str, at: datetime) -> None:
        """Note that an API client was used; ``use`` says for what, e.g. a plan's or run's id."""
        key = (clients.c.environment == environment) & (clients.c.client == client)
        last = {"last_used_at": at, "last_use": use}
        with self._database.write() as connection:
            if connection.execute(update(clients).where(key).values(**last)).rowcount == 0:
                row = {"environment": environment, "client": client, "first_used_at": at, **last}
                connection.execute(insert(clients).values(**row))
            of_use = (
                (client_uses.c.environment == environment)
                & (client_uses.c.client == client)
                & (client_uses.c.use == use)
            )
            again = update(client_uses).where(of_use).values(last_used_at=at)
            if connection.execute(again).rowcount:
                return
            row = {"environment": environment, "client": client, "use": use, "first_used_at": at}
            data = {**pick(row, ("environment", "client", "use")), "row": row_digest(row)}
            event = append_main(connection, "client_used", data, at=self._clock.now())
            connection.execute(insert(client_uses).values(**row, last_used_at=at, event=event))

    def retire_client(self, environment: str, client: str, *, by: str, at: datetime) -> Client:
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
            data = {"environment": environment, "client": client, "row": row_digest(row)}
            event = append_main(connection, "client_retired", data, at=self._clock.now())
            values = {"retired_at": at, "retired_by": by, "event": event}
            connection.execute(update(clients).where(key).values(**values))
        return next(
            found
            for found in self.clients()
            if (found.environment, found.client) == (environment, client)
        )

    def clients(self) -> list[Client]:
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
