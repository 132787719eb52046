"""The policy table of a configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bulkrunner.config.file import Table
from bulkrunner.config.rules import read_rules
from bulkrunner.domain.environment import CEILING_KEYS, PRODUCTION_HOST, Policy

_NUMBERS = {
    "staging_max_age_days": 36500.0,
    "plan_max_age_hours": 876000.0,
    "resume_max_idle_days": 36500.0,
    "min_staging_coverage": 1.0,
    "client_unused_days": 36500.0,
}
"""Keys with the most that they take; the least is 0."""

_KEYS = (
    *_NUMBERS,
    "test_hosts",
    "reviewers",
    "rules",
    "functions",
    "ceilings",
)
_FUNCTIONS = ("confined", "any", "none")
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_MOST_CHANGES = 10**9


def read_policy(table: Table, folder: Path) -> Policy:
    """Return the policy; what the file does not say is as built in.

    Args:
        table: of the configuration.
        folder: what the path of the policy file starts from.

    Raises:
        ConfigError: the policy file is wrong.
    """
    table.only(_KEYS)
    values: dict[str, Any] = {
        key: table.number(key, least=0, most=most) for key, most in _NUMBERS.items()
    }
    values["test_hosts"] = _test_hosts(table)
    values["reviewers"] = table.text("reviewers")
    values["functions"] = table.choice("functions", _FUNCTIONS)
    rules = table.text("rules")
    values["rules"] = None if rules is None else read_rules(folder / rules)
    values["ceilings"] = _ceilings(table.table("ceilings"))
    return Policy(**{key: value for key, value in values.items() if value is not None})


def _test_hosts(table: Table) -> tuple[str, ...]:
    hosts = [host.lower().rstrip(".") for host in table.texts("test_hosts") or ()]
    for host in hosts:
        if not _HOST.fullmatch(host):
            table.fault("test_hosts", f"{host[:60]!r} is no host; write it without https://")
        elif host == PRODUCTION_HOST or host.endswith("." + PRODUCTION_HOST):
            table.fault("test_hosts", f"{host} is production")
    return tuple(hosts)


def _ceilings(table: Table) -> dict[str, int]:
    table.only(CEILING_KEYS)
    read = {key: table.whole(key, least=0, most=_MOST_CHANGES) for key in CEILING_KEYS}
    return {key: value for key, value in read.items() if value is not None}
