"""A new job folder: the template of a kind of job, filled in as far as the caller can."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

from bulkrunner.adapters.manifests.problems import meant, shown
from bulkrunner.adapters.manifests.schema import schema_text
from bulkrunner.errors import UsageError
from bulkrunner.share import share_folder

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
MANIFEST = "job.yaml"
SCHEMA = "job.schema.json"
"""Beside the manifest, whose first line names it, so that an editor completes and explains keys."""

USUAL = "update"

OTHER_WORDS = {
    "change": "update",
    "ids": "update",
    "remove": "delete",
    "holdings": "create",
    "rows": "table",
    "csv": "table",
    "excel": "table",
    "find": "query",
    "search": "query",
    "undo": "revert",
    "save": "resave",
    "python": "function",
    "bibs": "holdings-then-bibs",
    "titles": "holdings-then-bibs",
}
"""What somebody may call a kind that has another name."""

PLAIN_SIGEL = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
"""Sigels that mean the same in YAML without quotes, everywhere in a template."""


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job folder that was made.

    Attributes:
        folder: its path. files: names of what is in it.
    """

    folder: Path
    files: tuple[str, ...]


def kinds() -> dict[str, str]:
    """Return every kind of job with a sentence on what it does."""
    folders = sorted(path for path in share_folder("templates").iterdir() if path.is_dir())
    return {folder.name: _sentence(folder / MANIFEST) for folder in folders}


def _sentence(manifest: Path) -> str:
    # The first line is for editors, the second says what the job does.
    return manifest.read_text(encoding="utf-8").splitlines()[1].removeprefix("# ")


def new_job(name: str, parent: Path, *, kind: str, sigels: Sequence[str], today: str) -> NewJob:
    """Make the folder ``parent/name`` with a commented manifest and its input files.

    Args:
        name: job id and folder name.
        parent: folder to make it in.
        kind: one of ``kinds()``.
        sigels: what takes the place of ``SIGEL`` and ``SIGEL2``; what is not given stays.
        today: ISO date for the agreement.

    Raises:
        UsageError: a name that cannot be a job id, no such kind, a sigel that is none, or a folder
            that is already there.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{shown(name)} cannot be a job id",
            hint="use small letters, digits, dots, dashes and underscores, e.g. 2026-11-shelf-marks",
        )
    template = _template(kind)
    words = {"JOB-ID": name, "TODAY": today, **_filled(sigels)}
    names = sorted(path.name for path in template.iterdir() if path.is_file())
    texts = {}
    for file in names:
        text = (template / file).read_text(encoding="utf-8")
        if file == MANIFEST:
            if len(sigels) == 2 and "SIGEL2" not in text:
                text = text.replace("sigels: [SIGEL]", "sigels: [SIGEL, SIGEL2]")
            text = _replaced(text, words)
        texts[file] = text
    folder = _made(parent / name)
    _write(folder, {**texts, SCHEMA: schema_text()})
    return NewJob(folder=folder, files=(*names, SCHEMA))


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write a folder's files: all, or nothing is left of it."""
    try:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise UsageError(
            f"cannot write into {folder}: {error.strerror or error}",
            hint="make room on its disk, or choose another folder: --in",
            code="not_written",
        ) from None


def _template(kind: str) -> Path:
    known = kinds()
    if kind in known:
        return share_folder("templates") / kind
    near = OTHER_WORDS.get(kind.lower()) or meant(kind, list(known))
    raise UsageError(
        f"{shown(kind)} is no kind of job",
        hint=f"did you mean {near}? bulkrunner new --kinds lists them all"
        if near
        else f"the kinds are {', '.join(known)}",
        code="unknown_kind",
    )


def _filled(sigels: Sequence[str]) -> Mapping[str, str]:
    words = {}
    for mark, sigel in zip(("SIGEL", "SIGEL2"), sigels, strict=False):
        if not sigel.strip() or sigel != sigel.strip() or "/" in sigel or not sigel.isprintable():
            raise UsageError(
                f"{shown(sigel)} is no sigel", hint="a sigel has no '/' and no blanks at its ends"
            )
        plain = PLAIN_SIGEL.fullmatch(sigel)
        words[mark] = sigel if plain else json.dumps(sigel, ensure_ascii=False)
        words[f"/library/{mark}"] = f"/library/{quote_plus(sigel)}"
    if len(sigels) > 2:
        raise UsageError("at most two sigels are filled in", hint="write the others in job.yaml")
    return words


def _replaced(text: str, words: Mapping[str, str]) -> str:
    # Longer words first: SIGEL is part of others. All at once: no word is looked for in another.
    longest = sorted(words, key=len, reverse=True)
    pattern = re.compile("|".join(rf"{re.escape(word)}(?![A-Za-z0-9])" for word in longest))
    return pattern.sub(lambda found: words[found[0]], text)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"{folder} is already there", hint="choose another name") from None
    except OSError as error:
        raise UsageError(
            f"cannot make {folder}: {error.strerror}",
            hint="choose a folder that can be written: --in",
            code="not_written",
        ) from None
    return folder
