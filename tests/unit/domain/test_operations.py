"""What holds for every operation, whatever the record."""

import copy

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulkrunner.domain import operations
from bulkrunner.domain.canonical import canonical_bytes, same
from bulkrunner.domain.changes.change import Changed
from bulkrunner.domain.changes.verbs import AppendChange, RemoveChange, SetChange
from bulkrunner.domain.diff import diff, undeclared_places
from bulkrunner.domain.expressions.expectations import check_expect
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Create, Creates, Delete, Update
from bulkrunner.domain.operations import Applied, apply_update, neutral_operation
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.stored_form import comparable
from bulkrunner.errors import Source
from tests.support.documents import (
    BIB,
    HOLDINGS,
    IRIS,
    KEYS,
    PRODUCTION_BASE,
    RECORD,
    SHORT_IDS,
    TEST_BASE,
    VALUES,
    holding,
)

SOURCE = Source(file="job.yaml")
PLACES = st.lists(st.one_of(KEYS, st.integers(0, 2).map(str)), min_size=1, max_size=3).map(".".join)
WRITES = st.one_of(
    st.builds(lambda at, to: SetChange(at=at, to=to), st.one_of(KEYS, PLACES), VALUES),
    st.builds(lambda at, value: AppendChange(at=at, value=value), st.one_of(KEYS, PLACES), VALUES),
)
CHANGES = st.one_of(WRITES, st.builds(lambda at: RemoveChange(at=at), PLACES))


def changed(document, *changes, **rest):
    return apply_update(
        document, Update(source=SOURCE, target=RECORD, changes=changes, **rest), IRIS
    )


def readable(change):
    first = change.at.partition(".")[0]
    return not first.isdigit() and first != "@type"


def text(value):
    return canonical_bytes(value)


@given(HOLDINGS, st.lists(CHANGES.filter(readable), max_size=4))
def test_the_document_given_is_never_changed(document, changes):
    before = copy.deepcopy(document)
    result = changed(document, *changes)
    assert text(document) == text(before)
    assert isinstance(result, Refusal) or result.document["@graph"][0] is document["@graph"][0]


@given(HOLDINGS, st.lists(CHANGES.filter(readable), max_size=4))
def test_no_change_reaches_what_it_does_not_name(document, changes):
    result = changed(document, *changes)
    assume(isinstance(result, Applied))
    named = {change.at.partition(".")[0] for change in changes}
    old, new = document["@graph"][1], result.document["@graph"][1]
    assert {key: id(value) for key, value in old.items() if key not in named} == {
        key: id(value) for key, value in new.items() if key not in named
    }
    assert [key for key in new if key not in named] == [key for key in old if key not in named]


@given(HOLDINGS, st.one_of(KEYS, PLACES), VALUES)
def test_what_was_set_is_there(document, at, value):
    change = SetChange(at=at, to=value)
    assume(readable(change))
    result = changed(document, change)
    assume(isinstance(result, Applied))
    assert check_expect(result.document, {at: value}, IRIS) is None


@given(HOLDINGS, KEYS, VALUES)
def test_removing_what_was_created_restores_the_document(document, key, value):
    assume(key != "@type" and key not in document["@graph"][1])
    created = changed(document, SetChange(at=key, to=value))
    assume(isinstance(created, Applied))
    restored = changed(created.document, RemoveChange(at=key))
    assert text(restored.document) == text(document)


@given(HOLDINGS, WRITES)
def test_set_and_append_made_twice_are_made_once(document, change):
    assume(readable(change))
    once = changed(document, change)
    assume(isinstance(once, Applied))
    twice = changed(once.document, change)
    assert isinstance(twice, Applied)
    assert twice.document is once.document


@given(HOLDINGS, KEYS, VALUES)
def test_an_appended_value_is_there_once_more_or_was_there(document, key, value):
    assume(key != "@type" and not isinstance(value, list))
    old = document["@graph"][1].get(key, [])
    old = old if isinstance(old, list) else [old]
    result = changed(document, AppendChange(at=key, value=value))
    assume(isinstance(result, Applied))
    new = result.document["@graph"][1][key]
    if any(comparable(item) == comparable(value) for item in old):
        assert result.document is document
    else:
        assert text(new[:-1]) == text(old)
        assert comparable(new[-1]) == comparable(value)


@given(HOLDINGS, st.lists(CHANGES.filter(readable), max_size=3))
def test_declared_paths_cover_every_difference(document, changes):
    result = changed(document, *changes)
    assume(isinstance(result, Applied))
    assert undeclared_places(document, result.document, result.declared) == []
    if result.document is not document and text(result.document) != text(document):
        assert diff(document, result.document)
        assert undeclared_places(document, result.document, ())


def test_a_difference_outside_the_declared_paths_is_found():
    before = holding(shelfMark={"label": "Hc"}, copyNumber="1")
    after = holding(shelfMark={"label": "Hce"}, copyNumber="2")
    declared = [("@graph", 1, "shelfMark", "label")]
    assert undeclared_places(before, after, declared) == ["copyNumber"]
    assert undeclared_places(before, after, [*declared, ("@graph", 1, "copyNumber")]) == []


def test_a_fault_of_the_program_that_changes_more_is_refused(monkeypatch):
    def careless(document, change, context):
        return Changed(
            document=holding(copyNumber="9", hasNote="gone astray"),
            declared=(("@graph", 1, "copyNumber"),),
            change=change,
            effective=True,
        )

    monkeypatch.setattr(operations, "apply_change", careless)
    result = changed(holding(copyNumber="1"), SetChange(at="copyNumber", to="9"))
    assert isinstance(result, Refusal)
    assert result.code == "undeclared_change"
    assert "hasNote" in result.message


