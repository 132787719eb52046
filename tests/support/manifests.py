"""Makes job folders for tests."""

from __future__ import annotations

from pathlib import Path

from bulkrunner.adapters.manifests import LoadedJob, load_job
from bulkrunner.domain.manifest import Declared
from bulkrunner.domain.steps import InputLine, StepEntry
from bulkrunner.errors import Fault, ManifestError
from bulkrunner.services.planning.step_entries import operation_of

BASES = ("https://libris.kb.se/", "https://libris-stg.kb.se/", "http://127.0.0.1:8001/")

HEAD = """\
bulkrunner: 1
job: a-job
title: A title
purpose: A purpose
on_behalf_of: Ylm
sigels: [Ylm, NO]
"""

ID = "fzr8v1sn2k3m4p5"
OTHER = "h1x2c3v4b5n6m7k"


def ids(number: int, *, start: int = 0) -> list[str]:
    """Make different short ids."""
    return [f"{count:015d}" for count in range(start, start + number)]


def make_job(
    folder: Path,
    text: str | bytes,
    files: dict[str, str | bytes] | None = None,
    *,
    name: str = "job.yaml",
) -> Path:
    """Write a manifest and its input files; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in {name: text, **(files or {})}.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def load(path: Path) -> LoadedJob:
    """Load a job with the bases of the tests."""
    return load_job(path, bases=BASES)


def problems_of(path: Path) -> list[Fault]:
    """Return every problem that loading a job raises; none where it loads."""
    try:
        load(path)
    except ManifestError as error:
        return [problem for problem in error.problems if isinstance(problem, Fault)]
    return []


def brief(problems: list[Fault]) -> list[tuple[str, str, int, int]]:
    """Return code, file name, line and column of problems."""
    return [
        (found.code, Path(found.source.file).name, found.source.line, found.source.column)
        for found in problems
    ]


def resolved(loaded: LoadedJob) -> list[Declared]:
    """Return the job's stream, each entry of a step as the operation that it is on its record.

    Lines that are left out are left out here too.
    """
    return [
        operation_of(one, one.ref) if isinstance(one, StepEntry) else one  # type: ignore[misc]
        for one in loaded.operations()
        if not isinstance(one, InputLine)
    ]


def left_out(loaded: LoadedJob) -> list[tuple[int, str, str]]:
    """Return line, code and message of every line that gives no change."""
    return [
        (one.source.line, one.code, one.message)
        for one in loaded.operations()
        if isinstance(one, InputLine)
    ]
