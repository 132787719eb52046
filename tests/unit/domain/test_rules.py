"""Rules over plans: what breaks them, and what touches a place."""

import pytest

from bulkrunner.domain.plan import Action, Plan
from bulkrunner.domain.rules import Level, Rule, RuleKind, approvers, broken, over, touches
from bulkrunner.domain.schedule import common
from tests.support.ledgers import a_change, a_plan


def most(**values):
    return Rule(id="r", kind=RuleKind.MOST, source="s", **{"action": "delete", **values})


@pytest.mark.parametrize(
    ("rule", "counts", "said"),
    [
        (most(number=5), {"delete": 5}, ""),
        (most(number=5), {"delete": 6}, "6 deletes, more than 5"),
        (most(number=0), {"update": 6}, ""),
        (most(share=0.5), {"delete": 5, "update": 5}, ""),
        (most(share=0.5), {"delete": 6, "update": 5}, "6 deletes of 11 changes, more than 50%"),
        (most(share=0.0), {}, ""),
        (most(number=9, share=0.1), {"delete": 2, "update": 2, "refused": 90}, "2 deletes of 4"),
        (most(action="records", number=3), {"delete": 2, "create": 2}, "4 changes, more than 3"),
    ],
)
def test_numbers_and_shares(rule, counts, said):
    told = over(rule, counts) or ""
    assert told.startswith(said)
    assert bool(told) is bool(said)


def plan(*rules, **values) -> Plan:
    return a_plan(policy={"rules": [rule.as_dict() for rule in rules]}, **values)


def test_only_rules_of_the_level_asked_for():
    rules = [most(number=0, level=level) for level in Level]
    found = plan(*rules, counts={"delete": 1})
    for rule in rules:
        assert list(broken(found, rule.level)) == [(rule, "1 deletes, more than 0")]
    asked = Rule(id="a", kind=RuleKind.AGREEMENT, source="s")
    assert list(broken(plan(asked), Level.REFUSE)) == [(asked, "the manifest names no agreement")]
    named = plan(asked, manifest={"agreement": {"reference": "KB 1"}})
    assert list(broken(named, Level.REFUSE)) == []


def test_the_most_people_asked_for_count():
    two = Rule(id="a", kind=RuleKind.APPROVERS, source="s", above=10, people=2)
    three = Rule(id="b", kind=RuleKind.APPROVERS, source="s", above=100, people=3)
    for writes, people in ((10, 1), (11, 2), (101, 3)):
        assert approvers(plan(two, three, counts={"update": writes})) == people


def changed(after, before=None, **values):
    def document(thing):
        note = {"descriptionNote": thing["note"]} if "note" in thing else {}
        return {"@graph": [note, {key: thing[key] for key in thing if key != "note"}]}

    return a_change(
        1,
        before=None if before is None else document(before),
        after=None if after is None else document(after),
        **values,
    )


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ({"a": 1}, {"a": 1}, ""),
        ({"a": 1}, {"a": 2}, "a"),
        ({"a": 1}, {"a": True}, "a"),
        ({"a": 1}, {}, "a"),
        ({}, {"a": 1}, "a"),
        (None, {"a": 1}, "a"),
        (None, {"b": 1}, ""),
        ({"a": 1}, None, ""),
        ({"b": {"c": 1, "d": 1}}, {"b": {"c": 1, "d": 2}}, ""),
        ({"b": {"c": 1}}, {"b": {"c": 2}}, "b.c"),
        ({"b": [{"c": 1}, {"c": 2}]}, {"b": [{"c": 1}, {"c": 3}]}, "b.c"),
        ({"b": [{"c": 1}, {"c": 2}]}, {"b": [{"c": 1}]}, "b.c"),
        ({"b": "text"}, {"b": {"c": 1}}, "b.c"),
        ({"note": "x"}, {"note": "y"}, "@record.descriptionNote"),
        ({"descriptionNote": "x"}, {"descriptionNote": "y"}, ""),
        # The order of keys never counts, that of a list where the vocabulary says so.
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, ""),
        ({"a": [{"x": {"p": 1, "q": [2]}}]}, {"a": [{"x": {"q": [2], "p": 1}}]}, ""),
        ({"b": {"c": {"x": 1, "y": 2}}}, {"b": {"c": {"y": 2, "x": 1}}}, ""),
        ({"a": {"hasNote": ["x", "y"]}}, {"a": {"hasNote": ["y", "x"]}}, ""),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, "a"),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": True}}, "a"),
        ({"a": {"x": 1}}, {"a": {"x": 1, "y": None}}, "a"),
        ({"a": {"x": 1}}, {"a": {"x": 1.0}}, "a"),
    ],
)
def test_what_touches_a_place(before, after, place):
    change = changed(after, before)
    assert touches(change, ["a", "b.c", "@record.descriptionNote"]) == place


def test_a_set_in_another_order_is_not_touched():
    before = {"hasNote": [{"label": "1", "@type": "Note"}, {"label": "2", "@type": "Note"}]}
    after = {"hasNote": [{"@type": "Note", "label": "2"}, {"@type": "Note", "label": "1"}]}
    assert touches(changed(after, before), ["hasNote"]) == ""
    assert touches(changed({"hasNote": after["hasNote"][:1]}, before), ["hasNote"]) == "hasNote"


def test_a_deletion_touches_no_place():
    change = a_change(1, Action.DELETE, after=None)
    assert touches(change, ["shelfMark"]) == ""


@pytest.mark.parametrize(
    ("sets", "windows"),
    [
        ([], ()),
        ([(), ()], ()),
        ([("22:00-06:00",), ()], ("22:00-06:00",)),
        ([("22:00-06:00",), ("20:00-23:30",)], ("22:00-23:30",)),
        ([("22:00-06:00",), ("23:00-01:00", "05:00-08:00")], ("05:00-06:00", "23:00-01:00")),
        ([("00:00-12:00", "12:00-24:00"), ()], ()),
        ([("08:00-24:00",), ("00:00-09:00",)], ("08:00-09:00",)),
        ([("18:00-24:00",), ("20:00-24:00",)], ("20:00-00:00",)),
    ],
)
def test_hours_that_several_sets_of_windows_allow(sets, windows):
    assert common(sets) == windows


def test_windows_that_never_meet():
    with pytest.raises(ValueError, match="no minute"):
        common([("08:00-12:00",), ("12:00-24:00",)])
