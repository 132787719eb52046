"""The command line as its users call it, on a running sandbox, and jobs to call it with."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkrunner.cli.main import main
from tests.support.ledgers import DATABASES, begin_ledger, begun, ledger_url
from tests.support.processes import Command
from tests.support.sandbox import SandboxControl


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended."""

    exit_code: int
    document: dict[str, Any]
    stderr: str

    @property
    def closed(self) -> set[str]:
        """Names of the closed gates in the document."""
        return {gate["name"] for gate in self.document.get("gates") or () if not gate["open"]}


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(kw_only=True)
class Workplace:
    """A folder with a configuration, jobs and an empty ledger, beside a sandbox."""

    folder: Path
    sandbox: SandboxControl
    client: str = "supplier"
    variables: dict[str, str] = field(default_factory=dict)
    url: str = ""
    ledgerless: bool = False

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.url and not self.ledgerless and len(DATABASES) > 1:
            self.url = begun(self.folder)
        self.config = self.folder / "bulkrunner.toml"
        if not self.config.exists():
            self.configure()
        if not self.url and not self.ledgerless:
            begin_ledger(self.ledger)

    @property
    def ledger(self) -> Path:
        return self.folder / "bulkrunner.db"

    @property
    def ledger_url(self) -> str:
        return self.url or ledger_url(self.ledger)

    def configure(self, *, policy: dict[str, Any] | None = None, **changes: Any) -> None:
        """Write the configuration; ``production={"rate": 5}`` changes one environment's keys."""
        lines = ["[ledger]", f"url = {json.dumps(self.url)}"] if self.url else []
        for environment in self.sandbox.environments:
            keys = {
                "kind": environment.kind,
                "base_url": environment.base_url,
                "token_url": environment.token_url,
                "base_uri": environment.base_uri,
                "rate": 2000,
                "read_rate": 5000,
                "concurrency": 4,
                **changes.get(environment.name, {}),
            }
            lines.append(f"[environments.{environment.name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        if policy:
            lines.append("[policy]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in policy.items()]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def job(self, name: str, *, files: dict[str, str] | None = None, **keys: Any) -> Path:
        """Write a job folder; JSON is YAML, so the manifest is plain data."""
        folder = self.folder / "jobs" / name
        folder.mkdir(parents=True, exist_ok=True)
        manifest = {
            "bulkrunner": 1,
            "job": name,
            "title": f"Test of {name}",
            "purpose": "Made by a test.",
            "on_behalf_of": "Ylm",
            "sigels": ["Ylm"],
            "agreement": {"reference": "KB 1", "contact": "a@example.org"},
            **keys,
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=1)
        (folder / "job.yaml").write_text(text, encoding="utf-8")
        for file, content in (files or {}).items():
            (folder / file).write_text(content, encoding="utf-8")
        return folder

    def environ(self) -> dict[str, str]:
        return {**self.sandbox.variables(self.client), **self.variables}

    def __call__(self, *arguments: str | Path, expect: int | None = 0) -> Done:
        """Run a command in this process with ``--json``."""
        given = ["--config", str(self.config), "--json", *map(str, arguments)]
        out, err = io.StringIO(), io.StringIO()
        with (
            _environment(self.environ()),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(given)
        said = out.getvalue()
        assert said.count("\n") == 1, f"stdout is not one line of JSON: {said!r}"
        done = Done(exit_code=code, document=json.loads(said), stderr=err.getvalue())
        assert expect is None or code == expect, (code, done.document, done.stderr)
        assert ("error" in done.document) == (code != 0), done.document
        return done

    def start(
        self, *arguments: str | Path, module: str = "bulkrunner", **variables: str
    ) -> Command:
        """Start a command in a process of its own."""
        given = ["--config", str(self.config), "--json", *map(str, arguments)]
        environ = {**os.environ, **self.environ(), **variables}
        return Command(module, *given, environ=environ, folder=self.folder)

    def start_anew(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start a command with an interpreter of its own, as its users do."""
        given = ["--config", str(self.config), "--json", *map(str, arguments)]
        return subprocess.Popen(
            [sys.executable, "-m", "bulkrunner", *given],
            env={**os.environ, **self.environ()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
        )

    def outside(self, *arguments: str | Path, expect: int | None = 0) -> Done:
        """Run a command in a process of its own, which is gone afterwards."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        assert b"Traceback" not in err, err
        done = Done(
            exit_code=process.returncode, document=json.loads(out), stderr=err.decode("utf-8")
        )
        assert expect is None or done.exit_code == expect, done
        return done

    def through_staging(self, job: Path) -> Done:
        """Plan and run a job in staging, and plan it for production; returns that plan."""
        self("plan", job, "--env", "staging")
        self("run", job, "--env", "staging")
        return self("plan", job, "--env", "production")

    def approved(self, job: Path) -> str:
        """Take a job up to its approval; returns the production plan's id."""
        plan = str(self.through_staging(job).document["plan"])
        self("approve", plan, "--by", "Karin Ek", "--reference", "KB 1")
        return plan


def update_label(ids: list[str], *, to: str = "Hce", **more: Any) -> list[dict[str, Any]]:
    """Explicit operations that set the shelf mark's label."""
    changes = [{"set": {"at": "shelfMark.label", "to": to}}]
    return [{"update": record, "changes": changes, **more} for record in ids]
