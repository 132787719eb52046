"""Small breakages of the program, each of which a test must notice: ``make mutants``.

``python -m tests.project.mutants`` tries all of ``mutations.toml``, with words as arguments those whose
name has one of them.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path

import pytest

import bulkrunner

ROOT = Path(bulkrunner.__file__).parent.parent
TABLE = Path(__file__).with_name("mutations.toml")

AT_A_TIME = 2
PATIENCE = 300.0
"""Seconds after which tests that do not end are given up."""

UNCOPIED = ("__pycache__", ".*", "dist", "build", "*.egg-info")

WRITTEN = count(1)
"""Seconds of 1970 at which each text was written: no compiled module is taken for another's."""


class DoesNotApply(Exception):
    """The text that a mutation replaces does not stand exactly once in its file."""


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One breakage.

    Attributes:
        name: the promise that it breaks. file: below ``bulkrunner``.
        old, new: the text that is replaced, and by what.
        tests: those that must notice, as pytest names them below ``tests``.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """Return a module's text with the breakage.

        Raises:
            DoesNotApply: what is replaced does not stand there exactly once.
        """
        if (found := text.count(self.old)) != 1:
            said = f"its text stands {found} times in {self.file}: write it anew in {TABLE.name}"
            raise DoesNotApply(said)
        return text.replace(self.old, self.new)


class Fate(StrEnum):
    """What became of a mutation; all but the first are faults."""

    DIED = "died"
    SURVIVED = "survived"
    DOES_NOT_APPLY = "does not apply"
    UNTRIED = "untried"


def mutations(wanted: Sequence[str] = ()) -> list[Mutation]:
    """Return all mutations, or those whose name has one of these words."""
    data = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    found = [Mutation(**{**one, "tests": tuple(one["tests"])}) for one in data["mutation"]]
    return [one for one in found if not wanted or any(word in one.name for word in wanted)]


def copy(folder: Path) -> Path:
    """Copy the checkout without what was made in it."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*UNCOPIED), symlinks=True)
    return folder


@contextmanager
def broken(checkout: Path, mutation: Mutation) -> Iterator[None]:
    """Break a copy for as long as it lasts.

    Raises:
        DoesNotApply: the copy is left as it is.
    """
    path = checkout / "bulkrunner" / mutation.file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    _write(path, mutation.applied(text))
    try:
        yield
    finally:
        _write(path, text)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    moment = next(WRITTEN)
    os.utime(path, (moment, moment))


def tested(checkout: Path, tests: Sequence[str], *options: str) -> tuple[int | None, str]:
    """Return what pytest ends with in a copy, None where it does not end, and its last lines."""
    names = [f"tests/{name}" for name in tests]
    started = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *options, *names],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "COLUMNS": "200", "FULL_SIZE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = started.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        return None, f"no end after {PATIENCE:g} s"
    lines = [line for line in said.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return started.returncode, "\n".join((told or lines)[-1:])


def tried(checkout: Path, mutation: Mutation) -> tuple[Fate, str]:
    """Return what became of a mutation in a copy, and by what it was noticed or why not."""
    try:
        with broken(checkout, mutation):
            status, said = tested(checkout, mutation.tests)
    except DoesNotApply as error:
        return Fate.DOES_NOT_APPLY, str(error)
    match status:
        case pytest.ExitCode.TESTS_FAILED:
            return Fate.DIED, said
        case pytest.ExitCode.OK:
            return Fate.SURVIVED, f"{', '.join(mutation.tests)}: {said}"
        case _:
            return Fate.UNTRIED, said


def unsound(checkout: Path, chosen: Sequence[Mutation]) -> str:
    """Return what fails though nothing is broken: that would notice anything."""
    tests = dict.fromkeys(test for mutation in chosen for test in mutation.tests)
    status, said = tested(checkout, list(tests), "-n", str(AT_A_TIME))
    return said if status != pytest.ExitCode.OK else ""


def main(words: Sequence[str]) -> int:
    """Try the mutations, a few at a time; return 1 where one was not noticed."""
    chosen = mutations(words)
    if not chosen:
        print(f"no mutation has a name with {' or '.join(words)}")
        return 2
    copies: queue.SimpleQueue[Path] = queue.SimpleQueue()

    def attempt(mutation: Mutation) -> Fate:
        checkout = copies.get()
        try:
            fate, said = tried(checkout, mutation)
        finally:
            copies.put(checkout)
        print(f"{fate:14} {mutation.name}\n{'':14} {said}", flush=True)
        return fate

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for number in range(AT_A_TIME):
            copies.put(copy(Path(folder, str(number))))
        if fault := unsound(Path(folder, "0"), chosen):
            print(f"nothing is broken, and yet: {fault}")
            return 1
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            fates = list(pool.map(attempt, chosen))
    died = fates.count(Fate.DIED)
    print(f"{died} of {len(fates)} died")
    return 0 if died == len(fates) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
