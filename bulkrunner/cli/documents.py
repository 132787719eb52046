"""The ``--json`` document of each command, null where nothing is known yet (docs/reference/cli.md)."""

from __future__ import annotations

from typing import Any

_PLAN = (
    "plan",
    "job",
    "environment",
    "manifest_digest",
    "effect_digest",
    "plan_digest",
    "state",
    "counts",
    "findings",
    "requests",
)
_RUN = ("run", "plan", "environment", "state", "outcomes", "gates", "requests")

KEYS: dict[str, tuple[str, ...]] = {
    "approve": (
        *("plan", "plan_digest", "answer", "by", "reference", "statements", "conditions"),
        *("signed_by", "draft"),
    ),
    "check": (
        "job",
        "manifest_digest",
        "effect_digest",
        "operations",
        "inputs",
        "problems",
        "notes",
    ),
    "clients": ("clients", "environment", "client", "retired_at", "retired_by", "notice"),
    "demo": ("report", "folder", "steps"),
    "doctor": ("environments", "network", "ledger", "hosts", "idle_clients"),
    "ledger": (
        "ledger",
        "state",
        "faults",
        "head",
        "against",
        "bundle",
        "path",
        "compacted",
        "copied",
        "restored",
    ),
    "new": ("job", "kind", "folder", "manifest", "files", "kinds"),
    "pause": ("run", "state", "paused"),
    "plan": _PLAN,
    "rate": ("run", "state", "rate"),
    "reject": ("plan", "plan_digest", "answer", "by", "reference", "stopping", "draft"),
    "report": ("plan", "run", "format", "path", "head", "older", "changed"),
    "resume": _RUN,
    "run": _RUN,
    "sandbox": ("test", "production", "pid", "config", "credentials"),
    "schema": ("schema", "path"),
    "settle": ("run", "change", "was", "outcome", "record", "by", "reason", "outcomes"),
    "status": ("jobs", "plans", "runs", "gates", "rules", "next"),
    "stop": ("run", "state"),
    "undo": ("run", "job", "folder", "manifest", "undoes", "effect_digest"),
    "verify": ("run", "environment", "checked", "differences", "requests"),
}


def blank(command: str | None) -> dict[str, Any]:
    """Return the command's document with every key null."""
    return dict.fromkeys(KEYS.get(command or "", ()))
