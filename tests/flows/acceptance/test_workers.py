"""Jobs queued on a PostgreSQL ledger, and done by workers: in threads here, and in processes that die."""

import itertools
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from bulkrunner.adapters import queue
from bulkrunner.bootstrap import Program, cluster
from tests.support.cli import Workplace, update_label
from tests.support.postgresql import stop_server, the_server

SOON = 60
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server():
    yield the_server()
    stop_server()


@pytest.fixture
def place(server, sandbox, tmp_path):
    url = server.empty(f"queued{next(_NUMBERS)}")
    return Workplace(folder=tmp_path / "place", sandbox=sandbox, url=url)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    """What is waited for here happens at once."""
    for module, names in {
        queue: {"BEAT": 0.3, "SILENT": 2.0, "LOOK_EVERY": 0.2},
        cluster: {"LOOK_AGAIN": 1.0, "HELD": 0.5, "AFTER_FAULT": 0.3, "LEFT": 0.2},
    }.items():
        for name, value in names.items():
            monkeypatch.setattr(module, name, value)


@contextmanager
def at_work(place, name="one", *, client=True):
    """A worker in a thread of this process."""
    with Program(place.config, None, place.environ() if client else {}) as program:
        worker = program.cluster.worker(program.again, name, 2, [].append)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield worker
        finally:
            worker.stop()
            thread.join(SOON)
            assert not thread.is_alive()


def until(place, job, state, reason="", *, env="staging"):
    """Wait until the queue says so of a job."""
    end, found = time.monotonic() + SOON, []
    while time.monotonic() < end:
        found = place("status").document["queue"]
        for one in found:
            stands = (one["job"], one["environment"], one["state"]) == (job, env, state)
            if stands and reason in one["reason"]:
                return one
        time.sleep(0.1)
    raise AssertionError(found)


def written(place, records):
    """How often the server changed each record."""
    return [len(place.sandbox.staging.history(record)) - 1 for record in records]


def reached(place, records, count):
    """Wait until so many changes were made, whoever makes them."""
    end = time.monotonic() + SOON
    while sum(written(place, records)) < count:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_whole_road_of_a_job(place, own):
    job = place.job("road", operations=update_label(own[:3], to="Hx"))
    said = place("submit", job, "--env", "staging").document
    assert (said["job"], said["workers"]) == ("road", 0)
    assert until(place, "road", "waiting")["worker"] is None
    with at_work(place):
        ended = until(place, "road", "ended")
        assert "complete and verified, 3 records" in ended["reason"]
        assert ended["manifest_digest"] == said["manifest_digest"]
        place("submit", job, "--env", "production")
        waiting = until(place, "road", "waiting", "nobody has approved", env="production")
        assert waiting["worker"] is None, "nobody waits with it"
        status = place("status").document
        assert [(one["name"], one["alive"]) for one in status["workers"]] == [("one", True)]
        place("approve", status["plans"][0]["plan"], "--by", "Karin Ek", "--reference", "KB 1")
        until(place, "road", "ended", "verified", env="production")
    status = place("status").document
    assert [run["state"] for run in status["runs"]] == ["completed", "completed"]
    assert status["workers"] == []
    assert place("ledger", "check").document["state"] == "intact"


def test_a_worker_that_is_killed_in_the_middle(place, own):
    place.configure(staging={"rate": 4})
    job = place.job("killed", operations=update_label(own[:12], to="Hx"))
    place("submit", job, "--env", "staging")
    dead = place.start("worker", "--name", "dead")
    reached(place, own[:12], 3)
    dead.kill()
    dead.communicate()
    assert sum(written(place, own[:12])) < 12
    with at_work(place, "alive"):
        assert "verified, 12 records" in until(place, "killed", "ended")["reason"]
    runs = place("status").document["runs"]
    assert [run["outcomes"]["applied"] for run in runs] == [12]
    assert set(written(place, own[:12])) == {1}, "nothing twice"


def test_two_workers_and_a_run_that_somebody_else_drives(place, own):
    place.configure(staging={"rate": 4})
    job = place.job("held", operations=update_label(own[:8], to="Hx"))
    place("plan", job, "--env", "staging")
    driver = place.start("run", job, "--env", "staging")
    reached(place, own[:8], 1)
    run = place("status").document["runs"][0]["run"]
    place("pause", run)
    with ExitStack() as stack:
        for name in ("one", "two"):
            stack.enter_context(at_work(place, name))
        place("submit", job, "--env", "staging")
        until(place, "held", "waiting", "being driven by process")
        place("resume", run)
        driver.communicate()
        assert driver.returncode == 0
        until(place, "held", "ended", "verified, 8 records")
    assert set(written(place, own[:8])) == {1}


