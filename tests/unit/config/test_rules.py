"""The policy file: read with care, every fault at once with its line."""

import pytest

from bulkrunner.config.environments import read_rules
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.rules import KB_RULES, Level, Rule, RuleKind
from bulkrunner.errors import ConfigError
from tests.support.docs import fenced, page

GOOD = """
[[rule]]
id = "few-deletions"
kind = "most"
action = "delete"
number = 500
share = 0.25
level = "agree"
source = "KB 2026-0412"

[[rule]]
id = "at-night"
kind = "hours"
hours = ["20:00-06:00"]
source = "KB 2026-0412"
"""


@pytest.fixture
def read(tmp_path):
    def reading(text):
        path = tmp_path / "policy.toml"
        path.write_text(text, encoding="utf-8")
        return read_rules(path)

    return reading


def test_rules_are_read(read):
    few, night = read(GOOD)
    assert few == Rule(
        id="few-deletions",
        kind=RuleKind.MOST,
        action="delete",
        number=500,
        share=0.25,
        level=Level.AGREE,
        source="KB 2026-0412",
    )
    assert night.hours == ("20:00-06:00",)
    assert read("") == ()


def test_rules_come_back_from_a_plan(read):
    for rule in (*read(GOOD), *KB_RULES):
        assert Rule.from_dict(rule.as_dict()) == rule
    policy = Policy(rules=read(GOOD), signers=("a@b ssh-ed25519 AAAA",))
    assert Policy.from_dict(policy.as_dict()) == policy


def test_the_example_of_the_manual_is_read(read):
    (example,) = [
        block for block in fenced(page("reference/configuration.md"), "toml") if "[[rule]]" in block
    ]
    assert [rule.kind for rule in read(example)] == ["most", "places", "hours", "approvers"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rule]]", ["policy.toml:2: rule.1.id: is missing", "kind: is missing", "source"]),
        ("[[rule]]\nid = 'x'\nkind = 'odd'\nsource = 's'", ["policy.toml:4: rule.1.kind: must be"]),
        ("[[rule]]\nid = 'X Y'\nkind = 'places'\nsource = 's'\nplaces = ['a']", ["small letters"]),
        ("[[rule]]\nid = 'x'\nkind = 'most'\nsource = 's'", ["action: is missing", "number"]),
        (
            "[[rule]]\nid = 'x'\nkind = 'most'\nsource = 's'\naction = 'delet'\nnumber = -1\nshare = 2",
            ["action: must be one of", "number: must be from 0", "share: must be from 0 to 1"],
        ),
        ("[[rule]]\nid = 'x'\nkind = 'places'\nsource = 's'\nplaces = []", ["at least one place"]),
        (
            "[[rule]]\nid = 'x'\nkind = 'places'\nsource = 's'\nplaces = ['a..b', 'ok', '@a']",
            ["'a..b' is no place", "'@a' is no place"],
        ),
        (
            "[[rule]]\nid = 'x'\nkind = 'hours'\nsource = 's'\nhours = ['25:00-26:00']",
            ["policy.toml:6: rule.1.hours: '25:00-26:00' must look like"],
        ),
        ("[[rule]]\nid = 'x'\nkind = 'approvers'\nsource = 's'\npeople = 1", ["above", "people"]),
        (
            "[[rule]]\nid = 'x'\nkind = 'agreement'\nsource = 's'\nnumber = 3",
            ["rule.1.number: unknown key"],
        ),
        (
            "[[rule]]\nid = 'kb-consent'\nkind = 'agreement'\nsource = 's'",
            ["another rule is called kb-consent"],
        ),
        (
            "[[rule]]\nid = 'a'\nkind = 'agreement'\nsource = 's'\n" * 2,
            ["policy.toml:7: rule.2.id: another rule is called a"],
        ),
        ("rule = 3", ["must be at most"]),
        ("rules = []", ["rules: unknown key; did you mean rule?"]),
        ("rule = [1]", ["rule.1: must be a table"]),
        ("[[rule", ["is no TOML file"]),
    ],
)
def test_every_fault_is_told(read, text, words):
    with pytest.raises(ConfigError) as error:
        read("\n" + text)
    for word in words:
        assert word in error.value.message, error.value.message


def test_every_rule_of_kb_cites_its_sentence():
    for rule in KB_RULES:
        assert "Rules: “" in rule.source
