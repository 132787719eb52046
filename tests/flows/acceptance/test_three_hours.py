"""Three hours of a production run on one simulated clock, the sandbox's included.

Windows from 21 to 22 and from 23 to 2 in Stockholm, a token that lives 4000 seconds, and another
rate from 23:30 on.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from bulkrunner.adapters.pacing import pace
from bulkrunner.adapters.pacing import shared as shared_places
from bulkrunner.bootstrap import Program, core
from bulkrunner.sandbox import seed
from bulkrunner.services.running import control
from bulkrunner.services.running import dispatch as feed
from bulkrunner.services.running import orders as listening
from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox
from tests.support.simulated import SimulatedClock

ZONE = ZoneInfo("Europe/Stockholm")
BIBS, HOLDINGS = 500, 3000
EVENING = datetime(2026, 3, 2, 21, 30, tzinfo=ZONE)
FIRST, THEN = 0.02, 0.01
LOOK_EVERY = 5.0
"""Seconds from one look to the next; a second or less would make a million of them."""

IN_FIRST_WINDOW, BEFORE_THE_ORDER, AFTER_IT = 36, 36, 30
COUNT = IN_FIRST_WINDOW + BEFORE_THE_ORDER + AFTER_IT


def clock_time(hour, minute=0, second=0):
    day = timedelta(days=1 if hour < 12 else 0)
    return EVENING.replace(hour=hour, minute=minute, second=second) + day


@pytest.fixture
def coarse(monkeypatch):
    for module, name in (
        (pace, "STEP"),
        (control, "STEP"),
        (feed, "TICK"),
        (listening, "LISTEN_EVERY"),
        (shared_places, "BEAT"),
    ):
        monkeypatch.setattr(module, name, LOOK_EVERY)


@pytest.fixture
def clock(monkeypatch, coarse):
    simulated = SimulatedClock(EVENING.astimezone(UTC))
    monkeypatch.setattr(core, "SystemClock", lambda: simulated)
    return simulated


@pytest.fixture
def place(tmp_path, clock):
    with running_sandbox(bibs=BIBS, holdings=HOLDINGS, token_lifetime=4000, clock=clock) as sandbox:
        yield Workplace(folder=tmp_path / "place", sandbox=sandbox)


@pytest.fixture
def approved_job(place):
    ids = [
        one
        for mark in ("Hc", "Hce", "Hcf")
        for one in seed.example_ids(
            kind="holding", sigel="Ylm", shelf_mark=mark, bibs=BIBS, holdings=HOLDINGS
        )
    ][:COUNT]
    assert len(ids) == COUNT
    operations = [
        {"update": one, "changes": [{"append": {"at": "cataloguersNote", "value": "natt"}}]}
        for one in ids
    ]
    place.configure(
        production={
            "rate": FIRST,
            "concurrency": 2,
            "windows": ["21:00-22:00", "23:00-02:00"],
            "timezone": "Europe/Stockholm",
        }
    )
    job = place.job("night", operations=operations)
    place.approved(job)
    return job


class Somebody:
    """Gives orders and looks at the status, from another terminal."""

    def __init__(self, place):
        self._place = place
        self.seen = {}

    def __call__(self, what, *given):
        with Program(self._place.config, None, self._place.environ()) as program:
            (run,) = program.ledger.runs.all(job="night")[:1]
            return getattr(self, what)(program, run, *given)

    def rate(self, program, run, rate):
        program.standing.ordering().rate(run, rate, most=program.standing.most_rate(run))

    def look(self, program, run, name):
        shown = program.standing.status(run.id, with_gates=False).runs[0]
        lease = program.ledger.leases.of(run.id)
        assert lease is not None
        assert lease.expires_at > program.clock.now(), f"nobody holds the run at {name}"
        self.seen[name] = shown


def times(entries, path=None):
    return [
        datetime.fromisoformat(entry["time"]).astimezone(ZONE)
        for entry in entries
        if path is None or entry["path"] == path
    ]


def between(moments, begin, end):
    return [moment for moment in moments if begin <= moment < end]


def test_three_hours(place, clock, approved_job):
    production = place.sandbox.production
    production.clear_log()
    begun = clock.now()
    somebody = Somebody(place)
    clock.at(clock_time(21, 40), lambda: somebody("look", "writing"))
    clock.at(clock_time(22, 10), lambda: somebody("look", "closed"))
    clock.at(clock_time(23, 30), lambda: somebody("rate", THEN))
    clock.at(clock_time(23, 45), lambda: somebody("look", "slower"))
    with clock.running():
        done = place("run", approved_job, "--env", "production")
    assert done.document["state"] == "completed"
    assert done.document["outcomes"]["applied"] == COUNT

    writes = times(production.writes())
    assert len(writes) == COUNT
    first = between(writes, begun, clock_time(22))
    second = between(writes, clock_time(23), clock_time(23, 30))
    third = between(writes, clock_time(23, 30), clock_time(2))
    # Nothing outside the windows, and the first write of the second one at once.
    assert len(first) + len(second) + len(third) == COUNT
    assert first[0] - begun < timedelta(seconds=LOOK_EVERY)
    assert second[0] - clock_time(23) < timedelta(seconds=LOOK_EVERY)
    # The rate before and after the order, obeyed and used.
    assert abs(len(first) - IN_FIRST_WINDOW) <= 1
    assert abs(len(second) - BEFORE_THE_ORDER) <= 1
    for part, rate in ((first, FIRST), (second, FIRST), (third[1:], THEN)):
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(part)]
        assert min(gaps) >= 1 / rate - 2 * pace.SLACK - 0.001
        assert sum(gaps) / len(gaps) <= 1 / rate + LOOK_EVERY
    assert writes[-1] - begun > timedelta(hours=2, minutes=45)

    log = production.log()
    tokens, verified = times(log, "/oauth/token"), times(log, "/oauth/verify")
    # At the start, each hour, and with each new token before anything is written with it.
    wanted = [
        begun.astimezone(ZONE),
        clock_time(22, 30),
        clock_time(23),
        clock_time(23, 30),
        clock_time(0, 1, 40),
    ]
    assert len(tokens) == 3
    for asked, expected in zip(verified, wanted, strict=True):
        assert timedelta(0) <= asked - expected < timedelta(seconds=1 / THEN + LOOK_EVERY), asked
    ordered = [e["path"] if "oauth" in e["path"] else e["method"] for e in log]
    for place_in_log, what in enumerate(ordered):
        if what == "/oauth/token":
            following = [one for one in ordered[place_in_log:] if one in ("/oauth/verify", "PUT")]
            assert following[0] == "/oauth/verify"


def test_what_the_status_says_of_it(place, clock, approved_job):
    somebody = Somebody(place)
    clock.at(clock_time(21, 40), lambda: somebody("look", "writing"))
    clock.at(clock_time(22, 10), lambda: somebody("look", "closed"))
    clock.at(clock_time(22, 20), lambda: somebody("stop"))
    somebody.stop = lambda program, run: program.ledger.runs.request_stop(run.id, reason="enough")
    with clock.running():
        place("run", approved_job, "--env", "production", expect=6)
    writing, closed = somebody.seen["writing"], somebody.seen["closed"]
    assert writing["window"] == {
        "hours": "21:00-22:00, 23:00-02:00",
        "timezone": "Europe/Stockholm",
        "open": True,
        "until": clock_time(22).astimezone(UTC).isoformat(),
    }
    assert (writing["rate"], writing["waiting"]["reason"]) == (FIRST, "write rate")
    opening = clock_time(23).astimezone(UTC).isoformat()
    assert closed["waiting"]["reason"] == "writing is allowed 21:00-22:00, 23:00-02:00"
    assert abs(moment(closed["waiting"]["until"]) - clock_time(23)) < timedelta(seconds=1)
    assert (closed["window"]["open"], closed["window"]["until"]) == (False, opening)
    # 66 changes are left at one in fifty seconds, and nothing is written before 23.
    left = timedelta(seconds=(COUNT - IN_FIRST_WINDOW) / FIRST)
    for shown in (writing, closed):
        assert abs(moment(shown["done_at"]) - (clock_time(23) + left)) < timedelta(minutes=3)


def test_rights_that_shrink_while_nothing_is_written(place, clock, approved_job):
    production = place.sandbox.production
    production.clear_log()

    def drop():
        production.set_permissions("supplier", {"code": "NO", "registrant": True})

    clock.at(clock_time(22, 15), drop)
    with clock.running():
        done = place("run", approved_job, "--env", "production", expect=7)
    assert done.document["error"]["code"] == "rights_lost"
    assert (done.document["state"], done.document["outcomes"]["applied"]) == ("stopped", 36)
    assert clock.now() - clock_time(22, 30) < timedelta(seconds=2 * LOOK_EVERY)
    # While they are gone the gate keeps it from going on; then it goes on.
    assert place("resume", expect=4).closed == {"rights"}
    production.set_permissions("supplier", {"code": "Ylm", "registrant": True})
    with clock.running():
        done = place("resume")
    assert done.document["outcomes"]["applied"] == COUNT
    assert len(production.writes()) == COUNT
    assert between(times(production.writes()), clock_time(22), clock_time(23)) == []


def moment(text):
    return datetime.fromisoformat(text).astimezone(ZONE)
