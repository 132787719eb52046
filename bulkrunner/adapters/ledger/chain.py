"""Chains of events: each event's hash covers the one before it.

One chain per run, and the ledger's own. A run's head is entered in the ledger's chain when the run
starts, at checkpoints and whenever its state changes, so that the ledger's head stands for all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from bulkrunner.adapters.ledger.codecs import RUN, RUN_ALSO, pick
from bulkrunner.adapters.ledger.columns import digest_bytes, digest_text, instant_text, json_text
from bulkrunner.adapters.ledger.database import COMMITTING, home_of
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN, chains, events, runs
from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.ledger_port import block_of

# Events of a run after which its head is entered in the ledger's chain again.
CHECKPOINT = 1000

# Events of a run about one of its changes.
WORK = ("intent", "answer", "outcome")

# Keys of a seal: the run's columns that change often, and the blocks of which it tells.
STATE = "state"
BLOCKS = "blocks"

ORIGIN = bytes(32)


def event_hash(
    previous: bytes, *, chain: str, position: int, at: str, kind: str, data: str
) -> bytes:
    """Return the hash that ties an event to everything before it in its chain."""
    return hashlib.sha256(previous + event_content(chain, position, at, kind, data)).digest()


def event_content(chain: str, position: int, at: str, kind: str, data: str) -> bytes:
    """Return the canonical JSON of an event, put together by hand where nothing is odd in it."""
    plain = chain + at + kind
    if not (
        plain.isascii()
        and plain.isprintable()
        and '"' not in plain
        and "\\" not in plain
        and data.isascii()
        and data.isprintable()
    ):
        return canonical_bytes([chain, position, at, kind, data])
    quoted = data.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{chain}",{position},"{at}","{kind}","{quoted}"]'.encode()


def row_digest(values: Mapping[str, Any]) -> str:
    """Return the digest by which an event knows the row that it wrote."""
    return hashlib.sha256(_ROW.encode(values).encode()).hexdigest()


def plain_row(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as JSON data that has the same digest."""
    found: dict[str, Any] = json.loads(_ROW.encode(dict(values)))
    return found


def _plain(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} cannot be stored")
    return instant_text(value)


_ROW = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain)


@dataclass(frozen=True, kw_only=True)
class Head:
    """Where a chain ends; ``entered`` is the position last entered in the ledger's chain."""

    chain: str
    position: int
    hash: bytes
    entered: int

    @property
    def text(self) -> str:
        """Hash for people and for JSON."""
        return digest_text(self.hash)


class Appender:
    """Appends events to one chain within one write transaction; ``flush`` writes them."""

    def __init__(self, connection: Connection, chain: str) -> None:
        self._connection = connection
        self._start = read_head(connection, chain)
        self.chain = chain
        self.position = self._start.position
        self.hash = self._start.hash
        self.entered = self._start.entered
        self._rows: list[dict[str, Any]] = []

    def append(self, kind: str, data: Mapping[str, Any], *, at: datetime) -> int:
        """Add an event and return its position."""
        if not self.position and self.chain == MAIN_CHAIN:
            data = {**data, **home_of(self._connection)}
        self.position += 1
        when, text = instant_text(at), json_text(data)
        self.hash = event_hash(
            self.hash, chain=self.chain, position=self.position, at=when, kind=kind, data=text
        )
        self._rows.append(
            {
                "chain": self.chain,
                "position": self.position,
                "at": when,
                "kind": kind,
                "data": text,
                "hash": self.hash,
            }
        )
        return self.position

    def flush(self) -> None:
        """Write the events and the new head."""
        if not self._rows:
            return
        self._connection.execute(insert(events), self._rows)
        values = {"position": self.position, "head": self.hash, "entered": self.entered}
        if self._start.position:
            self._connection.execute(_MOVE, {"of_chain": self.chain, **values})
        else:
            self._connection.execute(insert(chains).values(chain=self.chain, **values))
        committing = self._connection.info.setdefault(COMMITTING, {})
        committing[self.chain] = (self.position, digest_text(self.hash))
        self._rows.clear()


def read_head(connection: Connection, chain: str) -> Head:
    """Return a chain's head; of a chain without events, its origin."""
    row = connection.execute(_HEAD, {"of_chain": chain}).first()
    if row is None:
        return Head(chain=chain, position=0, hash=ORIGIN, entered=0)
    return Head(chain=chain, position=row.position, hash=row.head, entered=row.entered)


_HEAD = (
    select(chains.c.position, chains.c.head, chains.c.entered)
    .where(chains.c.chain == bindparam("of_chain"))
    .with_for_update()
)

_MOVE = (
    update(chains)
    .where(chains.c.chain == bindparam("of_chain"))
    .values({name: bindparam(name) for name in ("position", "head", "entered")})
)


def append_main(connection: Connection, kind: str, data: Mapping[str, Any], *, at: datetime) -> int:
    """Append one event to the ledger's own chain and return its position."""
    appender = Appender(connection, MAIN_CHAIN)
    position = appender.append(kind, data, at=at)
    appender.flush()
    return position


def enter_head(run: Appender, kind: str, data: Mapping[str, Any], *, at: datetime) -> None:
    """Write the run's events, and seal them in the ledger's chain: the run's head and columns.

    The seal names the blocks of changes of which the events since the last one tell, so that the
    events of a block are found without the others.
    """
    since, run.entered = run.entered, run.position
    run.flush()
    connection = run._connection
    row = connection.execute(select(runs).where(runs.c.id == run.chain)).one()
    seal = {
        "run": run.chain,
        "position": run.position,
        "head": digest_text(run.hash),
        BLOCKS: _blocks(connection, run.chain, since),
        "row": row_digest(pick(dict(row._mapping), SEALED)),
        STATE: plain_row(pick(dict(row._mapping), RUN_ALSO)),
    }
    append_main(connection, kind, {**data, **seal}, at=at)


# Columns of a run that change only with an event that is followed by a seal.
SEALED = (*RUN, "event")


def _blocks(connection: Connection, run: str, since: int) -> list[int]:
    told = select(events.c.data).where(
        events.c.chain == run, events.c.position > since, events.c.kind.in_(WORK)
    )
    return sorted({block_of(json.loads(data)["change"]) for data in connection.scalars(told)})


def position_of(connection: Connection, head: str) -> int | None:
    """Return which event of the ledger's own chain has this hash, 0: the chain's beginning."""
    if (wanted := digest_bytes(head)) == ORIGIN:
        return 0
    query = select(events.c.position).where(events.c.chain == MAIN_CHAIN, events.c.hash == wanted)
    return connection.scalar(query)
