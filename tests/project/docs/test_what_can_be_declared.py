"""The page on what can be declared names examples and tests that exist."""

import ast
import re

from bulkrunner.adapters.machine import share_folder
from tests.support.docs import ROOT, page, table_rows

PAGE = page("explanation/what-can-be-declared.md")
NEEDS, HAZARDS = PAGE.split("## Hazards")


def test_every_example_shows_a_need():
    named = set(re.findall(r"\.\./\.\./jobs/([^/]+)/README\.md", NEEDS))
    assert named == {path.name for path in share_folder("jobs").iterdir() if path.is_dir()}


def test_every_hazard_names_a_test_that_exists():
    rows = list(table_rows(HAZARDS))
    assert len(rows) == 14
    for _, _, cell in rows:
        (place,) = re.findall(r"`([^`]+)`", cell)
        file, _, name = place.partition("::")
        assert (ROOT / file).is_file(), place
        if name:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            assert name in names, place
        else:
            assert file.endswith(".json"), place
