"""Any changes of any record: what is not named stays, and what is made twice is made once."""

import json

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.changes.verbs import parse_change
from bulkrunner.domain.manifest import Update
from bulkrunner.domain.operations import Applied, apply_update
from bulkrunner.errors import Fault, Source
from tests.support.changes import outside
from tests.support.documents import IRIS, RECORD, holding
from tests.support.naming import leaves, unnamed
from tests.support.sizes import examples

LABELS = st.sampled_from(["Hc", "Hce", "REF", "MAG", "x"])
NOTES = st.fixed_dictionaries({"@type": st.just("Note"), "label": LABELS})
ONE_OR_MORE = {"max_size": 3}


def some(inner):
    """A single value, or a list of it: one place either way."""
    return st.one_of(inner, st.lists(inner, **ONE_OR_MORE))


SHELF = {
    "shelfMark": st.fixed_dictionaries({"@type": st.just("ShelfMark"), "label": LABELS}),
    "shelfLabel": LABELS,
    "physicalLocation": some(LABELS),
    "hasNote": some(NOTES),
    "cataloguersNote": some(LABELS),
    "inventoryLevel": st.integers(0, 5),
    "availability": some(
        st.fixed_dictionaries({"@type": st.just("ItemAvailability"), "label": LABELS})
    ),
}
FIELDS = tuple(SHELF)
PLACES = st.sampled_from([*FIELDS, "shelfMark.label", "hasNote.label", "availability.label"])
COMPONENTS = st.recursive(
    st.fixed_dictionaries({"@type": st.just("Item")}, optional=SHELF),
    lambda inner: st.fixed_dictionaries(
        {"@type": st.just("Item"), "hasComponent": st.lists(inner, min_size=1, max_size=2)},
        optional=SHELF,
    ),
    max_leaves=3,
)
DOCUMENTS = st.builds(
    lambda item, parts, head: holding(
        head=head, **item, **({"hasComponent": parts} if parts else {})
    ),
    st.fixed_dictionaries({}, optional=SHELF),
    st.lists(COMPONENTS, max_size=3),
    st.fixed_dictionaries({}, optional={"cataloguersNote": some(LABELS), "hasNote": some(NOTES)}),
)
SCOPES = st.one_of(
    st.sampled_from(
        ["item", "components", "item_and_components", "each_place", "anywhere", "record"]
    ),
    st.sampled_from(["hasNote", "availability", "shelfMark", "hasComponent"]).map(
        lambda each: {"each": each}
    ),
)
CONDITIONS = st.one_of(
    st.sampled_from(["shelfLabel", "inventoryLevel", "label"]).map(lambda at: {at: None}),
    st.builds(lambda at, label: {at: label}, PLACES, LABELS),
    st.builds(lambda at, label: {"not": {at: {"starts_with": label}}}, PLACES, LABELS),
)
FREE = st.one_of(LABELS, NOTES, st.lists(LABELS, max_size=2), st.integers(0, 3))
LABEL_PLACES = st.sampled_from(
    ["shelfMark.label", "hasNote.label", "shelfLabel", "cataloguersNote", "label"]
)
WRITTEN = {
    "set": st.fixed_dictionaries({"at": PLACES, "to": FREE}),
    "remove": st.fixed_dictionaries({"at": PLACES}),
    "append": st.fixed_dictionaries({"at": st.sampled_from(FIELDS), "value": FREE}),
    "remove_items": st.fixed_dictionaries(
        {
            "at": st.sampled_from([*FIELDS, "label"]),
            "matching": st.one_of(LABELS, LABELS.map(lambda label: {"label": label})),
        }
    ),
    # Values that a table makes are none that it changes: applied twice it is applied once.
    "replace_value": st.fixed_dictionaries(
        {
            "at": LABEL_PLACES,
            "table": st.dictionaries(LABELS, st.sampled_from(["Y", "Z", None]), min_size=1),
        }
    ),
    "replace_text": st.fixed_dictionaries(
        {"at": LABEL_PLACES, "find": st.sampled_from(["H", "c", "MAG"]), "with": st.just("Q")}
    ),
    "move_value": st.fixed_dictionaries(
        {"from": st.sampled_from(FIELDS), "to": st.sampled_from(FIELDS)}
    ),
    "retype": st.fixed_dictionaries(
        {"at": st.sampled_from(["hasNote", "shelfMark"]), "to": st.just("Thing")}
    ),
}


def changes_of(verb):
    """Changes by one verb, anywhere and on any condition."""
    return st.builds(
        lambda given, scope, when: (
            {verb: given}
            | ({"in": scope} if scope is not None else {})
            | ({"when": when} if when is not None else {})
        ),
        WRITTEN[verb],
        st.one_of(st.none(), SCOPES),
        st.one_of(st.none(), CONDITIONS),
    )


CHANGES = st.one_of([changes_of(verb) for verb in WRITTEN])
FORMS = st.fixed_dictionaries({}, optional=SHELF)
EXAMPLES = st.builds(
    lambda same, match, result: {
        "example": {"match": {**same, **match}, "result": {**same, **result}}
    },
    FORMS,
    FORMS,
    FORMS,
)


