"""The crash matrix in the documentation names tests that exist, and has every point and operation."""

import re
import subprocess
import sys

import pytest

from bulkrunner.domain.run import Outcome
from tests.crashes.matrix import CELLS, OPERATIONS, PLAN_CELLS, PLAN_POINTS, POINTS
from tests.support.docs import ROOT, in_code, page, sections, table_rows

PARTS = sections(
    page("explanation/crash-matrix.md"),
    r"(Points of a run|Points × kinds of change|Points of planning|More than one)",
)
RUNS, PLANS = "tests/crashes/test_runs.py", "tests/crashes/test_plans.py"
REASON = "cannot occur: "
"""How a cell begins that names no test, and says why."""

MATRICES = [
    pytest.param(RUNS, "Points × kinds of change", POINTS, CELLS, id="runs"),
    pytest.param(PLANS, "Points of planning", PLAN_POINTS, PLAN_CELLS, id="plans"),
]


@pytest.fixture(scope="module")
def collected():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, RUNS, PLANS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {line.strip() for line in done.stdout.splitlines() if "::" in line}


def matrix(part):
    """The table with a column for every operation: {(point, operation): cell}."""
    text = PARTS[part]
    head = next(line for line in text.splitlines() if line.startswith("| point | update"))
    names = [name.strip() for name in head.split("|")[2:-1]]
    rows = table_rows(text[text.index(head) :])
    found = {}
    for first, *cells in rows:
        (point,) = in_code(first)
        found |= {(point, name): cell for name, cell in zip(names, cells, strict=True)}
    return found


@pytest.mark.parametrize(("file", "part", "points", "cells"), MATRICES)
def test_every_point_and_operation_has_a_cell(file, part, points, cells):
    wanted = {(point.name, operation.name) for point in points for operation in OPERATIONS}
    assert set(matrix(part)) == wanted


@pytest.mark.parametrize(("file", "part", "points", "cells"), MATRICES)
def test_every_cell_names_a_test_that_is_collected(collected, file, part, points, cells):
    for place, cell in matrix(part).items():
        if cell.startswith(REASON):
            assert len(cell) > len(REASON), place
            continue
        names = in_code(cell)
        assert names == [f"{place[1]}-at-{place[0]}"], place
        assert f"{file}::test_killed[{names[0]}]" in collected, place


def test_cells_tell_the_outcome_that_their_tests_expect():
    shown = matrix("Points × kinds of change")
    for cell in CELLS:
        note = cell.code
        if cell.outcome is Outcome.UNKNOWN:
            note = "unknown"
        said = shown[cell.point.name, cell.operation.name].rpartition("`")[2].strip()
        assert said == note, cell.id


@pytest.mark.parametrize(
    ("part", "points"), [("Points of a run", POINTS), ("Points of planning", PLAN_POINTS)]
)
def test_every_point_is_explained(part, points):
    text = PARTS[part].split("| point | update")[0]
    assert [in_code(row[0])[0] for row in table_rows(text)] == [point.name for point in points]


def test_the_other_tests_named_are_there():
    for path in re.findall(r"`(tests/[a-z_/]+\.py)`", page("explanation/crash-matrix.md")):
        assert (ROOT / path).is_file(), path
