"""Patterns name what a change does, never its values."""

import pytest

from bulkrunner.domain.diff import diff
from bulkrunner.domain.manifest import (
    AppendChange,
    Create,
    Creates,
    Delete,
    RemoveChange,
    SetChange,
    Source,
    Update,
)
from bulkrunner.domain.operations import MAX_LENGTH, pattern_of
from tests.support.documents import holding

SOURCE = Source(file="job.yaml")


def update(*changes, **rest):
    return Update(source=SOURCE, target="x", changes=changes, **rest)


@pytest.mark.parametrize(
    ("op", "pattern"),
    [
        (
            update(SetChange(at="shelfMark.label", to="Hce"), RemoveChange(at="inventoryLevel")),
            "update holding: set shelfMark.label; remove inventoryLevel",
        ),
        (
            update(AppendChange(at="hasNote", value=1), AppendChange(at="hasNote", value=2)),
            "update holding: append hasNote",
        ),
        (update(replace={"item": {"a": 1}}), "update holding: replace item"),
        (
            update(replace={"item": {}, "record": {}}),
            "update holding: replace record; replace item",
        ),
        (update(resave=True), "update holding: resave"),
        (Delete(source=SOURCE, target="x"), "delete holding"),
        (
            Create(
                source=SOURCE,
                creates=Creates.HOLDING,
                sigel="Ylm",
                of="b",
                body={"shelfMark": 1, "physicalLocation": 2},
                record={"cataloguersNote": 3},
            ),
            "create holding: physicalLocation, shelfMark, @record.cataloguersNote",
        ),
        (
            Create(source=SOURCE, creates=Creates.HOLDING, sigel="Ylm", of="b"),
            "create holding",
        ),
    ],
)
def test_patterns(op, pattern):
    assert pattern_of(op, kind="holding") == pattern


def test_an_unknown_kind_is_a_record():
    assert pattern_of(Delete(source=SOURCE, target="x")) == "delete record"


def test_differences_have_a_pattern_too():
    found = diff(holding(a="1", b="1"), holding(a="2", c="1"))
    assert pattern_of(found, kind="holding") == "update holding: change a; remove b; add c"


def test_values_do_not_make_another_pattern():
    one, other = update(SetChange(at="a", to="x")), update(SetChange(at="a", to={"y": 1}))
    assert pattern_of(one) == pattern_of(other)


def test_long_patterns_are_cut_and_still_told_apart():
    changes = [RemoveChange(at=f"key{number}") for number in range(500)]
    one, other = pattern_of(update(*changes)), pattern_of(update(*changes[:-1]))
    assert len(one) < MAX_LENGTH + 20
    assert one[:MAX_LENGTH] == other[:MAX_LENGTH]
    assert one != other
