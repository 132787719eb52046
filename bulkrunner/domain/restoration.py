"""A ledger that was put back from a copy, by a person's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bulkrunner.sentences import Sentence

RESTORE = "bulkrunner ledger restore --by NAME --reason TEXT"
"""The command by which a person says that a ledger is to be used though it is a copy."""

CLOCKS = timedelta(hours=1)
"""How much the clocks of machines and of the catalogue may differ."""


@dataclass(frozen=True, kw_only=True)
class Restoration:
    """Somebody said that a ledger is to be used.

    Attributes:
        at: when it was said. by: who said so. recorded_by: account@host that typed it in.
        known_until: time of the newest event before; what was sent later it may not know.
        was: what spoke against it; empty where nothing did.
    """

    at: datetime
    by: str
    reason: str
    recorded_by: str
    known_until: datetime
    was: str = ""

    def describe(self) -> Sentence:
        """Return it as part of a gate's reason."""
        return Sentence("ledger_restored", at=self.at, by=self.by, reason=self.reason)


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """What a restored ledger may not know.

    Attributes:
        since: when something may have been sent that is not in it.
        until: when a person said that the ledger is to be used; what it lacks was sent before.
        plan_is_older: whether the plan was made before the ledger was restored.
    """

    since: datetime
    until: datetime
    plan_is_older: bool


def unknown_of(restorations: Sequence[Restoration], plan_made: datetime) -> Unknown | None:
    """Return what may have happened that the ledger does not know; None where it is the one."""
    if not restorations:
        return None
    return Unknown(
        since=min(restoration.known_until for restoration in restorations) - CLOCKS,
        until=max(restoration.at for restoration in restorations),
        plan_is_older=any(restoration.at >= plan_made for restoration in restorations),
    )
