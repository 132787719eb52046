"""The page for contributors is true: its map, its folders, and the modules that its table names."""

import inspect
import re
from pathlib import Path

import pytest

from bulkrunner.adapters.ledger.opening import open_ledger
from bulkrunner.adapters.machine import SystemClock
from bulkrunner.domain.ledger_port import Ledger
from tests.project.house_map import BEGIN, END, drawn
from tests.support.docs import DOCS, PACKAGE, ROOT, in_code, read, sections, table_rows

PAGE = read(DOCS / "contributing.md")


def test_the_map_is_of_the_modules_as_they_are():
    there = PAGE.partition(BEGIN)[2].partition(END)[0]
    assert there.strip() == drawn().strip(), "python -m tests.project.house_map writes it anew"


# --- where a change goes -----------------------------------------------------------------------

CHANGES = {
    "a change verb",
    "an operation kind",
    "a gate",
    "a refusal code",
    "an outcome",
    "how a create is settled",
    "a selection source",
    "the throttle",
    "a ledger column",
    "a Swedish sentence",
    "a policy key",
    "a planner-rule test",
}


def file_of(name):
    """Return the file or folder that a name of the page stands for, None where there is none."""
    places = (root / (name + end) for root in (PACKAGE, ROOT) for end in ("", ".py"))
    return next((place for place in places if place.exists()), None)


def changes():
    """Return the cells of each row of the table of changes."""
    rows = list(table_rows(sections(PAGE, "(.+)")["Where a change goes"]))
    return {row[0].partition(" (")[0]: row[1:] for row in rows if row[0] != "change"}


def test_the_twelve_changes_are_there():
    assert set(changes()) == CHANGES


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_the_files_of_a_change_are_there(change):
    code, pages, tests = changes()[change]
    paths = [name for cell in (code, pages, tests) for name in in_code(cell) if "/" in name]
    assert [name for name in paths if file_of(name) is None] == []
    assert any("/" in name for name in in_code(code))
    assert any(name.startswith("tests/") for name in in_code(tests))


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_what_is_named_in_a_file_stands_in_it(change):
    for part in changes()[change][0].split("; "):
        named = [name for name in in_code(part) if name.isidentifier()]
        files = [file_of(name) for name in in_code(part) if "/" in name]
        texts = [read(file) for file in files if file is not None and file.is_file()]
        for name in named:
            assert any(re.search(rf"\b{name}\b", text) for text in texts), (part, name)


def test_every_part_of_the_ledger_is_told_with_its_module(tmp_path):
    rows = list(table_rows(sections(PAGE, "(.+)")["The ledger"]))
    told = {in_code(row[0])[0]: in_code(row[2])[0] for row in rows if row[0] != "part"}
    parts = [name for name, value in vars(Ledger).items() if isinstance(value, property)]
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=SystemClock()) as ledger:
        kept = {name: Path(inspect.getfile(type(getattr(ledger, name)))) for name in parts}
    assert {f"ledger.{name}": path for name, path in kept.items()} == {
        part: file_of(module) for part, module in told.items()
    }


def test_every_place_that_it_names_is_there():
    named = {name for name in in_code(PAGE.partition(BEGIN)[0]) if re.fullmatch(r"[\w./-]+", name)}
    paths = {name for name in named if "/" in name and not name.startswith(".")}
    assert len(paths) > 80
    assert {name for name in paths if file_of(name) is None} == set()


def test_the_commands_that_it_gives_are_there():
    given = re.findall(r"`make ([a-z-]+)`", PAGE.partition(BEGIN)[0])
    assert len(given) > 4
    assert [one for one in given if f"\n{one}:" not in read(ROOT / "Makefile")] == []
