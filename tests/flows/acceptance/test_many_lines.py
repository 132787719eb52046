"""Thousands of lines: little memory, and every line in the report (`python -m bench.selection`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import selection
from bench.__main__ import configure, start_sandbox, timed
from tests.support.sizes import sized

LINES = sized(1500)


@pytest.mark.size
def test_a_list_and_a_spreadsheet_of_thousands_of_lines(tmp_path: Path) -> None:
    change: dict[str, Any] = {"set": {"at": "shelfMark.label", "to": "Hce"}}
    selection.write_records(tmp_path / "records.jsonl", LINES)
    listed = {"ids": {"file": "ids.txt", "as": "bib"}, "holdings": "own", **change}
    first = selection.write_job(tmp_path / "list", "list", [listed], LINES)
    kinds = selection.write_list(first / "ids.txt", LINES)
    rows = {"rows": {"file": "lista.xlsx", "key": "Bestånd"}, **change}
    second = selection.write_job(tmp_path / "sheet", "sheet", [rows], 0)
    selection.write_sheet(second / "lista.xlsx", LINES)
    sandbox, facts = start_sandbox(tmp_path, tmp_path / "records.jsonl")
    try:
        environ = configure(tmp_path, facts, 8)
        for job, updates, refused in ((first, kinds["fresh"], kinds["wrong"]), (second, LINES, 0)):
            _, peak, plan = timed(tmp_path, environ, "plan", str(job), "--env", "staging")
            assert peak < 300e6
            assert (plan["counts"]["update"], plan["counts"]["refused"]) == (updates, refused)
            assert selection.accounted(tmp_path, environ, plan["plan"]) == LINES
    finally:
        sandbox.terminate()
        sandbox.communicate()