def test_it_sleeps_where_the_hours_are_closed(place, own):
    now = datetime.now(UTC)
    opens, closes = (now + timedelta(hours=hours) for hours in (3, 5))
    window = f"{opens:%H:%M}-{closes:%H:%M}"
    place.configure(staging={"windows": [window], "timezone": "UTC"})
    job = place.job("night", operations=update_label(own[:2], to="Hx"))
    place("submit", job, "--env", "staging")
    with at_work(place):
        found = until(place, "night", "waiting", "writing is allowed")
    wakes = datetime.fromisoformat(found["at"])
    assert abs(wakes - opens.replace(second=0, microsecond=0)) < timedelta(minutes=1)
    assert place("status").document["runs"] == []


def test_a_run_that_has_to_wait_long_is_left_until_then(place, own):
    job = place.job("nights", operations=update_label(own[:5], to="Hx"))
    plan = place.through_staging(job).document["plan"]
    asked = ("--by", "Karin Ek", "--reference", "KB 1", "--per-night", "2")
    place("approve", plan, *asked)
    place("submit", job, "--env", "production")
    with at_work(place):
        found = until(place, "nights", "waiting", "goes on by itself", env="production")
    assert datetime.fromisoformat(found["at"]) > datetime.now(UTC) + timedelta(minutes=1)
    run = place("status").document["runs"][0]
    assert (run["state"], run["outcomes"]["applied"]) == ("interrupted", 2)


def test_orders_reach_a_run_wherever_it_is(place, own):
    place.configure(staging={"rate": 2})
    job = place.job("slow", operations=update_label(own[:7], to="Hx"))
    place("submit", job, "--env", "staging")
    with at_work(place):
        end = time.monotonic() + SOON
        while not (runs := place("status").document["runs"]):
            assert time.monotonic() < end
        place("rate", runs[0]["run"], "1.5")
        place("stop", runs[0]["run"])
        until(place, "slow", "ended", "stopped by")
        assert place("status").document["runs"][0]["state"] == "stopped"
        place("submit", job, "--env", "staging")
        until(place, "slow", "ended", "verified, 7 records")


def test_connections_to_the_server_that_are_lost(place, own):
    place.configure(staging={"rate": 10})
    job = place.job("cut", operations=update_label(own[:15], to="Hx"))
    place("submit", job, "--env", "staging")
    engine = create_engine(place.url, isolation_level="AUTOCOMMIT")
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    mine = f"{kill} AND datname = current_database()"
    with at_work(place), engine.connect() as connection:
        for wanted in (3, 8, 13):
            reached(place, own[:15], wanted)
            connection.execute(text(mine))
        until(place, "cut", "ended", "verified, 15 records")
    engine.dispose()
    assert set(written(place, own[:15])) == {1}
    assert place("ledger", "check").document["state"] == "intact"


def test_a_worker_whose_job_folder_is_another_leaves_it(place, own):
    job = place.job("other", operations=update_label(own[:2], to="Hx"))
    place("submit", job, "--env", "staging")
    place.job("other", operations=update_label(own[:2], to="Hy"))
    with at_work(place):
        found = until(place, "other", "waiting", "was submitted")
        assert " here is sha256:" in found["left_by"]["one"]
        job.rename(job.with_name("away"))
        until(place, "other", "waiting", "there is no")
        job.with_name("away").rename(job)
        place.job("other", operations=update_label(own[:2], to="Hx"))
        until(place, "other", "ended", "verified")


def test_a_worker_without_a_client_leaves_it_to_another(place, own):
    job = place.job("client", operations=update_label(own[:2], to="Hx"))
    place("submit", job, "--env", "staging")
    with at_work(place, "stranger", client=False):
        found = until(place, "client", "waiting", "credentials")
        assert list(found["left_by"]) == ["stranger"]
        with at_work(place, "known"):
            until(place, "client", "ended", "verified")


def test_no_secret_is_in_the_queue(place, own):
    job = place.job("secret", operations=update_label(own[:1], to="Hx"))
    place("submit", job, "--env", "staging")
    with at_work(place):
        until(place, "secret", "ended")
        place("submit", job, "--env", "production", "--at", "2030-01-01T20:00")
        held = rows_of(place)
    assert "secret@production" in held
    for name, value in place.environ().items():
        if "SECRET" in name:
            assert value
            assert value not in held


def rows_of(place):
    engine = create_engine(place.url)
    with engine.connect() as connection:
        tables = connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'bulkrunner_queue'")
        ).all()
        rows = [
            connection.execute(text(f"SELECT t::text FROM bulkrunner_queue.{table} t")).all()
            for table in tables
        ]
    engine.dispose()
    return repr(rows)


@pytest.mark.parametrize("command", ["submit", "worker"])
def test_a_ledger_that_is_a_file(sandbox, tmp_path, own, command):
    place = Workplace(folder=tmp_path, sandbox=sandbox)
    job = place.job("alone", operations=update_label(own[:1]))
    given = (job, "--env", "staging") if command == "submit" else ()
    error = place(command, *given, expect=2).document["error"]
    assert "ledger on PostgreSQL" in error["message"]
    assert "bulkrunner ledger copy" in error["hint"]
