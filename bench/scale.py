"""``make bench-scale``: what a large job costs, step by step, in one table.

A library's holdings are planned from its dump to be deleted, deleted, verified, reported, undone (as
far as the manifest), and the ledger is checked: of each step seconds, CPU of the client, and peak
memory. Then the start of commands, a resume up to its first request, and a report's groups. Argument,
or ``SCALE``: the number of holdings (default 20000; KB's largest job had 2033901).
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import report, resume
from bench.__main__ import configure, start_sandbox, timed
from bench.library import write_job, write_records

MOST_MEMORY = 300e6
STARTS = 10


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Job:
    """One job taken through every step; prints a line for each."""

    def __init__(self, folder: Path, environ: dict[str, str], count: int) -> None:
        self._folder = folder
        self._environ = environ
        self._count = count
        self.over: list[str] = []

    def step(self, what: str, *arguments: str) -> dict[str, Any]:
        before = cpu_of_children()
        spent, peak, document = timed(self._folder, self._environ, *arguments)
        cpu = cpu_of_children() - before
        requests = document.get("requests") or 0
        print(
            f"{what:34} {spent:9.1f} s  CPU {cpu:8.1f} s {cpu / self._count * 1000:7.3f} ms a change"
            f"  {requests / self._count:7.4f} requests a change  peak {peak / 1e6:6.1f} MB",
            flush=True,
        )
        if peak > MOST_MEMORY:
            self.over.append(what)
        return document

    def ledger(self, when: str) -> None:
        files = self._folder.glob("bulkrunner.db*")
        size = sum(path.stat().st_size for path in files)
        print(f"ledger {when:27} {size / 1e6:9.1f} MB {size / self._count:9.0f} bytes a change")

    def take(self) -> None:
        """Take the job the whole way. What it deletes is a library's every holding."""
        job = str(write_job(self._folder / "library", {"library": "Ylm"}))
        planned = self.step("plan, from the dump", "plan", job, "--env", "staging")
        assert planned["counts"]["delete"] == self._count, planned["counts"]
        self.ledger("after the plan")
        self.step("report of the plan", "report", planned["plan"])
        run = self.step("run", "run", job, "--env", "staging")
        assert run["outcomes"]["applied"] == self._count, run["outcomes"]
        self.ledger("after the run")
        self.step("status", "status", run["run"])
        self.step("report of the run", "report", run["run"])
        self.step("verify", "verify", run["run"])
        self.step("ledger check", "ledger", "check")
        back = str(self._folder / "back")
        self.step("undo, its manifest", "undo", run["run"], "--out", back)
        self.step("plan of the undo", "plan", back, "--env", "staging")


def starts(folder: Path, environ: dict[str, str]) -> None:
    """Print the CPU that commands take that do next to nothing."""
    for arguments in (["--help"], ["check", str(folder / "library")], ["status"]):
        used = []
        for _ in range(STARTS):
            before = cpu_of_children()
            command = [sys.executable, "-m", "bulkrunner", *arguments]
            subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=True)
            used.append(cpu_of_children() - before)
        print(f"start of {arguments[0]:25} CPU {statistics.median(used) * 1000:8.0f} ms")


def main(count: int) -> None:
    print(f"{count} holdings, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="bulkrunner-bench-") as name:
        folder = Path(name)
        write_records(folder / "records.jsonl", count)
        sandbox, facts = start_sandbox(folder, folder / "records.jsonl")
        try:
            environ = configure(folder, facts, 8)
            environ.pop("PYTHONDONTWRITEBYTECODE", None)
            job = Job(folder, environ, count)
            job.take()
            starts(folder, environ)
        finally:
            sandbox.terminate()
            sandbox.wait()
    resume.main(sorted({20_000, 200_000, count} & set(range(count + 1))) or [count])
    report.main(min(count, 100_000))
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    if job.over:
        sys.exit(f"more than {MOST_MEMORY / 1e6:.0f} MB: {', '.join(job.over)}")


if __name__ == "__main__":
    main(int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SCALE", "20000")))
