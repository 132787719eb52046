"""What a command does not need is not loaded: every command is a process that starts anew."""

from __future__ import annotations

import subprocess
import sys

import pytest

NEEDS_NO = {
    "bulkrunner.adapters.ledger": (
        "alembic",
        "sqlalchemy.orm",
        "sqlalchemy.dialects.postgresql",
        "httpx",
    ),
    "bulkrunner.adapters.libris.client": ("rich", "pygments", "bulkrunner.services"),
    "bulkrunner.services.gatekeeper": (
        "bulkrunner.services.planning.planner",
        "bulkrunner.adapters",
    ),
    "bulkrunner.services.status": ("bulkrunner.services.planning.planner",),
    "bulkrunner.services.report.service": ("bulkrunner.services.planning.planner",),
    "bulkrunner.services.running": ("bulkrunner.services.planning",),
}


@pytest.mark.parametrize("module", NEEDS_NO)
def test_loads_only_what_it_needs(module):
    code = f"import sys, {module}; print(*(name for name, one in sys.modules.items() if one))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert module in loaded
    for name in NEEDS_NO[module]:
        assert not [one for one in loaded if one == name or one.startswith(f"{name}.")]
