"""Starting a sandbox in the foreground: what ``bulkrunner sandbox`` does."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bulkrunner.sandbox.configuration import write_configuration
from bulkrunner.sandbox.pair import SandboxOptions
from bulkrunner.sandbox.server import Served, open_pair, serve


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
