"""What a command does not need is not loaded: every command is a process that starts anew."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bulkrunner.cli.main import main
from tests.support.docs import ROOT
from tests.support.ledgers import SetClock, ledger_url, open_ledger

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


# Of each command what it must do without: libraries by name, the program's own modules from below it.
COMMANDS_NEED_NO = {
    "--help": (
        *("urllib.request", "sqlalchemy", "jsonschema", "yaml", "httpx", "jinja2", "rich"),
        *("starlette", "uvicorn", ".adapters", ".bootstrap", ".services"),
    ),
    "check": (
        *("sqlalchemy", "jsonschema_rs", "httpx", "jinja2", "rich", "alembic", ".adapters.reports"),
        *(".adapters.ledger", ".adapters.libris", ".adapters.tables.package"),
        *(".adapters.tables.number_formats", ".adapters.tables.xlsx", ".adapters.tables.ods"),
        *(".services.planning", ".services.report", ".domain.report", ".domain.report_groups"),
    ),
    "status": (
        *("jsonschema", "yaml", "httpx", "jinja2", "rich", "alembic", "sqlalchemy.orm", "psycopg"),
        *("sqlalchemy.dialects.postgresql", ".adapters.manifests", ".adapters.libris"),
        *(".services.planning", ".services.report", ".domain.changes", ".domain.report"),
    ),
}


@pytest.mark.parametrize("command", COMMANDS_NEED_NO)
def test_a_command_loads_only_what_it_needs(command, tmp_path):
    given = [command]
    if command == "check":
        given.append(str(ROOT / "jobs" / "2026-12-brackets"))
    if command == "status":
        open_ledger(ledger_url(tmp_path / "bulkrunner.db"), clock=SetClock()).close()
    code = (
        "import sys\n"
        "from bulkrunner.cli.main import main\n"
        f"assert main({given!r}) == 0\n"
        "print('loaded:', *(name for name, one in sys.modules.items() if one))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.rpartition("loaded: ")[2].split()
    assert "bulkrunner.cli.main" in loaded
    for name in COMMANDS_NEED_NO[command]:
        name = f"bulkrunner{name}" if name.startswith(".") else name
        assert not [one for one in loaded if one == name or one.startswith(f"{name}.")]


def test_without_a_command_its_help_is_shown(capsys):
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: bulkrunner [OPTIONS] [COMMAND]")
