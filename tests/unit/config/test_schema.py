"""The configuration's published schema says what the program reads, and the manual says the same."""

import json
import re
from dataclasses import fields

import jsonschema
import pytest

from bulkrunner.config import BACKUPS, load_settings
from bulkrunner.config.toml_file import schema_text
from bulkrunner.domain.environment import CEILING_KEYS
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.rules import MOST_RULES, Level, Rule, RuleKind
from bulkrunner.errors import ConfigError
from tests.support.docs import page
from tests.support.paths import ROOT

SCHEMA = json.loads(schema_text())
RULE = SCHEMA["$defs"]["rule"]


def test_the_published_schema_is_the_packaged_one_and_valid():
    root = ROOT
    assert (root / "docs" / "reference" / "config.schema.json").read_text("utf-8") == schema_text()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_defaults_are_those_that_the_program_has():
    policy = SCHEMA["properties"]["policy"]["properties"]
    built_in = Policy()
    told = {key: rule["default"] for key, rule in policy.items() if "default" in rule}
    assert told == {key: getattr(built_in, key) for key in told}
    assert len(told) == 6
    assert SCHEMA["properties"]["ledger"]["properties"]["backups"]["default"] == BACKUPS
    assert SCHEMA["$defs"]["level"]["default"] == Level.REFUSE


def test_names_are_those_that_the_program_has():
    policy = SCHEMA["properties"]["policy"]["properties"]
    assert set(policy) == {field.name for field in fields(Policy)} - {"signers"}
    assert tuple(policy["ceilings"]["properties"]) == CEILING_KEYS
    kinds = set(RULE["properties"]["kind"]["enum"])
    assert kinds == {kind.value for kind in RuleKind} - {RuleKind.GATE.value}  # KB's own only
    assert set(SCHEMA["$defs"]["level"]["enum"]) == {level.value for level in Level}
    keys = {key for kind in kinds for key in SCHEMA["$defs"][kind]["properties"]}
    assert keys == {field.name for field in fields(Rule)} - {"gate"}
    assert SCHEMA["$defs"]["rule_file"]["properties"]["rule"]["maxItems"] == MOST_RULES


def test_the_manual_has_every_key():
    manual = set(re.findall(r"`([a-z_]+)`", page("reference/configuration.md")))
    top = SCHEMA["properties"]
    known = {*top["ledger"]["properties"], *top["policy"]["properties"]}
    known |= set(SCHEMA["$defs"]["environment"]["properties"])
    known |= set(SCHEMA["$defs"]["network"]["properties"])
    assert known <= manual


@pytest.mark.parametrize(
    ("line", "english", "swedish"),
    [
        ("backups = -1", "must be from 0 to 1000", "ska vara från 0 till 1000"),
        ("backups = 1.5", "must be a whole number, not a number", "ska vara ett heltal, inte"),
        ("backups = nan", "not an endless number", "inte ett oändligt tal"),
        ("backups = 2026-01-01", "not a date or time", "inte ett datum eller klockslag"),
        ("backups = true", "not true or false", "inte true eller false"),
        ("backup = 1", "unknown key; did you mean backups?", "okänd nyckel; menas backups?"),
        ('url = "  "', "must be text of one line", "ska vara text på en rad"),
        ('url = "a\\nb"', "must be text of one line", "ska vara text på en rad"),
    ],
)
def test_faults_are_worded_in_both_languages(tmp_path, line, english, swedish):
    path = tmp_path / "bulkrunner.toml"
    path.write_text(f"[ledger]\n{line}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    assert caught.value.message.startswith(f"{path}:2: ledger.")
    assert english in caught.value.message
    assert swedish in caught.value.said.worded("sv")
