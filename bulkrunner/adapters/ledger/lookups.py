"""What planning looks up in the plan so far: changes by record, by place and by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select

from bulkrunner.adapters.ledger.base import PAGE, Part
from bulkrunner.adapters.ledger.documents import fetch
from bulkrunner.adapters.ledger.rows import change_of, document_digests
from bulkrunner.adapters.ledger.schema import planned_changes
from bulkrunner.domain.plan import WRITING, Action, PlannedChange

_WRITING = sorted(action.value for action in WRITING)
_FAILED = (Action.REFUSED.value, Action.NOT_FOUND.value)


class Lookups(Part):
    """Part of the store: the look-ups of ``domain.ports.PlanLedger``."""

    def changes_of(self, plan: str, keys: Sequence[str]) -> Mapping[str, PlannedChange]:
        """Return for each target key or place that a change of the plan has: that change."""
        c = planned_changes.c
        found: dict[str, PlannedChange] = {}
        with self._database.read() as connection:
            for start in range(0, len(keys), PAGE):
                wanted = keys[start : start + PAGE]
                for column in (c.target_key, c.place):
                    query = select(planned_changes).where(c.plan == plan, column.in_(wanted))
                    page = connection.execute(query).all()
                    documents = fetch(connection, document_digests(page))
                    for row in page:
                        found[row._mapping[column]] = change_of(row, documents)
        return found

    def numbers_at(self, plan: str, places: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
        """Return for each place that changes of the plan have: their numbers."""
        c = planned_changes.c
        found: dict[str, tuple[int, ...]] = {}
        with self._database.read() as connection:
            for start in range(0, len(places), PAGE):
                query = select(c.place, c.number).where(
                    c.plan == plan, c.place.in_(places[start : start + PAGE])
                )
                for place, number in connection.execute(query):
                    found[place] = (*found.get(place, ()), number)
        return found

    def changes_numbered(self, plan: str, numbers: Sequence[int]) -> list[PlannedChange]:
        """Return the changes of these numbers, in plan order."""
        c = planned_changes.c
        query = select(planned_changes).where(c.plan == plan, c.number.in_(numbers))
        with self._database.read() as connection:
            page = connection.execute(query.order_by(c.number)).all()
            documents = fetch(connection, document_digests(page))
            return [change_of(row, documents) for row in page]

    def waiting(self, plan: str, *, after: int, limit: int) -> Mapping[int, tuple[int, ...]]:
        """Return the next changes to be carried out that wait for others: number → those."""
        c = planned_changes.c
        query = (
            select(c.number, c.prerequisites)
            .where(c.plan == plan, c.number > after, c.action.in_(_WRITING))
            .where(c.prerequisites.is_not(None))
            .order_by(c.number)
            .limit(limit)
        )
        with self._database.read() as connection:
            return {number: tuple(numbers) for number, numbers in connection.execute(query)}

    def failed(self, plan: str, numbers: Sequence[int]) -> frozenset[int]:
        """Return those of the numbers whose changes are refused or not found."""
        c = planned_changes.c
        with self._database.read() as connection:
            return frozenset(
                number
                for start in range(0, len(numbers), PAGE)
                for number in connection.scalars(
                    select(c.number).where(
                        c.plan == plan,
                        c.number.in_(numbers[start : start + PAGE]),
                        c.action.in_(_FAILED),
                    )
                )
            )

    def last_number(self, plan: str) -> int:
        """Return the number of the plan's last change; 0 where it has none."""
        c = planned_changes.c
        with self._database.read() as connection:
            return connection.scalar(select(func.max(c.number)).where(c.plan == plan)) or 0

    def taken_targets(self, plan: str, keys: Sequence[str]) -> Mapping[str, int]:
        """Return for each target key that a stored change of the plan has: its number."""
        taken: dict[str, int] = {}
        columns = (planned_changes.c.target_key, planned_changes.c.number)
        with self._database.read() as connection:
            for start in range(0, len(keys), PAGE):
                query = select(*columns).where(
                    planned_changes.c.plan == plan,
                    planned_changes.c.target_key.in_(keys[start : start + PAGE]),
                )
                taken.update((key, number) for key, number in connection.execute(query))
        return taken

    def actions_of(self, plan: str, numbers: Sequence[int]) -> list[Action]:
        """Return the actions of the changes of these numbers, in plan order."""
        if not numbers:
            return []
        c = planned_changes.c
        query = select(c.action).where(c.plan == plan, c.number.in_(numbers)).order_by(c.number)
        with self._database.read() as connection:
            return [Action(word) for word in connection.scalars(query)]
