"""Reading the documentation and the program's source side by side."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import bulkrunner
from bulkrunner.errors import BulkRunnerError
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
PACKAGE = ROOT / "bulkrunner"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])

_CELL_CODE = re.compile(r"`([^`]+)`")


def read(path: Path) -> str:
    """Return a page's text."""
    return path.read_text(encoding="utf-8")


def page(name: str) -> str:
    """Return the text of a page under docs/."""
    return read(DOCS / name)


def sections(text: str, heading: str) -> dict[str, str]:
    """Return a page's parts by what their headings capture of the pattern."""
    parts = re.split(rf"^#+ {heading}$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table_rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of every line of a table, headings left out."""
    lines = text.splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        if not line.startswith("|") or line.startswith("|---"):
            continue
        if not above.startswith("|"):
            continue
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def in_code(cell: str) -> list[str]:
    """Return what stands between backticks, fenced blocks left out."""
    return _CELL_CODE.findall(re.sub(r"^```.*?^```", "", cell, flags=re.MULTILINE | re.DOTALL))


def fenced(text: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def trees(*places: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the parsed modules of files or folders below bulkrunner/."""
    for place in places:
        path = PACKAGE / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            yield file, ast.parse(read(file))


def called(node: ast.Call) -> str:
    """Return the last name of what is called."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def keyword(node: ast.Call, name: str) -> ast.expr | None:
    """Return a keyword argument's expression."""
    return next((word.value for word in node.keywords if word.arg == name), None)


def text_of(node: ast.expr | None) -> str | None:
    """Return a literal text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def error_classes() -> dict[str, type[BulkRunnerError]]:
    """Return every exception of the program by its name."""
    for module in pkgutil.walk_packages(bulkrunner.__path__, "bulkrunner."):
        if not module.name.endswith("__main__") and not module.name.startswith(
            "bulkrunner.sandbox"
        ):
            importlib.import_module(module.name)
    found: dict[str, type[BulkRunnerError]] = {}
    waiting: list[type[BulkRunnerError]] = [BulkRunnerError]
    while waiting:
        one = waiting.pop()
        found[one.__name__] = one
        waiting += one.__subclasses__()
    return found
