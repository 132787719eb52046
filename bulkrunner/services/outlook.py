"""What an unfinished run waits for, how fast it goes, and when it will be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from bulkrunner.domain.approval_terms import strictest
from bulkrunner.domain.approvals import standing
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.nights import Hours, end_of_writes
from bulkrunner.domain.ports import Clock, Ledger
from bulkrunner.domain.run import Outcome, Run, RunState, Wait
from bulkrunner.domain.windows import is_open, next_closing, next_opening
from bulkrunner.services.drivers import Drivers

SAMPLE = 200
"""Changes by which the speed is measured."""

IDLE = 60.0
"""Seconds between two outcomes from which on the run was waiting, not working."""

ENOUGH = 5
"""Gaps between outcomes that are needed to speak of a speed."""

BLANK: dict[str, Any] = dict.fromkeys(("paused", "driven", "waiting", "rate", "window", "done_at"))


class Outlooks:
    """Reads the ledger; the environment is the plan's, with the speed that it may use."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        environment: Callable[[str], Environment | None],
        drivers: Drivers,
    ) -> None:
        """Take parts.

        Args:
            ledger: of the runs.
            clock: to say when a run will be done.
            environment: gives that of a plan's id, None where it is gone.
            drivers: who drives which run.
        """
        self._drivers = drivers
        self._ledger = ledger
        self._clock = clock
        self._environment = environment

    def of(self, run: Run, outcomes: Mapping[str, int]) -> dict[str, Any]:
        """Return plain data; nulls where the run is not being driven."""
        if run.state is not RunState.RUNNING:
            return dict(BLANK)
        now, ownership = self._clock.now(), self._drivers.of(run)
        driven = ownership.works
        wait = self._ledger.wait_of(run.id) if driven else None
        if not driven and not ownership.is_free:
            wait = Wait(reason=str(ownership.held()[0]), until=ownership.free_at)
        environment = self._environment(run.plan)
        found: dict[str, Any] = {**BLANK, "paused": run.paused, "driven": driven}
        if wait is not None:
            found["waiting"] = {"reason": wait.reason, "until": _text(wait.until)}
        if environment is None:
            return found
        rate = run.rate or environment.rate
        found["rate"] = rate
        found["window"] = _window(environment, now)
        if driven and not run.paused:
            times = self._ledger.latest_outcomes(run.id, limit=SAMPLE)
            left = outcomes[Outcome.PENDING.value]
            answers = standing(self._ledger.approvals(run.plan))
            done = end_of_writes(
                Hours(windows=environment.windows, timezone=environment.timezone),
                strictest(answer.conditions for answer in answers),
                max(now, wait.until) if wait and wait.until else now,
                writes=left,
                seconds=left / speed(times, rate),
                used=lambda night: self._ledger.sent_since(run.id, night),
            )
            found["done_at"] = _text(done)
        return found


def speed(times: Sequence[datetime], rate: float) -> float:
    """Return changes per second: as measured, as allowed where that is less or nothing is known.

    Args:
        times: of outcomes, oldest first.
        rate: writes per second that are allowed.
    """
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    working = [gap for gap in gaps if gap < IDLE]
    if len(working) < ENOUGH or not sum(working):
        return rate
    return min(rate, len(working) / sum(working))


def outlook_lines(run: Mapping[str, Any]) -> Iterator[str]:
    """Yield what people read of a run's outlook."""
    if waiting := run.get("waiting"):
        until = f", until {_minute(waiting['until'])}" if waiting["until"] else ""
        yield f"    waits: {waiting['reason']}{until}"
    elif run.get("driven") is False:
        yield f"    no process works on it; go on with: bulkrunner resume {run['run']}"
    elif run.get("paused"):
        yield f"    paused; go on with: bulkrunner resume {run['run']}"
    if window := run.get("window"):
        state = "open" if window["open"] else "closed"
        until = f" until {_minute(window['until'])}" if window["until"] else ""
        yield f"    writing is allowed {window['hours']} ({window['timezone']}): {state}{until}"
    if run.get("done_at"):
        yield f"    at most {run['rate']:g} writes/s; done about {_minute(run['done_at'])}"


def _window(environment: Environment, now: datetime) -> dict[str, Any] | None:
    if not environment.windows:
        return None
    given = (environment.windows, environment.timezone, now)
    opened = is_open(*given)
    until = next_closing(*given) if opened else next_opening(*given)
    return {
        "hours": ", ".join(environment.windows),
        "timezone": environment.timezone,
        "open": opened,
        "until": _text(until),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _minute(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
