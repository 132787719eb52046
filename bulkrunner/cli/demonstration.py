"""The whole road of a job, told step by step: every command is the real one, in its own process."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkrunner.errors import BulkRunnerError
from bulkrunner.share import share_folder

JOB = "2026-11-shelf-marks"
KILL_AFTER = 60
"""Writes in production after which the run is killed."""

PATIENCE = 60.0
"""Seconds to wait for the sandbox or for the writes to begin."""

CONFIG = """\
# Written by bulkrunner demo; the sandbox is gone when the demo ends.
[environments.staging]
kind = "test"
base_url = "{staging[base_url]}"
token_url = "{staging[token_url]}"
rate = 200
read_rate = 2000
concurrency = 4

[environments.production]
kind = "production"
base_url = "{production[base_url]}"
token_url = "{production[token_url]}"
rate = 50
read_rate = 2000
concurrency = 4
"""


class DemoFailed(BulkRunnerError):
    """A step of the demo did not end as it must."""

    default_code = "demo_failed"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command of the demo and how it ended."""

    command: str
    exit_code: int
    expected: int
    document: dict[str, Any]


@dataclass(kw_only=True)
class Told:
    """What the demo leaves behind."""

    folder: Path
    report: Path = Path()
    steps: list[Step] = field(default_factory=list)


