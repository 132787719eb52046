"""A ledger that was put back from a copy, by a person's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bulkrunner.sentences import Sentence

# The command by which a person says that a ledger is to be used though it is a copy.
RESTORE = "bulkrunner ledger restore --by NAME --reason TEXT"

CLOCKS = timedelta(hours=1)  # how much the clocks of machines and of the catalogue may differ


@dataclass(frozen=True, kw_only=True)
class Restoration:
    """Somebody said that a ledger is to be used."""

    at: datetime  # when it was said
    by: str  # who said so
    reason: str
    recorded_by: str  # account@host that typed it in
    known_until: datetime  # time of the newest event before; what was sent later it may not know
    was: str = ""  # what spoke against it; empty where nothing did

    def describe(self) -> Sentence:
        """Return it as part of a gate's reason."""
        return Sentence("ledger_restored", at=self.at, by=self.by, reason=self.reason)


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """What a restored ledger may not know."""

    since: datetime  # when something may have been sent that is not in it
    # When a person said that the ledger is to be used; what it lacks was sent before.
    until: datetime
    plan_is_older: bool  # whether the plan was made before the ledger was restored


def unknown_of(restorations: Sequence[Restoration], plan_made: datetime) -> Unknown | None:
    """Return what may have happened that the ledger does not know; None where it is the one."""
    if not restorations:
        return None
    return Unknown(
        since=min(restoration.known_until for restoration in restorations) - CLOCKS,
        until=max(restoration.at for restoration in restorations),
        plan_is_older=any(restoration.at >= plan_made for restoration in restorations),
    )
