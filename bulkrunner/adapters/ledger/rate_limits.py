"""One pace and one number of requests at a time for every process on the ledger, shared out.

The generic cell rate algorithm: the row holds when the next request may be sent; taking a moment
moves it on. Times are microseconds since 1970, so that one statement can take and move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import BigInteger, Connection, bindparam, case, delete, select, update

from bulkrunner.adapters.ledger.tables import paces, places
from bulkrunner.adapters.ledger.writer import Part
from bulkrunner.domain.run import Owner

SECOND = 1_000_000

# A free moment farther ahead was written by a clock that was wrong, and does not count.
HORIZON = 2 * 3600 * SECOND


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


# A claim that ends later was written by a clock that was wrong, and does not count.
FARTHEST = 3600 * SECOND

# Seconds that a process has its slot, where there are more processes than slots.
TURN = 5.0


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a process asks for.

    Attributes:
        place: what all that ask share.
        holder: an id of the process's own.
        wanted: slots that it could use now. held: those that it cannot give back at once.
        most: slots that there are, as far as this process knows.
        now: seconds since 1970. life: seconds that the claim counts.
    """

    place: str
    holder: str
    owner: Owner
    wanted: int
    held: int
    most: int
    now: float
    life: float


@dataclass(frozen=True, kw_only=True)
class Granted:
    """What it got.

    Attributes:
        slots: that count as its own; never fewer than it held.
        usable: that it may use from now on: it gives back what it has beyond.
        others: who else has slots, by holder.
    """

    slots: int
    usable: int
    others: dict[str, Owner]


class RateLimits(Part):
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

    def claim_slots(self, claim: Claim) -> Granted:
        """Renew a process's claim, and take the share of slots that is free."""
        now = round(claim.now * SECOND)
        with self._database.jot() as connection:
            self._one_at_a_time(connection, claim.place)
            here = places.c.place == claim.place
            old = (places.c.expires_at < now) | (places.c.expires_at > now + FARTHEST)
            connection.execute(delete(places).where(here, old))
            rows = connection.execute(select(places).where(here)).all()
            others = [row for row in rows if row.holder != claim.holder]
            most = min([claim.most, *(row.most for row in others)])
            wants = {claim.holder: claim.wanted} | {row.holder: row.wanted for row in others}
            order = sorted(wants)
            due = shares([wants[holder] for holder in order], most, int(claim.now / TURN))
            share = due[order.index(claim.holder)]
            free = most - sum(row.granted for row in others)
            usable = max(0, min(share, free))
            granted = max(claim.held, usable)
            row = {
                "place": claim.place,
                "holder": claim.holder,
                **asdict(claim.owner),
                "wanted": claim.wanted,
                "granted": granted,
                "most": claim.most,
                "expires_at": now + round(claim.life * SECOND),
            }
            connection.execute(self._database.upsert(places), [row])
        return Granted(
            slots=granted,
            usable=usable,
            others={
                row.holder: Owner(host=row.host, boot=row.boot, pid=row.pid, started=row.started)
                for row in others
                if row.granted
            },
        )

    def drop_claim(self, place: str, holder: str) -> None:
        """Free the slots of a process that needs them no more, or is dead."""
        gone = (places.c.place == place) & (places.c.holder == holder)
        with self._database.jot() as connection:
            connection.execute(delete(places).where(gone))

    def _one_at_a_time(self, connection: Connection, place: str) -> None:
        """Let no other process look at the claims before this one is stored."""
        if self._database.is_sqlite:
            return  # there a transaction that writes excludes every other anyhow
        row = {"place": place, "kind": "write", "free_at": 0, "rest_until": 0}
        connection.execute(self._database.insert_new(paces), [row])
        connection.execute(select(paces).where(paces.c.place == place).with_for_update())


def shares(wants: Sequence[int], slots: int, turn: int) -> list[int]:
    """Return how many slots each process may have; together no more than there are.

    Nobody gets fewer than it wants while another has more than it; what nobody wants is given out
    evenly too, so that whoever is alone has all. Where there are more processes than slots, each
    has one in its turn.

    Args:
        wants: slots that each process could use now, at least 1.
        slots: how many there are.
        turn: a number that grows with time.
    """
    count = len(wants)
    if count > slots:
        begin = turn % count
        lucky = {(begin + slot) % count for slot in range(slots)}
        return [int(number in lucky) for number in range(count)]
    given = [0] * count
    left = slots
    while left and (hungry := [n for n in range(count) if given[n] < wants[n]]):
        for number in hungry[:left]:
            given[number] += 1
        left -= len(hungry[:left])
    return [one + left // count + (n < left % count) for n, one in enumerate(given)]