class Demonstration:
    """Runs the road of design §2 on an embedded sandbox and narrates it."""

    def __init__(self, say: Callable[[str], None], *, language: str) -> None:
        self._say = say
        self._language = language
        self._told = Told(folder=Path(tempfile.mkdtemp(prefix="bulkrunner-demo-")))
        self._environ = dict(os.environ)

    def run(self) -> Told:
        """Take the job the whole road.

        Raises:
            DemoFailed: a step ended otherwise than it must.
        """
        folder = self._told.folder
        shutil.copytree(share_folder("jobs") / JOB, folder / "jobs" / JOB)
        self._say(
            f"Everything happens in {folder}, on an embedded Libris; nothing leaves this machine."
        )
        with self._sandbox() as environments:
            self._prepare(environments)
            self._staging()
            plan = self._production_plan()
            self._approved_run(plan, environments["production"]["base_url"])
        self._say("")
        self._say(f"The report: {self._told.report}")
        return self._told

    def _staging(self) -> None:
        self._tell("1. The manifest is checked, offline.")
        self._do("check", f"jobs/{JOB}")
        self._tell("2. Production first? No: nothing has been planned, let alone tried.")
        self._do("run", f"jobs/{JOB}", "--env", "production", expected=4)
        self._tell("3. A plan for the test environment: every record is read, nothing is written.")
        self._do("plan", f"jobs/{JOB}", "--env", "staging")
        self._tell("4. The plan is run in the test environment.")
        self._do("run", f"jobs/{JOB}", "--env", "staging")

    def _production_plan(self) -> str:
        self._tell("5. The same manifest is planned for production.")
        plan = str(self._do("plan", f"jobs/{JOB}", "--env", "production").document["plan"])
        self._tell("6. Run it? No: nobody has approved it.")
        self._do("run", f"jobs/{JOB}", "--env", "production", expected=4)
        self._tell("7. The report for the reviewer at KB.")
        self._report(plan, "plan.html")
        self._tell("8. KB says yes, and the answer is recorded against exactly this plan.")
        self._do("approve", plan, "--by", "Karin Ek", "--reference", "KB 2026-0412")
        return plan

    def _approved_run(self, plan: str, base_url: str) -> None:
        self._tell(f"9. The run starts, and is killed (kill -9) after {KILL_AFTER} writes.")
        run = self._killed_run(base_url)
        self._tell("10. It is resumed: what was sent is looked up first, the rest is sent.")
        self._do("resume", run)
        self._tell("11. Every record is read again and compared.")
        self._do("verify", run)
        self._count_writes(base_url, plan)
        self._tell("12. The report of the run.")
        self._told.report = self._report(run, "run.html")

    # --- the pieces --------------------------------------------------------------------------

    @contextmanager
    def _sandbox(self) -> Iterator[dict[str, dict[str, str]]]:
        config = self._told.folder / "sandbox.toml"
        command = [sys.executable, "-m", "bulkrunner", "sandbox", "--write-config", str(config)]
        with (self._told.folder / "sandbox.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 — our own program, fixed arguments
                command, stdout=subprocess.PIPE, stderr=log, cwd=self._told.folder
            )
            try:
                line = process.stdout.readline() if process.stdout else b""
                if not line:
                    raise DemoFailed(
                        "the sandbox did not start",
                        hint=f"see {self._told.folder / 'sandbox.log'}",
                    )
                self._environ |= _exports(config.with_suffix(".env"))
                yield tomllib.loads(config.read_text(encoding="utf-8"))["environments"]
            finally:
                process.terminate()
                process.wait(timeout=PATIENCE)
                if process.stdout:
                    process.stdout.close()

    def _prepare(self, environments: dict[str, dict[str, str]]) -> None:
        config = CONFIG.format(**environments)
        (self._told.folder / "bulkrunner.toml").write_text(config, encoding="utf-8")

    def _tell(self, text: str) -> None:
        self._say("")
        self._say(text)

    def _show(self, arguments: tuple[str, ...]) -> str:
        command = shlex.join(("bulkrunner", *arguments))
        self._say(f"   $ {command}")
        return command

    def _do(self, *arguments: str, expected: int = 0) -> Step:
        command = self._show(arguments)
        done = subprocess.run(  # noqa: S603 — our own program
            [sys.executable, "-m", "bulkrunner", *arguments, "--json"],
            cwd=self._told.folder,
            env=self._environ,
            capture_output=True,
            check=False,
        )
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        for line in said[-12:]:
            self._say(f"     {line}")
        self._say(f"   → exit {done.returncode}")
        if done.returncode != expected:
            raise DemoFailed(
                f"{command} ended with {done.returncode}, not {expected}",
                hint=f"everything is kept in {self._told.folder}",
            )
        step = Step(
            command=command,
            exit_code=done.returncode,
            expected=expected,
            document=json.loads(done.stdout),
        )
        self._told.steps.append(step)
        return step

    def _report(self, what: str, name: str) -> Path:
        self._do("report", what, "--lang", self._language, "--out", name)
        return self._told.folder / name

    def _killed_run(self, base_url: str) -> str:
        arguments = ("run", f"jobs/{JOB}", "--env", "production")
        self._show(arguments)
        before = len(_writes(base_url))
        process = subprocess.Popen(  # noqa: S603 — our own program
            [sys.executable, "-m", "bulkrunner", *arguments, "--json"],
            cwd=self._told.folder,
            env=self._environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while len(_writes(base_url)) - before < KILL_AFTER:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise DemoFailed(
                    f"the run ended before {KILL_AFTER} writes were sent",
                    hint=f"everything is kept in {self._told.folder}",
                )
            time.sleep(0.05)
        process.kill()
        process.wait()
        sent = len(_writes(base_url)) - before
        self._say(f"   → killed; the server has received {sent} writes")
        found = self._do("status").document["runs"]
        return str(next(run["run"] for run in found if run["environment"] == "production"))

    def _count_writes(self, base_url: str, plan: str) -> None:
        stored = [entry["path"] for entry in _writes(base_url) if entry["status"] == 204]
        twice = len(stored) - len(set(stored))
        self._say(
            f"   The server stored {len(stored)} writes for plan {plan}, {twice} of them twice."
        )
        if twice:
            raise DemoFailed("a change was written twice", hint="this must never happen; report it")


def _exports(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    words = [shlex.split(line) for line in lines if line.startswith("export ")]
    return dict(assignment[1].split("=", 1) for assignment in words)


def _writes(base_url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{base_url}/_sandbox/log?writes=1", timeout=10) as answer:  # noqa: S310 — loopback
        found = json.loads(answer.read())
    return list(found if isinstance(found, list) else found["log"])
