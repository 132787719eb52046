"""Who drives a run, by its lease: this machine knows its own processes, of others only the lease."""

from datetime import timedelta

import pytest

from bulkrunner.domain.run import GRACE, LIFE, Driver, Lease, LeaseTimes, ownership
from tests.support.ledgers import OWNER, START

LEASE = Lease(
    run="r1", owner=OWNER, token=3, expires_at=START + timedelta(seconds=LIFE), taken_at=START
)
COUNTS, LAPSED, OVER = 1, LIFE, LIFE + GRACE

ROWS = {
    ("lives", COUNTS): (Driver.HERE, True, False),
    ("lives", LAPSED): (Driver.SILENT, False, False),
    ("lives", OVER): (Driver.NOBODY, False, True),
    ("is dead", COUNTS): (Driver.NOBODY, False, True),
    ("is dead", LAPSED): (Driver.NOBODY, False, True),
    ("is elsewhere", COUNTS): (Driver.ELSEWHERE, True, False),
    ("is elsewhere", LAPSED): (Driver.DOUBTFUL, False, False),
    ("is elsewhere", OVER): (Driver.NOBODY, False, True),
}
ALIVE = {"lives": True, "is dead": False, "is elsewhere": None}


@pytest.mark.parametrize(("who", "seconds"), ROWS)
def test_who_drives(who, seconds):
    now = START + timedelta(seconds=seconds)
    found = ownership(LEASE, alive=ALIVE[who], now=now)
    assert (found.driver, found.works, found.is_free) == ROWS[who, seconds]
    if not found.is_free:
        why, todo = found.held()
        assert "run r1" in str(why)
        assert "process 4711 on desk since 2026-03-02 09:00:00 UTC" in str(why)
        assert str(todo)
        assert why.worded("sv") != str(why)


def test_nobody_holds_it():
    found = ownership(None, alive=None, now=START)
    assert (found.driver, found.is_free, found.works) == (Driver.NOBODY, True, False)
    with pytest.raises(ValueError, match="nobody"):
        found.held()


def test_from_when_on_it_may_be_taken_up():
    times = LeaseTimes(life=10, grace=20)
    found = ownership(LEASE, alive=None, now=START, times=times)
    assert found.free_at == LEASE.expires_at + timedelta(seconds=20)
    assert ownership(LEASE, alive=None, now=found.free_at, times=times).is_free
