"""Patterns name what a change does, never its values."""

import pytest

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.changes.verbs import AppendChange, RemoveChange, SetChange
from bulkrunner.domain.diff import diff
from bulkrunner.domain.manifest import Create, Creates, Delete, Update
from bulkrunner.domain.plan import Action
from bulkrunner.domain.report_groups import (
    MAX_LENGTH,
    delete_pattern,
    is_restoring,
    parts_of_update,
    pattern_of,
    restoring_pattern,
    update_pattern,
)
from bulkrunner.errors import Source
from bulkrunner.sentences import Sentence, stored_text, text_of
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


def again(pattern):
    """Return a pattern as the ledger gives it back."""
    return text_of(stored_text(pattern))


SET, REMOVED = SetChange(at="shelfMark.label", to=1), RemoveChange(at="inventoryLevel")


def created(**body):
    return Create(source=SOURCE, creates=Creates.HOLDING, sigel="Ylm", of="b", body=body)


@pytest.mark.parametrize(
    ("earlier", "changes", "english", "swedish"),
    [
        (
            "",
            [SET],
            "update holding: set shelfMark.label",
            "Ändra beståndspost: nytt värde i shelfMark.label",
        ),
        (
            pattern_of(update(SET), kind="holding"),
            [SET, REMOVED],
            "update holding: set shelfMark.label; remove inventoryLevel",
            "Ändra beståndspost: nytt värde i shelfMark.label; ta bort inventoryLevel",
        ),
        (
            pattern_of(created(b=1, a=2)),
            [REMOVED],
            "create holding: a, b; remove inventoryLevel",
            "Skapa beståndspost med a, b; ta bort inventoryLevel",
        ),
        (
            pattern_of(created()),
            [REMOVED],
            "create holding: remove inventoryLevel",
            "Skapa beståndspost med ta bort inventoryLevel",
        ),
        (
            Sentence(
                "pattern_parts", head=Sentence("pattern_move"), parts=(Sentence("part_create_new"),)
            ),
            [REMOVED],
            "move holding: create the new one; remove inventoryLevel",
            "Flytta beståndspost: skapa den nya; ta bort inventoryLevel",
        ),
        ("set shelfMark", [REMOVED], "set shelfMark: remove inventoryLevel", None),
    ],
)
def test_what_precedes_in_the_same_change_stands_first(earlier, changes, english, swedish):
    found = update_pattern("holding", parts_of_update(update(*changes)), earlier=again(earlier))
    assert found == english
    assert again(found).worded("sv") == (swedish or found.worded("sv"))


@pytest.mark.parametrize("parts", [0, 1, 40])
def test_what_precedes_may_be_cut(parts):
    long = pattern_of(update(*(RemoveChange(at=f"key{number}") for number in range(90))))
    more = parts_of_update(update(*(SetChange(at=f"x{n}", to=1) for n in range(parts))))
    text = "; ".join([long, *more])
    assert long.count("…") == 1
    cut = update_pattern(None, more, earlier=again(long))
    assert cut == f"{text[:MAX_LENGTH]}… {digest(text)[7:15]}"


@pytest.mark.parametrize(
    "op",
    [
        created(**{f"key{number:04}": 1 for number in range(5000)}),
        update(*(RemoveChange(at=f"key{number}") for number in range(5000))),
        update(
            ExampleChange(
                match={f"old{number}": 1 for number in range(5000)},
                result={f"new{number}": 1 for number in range(5000)},
            )
        ),
    ],
)
def test_what_is_stored_of_a_long_pattern_is_bounded(op):
    pattern = pattern_of(op)
    assert len(stored_text(pattern)) < 4000
    assert len(pattern.worded("sv")) < MAX_LENGTH + 20


def test_restoring_is_named_by_what_it_takes_back():
    assert [
        restoring_pattern(action, "bib") for action in (Action.UPDATE, Action.CREATE, Action.DELETE)
    ] == [
        "undo bib: give back old content",
        "undo bib: delete what was created",
        "undo bib: create again what was deleted",
    ]


RESTORING = [restoring_pattern(action, kind) for action in Action for kind in ("bib", None)]


@pytest.mark.parametrize("pattern", RESTORING)
def test_what_takes_back_is_known_by_its_pattern_whatever_else_is_done_with_it(pattern):
    assert is_restoring(pattern)
    assert is_restoring(again(pattern))
    more = update_pattern("bib", parts_of_update(update(SET)), earlier=pattern)
    assert is_restoring(again(more))
    many = update(*(RemoveChange(at=f"key{number}") for number in range(90)))
    cut = update_pattern("bib", parts_of_update(many), earlier=pattern)
    assert "…" in cut
    assert is_restoring(again(cut))


@pytest.mark.parametrize(
    "pattern",
    [
        pattern_of(update(SET), kind="holding"),
        pattern_of(update(SetChange(at="undo", to=1))),
        pattern_of(Delete(source=SOURCE, target="x"), kind="bib"),
        delete_pattern("bib"),
        "undo holding: somebody's own words",
        "",
    ],
)
def test_what_changes_takes_nothing_back(pattern):
    assert not is_restoring(pattern)
