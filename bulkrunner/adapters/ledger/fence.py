"""Keeps out of a run whoever does not drive it any more, whatever his clock says.

Each owner of a run has a token, higher than the one before. A process that took a run enters
nothing about it once the ledger names another token: no intent, so it begins no request, and no
outcome over the next owner's.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from bulkrunner.adapters.ledger.schema import leases
from bulkrunner.errors import LeaseLost

_HOLDER = select(leases.c.token).where(
    leases.c.run == bindparam("of_run"), leases.c.host.is_not(None)
)


class Fence:
    """The tokens of the runs that were taken through this ledger's object."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}

    def admit(self, run: str, token: int) -> None:
        """Let this process in as the owner with this token."""
        self._tokens[run] = token

    def forget(self, run: str, token: int) -> None:
        """Forget an owner who has given the run back."""
        if self._tokens.get(run) == token:
            del self._tokens[run]

    def require(self, connection: Connection, run: str) -> None:
        """Do nothing where the run is still this process's, or never was.

        Raises:
            LeaseLost: another process has taken it.
        """
        token = self._tokens.get(run)
        if token is not None and connection.scalar(_HOLDER, {"of_run": run}) != token:
            raise LeaseLost(
                f"another process has taken up run {run}; this one sends nothing more",
                hint=f"see who drives it: bulkrunner status {run}",
            )
