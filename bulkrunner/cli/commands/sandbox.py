"""``sandbox`` and ``demo``: the whole road of a job, told step by step by real commands."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.errors import BulkRunnerError, UsageError
from bulkrunner.sentences import Sentence

JOB = "2026-11-shelf-marks"
# Writes in production after which the run is killed.
KILL_AFTER = 60

# Seconds to wait for the sandbox or for the writes to begin.
PATIENCE = 60.0

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

    def __init__(self, say: Callable[..., None], *, language: str, told_in: str) -> None:
        self._say = say
        self._language = language
        self._told = Told(folder=Path(tempfile.mkdtemp(prefix="bulkrunner-demo-")))
        self._environ = {**os.environ, "BULKRUNNER_LANG": told_in}

    def run(self) -> Told:
        """Take the job the whole road. DemoFailed: a step ended otherwise than it must."""
        from bulkrunner.adapters.machine import share_folder

        folder = self._told.folder
        shutil.copytree(share_folder("jobs") / JOB, folder / "jobs" / JOB)
        self._say(Sentence("demo_begins", folder=str(folder)))
        with self._sandbox() as environments:
            self._prepare(environments)
            self._staging()
            plan = self._production_plan()
            self._approved_run(plan, environments["production"]["base_url"])
        self._say("")
        self._say(Sentence("demo_report", path=str(self._told.report)))
        return self._told

    def _staging(self) -> None:
        self._tell(Sentence("demo_check"))
        self._do("check", f"jobs/{JOB}")
        self._tell(Sentence("demo_production_first"))
        self._do("run", f"jobs/{JOB}", "--env", "production", expected=4)
        self._tell(Sentence("demo_plan_staging"))
        self._do("plan", f"jobs/{JOB}", "--env", "staging")
        self._tell(Sentence("demo_run_staging"))
        self._do("run", f"jobs/{JOB}", "--env", "staging")

    def _production_plan(self) -> str:
        self._tell(Sentence("demo_plan_production"))
        plan = str(self._do("plan", f"jobs/{JOB}", "--env", "production").document["plan"])
        self._tell(Sentence("demo_unapproved"))
        self._do("run", f"jobs/{JOB}", "--env", "production", expected=4)
        self._tell(Sentence("demo_report_plan"))
        self._report(plan, "plan.html")
        self._tell(Sentence("demo_approve"))
        self._do("approve", plan, "--by", "Karin Ek", "--reference", "KB 2026-0412")
        return plan

    def _approved_run(self, plan: str, base_url: str) -> None:
        self._tell(Sentence("demo_kill", count=KILL_AFTER))
        run = self._killed_run(base_url)
        self._tell(Sentence("demo_resume"))
        self._do("resume", run)
        self._tell(Sentence("demo_verify"))
        self._do("verify", run)
        self._count_writes(base_url, plan)
        self._tell(Sentence("demo_report_run"))
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
                        Sentence("demo_no_sandbox"),
                        hint=Sentence("see_file", path=str(self._told.folder / "sandbox.log")),
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

    def _tell(self, text: Sentence) -> None:
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
        self._say(Sentence("demo_exit", code=done.returncode), indent=3)
        if done.returncode != expected:
            raise DemoFailed(
                Sentence(
                    "demo_ended", command=command, returncode=done.returncode, expected=expected
                ),
                hint=Sentence("demo_kept", folder=str(self._told.folder)),
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
                    Sentence("demo_ended_early", count=KILL_AFTER),
                    hint=Sentence("demo_kept", folder=str(self._told.folder)),
                )
            time.sleep(0.05)
        process.kill()
        process.wait()
        sent = len(_writes(base_url)) - before
        self._say(Sentence("demo_killed", sent=sent), indent=3)
        found = self._do("status").document["runs"]
        return str(next(run["run"] for run in found if run["environment"] == "production"))

    def _count_writes(self, base_url: str, plan: str) -> None:
        stored = [entry["path"] for entry in _writes(base_url) if entry["status"] == 204]
        twice = len(stored) - len(set(stored))
        self._say(Sentence("demo_stored", stored=len(stored), plan=plan, twice=twice), indent=3)
        if twice:
            raise DemoFailed(Sentence("demo_twice"), hint=Sentence("demo_twice_hint"))


def _exports(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    words = [shlex.split(line) for line in lines if line.startswith("export ")]
    return dict(assignment[1].split("=", 1) for assignment in words)


def _writes(base_url: str) -> list[dict[str, Any]]:
    from urllib.request import urlopen

    with urlopen(f"{base_url}/_sandbox/log?writes=1", timeout=10) as answer:  # noqa: S310 — loopback
        found = json.loads(answer.read())
    return list(found if isinstance(found, list) else found["log"])


@click.command()
@click.option(
    "--test-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="Port of the test environment.",
)
@click.option(
    "--production-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="Port of the production environment.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep records in this folder (default: in memory).",
)
@click.option(
    "--load",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Records to start with instead of the built-in ones.",
)
@click.option(
    "--write-config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a bulkrunner.toml for it, and the credentials beside it (.env).",
)
@global_options
def sandbox(
    invocation: Invocation,
    test_port: int,
    production_port: int,
    data: Path | None,
    load: Path | None,
    write_config: Path | None,
) -> None:
    """Serve the embedded Libris, a test and a production environment, on loopback until stopped."""
    from bulkrunner.sandbox.engine import SandboxOptions
    from bulkrunner.sandbox.load import LoadError
    from bulkrunner.sandbox.server import run

    ports = {"test": test_port, "production": production_port}
    try:
        run(SandboxOptions(data=data, load=load), ports=ports, write_config=write_config)
    except (OSError, LoadError) as error:
        raise UsageError(Sentence("sandbox_not_started", error=str(error))) from None
    invocation.printed = True


@click.command()
@global_options
def demo(invocation: Invocation) -> None:
    """Take a real job the whole road on the embedded sandbox, in a temporary folder."""
    told = Demonstration(
        invocation.say,
        language=invocation.language or "sv",
        told_in=invocation.language or "en",
    ).run()
    invocation.document.update(
        report=str(told.report),
        folder=str(told.folder),
        steps=[
            {"command": step.command, "exit_code": step.exit_code, "expected": step.expected}
            for step in told.steps
        ],
    )
