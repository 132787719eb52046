"""A verb is one class, and every one keeps the promises of ``Change``."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from pathlib import Path

import pytest

import bulkrunner
from bulkrunner.adapters.manifests.job_schema import schema
from bulkrunner.domain.changes.change import Change, read_at
from bulkrunner.domain.changes.edits import EditSet, Put
from bulkrunner.domain.changes.scopes import leaves
from bulkrunner.domain.changes.verbs import VERBS, change_said, parse_change
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.manifest import Update
from bulkrunner.domain.operations import Applied, apply_update, neutral_operation
from bulkrunner.domain.places import parse_place
from bulkrunner.domain.report_groups import pattern_of
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import LANGUAGES, Sentence
from tests.support.changes import outside
from tests.support.documents import IRIS, RECORD, holding

GIVEN = {
    "set": {"at": "shelfMark.label", "to": {"$text": "{@row.Ny} {label}"}},
    "remove": {"at": "inventoryLevel"},
    "append": {"at": "hasNote", "value": {"@type": "Note", "label": {"$value": "@row.Ny"}}},
    "remove_items": {"at": "hasNote", "matching": {"label": {"$value": "@row.Ny"}}},
    "replace_value": {"at": "physicalLocation", "table": {"Hc": "Hce", "x": None}},
    "replace_text": {"at": "shelfLabel", "pattern": "a(b)", "with": {"$text": r"{@row.Ny} \1"}},
    "move_value": {"from": "shelfLabel", "to": "@record.cataloguersNote"},
    "retype": {"at": "hasNote", "to": "Note"},
}
"""One change of each verb, with references to the row where it takes any."""

SCOPES = [
    {},
    {"in": "components"},
    {"in": {"each": "hasNote"}, "when": {"label": {"$value": "@row.Ny"}}},
]

ONCE = pytest.mark.parametrize("verb", sorted(GIVEN))
IN_ANY_SCOPE = pytest.mark.parametrize("scope", SCOPES, ids=["plain", "components", "each"])


def written(verb, scope):
    return {verb: GIVEN[verb], **scope}


def read(verb, scope):
    return parse_change(written(verb, scope), outside())


def test_every_verb_of_the_schema_is_a_class_and_the_other_way_round():
    names = schema()["$defs"]["stepChange"]["properties"].keys() - {"in", "when"}
    assert VERBS.keys() == names == GIVEN.keys()
    assert all(verb.verb == name for name, verb in VERBS.items())


@ONCE
def test_a_verb_is_one_class_below_change(verb):
    assert VERBS[verb].__bases__ == (Change,)
    assert not inspect.isabstract(VERBS[verb])


@ONCE
@IN_ANY_SCOPE
def test_what_is_written_of_a_change_reads_as_the_same_change(verb, scope):
    change = read(verb, scope)
    assert isinstance(change, VERBS[verb])
    again = parse_change(change.data(), outside())
    assert again.data() == change.data()
    assert change.data().keys() == {verb, *scope}
    assert change.data()[verb]["from" if verb == "move_value" else "at"] == change.at


@ONCE
@IN_ANY_SCOPE
def test_a_bound_change_asks_nothing_of_the_row_any_more(verb, scope):
    change = read(verb, scope)
    asked = {ref.text for ref in change.references() if ref.text.startswith("@row.")}
    assert bool(asked) is ("@row." in str(written(verb, scope)))
    context = Context(document=holding(), iris=IRIS, row={"Ny": "nytt"})
    bound = change.bound(context)
    assert not [ref for ref in bound.references() if ref.text.startswith("@row.")]
    assert ("nytt" in str(bound.data())) is bool(asked)
    # What has no value is asked for later.
    unknown = change.bound(Context(document=holding(), iris=IRIS, row={}))
    assert unknown.data() == change.data()


@ONCE
def test_a_frozen_change_has_the_values_that_it_was_carried_out_with(verb):
    document = holding(label="L", shelfLabel="abba", hasNote=[])
    context = Context(document=document, iris=IRIS, row={"Ny": "nytt"})
    change = read(verb, {})
    frozen = change.frozen(context)
    left = {ref.text for ref in frozen.references()} if verb != "remove_items" else set()
    assert left == set()
    if not change.values:
        assert frozen.data() == change.data()
    # In several objects plain places stay references: each has its own.
    several = read(verb, {"in": "components"}).frozen(context)
    assert {ref.text for ref in several.references()} <= {"label", "@row.Ny"}
    assert ("label" in {ref.text for ref in several.references()}) is (
        verb in ("set", "remove_items")
    )


@ONCE
def test_a_pattern_names_places_and_no_values(verb):
    pattern = read(verb, {}).pattern
    place = GIVEN[verb].get("at", GIVEN[verb].get("from"))
    for language in LANGUAGES:
        told = pattern.worded(language)
        assert place.removeprefix("@record.").split(".")[0] in told
        assert "Ny" not in told
        assert "Hce" not in told
    assert pattern.worded("sv") != pattern.worded("en")


@ONCE
@IN_ANY_SCOPE
def test_an_explanation_is_in_both_languages(verb, scope):
    said = change_said(written(verb, scope))
    assert said.worded("sv") != said.worded("en")
    assert ("hasNote" in said) or "each" not in str(scope)


@pytest.mark.parametrize(
    ("verb", "scope", "prunes"),
    [
        ("remove", {}, False),
        ("remove", {"in": "components"}, True),
        ("remove", {"when": {"a": "b"}}, True),
        ("remove_items", {}, True),
        ("remove_items", {"in": "components"}, True),
        ("set", {"in": "components"}, False),
        ("move_value", {}, False),
    ],
)
def test_an_explanation_says_where_what_is_emptied_goes_too(verb, scope, prunes):
    assert (change_said(written(verb, scope)).key == "change_prunes") is prunes


# Names that mean nothing but the verb; ``set``, ``remove`` and ``append`` are words of much else.
ITS_OWN = sorted(VERBS.keys() - {"set", "remove", "append"})


@pytest.mark.parametrize("verb", ITS_OWN)
def test_a_verb_is_named_in_its_class_and_nowhere_else(verb):
    package = Path(bulkrunner.__file__).parent
    named = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value == verb
    }
    assert named == {Path(inspect.getfile(VERBS[verb])).relative_to(package).as_posix()}


@dataclass(frozen=True, kw_only=True)
class Shout(Change):
    """A verb that the program does not have: texts at the place in capitals."""

    verb = "shout"

    @classmethod
    def parse(cls, data, scope, outside):
        return cls(at=read_at(data, scope), scope=scope)

    def edits_in(self, here, context):
        found = list(leaves(here.node, here.path, parse_place(self.at).steps))
        return EditSet(
            edits=tuple(Put(path=path, value=text.upper()) for path, text in found),
            named=tuple(path for path, _ in found),
        )

    def arguments(self, iris):
        return {"at": self.at}

    @property
    def pattern(self):
        return Sentence("part_set", at=self.at)

    @classmethod
    def said(cls, given):
        return Sentence("change_remove", at=given["at"])


def test_a_new_verb_is_a_class_and_its_name_among_the_verbs(monkeypatch):
    written = {"shout": {"at": "label"}, "in": {"each": "hasNote"}, "when": {"label": "b"}}
    with pytest.raises(Fault) as caught:
        parse_change(written, outside())
    assert caught.value.key == "shout"
    monkeypatch.setitem(VERBS, "shout", Shout)
    change = parse_change(written, outside())
    op = Update(source=Source(file="job.yaml"), target=RECORD, changes=(change,))
    notes = [{"@type": "Note", "label": label} for label in "ab"]
    made = apply_update(holding(hasNote=notes), op, IRIS)
    assert isinstance(made, Applied)
    after = made.document["@graph"][1]["hasNote"]
    assert [note["label"] for note in after] == ["a", "B"]
    (data,) = neutral_operation(op, IRIS)["changes"]
    assert data == {**written, "when": {"label": {"equals": "b"}}}
    assert pattern_of(op, kind="holding") == "update holding: set label in each hasNote"
    assert change_said(written) == (
        'label is removed, in each object at hasNote, where label is "b"'
    )
