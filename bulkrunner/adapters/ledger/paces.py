"""One pace for every process on the ledger: the next free moment of each place, in one row.

The generic cell rate algorithm: the row holds when the next request may be sent; taking a moment
moves it on. Times are microseconds since 1970, so that one statement can take and move.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Connection, bindparam, case, update

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.schema import paces

SECOND = 1_000_000

HORIZON = 2 * 3600 * SECOND
"""A free moment farther ahead was written by a clock that was wrong, and does not count."""


class Paces(Part):
    """Part of the store: the moments when requests may be sent."""

    def take_moments(
        self, place: str, kind: str, *, count: int, gap: float, now: float, slack: float
    ) -> tuple[float, float]:
        """Take the next moments of a place, ``gap`` seconds apart.

        Returns:
            The first of them, and until when the place rests; both seconds since 1970.

        Args:
            place: what all that ask share.
            kind: ``write`` or ``read``.
            count: how many at once.
            gap: seconds from one to the next.
            now: seconds since 1970.
            slack: seconds by which the first may lie before now, to catch up.
        """
        cost = round(count * gap * SECOND)
        values = {
            "of_place": place,
            "of_kind": kind,
            "cost": cost,
            "earliest": round((now - slack) * SECOND),
            "farthest": round(now * SECOND) + HORIZON,
        }
        with self._database.jot() as connection:
            taken = connection.execute(_TAKE, values).first()
            if taken is None:
                self._begin(connection, place, kind)
                taken = connection.execute(_TAKE, values).one()
        return (int(taken.free_at) - cost) / SECOND, int(taken.rest_until) / SECOND

    def rest_place(self, place: str, until: float) -> None:
        """Let nobody take a moment of the place before ``until``, seconds since 1970."""
        moment = round(until * SECOND)
        with self._database.jot() as connection:
            for kind in ("write", "read"):
                self._begin(connection, place, kind)
            connection.execute(
                update(paces)
                .where(paces.c.place == place, paces.c.rest_until < moment)
                .values(rest_until=moment)
            )

    def hasten(self, place: str, kind: str, *, until: float) -> None:
        """Free what was taken beyond ``until``: whoever took it will ask again."""
        moment = round(until * SECOND)
        with self._database.jot() as connection:
            connection.execute(
                update(paces)
                .where(paces.c.place == place, paces.c.kind == kind, paces.c.free_at > moment)
                .values(free_at=moment)
            )

    def _begin(self, connection: Connection, place: str, kind: str) -> None:
        row = {"place": place, "kind": kind, "free_at": 0, "rest_until": 0}
        connection.execute(self._database.insert_new(paces), [row])


_FREE = case(
    (paces.c.free_at < bindparam("earliest"), bindparam("earliest", type_=BigInteger)),
    (paces.c.free_at > bindparam("farthest"), bindparam("earliest", type_=BigInteger)),
    else_=paces.c.free_at,
)
_RESTED = case(
    (
        (paces.c.rest_until > _FREE) & (paces.c.rest_until <= bindparam("farthest")),
        paces.c.rest_until,
    ),
    else_=_FREE,
)
_TAKE = (
    update(paces)
    .where(paces.c.place == bindparam("of_place"), paces.c.kind == bindparam("of_kind"))
    .values(free_at=_RESTED + bindparam("cost", type_=BigInteger))
    .returning(paces.c.free_at, paces.c.rest_until)
)
