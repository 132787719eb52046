"""The log of requests an environment handled: ground truth for tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_WRITES = frozenset({"POST", "PUT", "DELETE", "PATCH"})


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """One request: who asked for what, and how it was answered (status 0: not at all).

    Attributes:
        conditional: whether it carried If-None-Match.
    """

    seq: int
    time: datetime
    method: str
    path: str
    query: str
    status: int
    client: str | None
    sigel: str | None
    conditional: bool = False
    stored: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def is_write(self) -> bool:
        """Whether it was a write request to the catalogue, done or refused."""
        return self.method in _WRITES and not self.path.startswith("/oauth/")

    def as_json(self) -> dict[str, Any]:
        """Return the entry for the control interface."""
        return {
            "seq": self.seq,
            "time": self.time.astimezone(UTC).isoformat(),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "client": self.client,
            "sigel": self.sigel,
            "conditional": self.conditional,
            "stored": list(self.stored),
            "faults": list(self.faults),
        }


class Journal:
    """Keeps log entries in order."""

    def __init__(self) -> None:
        self._entries: list[LogEntry] = []
        self._next = 1

    def next_seq(self) -> int:
        """Return the number of the next request."""
        seq, self._next = self._next, self._next + 1
        return seq

    def add(self, entry: LogEntry) -> None:
        """Keep an entry."""
        self._entries.append(entry)

    def entries(self, *, writes: bool = False, since: int = 0) -> list[LogEntry]:
        """Return entries, of writes only where asked, after a sequence number."""
        return [e for e in list(self._entries) if e.seq > since and (e.is_write or not writes)]

    def clear(self) -> None:
        """Forget the entries; numbers go on."""
        self._entries.clear()
