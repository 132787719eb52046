"""The policy of a configuration, and the policy file: rules over plans, each with its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bulkrunner.config.file import Faults, Place, fitting, read_config_file
from bulkrunner.domain.environment import PRODUCTION_HOST
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.rules import KB_RULES, Rule, RuleKind
from bulkrunner.domain.schedule import parse_window
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")


def read_policy(given: Mapping[str, Any], folder: Path, faults: Faults) -> Policy:
    """Return the policy; what the file does not say is as built in.

    Args:
        given: the table of the configuration, as its schema has it.
        folder: what the path of the policy file starts from.
        faults: gets what the schema does not see.

    Raises:
        ConfigError: the policy file is wrong.
    """
    values = dict(given)
    if "test_hosts" in values:
        values["test_hosts"] = _test_hosts(values["test_hosts"], faults)
    if "rules" in values:
        values["rules"] = read_rules(folder / values["rules"])
    return Policy(**values)


def _test_hosts(given: list[str], faults: Faults) -> tuple[str, ...]:
    hosts = [host.lower().rstrip(".") for host in given]
    place: Place = ("policy", "test_hosts")
    for host in hosts:
        if not _HOST.fullmatch(host):
            faults.add(place, Sentence("config_no_host", given=repr(host[:60])))
        elif host == PRODUCTION_HOST or host.endswith("." + PRODUCTION_HOST):
            faults.add(place, Sentence("config_host_production", host=host))
    return tuple(hosts)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read a policy file.

    Raises:
        ConfigError: it cannot be read, or with every fault found.
    """
    file = read_config_file(path)
    faults = Faults(file)
    found: dict[str, Rule] = {}
    for number, item in enumerate(fitting(file, faults, "rule_file").get("rule", ()), start=1):
        if item is None:
            continue
        rule = _rule(item)
        place = ("rule", str(number))
        if rule.id in found or rule.id in {known.id for known in KB_RULES}:
            faults.add((*place, "id"), Sentence("config_rule_twice", id=rule.id))
        check_windows(rule.hours, (*place, "hours"), faults)
        found[rule.id] = rule
    faults.raise_if_any()
    return tuple(found.values())


def _rule(item: Mapping[str, Any]) -> Rule:
    kind = RuleKind(item["kind"])
    people = {"people": 2} if kind is RuleKind.APPROVERS else {}
    return Rule.from_dict({**people, **item})


def check_windows(windows: tuple[str, ...], place: Place, faults: Faults) -> None:
    """Note every window that is none."""
    for window in windows:
        try:
            parse_window(window)
        except Fault as fault:
            said = Sentence("config_value", given=repr(window[:20]), said=fault.said)
            faults.add(place, said)
