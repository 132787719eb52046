"""The suite is complete: every trap for a client is stated by some test."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
TRAPS = range(1, 18)
ABOUT_THE_SUITE = {"test_traps.py", "test_cassettes.py"}


def docstrings():
    for file in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield file.name, node.name, ast.get_docstring(node) or ""


def test_every_trap_is_stated():
    found = {
        int(number) for _, _, text in docstrings() for number in re.findall(r"\(trap (\d+)\)", text)
    }
    assert found == set(TRAPS)


def test_every_behaviour_names_its_section():
    unnamed = [
        f"{file}::{name}"
        for file, name, text in docstrings()
        if file not in ABOUT_THE_SUITE and "§" not in text
    ]
    assert unnamed == []
