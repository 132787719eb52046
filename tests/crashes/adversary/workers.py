"""Workers on two hosts do ten jobs of five libraries, and are killed at random; so are connections.

    python -m tests.crashes.adversary.workers                # half a minute
    python -m tests.crashes.adversary.workers --seed 7 --changes 60

Afterwards the server's history is held against the ledger, its log against the agreed rate, and how
long a run had no living driver against the lease. Prints the figures; ends 1 where one is wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text

from bulkrunner.adapters import machine, queue
from bulkrunner.bootstrap import cluster
from bulkrunner.domain.run import USUAL
from bulkrunner.sandbox import seed
from tests.support.cli import Workplace, update_label
from tests.support.paths import ROOT
from tests.support.postgresql import stop_server, the_server
from tests.support.sandbox import SandboxControl, running_sandbox

LIBRARIES = ("Ylm", "NO", "Hbg", "S", "G")
WORKERS = {"one": "north", "two": "north", "three": "south"}
SIZE = {"bibs": 600, "holdings": 3600}

# A hurried cluster: the usual figures are 60, 15, 300; 5, 20, 2; 60, 20, 15 seconds.
LEASE = {"life": 4.0, "renew_every": 1.0, "grace": 3.0}
SIGNS = {"BEAT": 0.5, "SILENT": 2.0, "LOOK_EVERY": 0.3}
LOOKS = {"LOOK_AGAIN": 1.0, "HELD": 0.5, "AFTER_FAULT": 0.3, "LEFT": 0.2}

# Within so many seconds a run must have a driver again: its lease, signs of life, one look at it.
LONGEST = LEASE["life"] + LEASE["grace"] + SIGNS["SILENT"] + 4.0


# Seconds by which a machine with too few cores may send what was due.
LATE = 0.5


def hurry() -> None:
    """Shorten every wait of this process."""
    for name, value in LEASE.items():
        object.__setattr__(USUAL, name, value)
    for module, names in ((queue, SIGNS), (cluster, LOOKS)):
        for name, value in names.items():
            setattr(module, name, value)


def be(host: str, arguments: list[str]) -> int:
    """Be a command on a host of this name."""
    from bulkrunner.cli.main import main

    hurry()
    here = machine._host()
    machine._host = lambda: f"{host}/{here}"  # type: ignore[assignment]
    return main(arguments)


@dataclass
class Cluster:
    """The workers, and whoever kills them."""

    place: Workplace
    dice: random.Random
    living: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    figures: Counter[str] = field(default_factory=Counter)
    left: dict[str, float] = field(default_factory=dict)
    undriven: float = 0.0

    def start(self, name: str) -> None:
        given = ["--config", str(self.place.config), "worker", "--name", name, "--concurrency", "5"]
        words = [sys.executable, "-m", "tests.crashes.adversary.workers", "--be", WORKERS[name]]
        with (self.place.folder / f"{name}.log").open("ab") as log:
            self.living[name] = subprocess.Popen(
                [*words, *given],
                cwd=ROOT,
                env={**os.environ, **self.place.environ()},
                stderr=log,
                stdout=log,
            )

    def mischief(self, connection: Connection) -> None:
        """Kill a worker, or some connections to the database."""
        if self.dice.random() < 0.5:
            name = self.dice.choice(list(self.living))
            taken = connection.scalars(text(_TAKEN), {"pid": self.living[name].pid}).all()
            for run in taken:  # whoever was to go on with it is killed as well: it is left anew
                self.left.pop(run, None)
            self.living[name].kill()
            self.living[name].wait()
            self.figures["workers killed"] += 1
            self.start(name)
            return
        pids = connection.scalars(text(_OTHERS)).all()
        for pid in self.dice.sample(pids, min(len(pids), self.dice.randint(1, 6))):
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            self.figures["connections cut"] += 1

    def watch(self, connection: Connection) -> None:
        """Note since when each run that is not over has no living driver."""
        living = {process.pid for process in self.living.values() if process.poll() is None}
        now = time.monotonic()
        for run, state, pid in connection.execute(text(_DRIVERS)).all():
            if state == "completed" or pid in living:
                self.left.pop(run, None)
                continue
            since = self.left.setdefault(run, now)
            self.undriven = max(self.undriven, now - since)

    def stop(self) -> None:
        for process in self.living.values():
            process.terminate()
        for process in self.living.values():
            process.wait(60)


_OTHERS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

_TAKEN = """
    SELECT r.id FROM runs r
    JOIN bulkrunner_queue.procrastinate_jobs j ON j.status = 'doing' AND j.args->>'job' = r.job
    JOIN bulkrunner_queue.workers w ON w.worker = j.worker_id AND w.pid = :pid
"""

_DRIVERS = """
    SELECT r.id, r.state, l.pid FROM runs r LEFT JOIN leases l
    ON l.run = r.id AND l.host IS NOT NULL
