"""How one environment of the sandbox behaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Choices that a real environment's deployment would make."""

    kind: str
    base_uri: str
    duplicate_status: int = 404
    """Answer to a POST of a holding that exists: 404 as observed today, or 409."""
    token_lifetime: int = 36000
    index_lag_ms: int = 500
    """Time until a write shows in ``/find``; ``-1``: only when told to refresh."""
    max_items: int = 100_000
    """Result window of ``/find``."""
    time_zone: str = "Europe/Stockholm"
    """Zone of the server's clock; in UTC its times end in ``Z``."""
    emm_generating_ms: int = 0
    """Time during which a new dump says that it is being made."""

    def __post_init__(self) -> None:
        if not self.base_uri.endswith("/"):
            raise ValueError("A base URI ends with a slash.")
        if self.duplicate_status not in (404, 409):
            raise ValueError("A duplicate is answered 404 or 409.")
