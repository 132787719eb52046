"""The command line in a process whose waits are short, so that many mishaps fit into a minute.

python -m tests.adversary.hurried run JOB --env staging
"""

from __future__ import annotations

import sys
import time

from bulkrunner.adapters.clock import SystemClock
from bulkrunner.cli.main import main

HASTE = 20
"""Every wait of the program is so many times shorter; nothing else of it is touched."""


def _short(_clock: SystemClock, seconds: float) -> None:
    time.sleep(max(0.0, seconds) / HASTE)


if __name__ == "__main__":
    setattr(SystemClock, "sleep", _short)  # noqa: B010
    sys.exit(main(sys.argv[1:]))
