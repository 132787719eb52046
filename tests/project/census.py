"""Numbers of the code's shape: ``make census``; the bounds are asserted in ``test_census.py``."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import bulkrunner

PACKAGE = Path(bulkrunner.__file__).parent
ROOT = PACKAGE.parent

SMALL, LARGE = 80, 500
"""Lines below which a module hardly needs a room of its own, and above which it has two subjects."""

SEVERAL_BASES = {"Exception", "Enum", "StrEnum", "IntEnum", "Protocol", "NamedTuple", "Generic"}
"""Beside one of these a class may have another base."""


def modules() -> dict[str, str]:
    """Return the text of every module by its path in the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in paths}


def lines_of(text: str) -> int:
    return text.count("\n")


def docstring_lines(text: str) -> int:
    """Return how many lines are docstrings or texts below a name."""
    return sum(
        node.value.end_lineno - node.value.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def mixed_classes(text: str) -> Iterator[str]:
    """Yield classes with more than one base that holds behaviour."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and len(node.bases) > 1:
            names = {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases}
            if not names & SEVERAL_BASES and not any(name.endswith("Error") for name in names):
                yield node.name


def sentence_patterns() -> int:
    """Return how many patterns recover one language from another."""
    found = 0
    for path in PACKAGE.rglob("*.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        rewrite = data.get("rewrite", {}) if isinstance(data, dict) else {}
        found += sum(len(patterns) for patterns in rewrite.values())
    return found


def census() -> dict[str, int]:
    """Return every number by its name."""
    texts = modules()
    named = {path: text for path, text in texts.items() if not path.endswith("__init__.py")}
    bases = Counter(path.rpartition("/")[2] for path in named if not path.endswith("__main__.py"))
    inner = [t for path, t in texts.items() if path.startswith(("domain/", "services/"))]
    return {
        "modules": len(texts),
        "lines": sum(map(lines_of, texts.values())),
        f"modules over {LARGE} lines": sum(lines_of(text) > LARGE for text in texts.values()),
        f"modules under {SMALL} lines": sum(lines_of(text) < SMALL for text in named.values()),
        "base names that stand twice": sum(count > 1 for count in bases.values()),
        "classes of several bases": sum(1 for text in texts.values() for _ in mixed_classes(text)),
        "modules in services/planning": sum(p.startswith("services/planning/") for p in named),
        "lines of docstrings in domain and services": sum(map(docstring_lines, inner)),
        "migrations": len(list((ROOT / "migrations" / "versions").glob("[!_]*.py"))),
        "patterns that recover a language": sentence_patterns(),
        "lines of tests": sum(
            lines_of(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("*.py")
        ),
    }


def details() -> Iterator[str]:
    """Yield what stands behind the numbers that should be small."""
    texts = modules()
    for path, text in texts.items():
        count = lines_of(text)
        if count > LARGE or (count < SMALL and not re.search(r"__(init|main)__", path)):
            yield f"  {count:5} {path}"
        yield from (f"  several bases: {path} {name}" for name in mixed_classes(text))
    names = Counter(path.rpartition("/")[2] for path in texts if "__" not in path)
    yield from (f"  {count} × {name}" for name, count in names.items() if count > 1)


if __name__ == "__main__":
    for name, number in census().items():
        print(f"{number:7,} {name}")
    print("\n".join(details()))
