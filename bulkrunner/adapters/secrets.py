"""Where an environment's client id and secret come from."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A client of the login; ``repr`` hides the secret."""

    client_id: str
    client_secret: str = field(repr=False)
