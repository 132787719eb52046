"""A job folder whose manifest says: restore what a job changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bulkrunner.errors import UsageError

MAX_JOB_ID = 100

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
"""Refusals that an undo lives with: what cannot be restored is listed with the reason."""

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
        raise UsageError(f"{folder} is already there", hint="choose another folder") from None
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}") from None
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
