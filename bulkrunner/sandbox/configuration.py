"""The configuration file that lets bulkrunner work against a running sandbox."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

from bulkrunner.sandbox.pair import CLIENT_IDS, client_secret
from bulkrunner.sandbox.server import Served

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
