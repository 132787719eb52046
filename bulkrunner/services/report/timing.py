"""How long a run will take, and how one went."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest

from bulkrunner.domain.approvals import Conditions
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.plan import WRITING, Action
from bulkrunner.domain.report import Estimate, Moment, Timeline, requests_for
from bulkrunner.domain.run import Outcome, RunEvent, RunState
from bulkrunner.domain.schedule import Hours, end_of_writes

STEPS = 60
"""Steps of a timeline at most."""

WIDTHS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800)
"""Seconds that a step may take."""

IDLE = 60.0
"""Seconds between two outcomes from which on a run was waiting, not working."""


def estimate(
    kinds: Mapping[tuple[Action, str], int],
    environment: Environment,
    now: datetime,
    *,
    looks: int = 0,
    asked: Conditions | None = None,
) -> Estimate:
    """Return how long a run of so many changes will take.

    Args:
        kinds: changes by action and kind of record.
        environment: with the speed that the run may use.
        now: when it would begin.
        looks: other records that changes are held against before they are sent.
        asked: conditions of the yeses that stand.
    """
    writing = {key: count for key, count in kinds.items() if key[0] in WRITING}
    writes, requests = sum(writing.values()), requests_for(writing) + looks
    seconds = max(writes / environment.rate, (requests - writes) / environment.read_rate)
    return Estimate(
        writes=writes,
        requests=requests,
        seconds=seconds,
        rate=environment.rate,
        windows=environment.windows,
        timezone=environment.timezone,
        done_at=end_of_writes(
            Hours(windows=environment.windows, timezone=environment.timezone),
            asked or Conditions(),
            now,
            writes=writes,
            seconds=seconds,
        ),
    )


def timeline(decisions: Iterable[tuple[datetime, Outcome]]) -> Timeline | None:
    """Return how many changes were decided when; None where none was.

    Args:
        decisions: in the order of time.
    """
    decided = list(decisions)
    if not decided:
        return None
    start, end = decided[0][0], decided[-1][0]
    span = (end - start).total_seconds()
    width = next((each for each in WIDTHS if span < STEPS * each), None) or span / STEPS + 1
    steps: list[Counter[Outcome]] = [Counter() for _ in range(int(span // width) + 1)]
    for when, outcome in decided:
        steps[int((when - start).total_seconds() // width)][outcome] += 1
    return Timeline(
        start=start,
        end=end,
        seconds=width,
        steps=tuple(dict(step) for step in steps),
        per_second=_speed([when for when, _ in decided]),
    )


def _speed(times: list[datetime]) -> float:
    gaps = [later - earlier for earlier, later in pairwise(times)]
    working = [gap for gap in gaps if gap.total_seconds() < IDLE]
    spent = sum(working, timedelta()).total_seconds()
    return len(working) / spent if spent else 0.0


ENDS = frozenset({RunState.INTERRUPTED, RunState.STOPPED})
TOLD = frozenset({"started", "paused", "pause_lifted", "rate_set", "waiting", "went_on"})


def moments(events: Sequence[RunEvent], decided: Sequence[datetime] = ()) -> tuple[Moment, ...]:
    """Return what happened to a run as a whole, for people to read.

    Args:
        events: oldest first.
        decided: when changes were, in the order of time. A wait that ended because the run did
            left nothing decided behind it: nothing went on then.
    """
    idle = {id(one) for one, later in pairwise(events) if _ended_idle(one, later, decided)}
    return tuple(_moments([one for one in events if id(one) not in idle]))


def _ended_idle(event: RunEvent, later: RunEvent, decided: Sequence[datetime]) -> bool:
    if event.kind != "went_on" or later.kind != "moved" or later.data.get("to") not in ENDS:
        return False
    return bisect_left(decided, event.at) == bisect_right(decided, later.at)


def _moments(events: Sequence[RunEvent]) -> Iterator[Moment]:
    for event, following in zip_longest(events, events[1:]):
        data = event.data
        by, reason = str(data.get("by") or ""), data.get("reason") or ""
        match event.kind:
            case "moved":
                state = str(data.get("to"))
                kind = "resumed" if state == RunState.RUNNING else state
                yield Moment(at=event.at, kind=kind, reason=reason)
            case "lease_taken" if following is None or following.kind != "moved":
                yield Moment(at=event.at, kind="taken_over", by=str(data.get("host") or ""))
            case kind if kind in TOLD:
                yield Moment(
                    at=event.at,
                    kind=kind,
                    rate=data.get("rate"),
                    until=_instant(data.get("until")),
                    by=by,
                    reason=reason,
                )


def _instant(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
