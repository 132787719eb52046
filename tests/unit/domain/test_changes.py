"""What holds for every change, whatever the record."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.changes.verbs import VERBS, MoveValueChange, parse_change
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Update
from bulkrunner.domain.operations import Applied, apply_update, neutral_operation
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.report_groups import pattern_of
from bulkrunner.errors import Fault, Source
from tests.support.changes import outside
from tests.support.documents import (
    BIB,
    BODIES,
    IRIS,
    KEYS,
    PRODUCTION_BASE,
    RECORD,
    SCALARS,
    TEST_BASE,
    TEXTS,
    VALUES,
    holding,
)
from tests.support.sizes import examples

SOURCE = Source(file="job.yaml")
FIELD = KEYS.filter(lambda key: key != "@type")
COMPONENTS = st.lists(BODIES.map(lambda body: {"@type": "Item", **body}), max_size=3)
DOCUMENTS = st.builds(
    lambda item, parts, head: holding(
        head=head, **item, **({"hasComponent": parts} if parts else {})
    ),
    BODIES,
    COMPONENTS,
    BODIES,
)
PLACES = st.lists(FIELD, min_size=1, max_size=2).map(".".join)
WITHIN = ["item", "components", "item_and_components", "each_place", "anywhere", "record"]
SCOPES = st.fixed_dictionaries(
    {},
    optional={
        "in": st.one_of(st.sampled_from(WITHIN), FIELD.map(lambda key: {"each": key})),
        "when": st.dictionaries(PLACES, SCALARS, min_size=1, max_size=1),
    },
)
TABLES = st.dictionaries(TEXTS, st.one_of(TEXTS, st.none()), min_size=1, max_size=3).filter(
    lambda table: table.keys() != {"file"}
)
LETTERS = st.text(alphabet="HcMAG01", min_size=1, max_size=2)
ARGUMENTS = {
    "set": st.fixed_dictionaries({"at": PLACES, "to": VALUES}),
    "remove": st.fixed_dictionaries({"at": PLACES}),
    "append": st.fixed_dictionaries({"at": PLACES, "value": VALUES}),
    "remove_items": st.fixed_dictionaries(
        {"at": PLACES, "matching": st.one_of(SCALARS, st.dictionaries(FIELD, SCALARS, min_size=1))}
    ),
    "replace_value": st.fixed_dictionaries(
        {"at": PLACES, "table": TABLES}, optional={"otherwise": st.sampled_from(["keep", "refuse"])}
    ),
    "replace_text": st.one_of(
        st.fixed_dictionaries({"at": PLACES, "find": LETTERS, "with": LETTERS}),
        st.fixed_dictionaries(
            {
                "at": PLACES,
                "pattern": LETTERS.map(lambda text: f"({text}|N)+"),
                "with": st.just("\\1"),
            }
        ),
    ),
    "move_value": st.fixed_dictionaries({"from": PLACES, "to": PLACES}),
    "retype": st.fixed_dictionaries({"at": PLACES, "to": st.sampled_from(["Note", "Item"])}),
}
ONE = st.one_of(
    [args.map(lambda data, verb=verb: {verb: data}) for verb, args in ARGUMENTS.items()]
)


def read(data):
    try:
        return parse_change(data, outside())
    except Fault:
        return None


CHANGES = (
    st.builds(lambda verb, scope: verb | scope, ONE, SCOPES)
    .map(read)
    .filter(lambda one: one is not None)
)
FORMS = st.dictionaries(KEYS, st.one_of(SCALARS, st.lists(SCALARS, max_size=2), BODIES), max_size=3)


def changed(document, *changes, iris=IRIS):
    op = Update(source=SOURCE, target=RECORD, changes=changes)
    return apply_update(document, op, iris)


def text(value):
    return json.dumps(value, ensure_ascii=False)


def test_every_verb_is_tried():
    assert ARGUMENTS.keys() == VERBS.keys()


@given(DOCUMENTS, st.lists(CHANGES, min_size=1, max_size=3))
@settings(max_examples=examples(300))
def test_any_change_of_any_record_is_made_or_refused(document, changes):
    before = copy.deepcopy(document)
    result = changed(document, *changes)
    assert text(document) == text(before)
    assert isinstance(result, (Applied, Refusal))
    assert isinstance(result, Applied) or result.code != "undeclared_change"


def first_keys(change):
    keys = {change.at}
    if isinstance(change, MoveValueChange):
        keys.add(change.to)
    if change.scope.each is not None:
        keys = {change.scope.each}
    return {key.removeprefix("@item.").partition(".")[0] for key in keys}


@given(DOCUMENTS, CHANGES)
@settings(max_examples=examples(300))
def test_what_is_not_named_is_the_same_object_in_the_same_order(document, change):
    result = changed(document, change)
    if not isinstance(result, Applied):
        return
    if change.scope.within is not None and change.scope.within.value == "anywhere":
        return
    named = first_keys(change) | {"hasComponent"}
    for old, new in zip(document["@graph"], result.document["@graph"], strict=True):
        assert [key for key in new if key not in named] == [key for key in old if key not in named]
        assert all(new[key] is old[key] for key in new if key not in named)


@given(DOCUMENTS, CHANGES)
@settings(max_examples=examples(300))
def test_only_the_objects_that_are_meant_are_touched(document, change):
    within = change.scope.within
    result = changed(document, change)
    if not isinstance(result, Applied) or within is None:
        return
    record, item = result.document["@graph"]
    if within.value not in ("anywhere", "record"):
        assert record is document["@graph"][0]
    if within.value == "record":
        assert item is document["@graph"][1]
    if within.value == "components" and item is not document["@graph"][1]:
        rest = {key: value for key, value in item.items() if key != "hasComponent"}
        assert all(value is document["@graph"][1][key] for key, value in rest.items())


@given(DOCUMENTS, CHANGES)
@settings(max_examples=examples(300))
def test_no_component_changes_that_does_not_meet_the_condition(document, change):
    if change.scope.when is None or change.scope.within is None:
        return
    if change.scope.within.value != "components":
        return
    result = changed(document, change)
    if not isinstance(result, Applied):
        return
    old = document["@graph"][1].get("hasComponent", [])
    new = result.document["@graph"][1].get("hasComponent", [])
    from bulkrunner.domain.expressions.conditions import holds

    context = Context(document=document, iris=IRIS)
    for component in old:
        if not holds(change.scope.when, context.at(component)):
            assert any(component is other for other in new)


REPEATABLE = ("set", "remove", "append", "remove_items", "retype")


@given(DOCUMENTS, CHANGES)
@settings(max_examples=examples(300))
def test_most_changes_made_twice_are_made_once(document, change):
    verb = next(iter(neutral_operation(op_of(change), IRIS)["changes"][0]))
    if verb not in REPEATABLE or change.scope.when is not None:
        return
    if "." in getattr(change, "at", "") and verb == "remove":
        return
    once = changed(document, change)
    if not isinstance(once, Applied):
        return
    twice = changed(once.document, change)
    if isinstance(twice, Applied):
        assert text(twice.document) == text(once.document)


def op_of(*changes):
    return Update(source=SOURCE, target=RECORD, changes=changes)


@given(FORMS, FORMS, DOCUMENTS)
@settings(max_examples=examples(300))
def test_examples_are_made_or_refused_and_made_once(match, result, document):
    try:
        change = ExampleChange.parse({"match": match, "result": result})
    except Fault:
        return
    once = changed(document, change)
    if isinstance(once, Applied) and once.document is not document:
        assert once.effective


@given(BODIES.filter(bool))
def test_a_record_looks_like_its_own_example(body):
    try:
        change = ExampleChange.parse({"match": body, "result": {**body, "callNumberPrefix": ["x"]}})
    except Fault:
        return
    once = changed(holding(**body), change)
    assert isinstance(once, Applied)
    assert once.document["@graph"][1] == {
        **holding(**body)["@graph"][1],
        "callNumberPrefix": ["x"],
    }
    assert changed(once.document, change).document is once.document


@given(DOCUMENTS, CHANGES)
@settings(max_examples=examples(200))
def test_changes_and_operations_are_equal_in_every_environment(document, change):
    forms = []
    for base in (TEST_BASE, PRODUCTION_BASE):
        iris = IriMap(bases=(TEST_BASE, PRODUCTION_BASE), target=base)
        result = changed(iris.localise(document), change, iris=iris)
        forms.append(neutral_operation(op_of(change), iris))
        forms.append(iris.neutral(result.document) if isinstance(result, Applied) else result.code)
        pattern_of(op_of(change), kind="holding")
    assert forms[:2] == forms[2:]


def test_each_row_makes_changes_of_its_own():
    changes = [
        {"set": {"at": "a", "to": {"$text": "{@row.x} {b}"}}, "when": {"c": {"$value": "@row.x"}}},
        {"append": {"at": "a", "value": {"$value": "@param.p"}}},
        {"remove_items": {"at": "a", "matching": {"$value": "@row.x"}}},
        {"replace_text": {"at": "a", "find": {"$value": "@row.x"}, "with": {"$value": "b"}}},
        {"remove": {"at": "a"}},
    ]
    example = {"match": {"a": {"$value": "@row.x"}}, "result": {"a": {"$value": "b"}}}
    read = [*(parse_change(change, outside()) for change in changes), ExampleChange.parse(example)]
    document = holding(b="1")
    context = Context(document=document, iris=IRIS, row={"x": "X"}, parameters={"p": 4})
    op = op_of(*(change.bound(context) for change in read))
    assert neutral_operation(op, IRIS)["changes"] == [
        {"set": {"at": "a", "to": {"$text": "X {b}"}}, "when": {"c": {"equals": "X"}}},
        {"append": {"at": "a", "value": 4}},
        {"remove_items": {"at": "a", "matching": {"equals": "X"}}},
        {"replace_text": {"at": "a", "find": "X", "with": {"$value": "b"}}},
        {"remove": {"at": "a"}},
        {"example": {"match": {"a": "X"}, "result": {"a": {"$value": "b"}}}},
    ]


def test_the_neutral_form_of_changes():
    changes = [
        {"set": {"at": "a", "to": {"@id": f"{PRODUCTION_BASE}{BIB}"}}, "in": "components",
         "when": {"x": {"starts_with": "H"}}},
        {"remove_items": {"at": "a", "matching": {"@id": f"{PRODUCTION_BASE}{BIB}"}}},
        {"remove_items": {"at": "a", "matching": "x"}},
        {"replace_value": {"at": "a.@id", "table": {f"{PRODUCTION_BASE}{BIB}": None}},
         "in": {"each": "hasNote"}},
        {"replace_text": {"at": "a", "pattern": "(x)", "with": "\\1", "trim": True}},
        {"replace_text": {"at": "a", "find": "x", "with": ""}},
        {"move_value": {"from": "a", "to": "b"}},
        {"retype": {"at": "a", "to": "Note"}},
    ]  # fmt: skip
    op = op_of(*(parse_change(change, outside()) for change in changes))
    assert neutral_operation(op, IRIS)["changes"] == [
        {"set": {"at": "a", "to": {"@id": f"libris:{BIB}"}}, "in": "components",
         "when": {"x": {"starts_with": "H"}}},
        {"remove_items": {"at": "a", "matching": {"@id": {"equals": f"libris:{BIB}"}}}},
        {"remove_items": {"at": "a", "matching": {"equals": "x"}}},
        {"replace_value": {"at": "a.@id", "table": {f"libris:{BIB}": None}, "otherwise": "keep"},
         "in": {"each": "hasNote"}},
        {"replace_text": {"at": "a", "pattern": "(x)", "with": "\\1", "trim": True}},
        {"replace_text": {"at": "a", "find": "x", "with": ""}},
        {"move_value": {"from": "a", "to": "b"}},
        {"retype": {"at": "a", "to": "Note"}},
    ]  # fmt: skip
    assert pattern_of(op, kind="holding") == (
        "update holding: set a in components; remove items of a; "
        "replace value of a.@id in each hasNote; replace text of a; move a to b; retype a to Note"
    )


def test_the_pattern_of_an_example():
    change = ExampleChange.parse(
        {
            "match": {"shelfMark": {"label": "Hc"}, "x": "1", "meta": {"y": "1"}, "n": ["a", "b"]},
            "result": {"shelfMark": {"label": "Hce"}, "z": "1", "meta": {"y": "2"}, "n": ["a"]},
        }
    )
    assert pattern_of(op_of(change), kind="holding") == (
        "update holding: change shelfMark.label; remove x; change @record.y; remove n; add z"
    )


def test_an_operation_says_what_it_was_carried_out_with():
    data = [
        {"set": {"at": "a", "to": {"$text": "was {a}"}}},
        {"set": {"at": "b.@id", "to": {"$value": "itemOf.@id"}}},
        {"append": {"at": "c", "value": {"@id": {"$value": "@item.itemOf.@id"}}}},
        {"set": {"at": "x", "to": {"$text": "{copyNumber} of {@item.a}"}}, "in": "components"},
        {"set": {"at": "y", "to": {"$value": "@bib.z"}}, "when": {"y": "none"}},
    ]
    changes = [parse_change(one, outside()) for one in data]
    document = holding(a="1", b={}, hasComponent=[{"@type": "Item", "copyNumber": "2"}])
    result = changed(document, *changes)
    assert neutral_operation(op_of(*result.changes), IRIS)["changes"] == [
        {"set": {"at": "a", "to": "was 1"}},
        {"set": {"at": "b.@id", "to": f"libris:{BIB}#it"}},
        {"append": {"at": "c", "value": {"@id": f"libris:{BIB}#it"}}},
        # Each component has its own number; what it refers to stays.
        {"set": {"at": "x", "to": {"$text": "{copyNumber} of {@item.a}"}}, "in": "components"},
        {"set": {"at": "y", "to": {"$value": "@bib.z"}}, "when": {"y": {"equals": "none"}}},
    ]
    assert result.document["@graph"][1]["hasComponent"][0]["x"] == "2 of was 1"


def test_only_what_found_something_to_do_is_effective():
    changes = [
        parse_change({"set": {"at": "a", "to": "2"}, "when": {"a": "1"}}, outside()),
        parse_change({"set": {"at": "b", "to": "2"}, "when": {"b": "1"}}, outside()),
    ]
    result = changed(holding(a="1"), *changes)
    assert [change.at for change in result.effective] == ["a"]


@pytest.mark.parametrize(
    "document",
    [{}, {"@graph": []}, {"@graph": [1, 2]}, {"@graph": [{}, []]}, {"@graph": {"0": {}}},
     {"@graph": [{}, {"a": json.loads("[" * 300 + "]" * 300)}]}],
)  # fmt: skip
def test_what_is_no_record_is_refused(document):
    change = parse_change({"remove": {"at": "a"}, "in": "anywhere"}, outside())
    assert changed(document, change).code == "unreadable_record"


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        ({}, (), "exactly one"),
        ({"set": {"at": "a", "to": 1}, "remove": {"at": "b"}}, (), "exactly one"),
        ({"replace_txt": {}}, (), "exactly one"),
        ({"set": {"at": "a..b", "to": 1}}, ("set", "at"), "place"),
        ({"set": {"at": "a", "to": {"$value": ""}}}, ("set", "to", "$value"), "empty"),
        ({"set": {"at": "a", "to": 1}, "in": "component"}, ("in",), "component"),
        ({"set": {"at": "a", "to": 1}, "in": {"each": "a..b"}}, ("in", "each"), "place"),
        ({"set": {"at": "@record.a", "to": 1}, "in": "components"}, ("set", "at"), "@record."),
        ({"set": {"at": "@record.a", "to": 1}, "in": "record"}, ("set", "at"), "@record."),
        ({"set": {"at": "a", "to": 1}, "when": {"x": {"is": 1}}}, ("when", "x"), "is"),
        ({"remove_items": {"at": "a", "matching": {"x": {"is": 1}}}}, ("remove_items", "matching", "x"), "is"),
        ({"replace_value": {"at": "a", "table": {}}}, ("replace_value", "table"), "table"),
        ({"replace_value": {"at": "a", "table": {"file": "t"}}}, ("replace_value", "table"), "t"),
        ({"replace_value": {"at": "a", "table": {"a": {"$value": "x"}}}}, ("replace_value", "table"), "constants"),
        ({"replace_value": {"at": "a", "table": {"a": "b"}, "otherwise": "x"}}, ("replace_value", "otherwise"), "keep"),
        ({"replace_text": {"at": "a", "with": "x"}}, ("replace_text",), "find and pattern"),
        ({"replace_text": {"at": "a", "find": "x", "pattern": "y", "with": "x"}}, ("replace_text",), "find and pattern"),
        ({"replace_text": {"at": "a", "find": "", "with": "x"}}, ("replace_text", "find"), "one character"),
        ({"replace_text": {"at": "a", "pattern": "(", "with": "x"}}, ("replace_text", "pattern"), "regular"),
        ({"replace_text": {"at": "a", "pattern": "(a)", "with": "\\2"}}, ("replace_text", "with"), "1 groups"),
        ({"replace_text": {"at": "a", "pattern": "(a)", "with": "\\x"}}, ("replace_text", "with"), "\\x"),
        ({"replace_text": {"at": "a", "pattern": "(a)", "with": {"$values": "b"}}}, ("replace_text", "with"), "is a text"),
        ({"move_value": {"from": "a", "to": "a"}}, ("move_value", "to"), "inside"),
        ({"move_value": {"from": "a", "to": "a.b"}}, ("move_value", "to"), "inside"),
        ({"move_value": {"from": "a.b", "to": "a"}}, ("move_value", "to"), "inside"),
        ({"move_value": {"from": "a", "to": "@item.@record.b"}}, ("move_value", "to"), ""),
        ({"retype": {"at": "a", "to": "två ord"}}, ("retype", "to"), "type"),
    ],
)  # fmt: skip
def test_faults_are_told_with_their_place(change, path, says):
    with pytest.raises(Fault) as caught:
        parse_change(change, outside())
    assert caught.value.path[: len(path)] == path
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("match", "result", "path", "says"),
    [
        ({}, {}, ("match",), "something"),
        ([], {}, ("match",), "object"),
        ({"a": "1"}, {"a": 1}, ("result", "a"), "a number"),
        ({"a": "1"}, {"a": {"label": "1"}}, ("result", "a"), "an object"),
        ({"a": None}, {}, ("match", "a"), "null"),
        ({"a": [["x"]]}, {}, ("match", "a", 0), "list in a list"),
        ({"a": "1"}, {"heldBy": {"@id": "x"}}, ("result",), "heldBy"),
        ({"@type": "Item"}, {"@type": "SingleItem"}, ("result",), "@type"),
        (
            {"meta": {"a": "1"}},
            {"meta": {"controlNumber": "1"}},
            ("result", "meta"),
            "controlNumber",
        ),
        ({"meta": "x"}, {}, ("match", "meta"), "object"),
        ({"bulk:matchingMode": "x"}, {}, ("match",), "bulk:matchingMode"),
        (
            {"a": [{"x": "1"}, {"x": "2"}]},
            {"a": [{"x": "3"}, {"x": "4"}]},
            ("result", "a"),
            "not clear",
        ),
        (
            {"a": {"termComponentList": [{"@id": "x"}]}},
            {"a": {"termComponentList": [{"@id": "y"}]}},
            ("result", "a", "termComponentList"),
            "order",
        ),
        ({"a": {"$value": "@rwo"}}, {}, ("match", "a"), ""),
    ],
)
def test_unclear_examples_are_refused_with_their_place(match, result, path, says):
    with pytest.raises(Fault) as caught:
        ExampleChange.parse({"match": match, "result": result})
    assert caught.value.path[: len(path)] == path
    assert says in caught.value.message


def test_an_example_that_a_row_makes_unclear_refuses_the_record():
    change = ExampleChange.parse(
        {"match": {"inventoryLevel": 4}, "result": {"inventoryLevel": {"$value": "@row.new"}}}
    )
    document = holding(inventoryLevel=4)
    result = apply_update(
        document, op_of(change), IRIS, Context(document=document, iris=IRIS, row={"new": "5"})
    )
    assert result.code == "unclear_example"


@pytest.mark.parametrize(
    "data",
    [
        {"replace_value": {"at": "x", "table": {"a": "b"}, "otherwise": "keep"}},
        {"replace_text": {"at": "x", "find": "a", "with": "c"}},
        {"remove_items": {"at": "x", "matching": {"starts_with": "a"}}},
        {"replace_value": {"at": "hasNote.label", "table": {"a": "b"}}},
        {"remove": {"at": "label"}, "in": {"each": "hasNote"}},
        {"move_value": {"from": "x", "to": "hasNote"}},
    ],
)
def test_long_lists_take_time_in_proportion(data):
    """With the square of the length this would not end in the time that a test has."""
    texts = [f"a{number}" for number in range(20_000)] + ["a"]
    notes = [{"@type": "Note", "label": "a", "n": str(number)} for number in range(20_000)]
    result = changed(holding(x=texts, hasNote=notes), parse_change(data, outside()))
    assert isinstance(result, Applied)
    assert result.effective


def test_a_text_is_not_put_together_without_bounds():
    data = {"set": {"at": "x", "to": {"$text": "{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}"}}}
    result = changed(holding(a="y" * 100_000), parse_change(data, outside()))
    assert result.code == "value_too_long"


@pytest.mark.parametrize(
    "to", [{"shelfMark": "NO"}, [{"hasNote": [{"shelfMark": "x"}]}], {"a": {"shelfMark": 1}}]
)
def test_a_value_that_has_the_place_itself_is_not_set_anywhere(to):
    with pytest.raises(Fault) as caught:
        parse_change({"set": {"at": "shelfMark", "to": to}, "in": "anywhere"}, outside())
    assert "has a place `shelfMark` of its own" in caught.value.message
    with pytest.raises(Fault):
        parse_change({"append": {"at": "shelfMark", "value": to}, "in": "anywhere"}, outside())
    parse_change({"set": {"at": "shelfMark", "to": to}, "in": "item"}, outside())


def test_a_list_in_a_list_is_refused():
    result = changed(holding(), parse_change({"append": {"at": "x", "value": [["a"]]}}, outside()))
    assert (result.code, "a list in a list" in result.message) == ("wrong_kind", True)
