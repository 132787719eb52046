"""Writes a bundle, member by member, in memory that does not grow with the plan."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bulkrunner import __version__
from bulkrunner.adapters.bundles import form
from bulkrunner.adapters.ledger.exporting import Snapshot
from bulkrunner.adapters.reports.files import written_whole

_MADE = (1980, 1, 1, 0, 0, 0)
"""Time of every member, so that the same ledger gives the same bundle."""


def write_bundle(
    path: Path, snapshot: Snapshot, *, with_run: bool, report: Iterable[bytes], at: datetime
) -> str:
    """Write a bundle, whole or not at all.

    Args:
        path: replaced where it exists.
        snapshot: of the ledger.
        with_run: whether it holds a run.
        report: the JSON report.
        at: when it is made.

    Returns:
        The ledger's head in it.

    Raises:
        UsageError: the file cannot be written.
    """
    head = snapshot.head()
    with written_whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        members = dict(_members(archive, snapshot, report, with_run=with_run))
        plan = snapshot.plan()
        facts = {
            "bundle": form.VERSION,
            "made_at": at.isoformat(),
            "program_version": __version__,
            "plan": plan["id"],
            "plan_digest": plan["plan_digest"],
            "run": snapshot.run()["id"] if with_run else None,
            "head": head,
            "before": snapshot.before(),
            "members": members,
        }
        _write(archive, form.HEAD, [json.dumps(facts, indent=1).encode() + b"\n"])
    return head


def _members(
    archive: zipfile.ZipFile, snapshot: Snapshot, report: Iterable[bytes], *, with_run: bool
) -> Iterator[tuple[str, str]]:
    """Write all but the first member; yields name and digest of each."""
    contents: dict[str, Iterable[bytes]] = {
        form.README: [form.TEXT.encode()],
        form.PLAN: _lines([snapshot.plan()]),
        form.CHANGES: _lines(_filed(snapshot.changes())),
        form.APPROVALS: _lines(snapshot.approvals()),
        form.EVENTS: _lines(snapshot.events()),
        form.REPORT: report,
    }
    if with_run:
        contents[form.RUN] = _lines([snapshot.run()])
        contents[form.ATTEMPTS] = _lines(snapshot.attempts())
        contents[form.RESULTS] = _lines(_filed(snapshot.results()))
    for name, content in contents.items():
        yield name, _write(archive, name, content)


def _filed(rows: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for row, documents in rows:
        yield {"row": row, "documents": documents}


def _lines(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _write(archive: zipfile.ZipFile, name: str, content: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    info = zipfile.ZipInfo(name, _MADE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as member:
        for chunk in content:
            digest.update(chunk)
            member.write(chunk)
    return f"sha256:{digest.hexdigest()}"
