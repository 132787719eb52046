"""The embedded Libris as the tests of this project use it; a sandbox of another process; waiting."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

from bulkrunner.sandbox.engine import CLIENT_IDS
from bulkrunner.testing import (
    BIBS,
    HOLDINGS,
    Answer,
    http,
)
from bulkrunner.testing import Libris as EnvironmentControl
from bulkrunner.testing import LibrisPair as SandboxControl
from bulkrunner.testing import running_libris as running_sandbox

__all__ = [
    "BIBS",
    "CLIENT_IDS",
    "HOLDINGS",
    "Answer",
    "EnvironmentControl",
    "SandboxControl",
    "control_from_announcement",
    "http",
    "running_sandbox",
    "wait_until",
]


def control_from_announcement(line: str) -> SandboxControl:
    """Steer a sandbox of another process, from the line that it prints at its start.

    The sandbox must have been started with ``--write-config``.
    """
    facts = json.loads(line)
    secrets = _secrets_in(Path(facts["credentials"]))
    staging, production = (
        EnvironmentControl(
            name=name,
            kind=kind,
            base_url=facts[kind]["base_url"],
            base_uri=facts[kind]["base_uri"],
            secrets=secrets[name],
        )
        for name, kind in (("staging", "test"), ("production", "production"))
    )
    return SandboxControl(staging=staging, production=production)


def _secrets_in(path: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"staging": {}, "production": {}}
    clients: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.lstrip("# ").removeprefix("export ").partition("=")
        if not equals:
            continue
        environment = name.split("_")[1].lower()
        plain = shlex.split(value)[0]
        if name.endswith("_CLIENT_ID"):
            clients[environment] = plain
        else:
            found[environment][clients[environment]] = plain
    return found


def wait_until(ready: Any, *, patience: float = 20.0) -> Any:
    """Call until something true comes back; for what another process does in its own time."""
    end = time.monotonic() + patience
    while not (found := ready()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
    return found
