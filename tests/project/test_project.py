"""What the project promises of itself: one hashed lock, the make targets, nothing of one machine."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
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


def test_ci_runs_what_make_test_runs():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in script


def test_make_has_the_promised_targets():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", text, flags=re.MULTILINE))
    assert {"demo", "test", "lint", "bench", "record"} <= targets
