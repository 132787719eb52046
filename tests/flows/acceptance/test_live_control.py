"""Two processes share one rate; pause, rate, resume, stop and status from another terminal."""

import json
import threading
from datetime import UTC, datetime, timedelta

from sqlalchemy import create_engine, text

from tests.support.sandbox import wait_until


def marks_job(place, name, ids):
    operations = [
        {"update": record, "changes": [{"append": {"at": "cataloguersNote", "value": name}}]}
        for record in ids
    ]
    job = place.job(name, operations=operations)
    place("plan", job, "--env", "staging")
    return job


def the_run(place, job):
    runs = place("status").document["runs"]
    return next((run for run in runs if run["run"] and run["plan"] == job), None)


def started(place, job):
    plan = place("status").document["plans"][0]["plan"]
    process = place.start("run", job, "--env", "staging")
    wait_until(lambda: the_run(place, plan))
    return process, the_run(place, plan)["run"]


def test_two_processes_share_one_rate(place, own):
    rate, half = 4, len(own) // 2
    place.configure(staging={"rate": rate})
    first = marks_job(place, "first", own[:half])
    second = marks_job(place, "second", own[half : 2 * half])
    staging = place.sandbox.staging
    staging.clear_log()
    processes = [place.start("run", job, "--env", "staging") for job in (first, second)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert json.loads(out)["outcomes"]["applied"] == half
    times = [datetime.fromisoformat(entry["time"]).timestamp() for entry in staging.writes()]
    assert len(times) == 2 * half >= 16
    # Each for itself would need half as long.
    assert max(times) - min(times) >= (2 * half - 1) / rate - 0.5


class UnderWay:
    """Counts the requests for records that an environment is working on at a time."""

    def __init__(self, environment, monkeypatch):
        self._lock = threading.Lock()
        self._now = self.most = 0
        admit, answer = environment.admit, environment.answer
        monkeypatch.setattr(environment, "admit", lambda request: self._in(admit, request))
        monkeypatch.setattr(environment, "answer", lambda ticket: self._out(answer, ticket))

    @staticmethod
    def _counts(request):
        return not request.path.startswith(("/_sandbox", "/oauth"))

    def _in(self, admit, request):
        ticket = admit(request)
        if self._counts(request):
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
        return ticket

    def _out(self, answer, ticket):
        try:
            return answer(ticket)
        finally:
            if self._counts(ticket.request):
                with self._lock:
                    self._now -= 1


def test_two_processes_share_the_requests_at_a_time(place, own, monkeypatch):
    half = len(own) // 2
    place.configure(staging={"concurrency": 3})
    jobs = [marks_job(place, "left", own[:half]), marks_job(place, "right", own[half : 2 * half])]
    place.sandbox.staging.fault("latency", ms=40)
    under_way = UnderWay(place.sandbox.running.test.environment, monkeypatch)
    processes = [place.start("run", job, "--env", "staging") for job in jobs]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert json.loads(out)["outcomes"]["applied"] == half
    # Each for itself would have three under way.
    assert under_way.most == 3


def test_places_of_a_killed_process_are_free_at_once(place, own):
    half = len(own) // 2
    place.configure(staging={"concurrency": 1})
    jobs = [marks_job(place, "killed", own[:half]), marks_job(place, "left", own[half : 2 * half])]
    staging = place.sandbox.staging
    staging.fault("latency", method="PUT", ms=60_000, times=1)
    killed = place.start("run", jobs[0], "--env", "staging")
    wait_until(lambda: any(fault["fired"] for fault in staging.faults()))
    killed.kill()
    killed.communicate()
    (run,) = place("status").document["runs"]
    shown = place("status", run["run"]).document
    (orphan,) = shown["runs"]
    assert (orphan["state"], orphan["driven"]) == ("running", False)
    assert shown["next"] == f"bulkrunner resume {orphan['run']}"
    assert place("pause", run["run"], expect=2).document["error"]["code"] == "not_driven"
    kept = place("rate", run["run"], "50")
    assert "no process drives run" in kept.stderr
    assert "no process works on it" in place("status", run["run"], "--watch").stderr
    assert place("run", jobs[1], "--env", "staging").document["outcomes"]["applied"] == half
    engine = create_engine(place.ledger_url)
    with engine.connect() as ledger:
        assert ledger.scalar(text("select count(*) from places")) == 0
    engine.dispose()


def test_orders_from_another_terminal(place, own):
    place.configure(staging={"rate": 0.5})
    job = marks_job(place, "ordered", own[:12])
    staging = place.sandbox.staging
    staging.clear_log()
    process, run = started(place, job)
    paused = place("pause", run)
    assert paused.document == {"run": run, "state": "running", "paused": True}

    def status():
        return next(one for one in place("status").document["runs"] if one["run"] == run)

    wait_until(lambda: "paused by" in ((status()["waiting"] or {}).get("reason") or ""))
    assert status()["paused"] is True
    assert status()["done_at"] is None
    sent = len(staging.writes())
    assert sent < 12
    assert place("rate", run, "400").document == {"run": run, "state": "running", "rate": 400}
    assert status()["rate"] == 400
    resumed = place("resume", run)
    assert resumed.document["state"] == "running"
    assert resumed.document["requests"] == 0
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["outcomes"]["applied"] == 12
    watched = place("status", run, "--watch")
    assert watched.document["runs"][0]["state"] == "completed"
    assert watched.document["runs"][0]["waiting"] is None


def shown(place, run):
    return next(one for one in place("status").document["runs"] if one["run"] == run)


def waits(place, run):
    """What a run says it waits for, once it says so."""
    return wait_until(lambda: (shown(place, run)["waiting"] or {}).get("reason"))


def test_a_rest_that_the_server_asked_for_is_shown_and_a_stop_does_not_sit_it_out(place, own):
    place.configure(staging={"concurrency": 1})
    other = marks_job(place, "other", own[4:6])
    job = marks_job(place, "resting", own[:4])
    staging = place.sandbox.staging
    staging.fault("status", method="PUT", status=503, nth=2, retry_after=1800)
    process, run = started(place, job)
    assert waits(place, run) == "staging asked for 1800 s of rest"
    status = shown(place, run)
    until = datetime.fromisoformat(status["waiting"]["until"])
    assert timedelta(minutes=25) < until - datetime.now(UTC) <= timedelta(minutes=30)
    assert datetime.fromisoformat(status["done_at"]) >= until
    # Nor does anybody else on this ledger send meanwhile.
    sent = len(staging.writes())
    second = place.start("run", other, "--env", "staging")
    second_run = wait_until(lambda: next_run(place, run))
    assert waits(place, second_run) == "the environment asked for a rest, perhaps another process"
    for one in (run, second_run):
        place("stop", one)
    for one in (process, second):
        out, err = one.communicate(timeout=30)
        assert one.returncode == 6, err
        assert json.loads(out)["state"] == "stopped"
    assert len(staging.writes()) == sent


def next_run(place, first):
    runs = place("status").document["runs"]
    return next((one["run"] for one in runs if one["run"] != first), None)


def test_orders_to_what_is_not_running_are_refused(place, own):
    job = marks_job(place, "ended", own[:2])
    plan = place("status").document["plans"][0]["plan"]
    assert "has no run" in place("pause", plan, expect=2).document["error"]["message"]
    run = place("run", job, "--env", "staging").document["run"]
    for command in (("pause", run), ("rate", run, "3"), ("stop", run)):
        assert "is completed" in place(*command, expect=2).document["error"]["message"]
    assert place("rate", run, "0", expect=2).document["error"]["code"] == "usage"


def test_a_window_that_is_closed_is_shown(place, own):
    hour = datetime.now().astimezone().hour
    window = f"{(hour + 5) % 24:02}:00-{(hour + 6) % 24:02}:00"
    place.configure(staging={"windows": [window], "timezone": "Europe/Stockholm"})
    job = marks_job(place, "nightly", own[:3])
    process, run = started(place, job)

    def status():
        return next(one for one in place("status").document["runs"] if one["run"] == run)

    wait_until(lambda: status()["waiting"])
    shown = status()
    assert shown["waiting"]["reason"] == f"writing is allowed {window}"
    assert shown["window"]["open"] is False
    assert shown["window"]["until"] <= shown["waiting"]["until"]
    assert shown["done_at"] >= shown["window"]["until"]
    place("stop", run)
    process.communicate(timeout=60)
    assert process.returncode == 6
    assert place.sandbox.staging.writes() == []
