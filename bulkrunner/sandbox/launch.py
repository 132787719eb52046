"""A sandbox in the foreground, and the configuration that it writes for its users."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from bulkrunner.sandbox.pair import CLIENT_IDS, SandboxOptions, client_secret
from bulkrunner.sandbox.server import Served, open_pair, serve

_NAMES = {"test": "staging", "production": "production"}

_FIRST_CLIENT = "supplier"


def write_configuration(path: Path, pair: tuple[Served, ...]) -> Path:
    """Write the configuration and, beside it, the clients' secrets for the shell to read.

    Returns:
        The path of the file with the secrets, readable by its owner only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(map(_environment_table, pair)), encoding="utf-8")
    secrets_path = path.with_suffix(".env")
    secrets_path.unlink(missing_ok=True)
    descriptor = os.open(secrets_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(_export_lines(pair))
    return secrets_path


def _environment_table(served: Served) -> str:
    lines = [
        f"[environments.{_NAMES[served.kind]}]",
        f"kind = {json.dumps(served.kind)}",
        f"base_url = {json.dumps(served.base_url)}",
        f"token_url = {json.dumps(served.token_url)}",
    ]
    base_uri = served.environment.settings.base_uri
    if base_uri != served.base_url + "/":
        lines.append(f"base_uri = {json.dumps(base_uri)}")
    lines += ["rate = 500", "read_rate = 2000", "concurrency = 8"]
    return "\n".join(lines) + "\n\n"


def _export_lines(pair: tuple[Served, ...]) -> list[str]:
    lines: list[str] = []
    for client_id in CLIENT_IDS:
        first = client_id == _FIRST_CLIENT
        lines.append(f"# client {client_id}{'' if first else ': take the marks off to use it'}\n")
        for served in pair:
            prefix = f"BULKRUNNER_{_NAMES[served.kind].upper()}"
            secret = client_secret(served.environment, client_id)
            for name, value in (("CLIENT_ID", client_id), ("CLIENT_SECRET", secret)):
                mark = "" if first else "# "
                lines.append(f"{mark}export {prefix}_{name}={shlex.quote(value)}\n")
    return lines


def run(
    options: SandboxOptions, *, ports: dict[str, int], write_config: Path | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; one line of JSON on stdout says where."""
    pair = open_pair(options, ports=ports)
    secrets_path = write_configuration(write_config, pair) if write_config else None

    def announce() -> None:
        facts = {served.kind: _facts(served) for served in pair}
        paths = {"config": write_config, "credentials": secrets_path}
        shown = {name: str(path.resolve()) if path else None for name, path in paths.items()}
        sys.stdout.write(json.dumps({**facts, "pid": os.getpid(), **shown}) + "\n")
        sys.stdout.flush()

    serve(pair, ready=announce)


def _facts(served: Served) -> dict[str, str]:
    return {
        "base_url": served.base_url,
        "base_uri": served.environment.settings.base_uri,
        "token_url": served.token_url,
    }