"""


def say(*parts: str) -> None:
    sys.stdout.write("\n".join(parts) + "\n")
    sys.stdout.flush()


def records(library: str) -> list[str]:
    """Holdings of a library whose shelf mark can be set."""
    found: list[str] = []
    for mark in ("Hc", "Hce", "Hcf"):
        found += seed.example_ids(kind="holding", sigel=library, shelf_mark=mark, **SIZE)
    return found


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--be"]:
        return be(arguments[1], arguments[2:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--changes", type=int, default=40, help="of each job at most")
    parser.add_argument("--rate", type=float, default=20.0, help="agreed writes a second")
    wish = parser.parse_args(arguments)
    hurry()
    try:
        with (
            running_sandbox(**SIZE, index_lag_ms=0) as sandbox,
            tempfile.TemporaryDirectory() as folder,
        ):
            return endure(wish, sandbox, Path(folder))
    finally:
        stop_server()


def endure(wish: argparse.Namespace, sandbox: SandboxControl, folder: Path) -> int:
    """Queue the jobs, let everything go wrong until they are done, and judge."""
    url = the_server().empty("cluster")
    place = Workplace(folder=folder, sandbox=sandbox, url=url)
    place.configure(staging={"rate": wish.rate, "concurrency": 4})
    rights = [{"code": one, "registrant": True} for one in LIBRARIES]
    sandbox.staging.set_permissions("supplier", *rights)
    jobs: dict[str, list[str]] = {}
    for library in LIBRARIES:
        own = records(library)
        half = min(len(own) // 2, wish.changes)
        for number in (0, 1):
            name = f"{library.lower()}-{number}"
            jobs[name] = own[number * half : (number + 1) * half]
            operations = update_label(jobs[name], to="Hx")
            job = place.job(name, operations=operations, sigels=[library], on_behalf_of=library)
            place("submit", job, "--env", "staging")
    total = sum(map(len, jobs.values()))
    say(f"seed {wish.seed}: {len(jobs)} jobs, {total} changes, {wish.rate:g} a second agreed")
    found = Cluster(place=place, dice=random.Random(wish.seed))
    for name in WORKERS:
        found.start(name)
    began = time.monotonic()
    ended = run_amok(found, url, until=began + 60 + 4 * total / wish.rate)
    found.figures["seconds"] = round(time.monotonic() - began)
    found.stop()
    faults = [*judge(place, jobs), *pace_faults(sandbox, wish.rate, found)]
    if found.undriven > LONGEST:
        faults.append(f"a run had no driver for {found.undriven:.1f} s")
    if not ended:
        faults.append(f"not done in time: {place('status').document['queue']}")
    for name, count in sorted(found.figures.items()):
        say(f"  {name}: {count}")
    say(f"  longest without a driver: {found.undriven:.1f} s (at most {LONGEST:.1f})")
    say("\n".join(faults) or "no violation")
    if faults:
        for log in folder.glob("*.log"):
            say(f"--- {log.name}", log.read_text(encoding="utf-8")[-3000:])
    return int(bool(faults))


def run_amok(found: Cluster, url: str, *, until: float) -> bool:
    """Kill and watch until every job is done; False where that takes too long."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    next_one = time.monotonic() + 3.0
    with engine.connect() as connection:
        while time.monotonic() < until:
            found.watch(connection)
            if time.monotonic() > next_one:
                found.mischief(connection)
                next_one = time.monotonic() + found.dice.uniform(2.0, 6.0)
            if (
                connection.scalar(text("SELECT count(*) FROM bulkrunner_queue.procrastinate_jobs"))
                == 0
            ):
                break
            time.sleep(0.2)
    engine.dispose()
    return time.monotonic() < until


def judge(place: Workplace, jobs: dict[str, list[str]]) -> list[str]:
    """Return what is not as it must be: each record changed once, and the ledger says so."""
    faults: list[str] = []
    for job, own in jobs.items():
        for record in own:
            versions = place.sandbox.staging.history(record)
            if len(versions) != 2:
                faults.append(f"{job}: {record} has {len(versions)} versions")
    status = place("status").document
    by_plan = {plan["plan"]: plan["job"] for plan in status["plans"]}
    for run in status["runs"]:
        wanted = len(jobs[by_plan[run["plan"]]])
        well = run["outcomes"]["applied"]
        if (run["state"], well) != ("completed", wanted):
            faults.append(f"{run['run']}: {run['state']}, {run['outcomes']}, {wanted} wanted")
    if len(status["runs"]) != len(jobs):
        faults.append(f"{len(status['runs'])} runs of {len(jobs)} jobs")
    faults += [
        f"{entry['job']}: {entry['reason']}"
        for entry in status["queue"]
        if "verified" not in entry["reason"]
    ]
    checked = place("ledger", "check", expect=None).document
    if checked["state"] != "intact":
        faults.append(f"ledger: {checked['faults']}")
    return faults


def pace_faults(sandbox: SandboxControl, rate: float, found: Cluster) -> list[str]:
    """Return windows in which more was written than agreed."""
    assert sandbox.running is not None
    journal: Any = sandbox.running.test.environment.journal
    times = sorted(entry.time.timestamp() for entry in journal.entries(writes=True))
    found.figures["writes"] = len(times)
    faults = []
    for seconds in (1.0, 5.0, 20.0):
        most = max(
            (sum(1 for t in times[i : i + int(rate * 25) + 9] if t < at + seconds))
            for i, at in enumerate(times)
        )
        found.figures[f"most writes in {seconds:g} s"] = most
        # Two at the ends of the window, and those that a busy machine sent late; of one second that
        # may be all.
        if seconds > 1 and most > rate * seconds + 2 + rate * LATE:
            faults.append(f"{most} writes in {seconds:g} s at {rate:g} a second")
    return faults


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
