"""The figures of a soak, as a table for people."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.crashes.adversary.judging import KINDS
from tests.crashes.adversary.taking_back import NOT_BACK
from tests.crashes.adversary.truth import WRITES

if TYPE_CHECKING:
    from tests.crashes.adversary.soak import Found

SHOWN = 20
"""Violations printed in full."""


def table(found: Found) -> str:
    """Return the whole table."""
    return "\n".join([*_head(found), *_mishaps(found), *_outcomes(found), *_verdict(found)])


def _row(name: str, value: object) -> str:
    shown = f"{value:,}" if isinstance(value, int) else str(value)
    return f"  {name:<58} {shown:>10}"


def _head(found: Found) -> Iterator[str]:
    wish = found.wish
    machine = f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {platform.system()}"
    yield f"soak with seed {wish.seed}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine}"
    yield _row("changes", len(found.judge.tasks))
    yield _row("at a time", wish.concurrency)
    yield _row("waits of the program are shorter by", f"{wish.haste:g}")
    yield _row("time of the run", f"{found.seconds:,.0f} s")


def _mishaps(found: Found) -> Iterator[str]:
    log = found.log
    ours = [entry for entry in log if not str(entry["path"]).startswith("/oauth/")]
    writes = [entry for entry in ours if entry["method"] in WRITES]
    struck = Counter(str(fault) for entry in writes for fault in entry["faults"])  # type: ignore[attr-defined]
    statuses = Counter(int(str(entry["status"])) for entry in writes)
    yield "what went wrong"
    yield _row("requests", len(log))
    yield _row("writes among them", len(writes))
    refused = sum(n for status, n in statuses.items() if status >= 500)
    for name, count in (
        ("writes answered 5xx", refused),
        ("writes cut before they were done", struck["close_before"]),
        ("writes cut after they were done", struck["close_after"]),
        ("edits between a look and its write", struck["foreign_edit"]),
        ("writes that something in between answered", struck["proxy"]),
    ):
        yield _row(name, f"{count:,} ({100 * count / max(1, len(writes)):.1f} %)")
    yield _row("writes answered 302, 404, 410, 412", sum(statuses[s] for s in (302, 404, 410, 412)))
    yield _row("writes answered 401", statuses[401])
    yield _row(
        "reads that went wrong", sum(bool(e["faults"]) for e in ours if e["method"] == "GET")
    )
    between = [e for e in ours if e["method"] == "GET" and "proxy" in str(e["faults"])]
    yield _row("of these answered by something in between", len(between))
    for name, count in sorted(found.figures.items()):
        yield _row(name, count)


def _outcomes(found: Found) -> Iterator[str]:
    yield "how the changes ended"
    for (what, outcome, code), count in sorted(found.judge.outcomes.items()):
        yield _row(f"{what}: {outcome}{f' ({code})' if code else ''}", count)


def _verdict(found: Found) -> Iterator[str]:
    judge, violations = found.judge, found.violations
    kinds = Counter(violation.kind for violation in violations)
    yield "held against the server's own history"
    yield _row("deleted between look and PUT, alive again", len(judge.revived))
    for name, count in sorted(judge.figures.items()):
        yield _row(name, count)
    for kind in KINDS:
        yield _row(kind, kinds[kind])
    if found.undo is not None:
        yield "taken back"
        for name, count in sorted(found.back.items()):
            yield _row(name, count)
        yield _row("brought back", found.undo.figures["brought back"])
        for (how, code), count in sorted(found.undo.listed.items()):
            yield _row(f"left, and listed: {how} ({code})", count)
        yield _row(NOT_BACK, kinds[NOT_BACK])
    for violation in violations[:SHOWN]:
        yield f"  ! {violation}"
    if len(violations) > SHOWN:
        yield f"  ! and {len(violations) - SHOWN} more"
    yield "FAILED" if violations else "ok: nothing lost, nothing twice, nothing overwritten"