def test_a_long_value_is_cut_in_messages():
    result = check_expect(holding(hasNote="x" * 5000), {"hasNote": "y"}, IRIS)
    assert len(result.message) < 400
    assert "(5002 characters)" in result.message


def test_expectations_hold_before_any_change_is_made():
    document = holding(copyNumber="1")
    result = changed(document, SetChange(at="copyNumber", to="2"), expect={"copyNumber": "2"})
    assert result.code == "unexpected_value"


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ([1, 2], [2, 1], False),
        ([1], 1, False),
        ("1", 1, False),
    ],
)
def test_equality_of_json_values(one, other, equal):
    assert same(one, other) is equal


@given(VALUES, VALUES)
def test_equal_values_are_those_with_equal_canonical_json(one, other):
    assert same(one, other) is (text(one) == text(other))
    assert same(one, copy.deepcopy(one))


# --- neutral form ---------------------------------------------------------------------------


def test_the_neutral_form_of_an_update():
    op = Update(
        source=SOURCE,
        target=f"{TEST_BASE}{RECORD}#it",
        changes=(
            SetChange(at="shelfMark.@id", to=f"{TEST_BASE}{BIB}#it"),
            AppendChange(at="subject", value={"@id": f"{PRODUCTION_BASE}{BIB}"}),
            RemoveChange(at="inventoryLevel"),
        ),
        expect={"shelfMark.@id": f"{PRODUCTION_BASE}{RECORD}", "copyNumber": "0123"},
    )
    assert neutral_operation(op, IRIS) == {
        "update": RECORD,
        "changes": [
            {"set": {"at": "shelfMark.@id", "to": f"libris:{BIB}#it"}},
            {"append": {"at": "subject", "value": {"@id": f"libris:{BIB}"}}},
            {"remove": {"at": "inventoryLevel"}},
        ],
        "expect": {"shelfMark.@id": f"libris:{RECORD}", "copyNumber": "0123"},
    }


@pytest.mark.parametrize(
    ("op", "neutral"),
    [
        (Delete(source=SOURCE, target=PRODUCTION_BASE + RECORD), {"delete": RECORD}),
        (
            Delete(source=SOURCE, target="http://libris.kb.se/hold/1", expect={"a": 1}),
            {"delete": "http://libris.kb.se/hold/1", "expect": {"a": 1}},
        ),
        (Update(source=SOURCE, target=RECORD, resave=True), {"update": RECORD, "resave": True}),
        (
            Update(source=SOURCE, target=RECORD, replace={"item": {"copyNumber": "1"}}),
            {"update": RECORD, "replace": {"item": {"copyNumber": "1"}}},
        ),
        (
            Create(
                source=SOURCE,
                creates=Creates.HOLDING,
                sigel="Ylm",
                of=TEST_BASE + BIB,
                body={"shelfMark": {"@id": f"{TEST_BASE}{RECORD}"}},
            ),
            {
                "create": "holding",
                "of": BIB,
                "sigel": "Ylm",
                "body": {"shelfMark": {"@id": f"libris:{RECORD}"}},
            },
        ),
        (
            Create(source=SOURCE, creates=Creates.BIB, sigel="Ylm", of=None, record={"a": 1}),
            {"create": "bib", "sigel": "Ylm", "record": {"a": 1}},
        ),
    ],
)
def test_neutral_forms(op, neutral):
    assert neutral_operation(op, IRIS) == neutral


@given(SHORT_IDS, st.sampled_from(["", "#it"]))
def test_the_neutral_form_is_the_same_seen_from_every_environment(short, suffix):
    forms = []
    for target in (TEST_BASE, PRODUCTION_BASE):
        iris = IriMap(bases=(TEST_BASE, PRODUCTION_BASE), target=target)
        value = {"@id": f"{target}{short}{suffix}"}
        op = Update(
            source=SOURCE, target=target + short, changes=(SetChange(at="subject", to=value),)
        )
        forms.append(neutral_operation(op, iris))
    assert forms[0] == forms[1]


def test_a_replaced_bib_keeps_its_ids_and_may_change_its_type():
    document = holding()
    document["@graph"][1] = {
        "@id": f"{TEST_BASE}{RECORD}#it",
        "@type": "Instance",
        "hasTitle": [],
        "sameAs": [{"@id": "http://libris.kb.se/resource/bib/1"}],
    }
    new = {"@id": "x", "@type": "PhysicalResource", "sameAs": [], "hasTitle": [{"label": "b"}]}
    result = apply_update(
        document, Update(source=SOURCE, target=RECORD, replace={"item": new}), IRIS
    )
    assert result.document["@graph"][1] == {
        "@id": f"{TEST_BASE}{RECORD}#it",
        "@type": "PhysicalResource",
        "sameAs": [{"@id": "http://libris.kb.se/resource/bib/1"}],
        "hasTitle": [{"label": "b"}],
    }


def test_a_replaced_bib_without_a_type_keeps_its_own():
    document = holding()
    document["@graph"][1] = {"@id": "x#it", "@type": "Instance", "a": 1}
    op = Update(source=SOURCE, target=RECORD, replace={"item": {"b": 2}})
    result = apply_update(document, op, IRIS)
    assert result.document["@graph"][1] == {"@id": "x#it", "@type": "Instance", "b": 2}
