"""Entry point: ``bulkrunner`` and ``python -m bulkrunner``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from bulkrunner.cli.main import main as run  # noqa: PLC0415 — keeps start-up and import apart

    sys.exit(run())


if __name__ == "__main__":
    main()
