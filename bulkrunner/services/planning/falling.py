"""What waits for a change that a later entry has made a refusal falls with it.

A plan that shows the old holding of a move as deleted, while the new one is refused, would mislead
who reads it; the run would not delete it.
"""

from __future__ import annotations

from collections.abc import Mapping

from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.ports import PlanLedger
from bulkrunner.services.planning.refusing import fallen, is_for, refused

PAGE = 200


def let_fall(ledger: PlanLedger, plan: str, *, cursor: int) -> None:
    """Refuse in a whole plan what waits for refused changes, and what was made for its sake."""
    while _pass(ledger, plan, cursor):
        pass


def _pass(ledger: PlanLedger, plan: str, cursor: int) -> bool:
    """Go through the plan once; returns whether anything fell that may be waited for by others."""
    after, fell = 0, False
    while page := ledger.waiting(plan, after=after, limit=PAGE):
        after = max(page)
        while falling := _unmet(ledger, plan, page):
            replaced = _with_what_was_for(ledger, plan, falling)
            ledger.add_changes(plan, [], cursor=cursor, replaced=replaced)
            page = {number: waits for number, waits in page.items() if number not in falling}
            fell = True
    return fell


def _unmet(
    ledger: PlanLedger, plan: str, page: Mapping[int, tuple[int, ...]]
) -> dict[int, list[int]]:
    """Return the changes that wait for failed ones, each with those."""
    failed = ledger.failed(plan, sorted({one for waits in page.values() for one in waits}))
    found = {number: sorted(failed.intersection(waits)) for number, waits in page.items()}
    return {number: bad for number, bad in found.items() if bad}


def _with_what_was_for(
    ledger: PlanLedger, plan: str, falling: Mapping[int, list[int]]
) -> list[PlannedChange]:
    replaced: dict[int, PlannedChange] = {}
    for change in ledger.changes_numbered(plan, sorted(falling)):
        (needed,) = ledger.changes_numbered(plan, falling[change.number][:1])
        replaced[change.number] = refused(change, fallen(needed))
        for other in ledger.changes_numbered(plan, change.prerequisites):
            if is_for(other, change) and other.number not in falling:
                replaced[other.number] = refused(other, fallen(replaced[change.number]))
    return list(replaced.values())
