"""Rights of a client, as the login grants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Permission:
    """One row of the login's verify answer: what the client may do as a sigel."""

    sigel: str
    registrant: bool
    cataloger: bool
    global_registrant: bool


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What the client may do, as the login's ``/oauth/verify`` says (libris-login, xl_auth)."""

    permissions: tuple[Permission, ...]

    def may_act_as(self, sigel: str) -> bool:
        """Tell whether the sigel may stand in ``XL-Active-Sigel``."""
        return any(p.sigel == sigel for p in self.permissions)

    def may_write_holding(self, sigel: str, *, active: str) -> bool:
        """Tell whether the client may write holdings of the sigel while acting as another."""
        if not self.may_act_as(active):
            return False
        return any(
            (p.sigel == sigel and (p.registrant or p.cataloger))
            or (p.sigel == active and p.global_registrant)
            for p in self.permissions
        )

    def may_write_bibs(self) -> bool:
        """Tell whether the client is of level 2 (cataloger on any sigel)."""
        return any(p.cataloger for p in self.permissions)

    def as_dict(self) -> list[dict[str, Any]]:
        """Return sigels and flags, all that the ledger keeps of a verify answer."""
        return [
            {
                "sigel": p.sigel,
                "registrant": p.registrant,
                "cataloger": p.cataloger,
                "global_registrant": p.global_registrant,
            }
            for p in sorted(self.permissions, key=lambda p: p.sigel)
        ]