def read(written):
    """The change, or None where it contradicts itself."""
    try:
        if "example" in written:
            return ExampleChange.parse(written["example"])
        return parse_change(written, outside())
    except Fault:
        return None


def outcome(document, *written):
    """What comes of the changes: a document applied, a refusal, or None where they contradict."""
    changes = tuple(read(one) for one in written)
    if None in changes:
        return None
    op = Update(source=Source(file="job.yaml"), target=RECORD, changes=changes)
    result = apply_update(document, op, IRIS)
    # The program's own guard refuses what alters something else; nothing may come so far.
    assert isinstance(result, Applied) or result.code != "undeclared_change"
    return result


def changed(document, *written):
    """What the changes make of the document, or None where they are refused or contradictory."""
    result = outcome(document, *written)
    return result.document if isinstance(result, Applied) else None


def text(value):
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("verb", WRITTEN)
@given(data=st.data())
@settings(max_examples=examples(100))
def test_what_no_change_names_keeps_its_value_form_and_order(verb, data):
    document = data.draw(DOCUMENTS)
    written = [data.draw(changes_of(verb)), *data.draw(st.lists(CHANGES, max_size=2))]
    before = text(document)
    result = changed(document, *written)
    assert text(document) == before
    if result is None:
        return
    event("changed" if text(result) != before else "left as it is")
    assert unnamed(result, written) == unnamed(document, written)


@given(DOCUMENTS, EXAMPLES)
@settings(max_examples=examples(300))
def test_what_no_example_names_keeps_its_value_form_and_order(document, written):
    # An example is tried on a record that has what it must have, more often than on any other.
    item = {**document["@graph"][1], **written["example"]["match"]}
    for one in (document, {"@graph": [document["@graph"][0], item]}):
        result = changed(one, written)
        if result is not None:
            event("changed" if text(result) != text(one) else "left as it is")
            assert unnamed(result, [written]) == unnamed(one, [written])


def is_repeatable(written):
    """Whether the manifest says the same of what the change has made: its condition is not on it."""
    (verb,) = written.keys() - {"in", "when"}
    if verb == "example":
        return True
    given = written[verb]
    named = {given.get("at", given.get("from")), given.get("to") if verb == "move_value" else None}
    asked = json.dumps(written.get("when", {}))
    return not any(key in asked for place in named - {None} for key in place.split("."))


@pytest.mark.parametrize("verb", WRITTEN)
@given(data=st.data())
@settings(max_examples=examples(150))
def test_a_change_made_twice_is_made_once(verb, data):
    document, written = data.draw(DOCUMENTS), data.draw(changes_of(verb).filter(is_repeatable))
    once = changed(document, written)
    if once is None:
        return
    event("changed" if text(once) != text(document) else "left as it is")
    twice = outcome(once, written)
    if isinstance(twice, Applied):
        assert text(twice.document) == text(once)
    else:
        # The item has it no more, a component has: where, the change does not say.
        assert twice.code == "in_component"
        assert "in" not in written


@given(DOCUMENTS, EXAMPLES)
@settings(max_examples=examples(300))
def test_an_example_made_twice_is_made_once(document, written):
    item = {**document["@graph"][1], **written["example"]["match"]}
    once = changed({"@graph": [document["@graph"][0], item]}, written)
    if once is not None:
        event("changed")
        assert text(changed(once, written)) == text(once)


def test_the_oracle_sees_what_a_change_must_not_do():
    """The oracle itself: a neighbour that changes, moves or changes its form is seen."""
    written = [{"set": {"at": "shelfMark.label", "to": "Hce"}}]
    mark = {"@type": "ShelfMark", "label": "Hc"}
    before = holding(shelfMark=mark, hasNote=["a", "b"], shelfLabel="x")
    ids = {leaf.keys for leaf in leaves(before)}
    assert {("shelfMark", "label"), ("hasNote",), ("heldBy", "@id")} <= ids
    fine = holding(
        shelfMark={"@type": "ShelfMark", "label": "Hce"}, hasNote=["a", "b"], shelfLabel="x"
    )
    assert unnamed(fine, written) == unnamed(before, written)
    for wrong in (
        holding(shelfMark=mark, hasNote=["b", "a"], shelfLabel="x"),
        holding(shelfMark=mark, hasNote=["a"], shelfLabel="x"),
        holding(shelfMark=mark, hasNote=["a", "b"], shelfLabel=1),
        holding(shelfMark=mark, shelfLabel="x", hasNote=["a", "b"]),
        holding(
            shelfMark=mark, hasNote=["a", "b"], shelfLabel="x", hasComponent=[{"@type": "Item"}]
        ),
        holding(head={"x": 1}, shelfMark=mark, hasNote=["a", "b"], shelfLabel="x"),
        holding(sigel="NO", shelfMark=mark, hasNote=["a", "b"], shelfLabel="x"),
    ):
        assert unnamed(wrong, written) != unnamed(before, written)
