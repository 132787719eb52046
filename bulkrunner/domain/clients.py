"""API clients as the ledger knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class ClientUse:
    """One plan or run that a client was used for."""

    use: str
    first_used_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, kw_only=True)
class Client:
    """An API client of an environment, and when it was used.

    Attributes:
        last_use: plan or run; empty where it was never used here.
        retired_at: since when it is used no more; None while it is.
        uses: the latest first.
    """

    environment: str
    client: str
    first_used_at: datetime
    last_used_at: datetime
    last_use: str
    retired_at: datetime | None = None
    retired_by: str = ""
    uses: tuple[ClientUse, ...] = ()
