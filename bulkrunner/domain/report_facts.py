"""What a reviewer should know besides the changes themselves: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bulkrunner.domain.plan import Action
from bulkrunner.domain.run import Outcome


@dataclass(frozen=True, kw_only=True)
class Noted:
    """Something that is true of ``count`` changes; ``numbers`` are the first of them.

    ``count`` is 0 where it is true of the plan as a whole.
    """

    code: str
    count: int = 0
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StagingSummary:
    """What test runs did with the plan's changes.

    Attributes:
        outcomes: by word, one for each change that was tried.
        remarks: where production will differ from what was seen: ``other_content`` (the record
            stood otherwise in the test environment), ``not_as_predicted`` and ``cleanups`` (the
            server stored something else than planned, or changed more).
    """

    outcomes: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[Noted, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a run will take when nothing goes wrong.

    Attributes:
        requests: by the attempt protocol, without retries. seconds: of sending, at ``rate`` writes
            per second. done_at: when it would be done if it began now; None where it never is.
    """

    writes: int
    requests: int
    seconds: float
    rate: float
    windows: tuple[str, ...] = ()
    timezone: str = ""
    done_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """How many changes of a run were decided when.

    Attributes:
        seconds: width of a step. steps: by outcome, from ``start`` on, empty ones included.
        per_second: while it was at work, pauses left out.
    """

    start: datetime
    end: datetime
    seconds: float
    steps: tuple[Mapping[Outcome, int], ...]
    per_second: float


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something that happened to a run as a whole.

    Attributes:
        kind: ``started``, ``paused``, ``pause_lifted``, ``rate_set``, ``waiting``, ``went_on``,
            ``taken_over``, or the state that the run came to, ``resumed`` for ``running``.
        by: who, or on which host; empty where nobody says. reason: why. rate: of ``rate_set``.
        until: of ``waiting``, where it is known.
    """

    at: datetime
    kind: str
    by: str = ""
    reason: str = ""
    rate: float | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Exported:
    """Changes of a library's holdings, which go out to it with the next export."""

    sigel: str
    count: int


REQUESTS = {
    (Action.UPDATE, ""): 3,
    (Action.DELETE, ""): 4,
    (Action.CREATE, "holding"): 3,
    (Action.CREATE, "bib"): 2,
}
"""Requests of one change by action and kind, when nothing goes wrong."""


def requests_for(kinds: Mapping[tuple[Action, str], int]) -> int:
    """Return how many requests so many changes take, the login's included.

    Args:
        kinds: by action and kind of record.
    """
    total = 1
    for (action, kind), count in kinds.items():
        each = REQUESTS.get((action, kind), REQUESTS.get((action, ""), 0))
        total += each * count
    return total
