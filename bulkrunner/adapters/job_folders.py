"""Job folders that the program writes: from a template for a kind of job, and to undo one."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from bulkrunner.adapters.machine import share_folder
from bulkrunner.adapters.manifests.job_schema import schema_text
from bulkrunner.adapters.manifests.problems import shown
from bulkrunner.domain.expressions import nearest
from bulkrunner.errors import UsageError, why_of
from bulkrunner.sentences import Sentence

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")

MANIFEST = "job.yaml"

# Beside the manifest, whose first line names it, so that an editor completes and explains keys.
SCHEMA = "job.schema.json"

USUAL = "update"

# What somebody may call a kind that has another name.
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

# Sigels that mean the same in YAML without quotes, everywhere in a template.
PLAIN_SIGEL = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


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
    said = manifest.read_text(encoding="utf-8").splitlines()[1].removeprefix("# ")
    return _KINDS.get(said, said)


_KINDS = {
    str(said): said
    for said in (
        Sentence("job_creates"),
        Sentence("job_deletes"),
        Sentence("job_by_example"),
        Sentence("job_deletes_holdings_then_bibs"),
        Sentence("job_changes_library"),
        Sentence("job_copies"),
        Sentence("job_of_function"),
        Sentence("job_merges"),
        Sentence("job_moves"),
        Sentence("job_of_operations"),
        Sentence("job_changes_found"),
        Sentence("job_repoints"),
        Sentence("job_of_report"),
        Sentence("job_resaves"),
        Sentence("job_reverts"),
        Sentence("job_splits"),
        Sentence("job_of_table"),
        Sentence("job_updates"),
    )
}


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
            Sentence("job_id_bad", name=shown(name)),
            hint=Sentence("job_id_bad_hint"),
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
            Sentence("file_not_written_to_folder", folder=str(folder), why=why_of(error)),
            hint=Sentence("make_room_or_folder"),
            code="not_written",
        ) from None


def _template(kind: str) -> Path:
    known = kinds()
    if kind in known:
        return share_folder("templates") / kind
    near = OTHER_WORDS.get(kind.lower()) or nearest(kind, list(known))
    raise UsageError(
        Sentence("kind_of_job_unknown", kind=shown(kind)),
        hint=(
            Sentence("kind_of_job_meant", near=near)
            if near
            else Sentence("kinds_of_jobs", known=", ".join(known))
        ),
        code="unknown_kind",
    )


def _filled(sigels: Sequence[str]) -> Mapping[str, str]:
    words = {}
    for mark, sigel in zip(("SIGEL", "SIGEL2"), sigels, strict=False):
        if not sigel.strip() or sigel != sigel.strip() or "/" in sigel or not sigel.isprintable():
            raise UsageError(
                Sentence("sigel_bad", sigel=shown(sigel)), hint=Sentence("sigel_bad_hint")
            )
        plain = PLAIN_SIGEL.fullmatch(sigel)
        words[mark] = sigel if plain else json.dumps(sigel, ensure_ascii=False)
        words[f"/library/{mark}"] = f"/library/{quote_plus(sigel)}"
    if len(sigels) > 2:
        raise UsageError(Sentence("sigels_many"), hint=Sentence("sigels_many_hint"))
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
        raise UsageError(
            Sentence("folder_there_already", folder=str(folder)), hint=Sentence("choose_name")
        ) from None
    except OSError as error:
        raise UsageError(
            Sentence("folder_not_made", folder=str(folder), why=why_of(error)),
            hint=Sentence("choose_writable_folder"),
            code="not_written",
        ) from None
    return folder


MAX_JOB_ID = 100

# Refusals that an undo lives with: what cannot be restored is listed with the reason.
ACCEPTED = {
    "bib_unresolved": "Den bibliografiska posten som beståndet hängde på finns inte",
    "changed_since": "Ändrad av någon efter körningen; skrivs inte över",
    "deleted_since": "Återskapad av en tidigare återställning och raderad av någon sedan dess",
    "duplicate": "Biblioteket har redan ett nytt bestånd på titeln",
    "duplicate_operation": "Samma innehåll som en annan post här; återställs när planen görs om",
    "foreign_component": "Del av ett annat biblioteks bestånd efter någons ändring",
    "foreign_sigel": "Ett annat biblioteks bestånd efter någons ändring",
    "library_unresolved": "Biblioteket har ingen post längre",
    "linked": "Något länkar till den skapade posten",
    "moved": "Posten har slagits ihop med en annan",
    "no_document": "Liggaren har inte kvar innehållet",
    "no_sigel": "Beståndet saknar bibliotek efter någons ändring",
    "not_changed": "Posten ändrades inte i den här miljön",
    "other_kind": "Posten är av annat slag efter någons ändring",
    "outcome_unknown": "Utfallet är inte känt",
    "prerequisite": "Det som den bygger på går inte att återställa",
    "unreadable_record": "Posten går inte att läsa",
}

COMMENT = """\
# Restores what an earlier job changed: in each environment what its own runs of that job applied.
# Plan and run it where it can be tried, then plan it for production, have it approved, and run it.
"""


def write_undo_job(
    folder: Path,
    head: Mapping[str, Any],
    *,
    effect_digest: str,
    counts: Mapping[str, int],
    only: Sequence[str] | None,
) -> str:
    """Make the folder with ``job.yaml``, and ``only.txt`` where there is a list.

    Args:
        folder: to make.
        head: of the manifest to be undone, as its plan keeps it.
        effect_digest: of that manifest.
        counts: changes that it takes back, by action, in the environment where they are most.
        only: ids that are restored; None for everything.

    Returns:
        The id of the new job.

    Raises:
        UsageError: the folder is there already, or cannot be made.
    """
    undo: dict[str, Any] = {"job": head["job"], "effect_digest": effect_digest}
    if only is not None:
        undo["only"] = "only.txt"
    keys = _keys(head, counts, effect_digest, only) | {"steps": [{"undo": undo}]}
    lines = [line for key, value in keys.items() for line in _block(key, value)]
    try:
        folder.mkdir(parents=True)
        (folder / "job.yaml").write_text(COMMENT + "\n".join(lines) + "\n", encoding="utf-8")
        if only is not None:
            (folder / "only.txt").write_text("\n".join(only) + "\n", encoding="utf-8")
    except FileExistsError:
        raise UsageError(
            Sentence("folder_there_already", folder=str(folder)), hint=Sentence("choose_folder")
        ) from None
    except OSError as error:
        raise UsageError(
            Sentence("folder_not_made", folder=str(folder), why=why_of(error))
        ) from None
    return str(keys["job"])


def _block(key: str, value: Any) -> Iterator[str]:
    """Yield YAML for one key; of a list of objects each key stands on a line of its own."""
    if not isinstance(value, list) or not all(isinstance(item, dict) and item for item in value):
        yield f"{key}: {_scalar(value)}"
        return
    yield f"{key}:"
    for item in value:
        for place, (name, one) in enumerate(item.items()):
            yield f"  {'- ' if place == 0 else '  '}{name}: {_scalar(one)}"


def _scalar(value: Any) -> str:
    """Return JSON, which is YAML on one line."""
    return json.dumps(value, ensure_ascii=False)


def _keys(
    head: Mapping[str, Any], counts: Mapping[str, int], digest: str, only: Sequence[str] | None
) -> dict[str, Any]:
    created, updated, deleted = (counts.get(name, 0) for name in ("create", "update", "delete"))
    total = max(sum(counts.values()), 1)
    number = "1 ändring" if total == 1 else f"{total} ändringar"
    chosen = "" if only is None else f"{number} i "
    most = {"not_changed": max(len(only or ()), 1)}
    return {
        "bulkrunner": 1,
        "job": f"undo-{head['job']}"[:MAX_JOB_ID],
        "title": f"Återställer {chosen}{head['job']}: {head['title']}"[:300],
        "purpose": f"Återställer {'det' if only is None else 'en del av det'} som jobbet "
        f"{head['job']} ({digest}) ändrade.",
        "on_behalf_of": head["on_behalf_of"],
        "sigels": head["sigels"],
        "active_sigel": head["active_sigel"],
        "agreement": head["agreement"],
        "ceilings": {"create": deleted, "update": updated, "delete": created},
        "accept": [
            {"code": code, "at_most": most.get(code, total), "reason": reason}
            for code, reason in ACCEPTED.items()
            if only is not None or code != "not_changed"
        ],
    }
