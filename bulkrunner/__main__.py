"""Entry point: ``bulkrunner`` and ``python -m bulkrunner``."""

from __future__ import annotations

import gc
import signal
import sys


def main() -> None:
    """Run the command line and exit with its code; SIGTERM ends a command as Ctrl-C does."""
    from bulkrunner.cli.console import open_streams
    from bulkrunner.cli.main import main as run

    # Records are trees: looking for cycles among them takes an eighth of the time, and finds none.
    gc.set_threshold(20_000, 20, 20)
    open_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run())


if __name__ == "__main__":
    main()
