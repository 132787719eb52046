"""Who drives a run: the one answer, by its lease, for every command that asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bulkrunner.domain.run import Lease
from bulkrunner.sentences import Sentence

LIFE = 60.0
GRACE = 300.0


@dataclass(frozen=True, kw_only=True)
class LeaseTimes:
    """How long a lease counts, in seconds."""

    life: float = LIFE  # without being renewed
    renew_every: float = 15.0
    grace: float = GRACE  # a request may be under way after its sender's lease ran out


USUAL = LeaseTimes()


class Driver(StrEnum):
    """What is known of whoever holds a run's lease."""

    NOBODY = "nobody"  # or it is dead, or silent for so long that the run may be taken up
    HERE = "here"  # it lives on this machine, and renews its lease
    ELSEWHERE = "elsewhere"  # it is on another machine, and its lease counts
    SILENT = "silent"  # it lives on this machine, but renews no lease: it is stopped, or hangs
    DOUBTFUL = "doubtful"  # it is on another machine, its lease has run out: it may still send


@dataclass(frozen=True, kw_only=True)
class Ownership:
    """Who drives a run, and from when on anybody may take it up."""

    driver: Driver
    lease: Lease | None = None
    free_at: datetime | None = None

    @property
    def is_free(self) -> bool:
        """Return True if the run may be taken up."""
        return self.driver is Driver.NOBODY

    @property
    def works(self) -> bool:
        """Return True if a process works on the run, or waits by itself."""
        return self.driver in (Driver.HERE, Driver.ELSEWHERE)

    def held(self) -> tuple[Sentence, Sentence]:
        """Return why the run cannot be taken up, and what can be done; it is not free."""
        lease, free_at = self.lease, self.free_at
        if lease is None or free_at is None:
            raise ValueError("a run that nobody holds is not held")
        run, who, free = lease.run, _process(lease), _moment(free_at)
        match self.driver:
            case Driver.HERE:
                return Sentence("held_here", run=run, who=who), Sentence("held_here_todo", run=run)
            case Driver.SILENT:
                silent, pid = _moment(lease.expires_at), lease.owner.pid
                return (
                    Sentence("held_silently", run=run, who=who, silent=silent),
                    Sentence("held_silently_todo", pid=pid, free=free),
                )
            case _:
                return (
                    Sentence("held_elsewhere", run=run, who=who),
                    Sentence("held_elsewhere_todo", run=run, free=free),
                )


def ownership(
    lease: Lease | None, *, alive: bool | None, now: datetime, times: LeaseTimes = USUAL
) -> Ownership:
    """Return who drives a run by its lease."""
    # ``alive`` is None where that cannot be told from here.
    if lease is None:
        return Ownership(driver=Driver.NOBODY)
    free_at = lease.expires_at + timedelta(seconds=times.grace)
    if alive is False or now >= free_at:
        driver = Driver.NOBODY
    elif now < lease.expires_at:
        driver = Driver.HERE if alive else Driver.ELSEWHERE
    else:
        driver = Driver.SILENT if alive else Driver.DOUBTFUL
    return Ownership(driver=driver, lease=lease, free_at=free_at)


def _process(lease: Lease) -> Sentence:
    pid, host = lease.owner.pid, lease.owner.host.partition("/")[0]
    if lease.taken_at is None:
        return Sentence("process", pid=pid, host=host)
    return Sentence("process_since", pid=pid, host=host, since=_moment(lease.taken_at))


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
